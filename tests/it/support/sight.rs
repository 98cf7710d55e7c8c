//! What people see: messages read out of pages, fragments and frames.

use scraper::{ElementRef, Html};

use super::ask::{selector, words};

/// A message as it stands in HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub seq: u64,
    pub rev: u64,
    pub author: u64,
    /// What a reader reads in the bubble, without its name and time.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    pub deleted: bool,
    pub edited: bool,
    pub mine: bool,
}

/// The stored messages in a piece of HTML, in the order in which they stand there.
pub fn messages_in(html: &str) -> Vec<Shown> {
    let html = Html::parse_fragment(html);
    html.select(&selector("li.message[id]"))
        .map(shown)
        .collect()
}

/// The places of the messages in a piece of HTML.
pub fn seqs_in(html: &str) -> Vec<u64> {
    messages_in(html)
        .iter()
        .map(|message| message.seq)
        .collect()
}

/// The HTML with plain slashes, which templates escape too.
pub fn plain(html: &str) -> String {
    html.replace("&#x2f;", "/")
}

/// The cursor that a frame carries, if it carries one.
pub fn cursor_in(html: &str) -> Option<u64> {
    let html = Html::parse_fragment(html);
    let cursor = html.select(&selector("#cursor")).next()?;
    cursor.attr("data-rev")?.parse().ok()
}

fn shown(item: ElementRef<'_>) -> Shown {
    let seq = number(item, "data-seq");
    assert_eq!(
        item.attr("id"),
        Some(format!("message-{seq}").as_str()),
        "id and data-seq agree"
    );
    let body = item.select(&selector(".text")).next();
    Shown {
        seq,
        rev: number(item, "data-rev"),
        author: number(item, "data-author"),
        text: body.map_or_else(String::new, |body| words(&body.text().collect::<String>())),
        html: body.map_or_else(String::new, |body| body.inner_html().trim().to_owned()),
        deleted: has_class(item, "deleted"),
        edited: item
            .select(&selector(".meta"))
            .any(|meta| meta.text().any(|word| word == "Edited")),
        mine: has_class(item, "mine"),
    }
}

fn has_class(item: ElementRef<'_>, name: &str) -> bool {
    item.value().classes().any(|class| class == name)
}

fn number(item: ElementRef<'_>, name: &str) -> u64 {
    let value = item
        .attr(name)
        .unwrap_or_else(|| panic!("{name} is missing in {}", item.html()));
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name}={value} is not a number"))
}
