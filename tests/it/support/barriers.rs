//! What a page puts in the way of people who see, hear or move otherwise, as axe-core finds it.

use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::input::InsertTextParams;
use serde_json::Value;

use super::browser::{Window, quoted};

/// axe-core, the checker behind most others.
const AXE: &str = include_str!("../vendor/axe-core-4.14.1/axe.min.js");

/// Runs it with every rule of WCAG 2.2 A and AA and of good practice; a line for each rule that is broken.
const RUN: &str = "axe.run(document, {runOnly: {type: 'tag', values: \
    ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}}).then(({violations}) => \
    violations.map(({id, nodes}) => id + ': ' + nodes.map(node => node.html).join(' ')))";

/// More things than any page of these tests has.
const STEPS: usize = 60;

/// A way to look at a page.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Pixels across, and down.
    pub size: (i64, i64),
    /// What the browser says of itself: names and values of media features.
    pub media: &'static [(&'static str, &'static str)],
}

impl Window {
    /// Looks at the page this way from now on.
    pub async fn looks(&self, View { size, media }: View) {
        let sized = SetDeviceMetricsOverrideParams::new(size.0, size.1, 1.0, false);
        self.page.execute(sized).await.expect("it can be resized");
        let features = media
            .iter()
            .map(|(name, value)| MediaFeature::new(*name, *value));
        let media = SetEmulatedMediaParams::builder().features(features).build();
        self.page
            .execute(media)
            .await
            .expect("it can be painted otherwise");
    }

    /// What is wrong with the page as it stands; nothing, if all is well.
    pub async fn barriers(&self) -> Vec<String> {
        // The checker comes past the page's policy, and stays until the page is left.
        if self.evaluates("typeof axe").await == "undefined" {
            self.page.evaluate(AXE).await.expect("the checker loads");
        }
        let found = self.page.evaluate(RUN).await.expect("the checker runs");
        let rules = found
            .value()
            .and_then(Value::as_array)
            .expect("a list of rules");
        rules
            .iter()
            .map(|rule| rule.as_str().expect("words").to_owned())
            .collect()
    }

    /// Goes on from thing to thing with the Tab key until the focus is on what matches, and is seen there.
    pub async fn tabs_to(&self, css: &str) {
        let is_there = format!("document.activeElement?.matches({}) === true", quoted(css));
        for _ in 0..STEPS {
            self.presses("body", "Tab").await;
            if self.evaluates(&is_there).await == true {
                let ring = self
                    .evaluates("getComputedStyle(document.activeElement).outlineStyle")
                    .await;
                assert_eq!(ring, "solid", "{css} has the focus and does not show it");
                return;
            }
        }
        panic!("the Tab key never comes to {css}");
    }

    /// Writes where the focus is.
    pub async fn types(&self, text: &str) {
        let text = InsertTextParams::new(text);
        self.page.execute(text).await.expect("the field takes text");
    }

    /// How many pixels of the page lie beyond its right edge.
    pub async fn overflow(&self) -> i64 {
        let beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.evaluates(beyond)
            .await
            .as_i64()
            .expect("a page is open")
    }
}
