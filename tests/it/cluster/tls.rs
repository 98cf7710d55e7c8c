//! Redis elsewhere, over TLS.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{databases, eventually, free_port, process::House, redis::Redis};

/// An authority of our own and a certificate by it, for this machine.
pub fn certificates(folder: &Path) {
    let openssl = |words: &str| {
        let mut made = Command::new("openssl");
        made.args(words.split(' ')).current_dir(folder);
        let made = made.output().expect("openssl is there");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{words}: {said}");
    };
    let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n";
    std::fs::write(folder.join("names"), names).expect("it can be written");
    let key = "-newkey rsa:2048 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=Tests"
    ));
    openssl(&format!(
        "req {key} -keyout key.pem -out asked.pem -subj /CN=localhost"
    ));
    openssl(
        "x509 -req -in asked.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names",
    );
}

#[tokio::test]
async fn redis_is_reached_over_tls() {
    let (folder, data) = (TempDir::new(), TempDir::new());
    let (folder, data) = (folder.expect("a directory"), data.expect("a directory"));
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key, ca) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
    let port = free_port().to_string();
    let files = [
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
    ];
    let listen = ["--tls-port", &port, "--tls-auth-clients", "no"];
    let _redis = Redis::with(&[&listen[..], &files].concat());
    let url = format!("rediss://localhost:{port}");
    let database = databases::url(data.path()).await;
    let flags = ["--database", &database, "--redis", &url];
    let trusting = format!("SSL_CERT_FILE={ca}");
    let house = House::opens_under(&["env", &trusting], "127.0.0.1:0", data.path(), &flags).await;
    let ada = house.person("ada").await;
    eventually("Redis is heard", async || {
        ada.gets("/readyz").await.body.contains("\"redis\":\"ok\"")
    })
    .await;
}
