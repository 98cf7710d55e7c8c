//! Passwords: hashed with argon2id, at most as many at once as there are cores, and never on the async threads.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// OWASP's second choice for argon2id: 19 MiB, two passes, one lane (Password Storage Cheat Sheet, 2025).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
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

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|err| Error::Internal(err.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8]) -> Result<String> {
    let hash: std::result::Result<argon2::password_hash::phc::PasswordHash, _> =
        argon2()?.hash_password(password);
    Ok(hash
        .map_err(|err| Error::Internal(err.to_string()))?
        .to_string())
}

fn verify(password: &[u8], known: &str) -> Result<bool> {
    let known = PasswordHash::new(known).map_err(|err| Error::Internal(err.to_string()))?;
    Ok(argon2()?.verify_password(password, &known).is_ok())
}
