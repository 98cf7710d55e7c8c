//! What the first account of a fresh server takes, when it is not a code that the program makes itself.

use std::str::FromStr;

/// What the operator set in place of the code that each start prints. It says nothing of itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub enum SetupCode {
    /// The first account takes no code: whoever comes first is the administrator.
    Off,
    /// This code.
    Is(String),
}

impl std::fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Is(_) => "Is(…)",
        })
    }
}

impl FromStr for SetupCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = &*super::text_or_file(text)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        match plain && (16..=256).contains(&text.len()) {
            true => Ok(Self::Is(text.into())),
            false => {
                Err("write off, or 16 or more letters, digits and signs, without spaces".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_code_is_long_or_off_and_stays_out_of_logs() {
        assert_eq!("off".parse(), Ok(SetupCode::Off));
        let code: SetupCode = "correct-horse-battery".parse().expect("it is long enough");
        assert!(!format!("{code:?}").contains("horse"));
        for wrong in ["", "short", "sixteen letters and spaces", "on"] {
            assert!(wrong.parse::<SetupCode>().is_err(), "{wrong:?}");
        }
    }
}
