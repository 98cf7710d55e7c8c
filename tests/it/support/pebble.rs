//! A real certificate authority that belongs to a test: Pebble, the ACME server that Let's Encrypt tests with, and a
//! name server for it to which every name is this machine. Free ports, a directory of their own.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tempfile::TempDir;

use super::secure::Secure;
use super::{eventually, free_port};

/// The authority; dropping it ends it.
pub struct Pebble {
    folder: TempDir,
    directory: u16,
    management: u16,
    names: u16,
    running: Vec<Child>,
}

impl Pebble {
    /// One that is not there yet, but has an address. It asks servers at `http_port` instead of port 80, and its
    /// certificates live so many seconds.
    pub fn absent(http_port: u16, lifetime: u32) -> Pebble {
        let folder = TempDir::new().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        let own = own.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("own.pem"), own.pem()).expect("room");
        fs::write(folder.path().join("own.key"), key.serialize_pem()).expect("room");
        let (directory, management) = (free_port(), free_port());
        let settings = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{directory}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": "own.pem", "privateKey": "own.key",
            "httpPort": http_port, "tlsPort": free_port(),
            "ocspResponderURL": "", "certificateValidityPeriod": lifetime,
        }});
        fs::write(folder.path().join("settings.json"), settings.to_string()).expect("room");
        Pebble {
            folder,
            directory,
            management,
            names: free_port(),
            running: Vec::new(),
        }
    }

    /// Starts it, with nothing that it knew before, and waits until it answers.
    pub async fn starts(&mut self) {
        let names = format!("127.0.0.1:{}", self.names);
        let management = format!("127.0.0.1:{}", free_port());
        let mut name_server = Command::new("pebble-challtestsrv");
        name_server.args(["-dns01", &names, "-management", &management]);
        name_server.args([
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
        ]);
        let mut authority = Command::new("pebble");
        authority.args(["-config", "settings.json", "-dnsserver", &names]);
        // It does not wait before it asks, and never refuses a good nonce for the sake of the exercise; no earlier
        // authorization saves its question.
        authority.envs([
            ("PEBBLE_VA_NOSLEEP", "1"),
            ("PEBBLE_WFE_NONCEREJECT", "20"),
            ("PEBBLE_AUTHZREUSE", "0"),
        ]);
        for mut program in [name_server, authority] {
            program.current_dir(self.folder.path()).stdin(Stdio::null());
            program.stdout(Stdio::null()).stderr(Stdio::null());
            self.running
                .push(program.spawn().expect("pebble is installed"));
        }
        let own = self.own();
        eventually("pebble answers", || {
            let secure = Secure::new("127.0.0.1", self.directory, &own);
            async move { secure.get("/dir").await.is_some() }
        })
        .await;
    }

    /// Ends it.
    pub fn goes(&mut self) {
        for mut program in self.running.drain(..) {
            program.kill().expect("it was running");
            program.wait().expect("it is a child of ours");
        }
    }

    /// Its directory's address.
    pub fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.directory)
    }

    /// The file of what the directory's own certificate is checked with.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("own.pem")
    }

    fn own(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.root()).expect("a certificate")
    }

    /// The root of the certificates that it gives.
    pub async fn authority(&self) -> CertificateDer<'static> {
        let management = Secure::new("127.0.0.1", self.management, &self.own());
        let answer = management.get("/roots/0").await.expect("it answers");
        CertificateDer::from_pem_slice(answer.as_bytes()).expect("a certificate")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.goes();
    }
}
