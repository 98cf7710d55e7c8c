//! Requests as browsers send them, and the answers. Every answer is held against the headers that all of them carry.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, ClientBuilder, Method};
use scraper::{Html, Selector};

use super::actor::{Person, is_session};

/// The content security policy of every answer.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

/// A client without a mind of its own: no redirects, no cookies, no proxy.
pub fn client() -> Client {
    builder()
        .build()
        .expect("a client without TLS needs nothing")
}

/// The same, calling from another address of this machine.
pub fn client_at(address: &str) -> Client {
    let address: IpAddr = address.parse().expect("an address");
    builder()
        .local_address(address)
        .build()
        .expect("a client without TLS needs nothing")
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(60))
}

/// One request being put together.
pub struct Ask<'a> {
    person: &'a Person,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Body>,
}

impl<'a> Ask<'a> {
    /// What a click on a link or a button sends.
    pub fn new(person: &'a Person, method: Method, path: &str) -> Ask<'a> {
        let ask = Ask {
            person,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: None,
        };
        let ask = ask
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate");
        let ask = ask
            .header("accept", "text/html")
            .header("user-agent", "Mozilla/5.0 (a test)");
        let cookies = person.cookies();
        let ask = if cookies.is_empty() {
            ask
        } else {
            ask.header("cookie", &cookies)
        };
        if ask.method == Method::GET || ask.method == Method::HEAD {
            ask
        } else {
            ask.header("origin", person.url())
        }
    }

    /// As htmx sends it, for the element with this id.
    pub fn htmx(self, target: &str) -> Ask<'a> {
        let page = format!("{}/", self.person.url());
        self.header("hx-request", "true")
            .header("hx-request-type", "partial")
            .header("hx-target", target)
            .header("hx-current-url", &page)
            .header("sec-fetch-mode", "cors")
    }

    /// Sets a header, also one that is there already.
    pub fn header(mut self, name: &str, value: &str) -> Ask<'a> {
        let name = HeaderName::try_from(name).expect("a header's name");
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
        self.headers.insert(name, value);
        self
    }

    /// Leaves a header out.
    pub fn without(mut self, name: &str) -> Ask<'a> {
        self.headers.remove(name);
        self
    }

    /// A form-encoded body.
    pub fn form(self, fields: &[(&str, &str)]) -> Ask<'a> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Any body of any type.
    pub fn body(self, kind: &str, body: impl Into<Body>) -> Ask<'a> {
        let mut ask = self.header("content-type", kind);
        ask.body = Some(body.into());
        ask
    }

    /// Sends it, keeps the cookies that come back and checks the headers that every answer has.
    pub async fn sends(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.tries()
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }

    /// The same for a server that may be gone.
    pub async fn tries(self) -> reqwest::Result<Answer> {
        let what = format!("{} {}", self.method, self.path);
        let url = format!("{}{}", self.person.url(), self.path);
        let mut request = self
            .person
            .client()
            .request(self.method, url)
            .headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = if status == 101 {
            String::new()
        } else {
            answer.text().await?
        };
        let answer = Answer {
            what,
            status,
            headers,
            body,
        };
        self.person.keeps_cookies(&answer);
        if status != 101 {
            answer.keeps_the_baseline();
        }
        Ok(answer)
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The header's value, or nothing when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header in ASCII"))
    }

    /// Every value of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().expect("a header in ASCII"))
            .collect()
    }

    /// Where the answer sends the browser.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Answer {
        assert_eq!(
            self.status,
            status,
            "{} → {}\n{}",
            self.what,
            self.status,
            self.excerpt()
        );
        self
    }

    /// Fails the test unless the answer is 303 to this path.
    #[track_caller]
    pub fn leads_to(self, path: &str) -> Answer {
        let answer = self.is(303);
        assert_eq!(answer.location(), path, "{}", answer.what);
        answer
    }

    /// The body as a document, or as a fragment when it is one.
    pub fn html(&self) -> Html {
        if self.is_a_page() {
            Html::parse_document(&self.body)
        } else {
            Html::parse_fragment(&self.body)
        }
    }

    /// Whether the body is a whole page.
    pub fn is_a_page(&self) -> bool {
        self.body
            .trim_start()
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
    }

    /// The texts of all elements that match, with single spaces.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let html = self.html();
        html.select(&selector(css))
            .map(|found| words(&found.text().collect::<String>()))
            .collect()
    }

    /// The text of the one element that matches.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let mut texts = self.texts(css);
        assert_eq!(
            texts.len(),
            1,
            "{} should have one {css}\n{}",
            self.what,
            self.excerpt()
        );
        texts.remove(0)
    }

    /// The values of an attribute of all elements that match.
    pub fn attrs(&self, css: &str, name: &str) -> Vec<String> {
        let html = self.html();
        html.select(&selector(css))
            .filter_map(|found| found.attr(name))
            .map(str::to_owned)
            .collect()
    }

    /// How many elements match.
    pub fn count(&self, css: &str) -> usize {
        self.html().select(&selector(css)).count()
    }

    /// Whether an element matches.
    pub fn has(&self, css: &str) -> bool {
        self.count(css) > 0
    }

    /// The messages in the body, in their order.
    pub fn messages(&self) -> Vec<super::Shown> {
        super::messages_in(&self.body)
    }

    fn excerpt(&self) -> String {
        self.body.chars().take(3000).collect()
    }

    #[track_caller]
    fn keeps_the_baseline(&self) {
        let what = &self.what;
        assert_eq!(
            self.header("content-security-policy"),
            POLICY,
            "{what}: policy"
        );
        assert_eq!(
            self.header("x-content-type-options"),
            "nosniff",
            "{what}: nosniff"
        );
        // A page whose address holds a secret does not even tell this server.
        let referrer = self.header("referrer-policy");
        let is_told = ["same-origin", "strict-origin"].contains(&referrer);
        assert!(is_told, "{what}: referrer {referrer}");
        assert_eq!(
            self.header("cross-origin-opener-policy"),
            "same-origin",
            "{what}: opener"
        );
        assert_ne!(self.header("permissions-policy"), "", "{what}: permissions");
        for cookie in self.headers("set-cookie") {
            if !is_session(cookie.split('=').next().unwrap_or_default()) {
                continue;
            }
            for mark in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(
                    cookie.contains(mark),
                    "{what}: {mark} is missing in {cookie}"
                );
            }
            assert!(
                !cookie.contains("Domain"),
                "{what}: a cookie of this host only, not {cookie}"
            );
        }
    }
}

/// A selector, or the test is wrong.
pub fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|error| panic!("{css}: {error}"))
}

/// The text with runs of blanks as one space.
pub fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
