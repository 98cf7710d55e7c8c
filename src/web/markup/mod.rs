//! Stored text to HTML: `*bold*`, `_italic_`, `~struck~`, `` `code` ``, fenced code, and links. It
//! knows no template, no room and no person; its output is the only HTML that templates take as
//! safe.
//!
//! Everything is escaped, and the tags are these alone: `strong`, `em`, `s`, `code`, `pre`, `a`.
//! They are always balanced. The work is linear in the length of the text. Line breaks stay line
//! breaks; the style sheet shows them.

mod emoji;
mod links;
mod marks;

use marks::Line;

/// A text with more lines than this is shown collapsed.
const LONG_LINES: usize = 20;
/// A text with more characters than this is shown collapsed.
const LONG_CHARS: usize = 1_500;

const FENCE: &str = "```";

/// The HTML of a stored text.
///
/// The rules are those of WhatsApp: a mark opens at the start of a word and closes at the end of
/// one, with no space just inside; it never reaches over a line break; marks nest; nothing inside
/// code is read; a mark without its partner stays as it is. A fence (three backticks) holds any
/// lines, and may stand on lines of its own.
pub fn render(body: &str) -> String {
    let mut html = String::with_capacity(body.len() + body.len() / 2);
    let blocks = blocks(body);
    for (at, block) in blocks.iter().enumerate() {
        match *block {
            // A block starts and ends its own line, so the line break beside a fence would show
            // twice.
            Block::Prose(text) => {
                let text = if at > 0 {
                    text.strip_prefix('\n').unwrap_or(text)
                } else {
                    text
                };
                let last = at + 1 == blocks.len();
                let text = if last {
                    text
                } else {
                    text.strip_suffix('\n').unwrap_or(text)
                };
                write_prose(&mut html, text);
            }
            Block::Code(text) => {
                let text = text.strip_prefix('\n').unwrap_or(text);
                let text = text.strip_suffix('\n').unwrap_or(text);
                write_element(&mut html, "<pre><code>", text, "</code></pre>");
            }
        }
    }
    html
}

/// Whether a text is shown collapsed, with "Read more".
pub fn is_long(body: &str) -> bool {
    body.lines().nth(LONG_LINES).is_some() || body.chars().nth(LONG_CHARS).is_some()
}

/// Whether a text is a few emoji and nothing else, which are shown large.
pub fn is_large(body: &str) -> bool {
    emoji::is_few(body)
}

enum Block<'t> {
    Prose(&'t str),
    Code(&'t str),
}

/// Prose and fenced code in turn, prose first and last (it may be empty). A fence around nothing is
/// prose.
fn blocks(body: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut prose = 0;
    let mut from = 0;
    while let Some(open) = find(body, from, FENCE) {
        let inside = open + FENCE.len();
        let Some(close) = find(body, inside, FENCE) else {
            break;
        };
        let code = &body[inside..close];
        if code.trim().is_empty() {
            from = close;
            continue;
        }
        blocks.push(Block::Prose(&body[prose..open]));
        blocks.push(Block::Code(code));
        prose = close + FENCE.len();
        from = prose;
    }
    blocks.push(Block::Prose(&body[prose..]));
    blocks
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text[from..].find(what).map(|at| from + at)
}

fn write_prose(html: &mut String, text: &str) {
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            html.push('\n');
        }
        for piece in Line::read(line) {
            piece.write(html);
        }
    }
}

fn write_element(html: &mut String, start: &str, text: &str, end: &str) {
    html.push_str(start);
    escape(html, text);
    html.push_str(end);
}

/// Text that is safe both between tags and inside a quoted attribute.
fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
