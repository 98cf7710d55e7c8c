//! A browser's requests over one kept-alive connection.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Result, lines::Line};

static KEYS: AtomicU64 = AtomicU64::new(1);

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    cookie: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub length: usize,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let fields = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    fields
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value)
}

/// One connection, and for whom it asks.
pub struct Client {
    line: Line,
    fixed: String,
}

impl Client {
    /// Connects as nobody in particular.
    pub async fn connect(address: &str) -> Result<Self> {
        let fixed = format!("Host: {address}\r\nOrigin: http://{address}\r\n");
        Ok(Self {
            line: Line::connect(address).await?,
            fixed,
        })
    }

    /// Connects as somebody whose browser runs htmx.
    pub async fn of(address: &str, person: &Person) -> Result<Self> {
        let mut client = Self::connect(address).await?;
        client.fixed += &format!("Cookie: {}\r\n", person.cookie);
        Ok(client)
    }

    /// Asks for an address; `extra` are more header lines, each with its line end.
    pub async fn get(&mut self, path: &str, extra: &str) -> Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\n{}{extra}\r\n", self.fixed);
        self.ask(&request).await
    }

    /// Posts a form.
    pub async fn post(&mut self, path: &str, form: &str, extra: &str) -> Result<Answer> {
        let length = form.len();
        let kind = "application/x-www-form-urlencoded";
        let fixed = &self.fixed;
        let request = format!(
            "POST {path} HTTP/1.1\r\n{fixed}{extra}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{form}"
        );
        self.ask(&request).await
    }

    /// Posts a message of common length, as htmx does; returns the room's change number.
    pub async fn say(&mut self, room: &str) -> Result<i64> {
        let key = KEYS.fetch_add(1, Ordering::Relaxed);
        let form =
            format!("key={key:032x}&body=The+kettle+is+on+and+message+number+{key}+is+on+its+way.");
        let answer = self
            .post(&format!("{room}/messages"), &form, "HX-Request: true\r\n")
            .await?;
        let rev = answer.header("x-rev").filter(|_| answer.status == 200);
        Ok(rev
            .ok_or_else(|| format!("a post was answered with {}", answer.head))?
            .parse()?)
    }

    /// Reads a room to its end.
    pub async fn read_to_the_end(&mut self, room: &str, seq: i64) -> Result<()> {
        let answer = self
            .post(
                &format!("{room}/read"),
                &format!("seq={seq}"),
                "HX-Request: true\r\n",
            )
            .await?;
        if answer.status == 204 {
            Ok(())
        } else {
            Err(format!("a receipt was answered with {}", answer.head).into())
        }
    }

    /// Creates an account and stays signed in.
    pub async fn sign_up(&mut self, name: &str) -> Result<Person> {
        self.enter("/signup", name).await
    }

    /// Signs in to an account that was created elsewhere.
    pub async fn sign_in(&mut self, name: &str) -> Result<Person> {
        self.enter("/signin", name).await
    }

    async fn enter(&mut self, path: &str, name: &str) -> Result<Person> {
        let form = format!("username={name}&password=benchmark-password");
        let answer = self.post(path, &form, "").await?;
        let cookie = answer
            .header("set-cookie")
            .and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.filter(|_| answer.status == 303);
        let cookie = cookie.ok_or_else(|| format!("{path} was answered with {}", answer.head))?;
        Ok(Person {
            cookie: cookie.into(),
        })
    }

    /// Opens a public room; returns its path.
    pub async fn open_room(&mut self, name: &str) -> Result<String> {
        let answer = self.post("/rooms", &format!("name={name}"), "").await?;
        let path = answer.header("location").filter(|_| answer.status == 303);
        Ok(path
            .ok_or_else(|| format!("opening a room was answered with {}", answer.head))?
            .to_string())
    }

    /// Turns the connection into a WebSocket.
    pub async fn upgrade(mut self, path: &str) -> Result<Line> {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let request = format!("GET {path} HTTP/1.1\r\n{}{upgrade}\r\n", self.fixed);
        self.line.send(request.as_bytes()).await?;
        let head = self.line.head().await?;
        if head.starts_with("HTTP/1.1 101") {
            Ok(self.line)
        } else {
            Err(format!("no WebSocket: {head}").into())
        }
    }

    async fn ask(&mut self, request: &str) -> Result<Answer> {
        self.line.send(request.as_bytes()).await?;
        let head = self.line.head().await?;
        let status = head.get(9..12).unwrap_or_default().parse()?;
        let length = header(&head, "content-length").unwrap_or("0").parse()?;
        self.line.body(length).await?;
        Ok(Answer {
            status,
            head,
            length,
        })
    }
}
