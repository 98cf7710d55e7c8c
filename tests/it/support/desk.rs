//! Somebody who sits in a room at a real browser, and what their page has to look like in the end.

use super::browser::{Chromium, Window, quoted};
use super::{PASSWORD, Person, RoomId, eventually};

impl Chromium {
    /// A window in which this person has signed in at `url` and opened the room.
    pub async fn seats(&self, person: &Person, url: &str, room: RoomId) -> Window {
        let window = self.window(url).await;
        window.signs_in(person, room).await;
        window
    }
}

impl Window {
    /// Signs in through the form, with an account that is there, and opens the room.
    pub async fn signs_in(&self, person: &Person, room: RoomId) {
        self.goes(&format!("/signin?next=/rooms/{room}")).await;
        self.writes("input[name=username]", person.name()).await;
        self.writes("input[name=password]", PASSWORD).await;
        self.clicks("form[action='/signin'] button").await;
        self.waits_for("#composer-body").await;
        self.is_live_by("ws").await;
        self.evaluates("window.stillTheSamePage = true").await;
    }

    /// Waits until the connection is this: `ws`, `sse`, `offline`, `connecting`.
    pub async fn is_live_by(&self, way: &str) {
        self.waits_for(&format!("#status[data-state={way}]")).await;
    }

    /// Leaves the page for an empty one.
    pub async fn goes_nowhere(&self) {
        self.page
            .goto("about:blank")
            .await
            .expect("it needs no line");
    }

    /// From the next page on, sockets neither open nor fail.
    pub async fn gets_no_answer_from_sockets(&self) {
        let script = "WebSocket = class { addEventListener() {} close() {} }";
        let added = self.page.evaluate_on_new_document(script).await;
        added.expect("a script before all others");
    }

    /// From now on time passes faster for this page than for the test.
    pub async fn time_flies(&self) {
        let faster = "((now, start) => Date.now = () => start + 30 * (now() - start))(Date.now.bind(Date), Date.now())";
        self.evaluates(faster).await;
    }

    /// Does not wait for the next time that the page tries by itself.
    pub async fn tries_now(&self) {
        self.evaluates("document.querySelector('#try-now').click()")
            .await;
    }

    /// The page was never loaded anew since it was signed in.
    pub async fn is_still_the_same_page(&self) {
        assert_eq!(self.evaluates("window.stillTheSamePage").await, true);
    }

    /// Waits until this many messages wait to be sent.
    pub async fn has_pending(&self, count: usize) {
        self.waits_until(&format!(
            "document.querySelectorAll('#messages > .pending').length === {count}"
        ))
        .await;
    }

    /// Waits until the page shows what a fresh one shows this person: the same messages, each once, without a hole,
    /// none waiting.
    pub async fn agrees_with_a_fresh_page(&self, person: &Person) {
        let path = self.path().await;
        eventually("the page agrees with a fresh one", || async {
            let fresh = person.gets(&path).await.is(200).body;
            let differences = format!("{DIFFERENCES}({})", quoted(&fresh));
            self.evaluates(&differences).await == 0
        })
        .await;
    }
}

/// In how many places the messages here differ from those of a page that is fresh.
const DIFFERENCES: &str = r"(html => {
    const fresh = new DOMParser().parseFromString(html, 'text/html');
    const plain = item => {
        const copy = item.cloneNode(true);
        // Only what came while somebody was here was read aloud.
        copy.removeAttribute('aria-live');
        for (const element of [copy, ...copy.querySelectorAll('*')]) {
            for (const { name } of [...element.attributes])
                if (/^data-(htmx|found)/.test(name)) element.removeAttribute(name);
            for (const name of [...element.classList])
                if (name.startsWith('htmx-')) element.classList.remove(name);
        }
        return copy.outerHTML;
    };
    const css = '#messages > :is(.message, .day)';
    const [here, there] = [document, fresh].map(page => [...page.querySelectorAll(css)]);
    const differing = there.filter(item => {
        const same = here.filter(other => other.id === item.id);
        return same.length !== 1 || plain(same[0]) !== plain(item);
    });
    const seqs = here.filter(item => item.matches('.message')).map(item => +item.dataset.seq);
    const holes = seqs.filter((seq, at) => at && seq !== seqs[at - 1] + 1);
    if (here.at(-1)?.id !== there.at(-1)?.id) differing.push(here.at(-1));
    return differing.length + holes.length + document.querySelectorAll('.pending').length;
})";
