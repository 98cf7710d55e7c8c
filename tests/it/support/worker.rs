//! What a browser is allowed, what it says aloud, and its service worker, which no window shows.

use chromiumoxide::cdp::browser_protocol::browser::{
    PermissionDescriptor, PermissionSetting, SetPermissionParams,
};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::PATIENCE;
use super::browser::{Chromium, Window};

impl Chromium {
    /// What the person in front of this window has told the browser about notifications.
    pub async fn notifications_are(&self, window: &Window, setting: PermissionSetting) {
        let permission = SetPermissionParams::builder()
            .permission(PermissionDescriptor::new("notifications"))
            .setting(setting)
            .origin(window.url())
            .browser_context_id(window.context.clone());
        let permission = permission.build().expect("a complete setting");
        let set = self.browser.execute(permission).await;
        set.expect("the browser takes it");
    }

    /// Clicks on the window's notification, as its service worker is told of it.
    pub async fn clicks_on_the_notification(&self, window: &Window) {
        self.tells_worker(window, CLICK).await;
    }

    /// What a script comes to in the service worker of a window's browser context.
    pub async fn tells_worker(&self, window: &Window, script: &str) -> Value {
        let context = window.context.inner().clone();
        let told = self.over_a_line_of_its_own(&context, script);
        timeout(PATIENCE, told).await.expect("the worker hears")
    }

    async fn over_a_line_of_its_own(&self, context: &str, script: &str) -> Value {
        let address = self.browser.websocket_address().as_str();
        let (mut line, _) = tokio_tungstenite::connect_async(address)
            .await
            .expect("the browser listens");
        let mut session = Value::Null;
        for (id, method) in [
            "Target.getTargets",
            "Target.attachToTarget",
            "Runtime.evaluate",
        ]
        .into_iter()
        .enumerate()
        {
            let params = match id {
                0 => json!({"filter": [{}]}),
                1 => json!({"targetId": session, "flatten": true}),
                _ => json!({"expression": script, "awaitPromise": true, "returnByValue": true}),
            };
            let mut command = json!({"id": id, "method": method, "params": params});
            if id == 2 {
                command["sessionId"] = session.clone();
            }
            let command = Message::text(command.to_string());
            line.send(command).await.expect("the browser hears");
            let result = loop {
                let said = line.next().await.expect("an answer").expect("an answer");
                let said: Value = serde_json::from_str(said.to_text().expect("a text"))
                    .expect("the browser speaks JSON");
                if said["id"] == id {
                    break said["result"].clone();
                }
            };
            session = match id {
                0 => worker_of(&result, context),
                1 => result["sessionId"].clone(),
                _ => {
                    assert_eq!(result["exceptionDetails"], Value::Null, "{result}");
                    result["result"]["value"].clone()
                }
            };
        }
        session
    }
}

/// The id of the service worker in this context, among all that the browser runs.
fn worker_of(targets: &Value, context: &str) -> Value {
    let all = targets["targetInfos"].as_array().expect("a list");
    let worker = all
        .iter()
        .find(|it| it["type"] == "service_worker" && it["browserContextId"] == context);
    worker.expect("it has been registered")["targetId"].clone()
}

/// Tells the worker of a click on the first notification, and waits until it has done what it does then.
const CLICK: &str = "(async () => { \
    const [notification] = await registration.getNotifications(); \
    const done = []; \
    const click = new NotificationEvent('notificationclick', {notification}); \
    click.waitUntil = work => done.push(work); \
    dispatchEvent(click); \
    await Promise.all(done); })()";

impl Window {
    /// What a script comes to that takes its time.
    pub async fn awaits(&self, script: &str) -> Value {
        let script = EvaluateParams::builder()
            .expression(script)
            .await_promise(true)
            .return_by_value(true)
            .build()
            .expect("a script");
        let found = self.page.evaluate_expression(script).await;
        found
            .ok()
            .and_then(|found| found.value().cloned())
            .unwrap_or(Value::Null)
    }

    /// The notifications that are shown: title and text of each.
    pub async fn notifications(&self) -> Vec<String> {
        let shown = self.awaits(SHOWN).await;
        let shown = shown.as_array().cloned().unwrap_or_default();
        let text = |one: &Value| one.as_str().unwrap_or_default().to_owned();
        shown.iter().map(text).collect()
    }

    /// Waits until exactly these notifications are shown.
    pub async fn is_notified(&self, notifications: &[&str]) {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let shown = self.notifications().await;
            if shown == notifications {
                return;
            }
            let late = std::time::Instant::now() > end;
            assert!(!late, "{shown:?} instead of {notifications:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Waits until notifications could be shown by the service worker.
    pub async fn has_a_worker(&self) {
        let active =
            "navigator.serviceWorker.ready.then(({active}) => active.state !== 'redundant')";
        assert_eq!(self.awaits(active).await, true);
    }
}

const SHOWN: &str = "navigator.serviceWorker.ready.then(it => it.getNotifications())\
    .then(all => all.map(({title, body}) => `${title} | ${body}`).sort())";
