//! Real Chromium with people in front of it, each in a window with cookies of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::IntoEventKind;
use chromiumoxide::cdp::browser_protocol::browser::BrowserContextId;
use chromiumoxide::cdp::browser_protocol::log::EventEntryAdded;
use chromiumoxide::cdp::browser_protocol::target::{
    CreateBrowserContextParams, CreateTargetParams, SetAutoAttachParams,
};
use chromiumoxide::cdp::js_protocol::runtime::{
    AddBindingParams, EventBindingCalled, EventConsoleApiCalled, EventExceptionThrown,
};
use chromiumoxide::element::Element;
use chromiumoxide::page::Page;
use futures_util::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PATIENCE;
use super::failure;
use super::scripts::{MESSAGES, WATCH};

/// One browser process.
pub struct Chromium {
    pub(super) browser: Browser,
    events: JoinHandle<()>,
    _profile: TempDir,
}

/// A window in a context of its own: nothing is shared with the other windows.
pub struct Window {
    pub page: Page,
    pub(super) context: BrowserContextId,
    url: String,
    complaints: Arc<Mutex<Vec<String>>>,
    listening: Vec<JoinHandle<()>>,
}

impl Chromium {
    /// Starts the browser that this machine has.
    pub async fn opens() -> Chromium {
        Chromium::opens_with(&[]).await
    }

    /// The same, with these arguments too, without their `--`.
    pub async fn opens_with(arguments: &[&str]) -> Chromium {
        failure::remember_sentences();
        let profile = TempDir::new().expect("a directory for the profile");
        let quiet = [
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
        ];
        let config = BrowserConfig::builder()
            .chrome_executable(executable())
            .user_data_dir(profile.path())
            .new_headless_mode()
            .no_sandbox()
            .window_size(1280, 900)
            .viewport(None)
            .launch_timeout(PATIENCE * 3)
            .args(quiet)
            .args(arguments.iter().copied())
            .build()
            .expect("a complete configuration");
        let (browser, mut handler) = Browser::launch(config).await.expect("Chromium starts");
        let events = tokio::spawn(async move { while handler.next().await.is_some() {} });
        Chromium {
            browser,
            events,
            _profile: profile,
        }
    }

    /// A new window of somebody's own, for the server with this URL.
    pub async fn window(&self, url: &str) -> Window {
        let context = self
            .browser
            .create_browser_context(CreateBrowserContextParams::default())
            .await;
        self.tab(context.expect("a context of its own"), url).await
    }

    /// Another tab of the same person.
    pub async fn tab_beside(&self, window: &Window) -> Window {
        self.tab(window.context.clone(), &window.url).await
    }

    async fn tab(&self, context: BrowserContextId, url: &str) -> Window {
        let target = CreateTargetParams::builder()
            .url("about:blank")
            .browser_context_id(context.clone())
            .build();
        let page = self
            .browser
            .new_page(target.expect("it has a URL"))
            .await
            .expect("a window opens");
        let mut window = Window {
            page,
            context,
            url: url.to_owned(),
            complaints: Arc::default(),
            listening: Vec::new(),
        };
        window.listens_for_complaints().await;
        window
    }

    /// Ends the process.
    pub async fn closes(mut self) {
        self.browser.close().await.expect("Chromium hears");
        self.browser.wait().await.expect("Chromium ends");
        self.events.abort();
    }
}

impl Window {
    async fn listens_for_complaints(&mut self) {
        self.page.enable_log().await.expect("the log can be read");
        self.page
            .execute(AddBindingParams::new("complain"))
            .await
            .expect("a binding");
        self.page
            .evaluate_on_new_document(WATCH)
            .await
            .expect("a script before all others");
        // Service workers are not held up until somebody has attached to them.
        let apart = SetAutoAttachParams::new(false, false);
        self.page.execute(apart).await.expect("they run alone");
        // Two windows in front at once.
        self.seems_focused(true).await;
        self.notes(|event: &EventBindingCalled| Some(event.payload.clone()))
            .await;
        self.notes(|event: &EventExceptionThrown| Some(format!("{:?}", event.exception_details)))
            .await;
        self.notes(|event: &EventConsoleApiCalled| {
            let kind = event.r#type.as_ref();
            ["error", "warning", "assert"]
                .contains(&kind)
                .then(|| format!("console {kind}: {:?}", event.args))
        })
        .await;
        self.notes(|event: &EventEntryAdded| {
            let (level, words) = (event.entry.level.as_ref(), &event.entry.text);
            (level == "error").then(|| format!("log {level}: {words} {:?}", event.entry.url))
        })
        .await;
    }

    async fn notes<E: IntoEventKind + Unpin + 'static>(
        &mut self,
        complaint: fn(&E) -> Option<String>,
    ) {
        let mut events = self.page.event_listener::<E>().await.expect("events");
        let complaints = Arc::clone(&self.complaints);
        self.listening.push(tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Some(words) = complaint(&event) {
                    complaints.lock().expect("no panic while held").push(words);
                }
            }
        }));
    }

    /// Enters an address.
    pub async fn goes(&self, path: &str) {
        let url = format!("{}{path}", self.url);
        timeout(PATIENCE, self.page.goto(url))
            .await
            .expect("the page loads")
            .expect("the page loads");
    }

    /// Reloads the page.
    pub async fn reloads(&self) {
        timeout(PATIENCE, self.page.reload())
            .await
            .expect("the page loads")
            .expect("the page loads");
    }

    /// Waits until something that matches is on the page.
    pub async fn waits_for(&self, css: &str) {
        self.waits_until(&format!("document.querySelector({}) !== null", quoted(css)))
            .await;
    }

    /// Waits until the words are to be read somewhere in what matches.
    pub async fn reads(&self, css: &str, words: &str) {
        let (css, words) = (quoted(css), quoted(words));
        let found = format!(
            "[...document.querySelectorAll({css})].some((e) => e.innerText.includes({words}))"
        );
        self.waits_until(&found).await;
    }

    /// Waits until the script's condition holds.
    pub async fn waits_until(&self, condition: &str) {
        let end = std::time::Instant::now() + PATIENCE;
        while self.evaluates(condition).await != Value::Bool(true) {
            let is_late = std::time::Instant::now() > end;
            assert!(!is_late, "it never came to be that {condition}");
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }

    /// Whether somebody sees what matches.
    pub async fn is_seen(&self, css: &str) -> bool {
        let script = format!("document.querySelector({css:?}).checkVisibility()");
        self.evaluates(&script).await == true
    }

    /// What a script comes to; null while the page is changing.
    pub async fn evaluates(&self, script: &str) -> Value {
        match self.page.evaluate(script).await {
            Ok(found) => found.value().cloned().unwrap_or(Value::Null),
            Err(_) => Value::Null,
        }
    }

    /// What matches. The page may change under the browser's own search, so it is searched again.
    pub(super) async fn finds(&self, css: &str) -> Element {
        for _ in 0..20 {
            if let Ok(found) = self.page.find_element(css).await {
                return found;
            }
            self.waits_for(css).await;
        }
        panic!("{css} is there and cannot be found");
    }

    /// The address of the server that this window is for.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the words stand in what matches, though nobody looks at the window.
    pub async fn reads_unseen(&self, css: &str, words: &str) {
        let (css, words) = (quoted(css), quoted(words));
        let found = format!("document.querySelector({css}).textContent.includes({words})");
        self.waits_until(&found).await;
    }

    /// The message list as HTML that can be compared.
    pub async fn messages(&self) -> String {
        let html = self.evaluates(MESSAGES).await;
        html.as_str().expect("a room is open").to_owned()
    }

    /// The path of the page.
    pub async fn path(&self) -> String {
        self.evaluates("location.pathname + location.search")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Everything the browser complained about so far.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().expect("no panic while held").clone()
    }

    /// A picture of the window as PNG, if the browser answers.
    pub async fn picture(&self) -> Option<Vec<u8>> {
        let params = chromiumoxide::page::ScreenshotParams::builder().build();
        self.page.screenshot(params).await.ok()
    }
}

/// Of a test that fails, a picture and the page's HTML are kept.
impl Drop for Window {
    fn drop(&mut self) {
        if std::thread::panicking() {
            failure::keep(self);
        }
        for listening in &self.listening {
            listening.abort();
        }
    }
}

/// Waits until nobody in these windows has anything to complain about; complaints never go away, so this fails at once.
pub fn nobody_complains(windows: &[&Window]) {
    for window in windows {
        assert_eq!(window.complaints(), Vec::<String>::new());
    }
}

/// The text as a script's literal.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn executable() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let mut places =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    places
        .find(|place| place.exists())
        .expect("Chromium is needed; `just test` installs it")
}
