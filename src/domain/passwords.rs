//! Passwords: hashed with argon2id, at most as many at once as there are cores, and never on the async threads.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// OWASP's second choice for argon2id: 19 MiB, two passes, one lane (Password Storage Cheat Sheet, 2025).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// glibc gives back at once what is larger than this (mallopt(3), DEFAULT_MMAP_THRESHOLD_MAX on 64 bit); of anything
/// smaller it keeps, after the first time, one piece per thread: 443 MiB after a hundred sign-ups.
const GIVEN_BACK: usize = 33 * 1024 * 1024;
/// How many may wait for a core before more are refused; at about 30 ms each, the last waits about two seconds.
const QUEUE: usize = 128;
/// Shorter than this is guessed too soon (ASVS 5.0, 6.2.1).
const SHORTEST: usize = 8;
/// Longer than this is no password but an attack.
const LONGEST: usize = 256;

/// A password that may be chosen; says nothing of itself in logs.
pub struct Password(String);

impl Password {
    /// Reads a new password: 8 to 256 characters, any of them.
    ///
    /// # Errors
    /// `Invalid` with what to do.
    pub fn parse(text: &str) -> Result<Self> {
        match text.chars().count() {
            0..SHORTEST => Err(Error::invalid(
                "password",
                "Choose a password of at least 8 characters.",
            )),
            SHORTEST..=LONGEST => Ok(Self(text.into())),
            _ => Err(Error::invalid(
                "password",
                "A password has at most 256 characters.",
            )),
        }
    }
}

/// The bounded pool that hashes and verifies.
#[derive(Debug, Clone)]
pub struct Passwords {
    cores: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// The hash of a password nobody has: verifying against it takes as long as against a real one.
    nobody: Arc<tokio::sync::OnceCell<String>>,
}

impl Passwords {
    /// A pool as wide as the machine.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(QUEUE)),
            nobody: Arc::default(),
        }
    }

    /// Hashes a chosen password, with a fresh salt, into PHC form.
    ///
    /// # Errors
    /// `Unavailable` when too many wait.
    pub async fn hash(&self, password: Password) -> Result<String> {
        self.run(move || hash(password.0.as_bytes())).await?
    }

    /// Whether `password` belongs to `hash`; without a hash (nobody has this name) it takes as long and is false.
    ///
    /// # Errors
    /// `Unavailable` when too many wait.
    pub async fn verify(&self, password: String, known: Option<String>) -> Result<bool> {
        let exists = known.is_some();
        let against = match known {
            Some(known) => known,
            None => self
                .nobody
                .get_or_try_init(|| async { self.run(|| hash(b"nobody has this password")).await? })
                .await?
                .clone(),
        };
        let fits = self
            .run(move || verify(password.as_bytes(), &against))
            .await??;
        Ok(fits && exists)
    }

    /// Prepares what [`Passwords::verify`] needs for unknown names, so that not even the first one takes longer.
    ///
    /// # Errors
    /// As [`Passwords::hash`].
    pub async fn prepare(&self) -> Result<()> {
        self.nobody
            .get_or_try_init(|| async { self.run(|| hash(b"nobody has this password")).await? })
            .await?;
        Ok(())
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let full = |_| Error::Unavailable("too many passwords are being checked".into());
        let _place = self.places.try_acquire().map_err(full)?;
        let closed = |_| Error::Internal("the password pool was closed".into());
        let _core = self.cores.acquire().await.map_err(closed)?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|err| Error::Internal(err.to_string()))
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

fn params() -> Result<Params> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(internal)
}

/// The hash of `password`, with a fresh salt.
fn hash(password: &[u8]) -> Result<String> {
    let params = params()?;
    let salt = Salt::new(&rand::random::<[u8; 16]>()).map_err(internal)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(internal)?,
        hash: Some(output(password, &salt, params)?),
        salt: Some(salt),
    };
    Ok(hash.to_string())
}

/// Whether `known` is the hash of `password`, by the parameters that it bears itself; compared in constant time.
fn verify(password: &[u8], known: &str) -> Result<bool> {
    let known = PasswordHash::new(known).map_err(internal)?;
    let params = Params::try_from(&known).map_err(internal)?;
    let (Some(salt), Some(expected)) = (known.salt, known.hash) else {
        return Err(Error::Internal("a stored password is no hash".into()));
    };
    Ok(output(password, &salt, params)? == expected)
}

/// What argon2id makes of a password. Its memory is asked for as one piece above [`GIVEN_BACK`], of which only what is
/// used is ever touched: so it goes back to the system at once instead of staying with each thread.
fn output(password: &[u8], salt: &Salt, params: Params) -> Result<Output> {
    let mut memory: Vec<Block> = Vec::with_capacity(GIVEN_BACK / Block::SIZE);
    memory.resize(params.block_count(), Block::default());
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut out, &mut memory)
        .map_err(internal)?;
    Output::new(&out).map_err(internal)
}

fn internal(err: impl std::fmt::Display) -> Error {
    Error::Internal(err.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[test]
    fn a_hash_is_the_standard_one_and_fits_its_password_alone() {
        let known = hash("grüner Tee".as_bytes()).expect("it hashes");
        assert!(
            known.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{known}"
        );
        assert!(verify("grüner Tee".as_bytes(), &known).expect("a hash"));
        assert!(!verify(b"gruener Tee", &known).expect("a hash"));
        let parsed = PasswordHash::new(&known).expect("a PHC string");
        let library = Argon2::default().verify_password("grüner Tee".as_bytes(), &parsed);
        assert!(library.is_ok(), "the library agrees");
        assert_ne!(
            known,
            hash("grüner Tee".as_bytes()).expect("it hashes"),
            "the salt is fresh"
        );
    }

    #[tokio::test]
    async fn an_unknown_name_fits_no_password() {
        let passwords = Passwords::new();
        let nobody = passwords.verify("nobody has this password".into(), None);
        assert!(!nobody.await.expect("it is checked"));
    }
}
