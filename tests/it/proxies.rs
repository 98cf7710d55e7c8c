//! nginx, Caddy and haproxy between browsers and the server, as README writes them: what is run is README's own text,
//! with other ports, addresses and certificates. `just proxies` runs these; they need the three installed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket};

use crate::support::browser::{Chromium, Window};
use crate::support::cluster::Cluster;
use crate::support::{PASSWORD, Town, eventually, free_port, redis::Redis};

const NAME: &str = "chat.example.org";
const NODES: [&str; 3] = ["10.0.0.21:8000", "10.0.0.22:8000", "10.0.0.23:8000"];

/// Where browsers come from, which is not where the proxy does.
const CLIENT: &str = "127.0.0.7";

/// Killed when dropped.
struct Proxy {
    child: Child,
    /// The ports that take http and https.
    ports: (u16, u16),
    folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            eprintln!("the proxy: {}", log.unwrap_or_default());
        }
    }
}

/// README's text of this kind, with these nodes in the places of its three.
fn configuration(kind: &str, nodes: &[SocketAddr]) -> String {
    let readme = include_str!("../../README.md");
    let opening = format!("```{kind}\n");
    let (_, after) = readme.split_once(&opening).expect("README has it");
    let (text, _) = after.split_once("```").expect("the block ends");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (number, name) in NODES.iter().enumerate() {
        let at = lines.iter().position(|line| line.contains(name));
        let at = at.unwrap_or_else(|| panic!("{name} is in no line for {kind}"));
        match nodes.get(number) {
            Some(node) => lines[at] = lines[at].replace(name, &node.to_string()),
            None => drop(lines.remove(at)),
        }
    }
    lines.join("\n")
}

/// Puts something in the place of what README has, which has to be there.
fn replace(text: &mut String, from: &str, to: &str) {
    assert!(text.contains(from), "{from:?} is not in {text}");
    *text = text.replace(from, to);
}

/// A certificate for an hour or so, and its key: `pem` has both.
fn certificate(folder: &Path) -> (String, String) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=chat.example.org", "-keyout"])
        .args([&key, Path::new("-out"), &certificate])
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{made:?}");
    let both = [&certificate, &key].map(|file| std::fs::read_to_string(file).expect("it was made"));
    std::fs::write(folder.join("both.pem"), both.concat()).expect("room");
    (certificate.display().to_string(), key.display().to_string())
}

impl Proxy {
    fn nginx(nodes: &[SocketAddr]) -> Proxy {
        Proxy::starts(nodes, |folder, (http, https)| {
            let (certificate, key) = certificate(folder);
            let mut site = configuration("nginx", nodes);
            replace(
                &mut site,
                "listen 80;",
                &format!("listen 127.0.0.1:{http};"),
            );
            replace(
                &mut site,
                "listen 443",
                &format!("listen 127.0.0.1:{https}"),
            );
            replace(&mut site, "/etc/ssl/chat.example.org.pem", &certificate);
            replace(&mut site, "/etc/ssl/chat.example.org.key", &key);
            let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {kind};"))
                .concat();
            let whole = format!(
                "daemon off; user root; pid pid; error_log stderr; events {{}} http {{ access_log off; {places}\n{site}\n}}"
            );
            let file = folder.join("nginx.conf");
            std::fs::write(&file, whole).expect("room");
            let mut nginx = Command::new("nginx");
            nginx.arg("-p").arg(folder).arg("-c").arg(file);
            nginx
        })
    }

    fn caddy(nodes: &[SocketAddr]) -> Proxy {
        Proxy::starts(nodes, |folder, (http, https)| {
            let mut site = configuration("caddyfile", nodes);
            // A certificate of its own making: nobody out there vouches for this name.
            let mine = format!("{NAME} {{\n    bind 127.0.0.1\n    tls internal");
            replace(&mut site, &format!("{NAME} {{"), &mine);
            let whole = format!(
                "{{\nadmin off\nskip_install_trust\nhttp_port {http}\nhttps_port {https}\n}}\n{site}\n"
            );
            let file = folder.join("Caddyfile");
            std::fs::write(&file, whole).expect("room");
            let mut caddy = Command::new("caddy");
            caddy.args(["run", "--adapter", "caddyfile", "--config"]);
            caddy.arg(file).env("HOME", folder);
            caddy
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder);
            caddy
        })
    }

    fn haproxy(nodes: &[SocketAddr]) -> Proxy {
        Proxy::starts(nodes, |folder, (http, https)| {
            certificate(folder);
            let both = folder.join("both.pem").display().to_string();
            let mut whole = configuration("haproxy", nodes);
            replace(&mut whole, "bind :80", &format!("bind 127.0.0.1:{http}"));
            replace(&mut whole, "bind :443", &format!("bind 127.0.0.1:{https}"));
            replace(&mut whole, "/etc/ssl/chat.example.org.pem", &both);
            let file = folder.join("haproxy.cfg");
            std::fs::write(&file, whole + "\n").expect("room");
            let mut haproxy = Command::new("haproxy");
            haproxy.arg("-db").arg("-f").arg(file);
            haproxy
        })
    }

    fn starts(nodes: &[SocketAddr], prepares: impl FnOnce(&Path, (u16, u16)) -> Command) -> Proxy {
        assert!(!nodes.is_empty());
        let folder = TempDir::new().expect("a directory");
        let ports = (free_port(), free_port());
        let mut command = prepares(folder.path(), ports);
        let log = std::fs::File::create(folder.path().join("log")).expect("room");
        let errors = log.try_clone().expect("the same file");
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; `just proxies` installs it"));
        Proxy {
            child,
            ports,
            folder,
        }
    }
}

/// A way to the proxy on which browsers have an address of their own. Returns its port.
async fn way_to(port: std::sync::Arc<std::sync::OnceLock<u16>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let own = listener.local_addr().expect("it has one").port();
    tokio::spawn(async move {
        while let Ok((mut browser, _)) = listener.accept().await {
            let target = *port.get().expect("the proxy runs");
            tokio::spawn(async move {
                let socket = TcpSocket::new_v4().expect("a socket");
                let client = format!("{CLIENT}:0").parse().expect("an address");
                socket.bind(client).expect("all of 127.0.0.0/8 is here");
                let proxy = socket.connect(([127, 0, 0, 1], target).into()).await;
                if let Ok(mut proxy) = proxy {
                    let _ = copy_bidirectional(&mut browser, &mut proxy).await;
                }
            });
        }
    });
    own
}

/// Creates an account in a window of its own, and stays in the lobby.
async fn signs_up(chromium: &Chromium, url: &str, name: &str) -> Window {
    let window = chromium.window(url).await;
    window.goes("/signup").await;
    window.writes("input[name=username]", name).await;
    window.writes("input[name=password]", PASSWORD).await;
    window.clicks("form[action='/signup'] button").await;
    window.waits_for("#lobby").await;
    window
}

async fn says(from: &Window, to: &Window, text: &str) {
    from.posts(text).await;
    to.reads("#messages .text", text).await;
}

/// People talk through the proxy, over a WebSocket and over a stream; then all nodes but one stop, one by one.
async fn people_talk_through(starts: fn(&[SocketAddr]) -> Proxy, nodes: usize) {
    let port = std::sync::Arc::new(std::sync::OnceLock::new());
    let public = way_to(port.clone()).await;
    let url = format!("https://{NAME}:{public}");
    let flags = ["--public-url", &url, "--trusted-proxies", "127.0.0.1"];
    let (mut cluster, town) = match nodes {
        1 => (None, Some(Town::with(&flags).await)),
        _ => (
            Some(Cluster::over(Redis::start(), nodes, &flags).await),
            None,
        ),
    };
    let addresses: Vec<_> = match (&cluster, &town) {
        (Some(cluster), _) => (0..nodes).map(|node| cluster[node].addr()).collect(),
        (_, town) => town.iter().map(Town::addr).collect(),
    };
    let proxy = starts(&addresses);
    port.set(proxy.ports.1).expect("nobody else does");
    let resolves = format!("host-resolver-rules=MAP {NAME} 127.0.0.1");
    let chromium = Chromium::opens_with(&[&resolves, "ignore-certificate-errors"]).await;
    eventually("the proxy listens", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", proxy.ports.1))
            .await
            .is_ok()
    })
    .await;
    is_sent_to_https(proxy.ports.0).await;

    let ada = signs_up(&chromium, &url, "ada").await;
    let ben = signs_up(&chromium, &url, "ben").await;
    ada.clicks("[popovertarget=new-room]").await;
    ada.writes("#new-room-name", "General").await;
    ada.clicks(".new-room button").await;
    ada.reads("#room-name", "General").await;
    ada.is_live_by("ws").await;
    ben.gets_no_answer_from_sockets().await;
    ben.goes("/rooms/1").await;
    ben.time_flies().await;
    ben.is_live_by("sse").await;
    says(&ada, &ben, "one, over a stream").await;
    says(&ben, &ada, "two, over a WebSocket").await;

    let desk = chromium.tab_beside(&ada).await;
    desk.goes("/admin/connections").await;
    desk.reads("#connections", CLIENT).await;
    let shown = desk
        .evaluates("document.querySelector('#connections').innerText")
        .await;
    let shown = shown.as_str().unwrap_or_default().to_owned();
    assert!(!shown.contains("127.0.0.1"), "the proxy is nobody: {shown}");

    for left in (1..nodes).rev() {
        cluster.as_mut().expect("there are several").loses_a_node();
        says(&ada, &ben, &format!("{left} left")).await;
        says(&ben, &ada, &format!("{left} left, I see")).await;
        ada.is_live_by("ws").await;
    }
}

/// Plain http leads to https.
async fn is_sent_to_https(port: u16) {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let answer = client
        .get(format!("http://127.0.0.1:{port}/"))
        .header("Host", NAME)
        .send()
        .await
        .expect("an answer");
    let to = answer
        .headers()
        .get("Location")
        .map(|to| to.to_str().unwrap_or_default());
    assert!(answer.status().is_redirection());
    assert!(
        to.is_some_and(|to| to.starts_with("https://chat.example.org")),
        "{to:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: just proxies"]
async fn people_talk_through_nginx() {
    people_talk_through(Proxy::nginx, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: just proxies"]
async fn people_talk_through_nginx_before_three_nodes() {
    people_talk_through(Proxy::nginx, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Caddy: just proxies"]
async fn people_talk_through_caddy() {
    people_talk_through(Proxy::caddy, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Caddy: just proxies"]
async fn people_talk_through_caddy_before_three_nodes() {
    people_talk_through(Proxy::caddy, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy: just proxies"]
async fn people_talk_through_haproxy() {
    people_talk_through(Proxy::haproxy, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy: just proxies"]
async fn people_talk_through_haproxy_before_three_nodes() {
    people_talk_through(Proxy::haproxy, 3).await;
}
