//! What is answered to requests that come without TLS to a server that has it: the way to https, and the answers that
//! the certificate authority comes for (HTTP-01, RFC 8555 section 8.3). Nothing of the chat is served in the
//! clear.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{super::BASELINE, Shown};
use crate::config::PublicUrl;

/// Where the certificate authority asks, before the token.
const CHALLENGE: &str = "/.well-known/acme-challenge/";

/// Answers requests in the clear.
#[derive(Debug)]
pub struct PlainHttp {
    /// The only place that people are sent to.
    public: Option<PublicUrl>,
    /// The certificate that they would be shown there.
    pub shown: Arc<Shown>,
    challenges: Mutex<HashMap<String, String>>,
}

impl PlainHttp {
    /// Sends people to `public`.
    pub fn new(public: Option<PublicUrl>, shown: Arc<Shown>) -> Self {
        Self {
            public,
            shown,
            challenges: Mutex::default(),
        }
    }

    /// Answers a token of the certificate authority's, until it is withdrawn.
    pub fn offer(&self, token: &str, answer: &str) {
        let mut challenges = self.challenges.lock().expect("nobody panics in here");
        challenges.insert(token.into(), answer.into());
    }

    /// Answers it no more.
    pub fn withdraw(&self, token: &str) {
        let mut challenges = self.challenges.lock().expect("nobody panics in here");
        challenges.remove(token);
    }

    /// The whole answer to a request with this head, which is well formed. It ends the connection.
    pub fn answer(&self, head: &[u8]) -> String {
        let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let answer = match target.strip_prefix(CHALLENGE) {
            Some(token) => self.challenge(token),
            // Whoever looks whether the program lives needs no certificate for it.
            None if target == "/healthz" => Answer::text("ok".into()),
            None => self.way_to_https(target),
        };
        answer.with_head(method != "HEAD")
    }

    fn challenge(&self, token: &str) -> Answer {
        let challenges = self.challenges.lock().expect("nobody panics in here");
        match challenges.get(token) {
            Some(answer) => Answer::text(answer.clone()),
            None => Answer::page("404 Not Found", String::new(), "There is nothing here."),
        }
    }

    fn way_to_https(&self, target: &str) -> Answer {
        if !self.shown.is_there() {
            let words = "This chat is getting its certificate, without which it cannot speak https. Try again in a \
                 minute. If this stays, its log says why.";
            return Answer::page(
                "503 Service Unavailable",
                "retry-after: 10\r\n".into(),
                words,
            );
        }
        let Some(public) = &self.public else {
            let words = "This server speaks https: write https:// in front of its address.";
            return Answer::page("400 Bad Request", String::new(), words);
        };
        // Other forms of a target are for proxies.
        let path = if target.starts_with('/') { target } else { "/" };
        Answer::page(
            "308 Permanent Redirect",
            format!("location: {public}{path}\r\n"),
            "This chat has moved to https.",
        )
    }
}

struct Answer {
    status: &'static str,
    kind: &'static str,
    fields: String,
    body: String,
}

impl Answer {
    fn text(body: String) -> Self {
        Self {
            status: "200 OK",
            kind: "text/plain; charset=utf-8",
            fields: String::new(),
            body,
        }
    }

    fn page(status: &'static str, fields: String, words: &str) -> Self {
        Self {
            status,
            kind: "text/html; charset=utf-8",
            fields,
            body: format!(
                "<!DOCTYPE html><html lang=\"en\"><title>Tertulia</title><p>{words}</p></html>\n"
            ),
        }
    }

    fn with_head(self, has_body: bool) -> String {
        let Self {
            status,
            kind,
            fields,
            body,
        } = self;
        let baseline: String = BASELINE
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\ncontent-type: {kind}\r\n\
             cache-control: no-store\r\n{fields}{baseline}\r\n{}",
            body.len(),
            if has_body { body.as_str() } else { "" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(plain: &PlainHttp, target: &str) -> String {
        plain.answer(format!("GET {target} HTTP/1.1\r\nHost: evil\r\n\r\n").as_bytes())
    }

    #[test]
    fn before_the_first_certificate_people_are_told_to_wait_and_the_authority_is_answered() {
        let public = "https://chat.example.org".parse().ok();
        let plain = PlainHttp::new(public, Arc::default());
        let page = answer(&plain, "/rooms/1");
        assert!(
            page.starts_with("HTTP/1.1 503 ") && page.contains("retry-after"),
            "{page}"
        );
        plain.offer("token", "token.thumb");
        let reply = answer(&plain, "/.well-known/acme-challenge/token");
        assert!(
            reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("\r\n\r\ntoken.thumb"),
            "{reply}"
        );
        plain.withdraw("token");
        let gone = answer(&plain, "/.well-known/acme-challenge/token");
        assert!(gone.starts_with("HTTP/1.1 404 "), "{gone}");
    }
}
