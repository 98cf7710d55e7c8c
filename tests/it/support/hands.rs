//! What the person in front of a window does: the mouse and the keys.

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchMouseEventParams, DispatchMouseEventType, InsertTextParams,
    MouseButton,
};
use chromiumoxide::layout::Point;

use super::browser::{Window, quoted};

impl Window {
    /// Puts the mouse on what matches and presses its button.
    pub async fn clicks(&self, css: &str) {
        self.waits_for(css).await;
        let found = self.finds(css).await;
        found
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// Puts the mouse on what matches and holds its button down; brings back where.
    pub async fn holds(&self, css: &str) -> Point {
        self.waits_for(css).await;
        let found = self.finds(css).await;
        let point = found.clickable_point().await.expect("it can be seen");
        self.page.move_mouse(point).await.expect("the mouse moves");
        self.button(DispatchMouseEventType::MousePressed, point)
            .await;
        point
    }

    /// Lets go of the button there.
    pub async fn lets_go(&self, point: Point) {
        self.button(DispatchMouseEventType::MouseReleased, point)
            .await;
    }

    async fn button(&self, what: DispatchMouseEventType, point: Point) {
        let event = DispatchMouseEventParams::builder()
            .r#type(what)
            .x(point.x)
            .y(point.y)
            .button(MouseButton::Left)
            .click_count(1);
        let event = event.build().expect("a complete event");
        self.page.execute(event).await.expect("the button moves");
    }

    /// Clicks into a field, empties it and writes.
    pub async fn writes(&self, css: &str, text: &str) {
        self.clicks(css).await;
        self.evaluates(&format!("document.querySelector({}).select()", quoted(css)))
            .await;
        self.page
            .execute(InsertTextParams::new(text))
            .await
            .expect("the field takes text");
    }

    /// Presses a key in a field.
    pub async fn presses(&self, css: &str, key: &str) {
        let found = self.finds(css).await;
        found.press_key(key).await.expect("the key exists");
    }

    /// Hits a key, wherever the focus is.
    pub async fn hits(&self, key: DispatchKeyEventParams) {
        self.page.execute(key).await.expect("the key moves");
    }

    /// Writes a message and presses Enter.
    pub async fn posts(&self, text: &str) {
        self.writes("#composer textarea", text).await;
        self.presses("#composer textarea", "Enter").await;
    }
}
