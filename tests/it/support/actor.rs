//! People. What they do reads like a sentence, and goes to the server as their browser would send it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::{Client, Method};

use super::ask::{Answer, Ask};
use super::{PASSWORD, Shown};

/// The id of a room, as it stands in URLs.
pub type RoomId = u64;
/// The place of a message in its room.
pub type Seq = u64;

/// Somebody at a browser. Clones are tabs of the same browser: they share its cookies.
#[derive(Clone)]
pub struct Person {
    name: String,
    url: String,
    client: Client,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Person {
    /// Somebody who has never been here, at the server with this URL.
    pub fn new(name: &str, url: &str, client: Client) -> Person {
        Person {
            name: name.to_owned(),
            url: url.to_owned(),
            client,
            cookies: Arc::default(),
        }
    }

    /// The same person at a second browser, not signed in there.
    pub fn elsewhere(&self) -> Person {
        Person::new(&self.name, &self.url, self.client.clone())
    }

    /// The same browser, cookies and all, as it is now; what happens later in one does not change the other.
    pub fn copied(&self) -> Person {
        let copy = self.elsewhere();
        *copy.cookies.lock().expect("no panic while held") =
            self.cookies.lock().expect("no panic while held").clone();
        copy
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The `Cookie` header that the browser sends.
    pub fn cookies(&self) -> String {
        let cookies = self.cookies.lock().expect("no panic while held");
        cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Puts a cookie into the browser.
    pub fn has_cookie(&self, name: &str, value: &str) {
        self.cookies
            .lock()
            .expect("no panic while held")
            .insert(name.to_owned(), value.to_owned());
    }

    /// The session cookie: its name and value.
    pub fn session(&self) -> Option<(String, String)> {
        let cookies = self.cookies.lock().expect("no panic while held");
        let mut sessions = cookies.iter().filter(|(name, _)| is_session(name));
        sessions
            .next()
            .map(|(name, value)| (name.clone(), value.clone()))
    }

    /// Does with `Set-Cookie` what a browser does.
    pub fn keeps_cookies(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().expect("no panic while held");
        for line in answer.headers("set-cookie") {
            let pair = line
                .split(';')
                .next()
                .expect("split gives at least one part");
            let (name, value) = pair
                .split_once('=')
                .expect("a cookie has a name and a value");
            if value.is_empty() || line.contains("Max-Age=0") || line.contains("1970") {
                cookies.remove(name.trim());
            } else {
                cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// The same browser, but at another address of this machine.
    pub fn calling_from(mut self, address: &str) -> Person {
        self.client = super::ask::client_at(address);
        self
    }

    /// Any request at all, with what a browser adds to it.
    pub fn asks(&self, method: Method, path: &str) -> Ask<'_> {
        Ask::new(self, method, path)
    }

    /// Opens an address.
    pub async fn gets(&self, path: &str) -> Answer {
        self.asks(Method::GET, path).sends().await
    }

    /// Submits a form without script.
    pub async fn submits(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.asks(Method::POST, path).form(form).sends().await
    }

    /// Follows a link as htmx does, for the element with this id.
    pub async fn fetches(&self, path: &str, target: &str) -> Answer {
        self.asks(Method::GET, path).htmx(target).sends().await
    }

    /// Submits a form as htmx does.
    pub async fn sends(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        self.asks(method, path)
            .htmx("ol#messages")
            .form(form)
            .sends()
            .await
    }

    /// Makes an account through the form; they are signed in then.
    pub async fn signs_up(&self) {
        let form = [("username", self.name.as_str()), ("password", PASSWORD)];
        self.submits("/signup", &form).await.leads_to("/");
    }

    /// Signs in through the form.
    pub async fn signs_in(&self) {
        let form = [("username", self.name.as_str()), ("password", PASSWORD)];
        self.submits("/signin", &form).await.leads_to("/");
    }

    /// Creates a public room, or opens the one with that name.
    pub async fn creates_room(&self, name: &str) -> RoomId {
        room_in(
            self.submits("/rooms", &[("name", name)])
                .await
                .is(303)
                .location(),
        )
    }

    /// Opens the chat of the two.
    pub async fn opens_chat_with(&self, other: &Person) -> RoomId {
        room_in(
            self.submits("/directs", &[("username", other.name())])
                .await
                .is(303)
                .location(),
        )
    }

    /// Posts a message with a new key.
    pub async fn posts(&self, room: RoomId, body: &str) -> Seq {
        seq_of(&self.posts_with_key(room, body, &new_key()).await.is(200))
    }

    /// Posts a message with this key, as htmx does.
    pub async fn posts_with_key(&self, room: RoomId, body: &str, key: &str) -> Answer {
        self.sends(
            Method::POST,
            &format!("/rooms/{room}/messages"),
            &[("body", body), ("key", key)],
        )
        .await
    }

    /// Tries to post, without opinion on the answer.
    pub async fn tries_to_post(&self, room: RoomId, body: &str) -> Answer {
        self.posts_with_key(room, body, &new_key()).await
    }

    /// Gives a message of theirs another text.
    pub async fn edits(&self, room: RoomId, seq: Seq, body: &str) -> Answer {
        self.tries_to_edit(room, seq, body).await.is(200)
    }

    pub async fn tries_to_edit(&self, room: RoomId, seq: Seq, body: &str) -> Answer {
        self.sends(
            Method::PUT,
            &format!("/rooms/{room}/messages/{seq}"),
            &[("body", body)],
        )
        .await
    }

    /// Deletes a message of theirs for everyone.
    pub async fn deletes(&self, room: RoomId, seq: Seq) -> Answer {
        self.tries_to_delete(room, seq).await.is(200)
    }

    pub async fn tries_to_delete(&self, room: RoomId, seq: Seq) -> Answer {
        let path = format!("/rooms/{room}/messages/{seq}");
        self.asks(Method::DELETE, &path)
            .htmx(&format!("li#message-{seq}"))
            .sends()
            .await
    }

    /// Has looked at the room up to this message.
    pub async fn reads(&self, room: RoomId, seq: Seq) {
        self.sends(
            Method::POST,
            &format!("/rooms/{room}/read"),
            &[("seq", &seq.to_string())],
        )
        .await
        .is(204);
    }

    /// The lobby as they see it.
    pub async fn lobby(&self) -> Answer {
        self.gets("/").await.is(200)
    }

    /// Everything said in the room, page by page from the newest to the oldest, in the order of the room.
    pub async fn reads_back(&self, room: RoomId) -> Vec<Shown> {
        let mut pages = vec![self.room(room).await];
        while let Some(older) = pages
            .last()
            .and_then(|page| page.attrs("#older a", "href").pop())
        {
            pages.push(self.fetches(&older, "li#older").await.is(200));
        }
        pages.iter().rev().flat_map(Answer::messages).collect()
    }

    /// The room's page as they see it.
    pub async fn room(&self, room: RoomId) -> Answer {
        self.gets(&format!("/rooms/{room}")).await.is(200)
    }
}

/// Whether a cookie of this name holds a session.
pub fn is_session(name: &str) -> bool {
    let port = name.strip_prefix("tertulia_").unwrap_or("no port");
    name == "__Host-tertulia" || port.parse::<u16>().is_ok()
}

/// The room that an address leads to.
pub fn room_in(path: &str) -> RoomId {
    let id = path
        .strip_prefix("/rooms/")
        .unwrap_or_else(|| panic!("{path} is not a room"));
    id.parse()
        .unwrap_or_else(|_| panic!("{path} is not a room"))
}

/// The place that the server gave a message.
pub fn seq_of(answer: &Answer) -> Seq {
    answer.header("x-seq").parse().expect("X-Seq is a number")
}

/// A key that no message has yet: 32 hexadecimal digits.
pub fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:032x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
