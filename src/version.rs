//! Which build this is.

use std::{fmt, ops::Deref, sync::OnceLock};

/// The version and, once [`Version::is_of_commit`] was told, the commit: `0.1.0 (abc123def456)`. Reads like a `&str`.
pub static VERSION: Version = Version(OnceLock::new());

/// Differs between builds that may make different pages: a hash of the sources, in a release build also of templates and
/// assets (a debug build reads them from the disk). Sixteen hexadecimal digits.
pub const FINGERPRINT: &str = env!("TERTULIA_FINGERPRINT");

/// The type of [`VERSION`].
#[derive(Debug)]
pub struct Version(OnceLock<String>);

impl Version {
    /// Tells the commit, which only the program knows: were it in the library, each commit would build all of it anew.
    /// Once, before anybody asks; without it the version stands alone.
    pub fn is_of_commit(&self, commit: &str) {
        let full = format!("{} ({commit})", env!("CARGO_PKG_VERSION"));
        self.0.get_or_init(|| full);
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        self.0.get().map_or(env!("CARGO_PKG_VERSION"), |full| full)
    }
}

impl Deref for Version {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
