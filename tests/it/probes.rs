//! Programs that watch over the server: balancers, containers, Prometheus. They know it by its address or by no name at
//! all, and some of them speak HTTP/1.0.

use tempfile::TempDir;

use crate::support::House;

#[tokio::test]
async fn a_health_check_is_answered_whatever_it_calls_the_server_and_however_old_its_http_is() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--metrics-token", "a-token-for-the-metrics"];
    let house = House::opens("127.0.0.1:0", data.path(), &flags).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        for method in ["GET", "HEAD"] {
            for (version, host) in [
                ("1.0", ""),
                ("1.0", "Host: tertulia\r\n"),
                ("1.1", ""),
                ("1.1", "Host: 10.0.0.7:8000\r\n"),
                ("1.1", "Host: backend_1\r\n"),
                ("1.1", "Host: \r\n"),
            ] {
                let token = "Authorization: Bearer a-token-for-the-metrics\r\n";
                let head = format!("{method} {path} HTTP/{version}\r\n{host}{token}");
                let answer = house.raw(&format!("{head}Connection: close\r\n\r\n")).await;
                let (status, body) = answer.split_at(12.min(answer.len()));
                assert!(status.ends_with("200"), "{head:?} got {answer}");
                let has_body = body
                    .split_once("\r\n\r\n")
                    .is_some_and(|it| !it.1.is_empty());
                assert_eq!(has_body, method == "GET", "{head:?} got {answer}");
            }
        }
    }
    for (request, status) in [
        ("GET /metrics HTTP/1.0\r\n\r\n", "404"),
        ("GET / HTTP/1.0\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
        ("POST /healthz HTTP/1.0\r\nHost: x\r\n\r\n", "421"),
        ("GET /healthz/ HTTP/1.0\r\nHost: x\r\n\r\n", "421"),
    ] {
        let answer = house.raw(request).await;
        assert!(
            answer.get(9..12) == Some(status),
            "{request:?} got {answer}"
        );
    }
}
