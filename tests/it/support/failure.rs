//! What a failing browser test leaves behind: a picture and the HTML of each window, and its sentence as the last line.

use std::{
    collections::HashMap,
    panic::PanicHookInfo,
    path::PathBuf,
    sync::{
        Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
    time::timeout,
};

use super::browser::Window;

/// With what each thread panicked.
static SENTENCES: Mutex<Option<HashMap<ThreadId, String>>> = Mutex::new(None);

/// From now on what a panic says is remembered, and told as always.
pub fn remember_sentences() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Ok(mut sentences) = SENTENCES.lock() {
                let all = sentences.get_or_insert_default();
                all.insert(thread::current().id(), sentence(panic));
            }
            tell(panic);
        }));
    });
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("it failed").to_owned()
}

/// Called while a test unwinds: keeps what this window shows, and says so. Nothing in here may panic.
pub fn keep(window: &Window) {
    let (picture, page) = look_at(window).unwrap_or_default();
    let complaints = window.complaints();
    if !complaints.is_empty() {
        eprintln!("the browser complained: {complaints:#?}");
    }
    static WINDOWS: AtomicUsize = AtomicUsize::new(1);
    let number = WINDOWS.fetch_add(1, Ordering::Relaxed);
    let test = thread::current().name().unwrap_or("browser").to_owned();
    let name = format!("{}-{number}", test.replace("::", "-"));
    let page = page
        .as_str()
        .map(|html| written(&format!("{name}.html"), html.as_bytes()));
    let picture = picture.map(|picture| written(&format!("{name}.png"), &picture));
    let missing = || "none, the window did not answer".to_owned();
    let sentences = SENTENCES.lock().ok();
    let sentence = sentences.and_then(|all| all.as_ref()?.get(&thread::current().id()).cloned());
    eprintln!("the page's HTML: {}", page.unwrap_or_else(missing));
    let picture = picture.unwrap_or_else(missing);
    eprintln!("{} (picture: {picture})", sentence.unwrap_or_default());
}

fn look_at(window: &Window) -> Option<(Option<Vec<u8>>, Value)> {
    let runtime = Handle::try_current().ok()?;
    if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
        return None;
    }
    let limit = Duration::from_secs(5);
    let html = "document.documentElement.outerHTML";
    block_in_place(|| {
        runtime.block_on(async {
            let picture = timeout(limit, window.picture()).await.ok().flatten();
            let page = timeout(limit, window.evaluates(html)).await;
            Some((picture, page.unwrap_or_default()))
        })
    })
}

/// Writes `target/tmp/browser/NAME`, and tells where that is, or why not.
fn written(name: &str, content: &[u8]) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
    let file = folder.join(name);
    let done = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, content));
    match done {
        Ok(()) => file.display().to_string(),
        Err(error) => format!("{} cannot be written: {error}", file.display()),
    }
}
