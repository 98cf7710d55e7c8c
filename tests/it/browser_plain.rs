//! Browsers with less: no script at all, or a screen for one pane.

use chromiumoxide::cdp::browser_protocol::emulation::{
    SetDeviceMetricsOverrideParams, SetScriptExecutionDisabledParams,
};
use chromiumoxide::cdp::browser_protocol::input::InsertTextParams;

use crate::browser_ticks::{at_a_window, opens};
use crate::support::browser::{Chromium, Window, nobody_complains};
use crate::support::{PASSWORD, Town};

/// Presses what leads to another page, and waits for it.
async fn follows(window: &Window, css: &str) {
    window.evaluates("document.body.id = 'before'").await;
    window.presses_plainly(css).await;
    window
        .waits_until("document.body !== null && document.body.id !== 'before'")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_people_sign_up_read_write_edit_and_delete() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let ben = town.person("ben").await;
    let window = chromium.window(town.url()).await;
    window.runs_no_script().await;
    window.goes("/signup").await;
    window.fills("input[name=username]", "ada").await;
    window.fills("input[name=password]", PASSWORD).await;
    follows(&window, "form[action='/signup'] button").await;
    window.reads("noscript", "Look for news").await;
    window.reads("#people", "ben").await;
    assert!(!window.is_seen("#status").await && !window.is_seen("#bell").await);
    assert!(!window.is_seen(".finder").await);

    window.presses_plainly("[popovertarget=new-room]").await;
    window.fills("#new-room-name", "Tea House").await;
    follows(&window, ".new-room button").await;
    window.reads("#room-name", "Tea House").await;
    window.fills("#composer-body", "The kettle is on").await;
    follows(&window, "#composer .send").await;
    window.reads("#message-1 .text", "The kettle is on").await;

    ben.posts(1, "Coming!").await;
    follows(&window, "noscript a").await;
    window.reads("#message-2 .text", "Coming!").await;
    window.presses_plainly("[popovertarget=menu-1]").await;
    follows(&window, "#menu-1 a[href$=edit]").await;
    window.fills("#edit-body", "The kettle boils").await;
    follows(&window, "form .button:not(.quiet)").await;
    window.reads("#message-1 .text", "The kettle boils").await;
    follows(&window, "#ticks-1").await;
    window.reads("h1", "Message info").await;
    follows(&window, ".info-card .button").await;
    window.presses_plainly("[popovertarget=menu-1]").await;
    window.presses_plainly("#menu-1 .confirm > summary").await;
    follows(&window, "#menu-1 .confirm .button").await;
    window.waits_for("#message-1.deleted").await;

    window.presses_plainly("[popovertarget=room-sheet]").await;
    follows(&window, "#room-sheet form[action$=unread] button").await;
    window.reads("#unread-1", "1").await;
    follows(&window, "#people form button").await;
    window.reads("#room-name", "ben").await;
    nobody_complains(&[&window]);
    chromium.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_there_is_one_pane_and_back_is_back() {
    let town = Town::start().await;
    let chromium = Chromium::opens().await;
    let (ada, ben) = town.ada_and_ben().await;
    let [tea, elsewhere] = [
        ada.creates_room("Tea House").await,
        ada.creates_room("Elsewhere").await,
    ];
    let window = at_a_window(&chromium, &ben).await;
    window.is_a_phone(700).await;
    opens(&window, tea, "Tea House").await;
    assert!(!window.is_seen("#lobby").await);
    window.evaluates("history.back()").await;
    window.waits_until("location.pathname === '/'").await;
    window
        .waits_until("document.querySelector('#lobby').checkVisibility()")
        .await;
    opens(&window, elsewhere, "Elsewhere").await;
    ada.posts(elsewhere, "after back and forth").await;
    window
        .reads("#message-1 .text", "after back and forth")
        .await;

    // The keyboard of the system leaves less room: the field stays above it.
    window.is_a_phone(360).await;
    let above = "(box => box.top > 0 && box.bottom <= innerHeight)(document.querySelector('#composer').getBoundingClientRect())";
    window.waits_until(above).await;
    window.clicks(".back").await;
    window
        .waits_until("document.querySelector('#lobby').checkVisibility()")
        .await;
    assert_eq!(window.path().await, "/");
    nobody_complains(&[&window]);
    chromium.closes().await;
}

impl Window {
    /// Presses what matches, without the browser tests' own script, which does not run here either.
    async fn presses_plainly(&self, css: &str) {
        self.waits_for(css).await;
        let click = format!("document.querySelector({css:?}).click()");
        self.evaluates(&click).await;
    }

    /// Writes into a field, in the same way.
    async fn fills(&self, css: &str, text: &str) {
        self.waits_for(css).await;
        let focus = format!("document.querySelector({css:?}).select()");
        self.evaluates(&focus).await;
        let text = InsertTextParams::new(text);
        self.page.execute(text).await.expect("the field takes text");
    }

    /// From the next page on, no script runs.
    async fn runs_no_script(&self) {
        let off = SetScriptExecutionDisabledParams::new(true);
        self.page.execute(off).await.expect("scripts are off");
    }

    /// A screen as wide as a phone's, so high.
    async fn is_a_phone(&self, height: i64) {
        let size = SetDeviceMetricsOverrideParams::new(390, height, 1.0, false);
        self.page.execute(size).await.expect("another screen");
    }
}
