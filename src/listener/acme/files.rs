//! What must outlive a restart: the account with the certificate authority, the key and the certificate. All of it is
//! in the data directory's `acme`, for its owner alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use instant_acme::AccountCredentials;

use super::super::tls::Certificate;

/// The files of one server.
#[derive(Debug, Clone)]
pub struct AcmeFiles {
    folder: PathBuf,
}

impl AcmeFiles {
    /// In this directory, which is made when there is something to write.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The account with this directory, if there is one.
    pub fn account(&self, directory: &str) -> Option<AccountCredentials> {
        let text = fs::read(self.folder.join("account.json")).ok()?;
        let value: serde_json::Value = serde_json::from_slice(&text).ok()?;
        let is_there = value.get("directory").and_then(|it| it.as_str()) == Some(directory);
        is_there
            .then(|| serde_json::from_value(value).ok())
            .flatten()
    }

    /// Keeps a new account.
    ///
    /// # Errors
    /// A sentence.
    pub fn keep_account(&self, account: &AccountCredentials) -> Result<(), String> {
        let text = serde_json::to_vec(account).map_err(|err| err.to_string())?;
        self.write("account.json", &text)
    }

    /// The certificate for this host, if there is one.
    ///
    /// # Errors
    /// A sentence: there is a file that cannot be used.
    pub fn certificate(&self, host: &str) -> Result<Option<Certificate>, String> {
        let path = self.folder.join("certificate.pem");
        let unusable = |words: String| format!("{} cannot be used: {words}", path.display());
        let pem = match fs::read(&path) {
            Ok(pem) => pem,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(unusable(err.to_string())),
        };
        let certificate = Certificate::from_pem(&pem, &pem).map_err(unusable)?;
        Ok(Some(certificate).filter(|it| it.is_for(host)))
    }

    /// Keeps a certificate together with its key, so that they always belong together.
    ///
    /// # Errors
    /// A sentence.
    pub fn keep_certificate(&self, key: &str, chain: &str) -> Result<(), String> {
        self.write("certificate.pem", format!("{key}{chain}").as_bytes())
    }

    /// Writes a file as a whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.folder.join(name);
        let written = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)?;
            let new = self.folder.join(format!("{name}.new"));
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|err: io::Error| format!("{} cannot be written: {err}", path.display()))
    }
}
