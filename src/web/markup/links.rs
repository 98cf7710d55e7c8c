//! Where the links of one line are. It writes no HTML, and of the marks it knows only that they may
//! stand around a link.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};

use super::marks::Mark;

/// What ends a sentence or a quotation rather than a URL.
pub(super) const PUNCTUATION: [char; 6] = ['.', ',', ':', ';', '!', '?'];

/// Where the http and https URLs of a line are, in order.
pub(super) fn links(line: &str) -> Vec<Range<usize>> {
    let mut links = Vec::new();
    let mut start = 0;
    for part in line.split_inclusive(ends_url) {
        if part.contains("://") {
            let word = part.trim_end_matches(ends_url);
            let found = links_of_word(word);
            links.extend(
                found
                    .into_iter()
                    .map(|link| start + link.start..start + link.end),
            );
        }
        start += part.len();
    }
    links
}

fn links_of_word(word: &str) -> Vec<Range<usize>> {
    let found = web_links(word);
    if !found.is_empty() {
        return found;
    }
    // A host name never holds `_` or `~`, so that `_https://a.example_` is no URL until its mark is
    // taken off.
    let is_around = |c| {
        Mark::from_sign(c).is_some()
            || PUNCTUATION.contains(&c)
            || matches!(c, ')' | ']' | '"' | '\'')
    };
    web_links(word.trim_end_matches(is_around))
}

fn web_links(word: &str) -> Vec<Range<usize>> {
    let is_web = |url: &str| {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    };
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let found = finder.links(word).filter(|link| is_web(link.as_str()));
    found.map(|link| link.start()..link.end()).collect()
}

/// White space and quotation marks of any script, East Asian punctuation, and the invisible
/// characters by which a URL could be made to look like another one. None of them occurs in a URL
/// that was copied from a browser.
fn ends_url(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{AB}' | '\u{BB}' | '\u{2018}'..='\u{201F}' | '\u{2026}' | '\u{2039}' | '\u{203A}' | '\u{3001}' | '\u{3002}'
            | '\u{3008}'..='\u{3011}' | '\u{FF01}' | '\u{FF08}' | '\u{FF09}' | '\u{FF0C}' | '\u{FF1A}' | '\u{FF1B}'
            | '\u{FF1F}' | '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests;
