//! The text of a message: what may be stored, and how it is cut to one line. It knows neither HTML
//! nor the store.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::names::{is_invisible, is_visible, longest_run_of_marks, one_line};
use crate::error::Error;

/// The most characters in a message, counted as stored.
pub const BODY_CHARS: usize = 10_000;
/// The most lines in a message.
pub const BODY_LINES: usize = 500;
/// The most characters in a preview, its ellipsis included.
pub const PREVIEW_CHARS: usize = 120;

/// No script piles up more marks than this on one letter; more of them run over the neighbouring
/// messages.
const MARKS_IN_A_ROW: usize = 8;
/// Longer input is refused before any work is spent on it: four bytes for each character, and as
/// much again for line breaks and letters that composing makes shorter.
const RAW_BYTES: usize = 8 * BODY_CHARS;

/// The text of a message as it is stored: NFC, lines end with `\n`, something in it can be seen,
/// its size is bounded.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBody(String);

impl MessageBody {
    /// Reads a text from a form or a frame. Blank lines before it and white space after it are
    /// dropped, the indentation of its first line is kept; characters that override the direction
    /// of text (U+202A to 202E, 2066 to 2069) are dropped, since unpaired ones reorder what stands
    /// around the message.
    ///
    /// # Errors
    /// `Invalid`, with words for the person, when nothing can be seen, when the text is too long,
    /// has too many lines or piles up marks, and when it holds control characters other than line
    /// breaks and tabs.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let refuse = |words| Err(Error::invalid("body", words));
        let raw = without_outer_blanks(raw);
        if raw.len() > RAW_BYTES {
            return refuse("A message has at most 10,000 characters. Send it in parts.");
        }
        let text: String = with_plain_line_breaks(raw)
            .chars()
            .filter(|&c| !overrides_direction(c))
            .nfc()
            .collect();
        let text = without_outer_blanks(&text);
        if !text.chars().any(is_visible) {
            return refuse("Write something first.");
        }
        if text.chars().count() > BODY_CHARS {
            return refuse("A message has at most 10,000 characters. Send it in parts.");
        }
        if text.split('\n').count() > BODY_LINES {
            return refuse("A message has at most 500 lines. Send it in parts.");
        }
        if text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            return refuse("A message cannot hold control characters.");
        }
        if longest_run_of_marks(text) > MARKS_IN_A_ROW {
            return refuse("A message cannot pile up that many marks on one letter.");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, ready to be stored and rendered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text on one line; see [`preview`].
    pub fn preview(&self) -> String {
        preview(&self.0)
    }
}

/// Shows the size only, so that no log ever holds what people wrote.
impl fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageBody({} bytes)", self.0.len())
    }
}

/// A stored text on one line of at most [`PREVIEW_CHARS`] characters, plain, its markup marks kept;
/// `…` stands for what was cut off.
pub fn preview(body: &str) -> String {
    let line = one_line(body);
    if line.chars().nth(PREVIEW_CHARS).is_none() {
        return line;
    }
    let kept = PREVIEW_CHARS - 1;
    // A pile of marks or a joined emoji is not cut through, unless it is longer than any real one.
    let chars: Vec<char> = line.chars().take(PREVIEW_CHARS).collect();
    let whole = (kept / 2..=kept)
        .rev()
        .find(|&at| !is_joined(chars[at - 1], chars[at]))
        .unwrap_or(kept);
    let start: String = chars[..whole].iter().collect();
    format!("{}…", start.trim_end())
}

/// Whether `c` belongs to the character before it: a mark, a selector, a skin tone, or a part after
/// a joiner.
fn is_joined(before: char, c: char) -> bool {
    let skin_tone = matches!(c, '\u{1F3FB}'..='\u{1F3FF}');
    is_combining_mark(c) || is_invisible(c) || skin_tone || before == '\u{200D}'
}

/// CRLF, lone CR, and the separators that Unicode adds (NEL, LS, PS) all become `\n`.
fn with_plain_line_breaks(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n")
}

/// The text from the start of its first line that is not blank to its last character that is not
/// white space.
fn without_outer_blanks(text: &str) -> &str {
    let text = text.trim_end();
    let indented = text.len() - text.trim_start().len();
    let line_start = text[..indented].rfind(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    let line_start = line_start.map_or(0, |at| {
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    });
    &text[line_start..]
}

fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
