//! Windows in front of somebody's eyes, and behind another tab.

use chromiumoxide::cdp::browser_protocol::emulation::SetFocusEmulationEnabledParams;
use chromiumoxide::cdp::browser_protocol::target::CreateTargetParams;

use super::browser::{Chromium, Window};

impl Chromium {
    /// Opens another tab in front of the window's own, which goes on in the background.
    pub async fn covers(&self, window: &Window) {
        window.seems_focused(false).await;
        let target = CreateTargetParams::builder()
            .url("about:blank")
            .browser_context_id(window.context.clone())
            .build();
        let tab = self.browser.new_page(target.expect("it has a URL")).await;
        let tab = tab.expect("a tab opens");
        tab.bring_to_front().await.expect("it can be seen");
        window
            .waits_until("document.hidden && !document.hasFocus()")
            .await;
    }
}

impl Window {
    /// Brings the window's own tab back to the front.
    pub async fn comes_to_the_front(&self) {
        self.page.bring_to_front().await.expect("it can be seen");
        self.seems_focused(true).await;
        self.waits_until("!document.hidden && document.hasFocus()")
            .await;
    }

    /// Lets the page have the focus though other windows have it too.
    pub(super) async fn seems_focused(&self, focused: bool) {
        let focus = SetFocusEmulationEnabledParams::new(focused);
        self.page.execute(focus).await.expect("the focus moves");
    }
}
