//! Identities: numbers that must not be confused with each other.
//!
//! Knows nothing of the rest of the house; everything else may use it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Says why a text is no identity: it was not a plain positive decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a positive whole number")]
pub struct NotAnId;

/// Reads a positive decimal number in its one canonical form: no sign, no leading zero, no space.
fn canonical(text: &str) -> Result<i64, NotAnId> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAnId);
    }
    text.parse().map_err(|_| NotAnId)
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Reads the canonical decimal form, as it stands in addresses.
            ///
            /// # Errors
            /// `NotAnId` for anything but 1, 2, 3 … without sign, leading zero or space.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                canonical(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A person with an account.
    UserId
);
number!(
    /// A room: public or direct.
    RoomId
);
number!(
    /// A message's place in its room: 1, 2, 3 … without holes. 0 stands before the first.
    Seq
);
number!(
    /// A room's change number: every post, edit and deletion takes the next. 0 stands before the first.
    Rev
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        assert_eq!(RoomId::parse("7"), Ok(RoomId(7)));
        assert_eq!(RoomId::parse("9223372036854775807"), Ok(RoomId(i64::MAX)));
        for text in [
            "",
            "0",
            "01",
            "-1",
            "+1",
            "1e3",
            " 1",
            "1;--",
            "9223372036854775808",
            "٣",
        ] {
            assert_eq!(RoomId::parse(text), Err(NotAnId), "{text:?}");
        }
    }
}
