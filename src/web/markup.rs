//! Stored text to HTML: `*bold*`, `_italic_`, `~struck~`, `` `code` ``, fenced code, and links. It
//! knows no template, no room and no person; its output is the only HTML that templates take as
//! safe.
//!
//! Everything is escaped, and the tags are these alone: `strong`, `em`, `s`, `code`, `pre`, `a`.
//! They are always balanced. The work is linear in the length of the text. Line breaks stay line
//! breaks; the style sheet shows them.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};
use unicode_normalization::char::is_combining_mark;

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

/// A part of a line. A mark is literal until its partner is found.
enum Piece<'t> {
    Plain(&'t str),
    Code(&'t str),
    Link(&'t str),
    Literal(Mark),
    Start(Mark),
    End(Mark),
}

impl Piece<'_> {
    fn write(&self, html: &mut String) {
        match self {
            Piece::Plain(text) => escape(html, text),
            Piece::Code(text) => write_element(html, "<code>", text, "</code>"),
            Piece::Link(url) => {
                html.push_str("<a href=\"");
                escape(html, url);
                let rest = "\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">";
                write_element(html, rest, url, "</a>");
            }
            Piece::Literal(mark) => html.push(mark.sign()),
            Piece::Start(mark) => html.push_str(mark.tags().0),
            Piece::End(mark) => html.push_str(mark.tags().1),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Bold,
    Italic,
    Struck,
}

impl Mark {
    fn from_sign(sign: char) -> Option<Self> {
        match sign {
            '*' => Some(Mark::Bold),
            '_' => Some(Mark::Italic),
            '~' => Some(Mark::Struck),
            _ => None,
        }
    }

    fn sign(self) -> char {
        match self {
            Mark::Bold => '*',
            Mark::Italic => '_',
            Mark::Struck => '~',
        }
    }

    fn tags(self) -> (&'static str, &'static str) {
        match self {
            Mark::Bold => ("<strong>", "</strong>"),
            Mark::Italic => ("<em>", "</em>"),
            Mark::Struck => ("<s>", "</s>"),
        }
    }
}

/// Reads one line from left to right and never goes back.
struct Line<'t> {
    text: &'t str,
    pieces: Vec<Piece<'t>>,
    /// Where the text begins that is in no piece yet.
    rest: usize,
    /// The marks that wait for their partner, with their places among the pieces; at most one of
    /// each kind.
    open: Vec<(Mark, usize)>,
    /// Whether a backtick further on may still close code; once there is none, no search is started
    /// again.
    code_may_close: bool,
}

impl<'t> Line<'t> {
    fn read(text: &'t str) -> Vec<Piece<'t>> {
        let mut line = Line {
            text,
            pieces: Vec::new(),
            rest: 0,
            open: Vec::new(),
            code_may_close: true,
        };
        let mut links = links(text).into_iter().peekable();
        let mut at = 0;
        loop {
            // A link that begins inside code is none.
            while links.next_if(|link| link.start < at).is_some() {}
            let link = links.peek();
            let limit = link.map_or(text.len(), |link| link.start);
            at = match (text[at..limit].find(['*', '_', '~', '`']), link) {
                (Some(found), _) => line.read_sign(at + found),
                (None, Some(link)) => line.read_link(link.clone()),
                (None, None) => break,
            };
        }
        line.take(text.len()..text.len(), Piece::Plain(""));
        line.pieces
    }

    /// Adds the piece that covers `range`, after the plain text before it.
    fn take(&mut self, range: Range<usize>, piece: Piece<'t>) {
        self.pieces
            .push(Piece::Plain(&self.text[self.rest..range.start]));
        self.pieces.push(piece);
        self.rest = range.end;
    }

    /// Reads the sign at `at` and returns where to go on.
    fn read_sign(&mut self, at: usize) -> usize {
        let sign = self.text[at..].chars().next();
        match sign.and_then(Mark::from_sign) {
            Some(mark) => self.read_mark(mark, at),
            None => self.read_code(at),
        }
    }

    fn read_mark(&mut self, mark: Mark, at: usize) -> usize {
        let partner = self.open.iter().position(|&(open, _)| open == mark);
        if let Some(depth) = partner.filter(|_| self.can_close(at)) {
            let (_, start) = self.open[depth];
            self.pieces[start] = Piece::Start(mark);
            // The marks opened in between would overlap this one; they stay literal.
            self.open.truncate(depth);
            self.take(at..at + 1, Piece::End(mark));
        } else if self.can_open(at) {
            // The nearer of two openings is the one that is meant.
            self.open.retain(|&(open, _)| open != mark);
            self.take(at..at + 1, Piece::Literal(mark));
            self.open.push((mark, self.pieces.len() - 1));
        }
        at + 1
    }

    fn read_code(&mut self, at: usize) -> usize {
        let inside = at + 1;
        if !self.code_may_close || !self.can_open(at) {
            return inside;
        }
        let mut backticks = self.text[inside..]
            .match_indices('`')
            .map(|(found, _)| inside + found);
        let Some(close) = backticks.find(|&backtick| self.can_close(backtick)) else {
            self.code_may_close = false;
            return inside;
        };
        self.take(at..close + 1, Piece::Code(&self.text[inside..close]));
        close + 1
    }

    /// Reads a link; marks at its end that close what is open are no part of it: `_see
    /// https://a.example/b_`.
    fn read_link(&mut self, range: Range<usize>) -> usize {
        let closes = |c| {
            Mark::from_sign(c).is_some_and(|mark| self.open.iter().any(|&(open, _)| open == mark))
        };
        let whole = &self.text[range.clone()];
        let bare = whole.trim_end_matches(closes);
        let url = if bare == whole {
            whole
        } else {
            bare.trim_end_matches(PUNCTUATION)
        };
        let end = range.start + url.len();
        self.take(range.start..end, Piece::Link(url));
        end
    }

    /// At the start of a word, with no space inside. Of several equal signs in a row none is a
    /// mark, nor is the asterisk of a keycap emoji, nor what follows a backslash: the arm of
    /// `¯\_(ツ)_/¯`.
    fn can_open(&self, at: usize) -> bool {
        let (before, sign, after) = self.around(at);
        before.is_none_or(|c| !is_of_word(c) && c != '\\' && c != sign)
            && after.is_some_and(|c| !c.is_whitespace() && !is_combining_mark(c) && c != sign)
    }

    /// At the end of a word, with no space inside.
    fn can_close(&self, at: usize) -> bool {
        let (before, sign, after) = self.around(at);
        before.is_some_and(|c| !c.is_whitespace() && c != sign)
            && after.is_none_or(|c| !is_of_word(c) && !is_combining_mark(c) && c != sign)
    }

    /// The characters before, at and after the sign at `at`.
    fn around(&self, at: usize) -> (Option<char>, char, Option<char>) {
        let before = self.text[..at].chars().next_back();
        let sign = char::from(self.text.as_bytes()[at]);
        (before, sign, self.text[at + 1..].chars().next())
    }
}

fn is_of_word(c: char) -> bool {
    // The selector behind an emoji is a mark to Unicode, but no part of a word.
    c.is_alphanumeric() || is_combining_mark(c) && c != '\u{FE0F}'
}

/// What ends a sentence or a quotation rather than a URL.
const PUNCTUATION: [char; 6] = ['.', ',', ':', ';', '!', '?'];

/// Where the http and https URLs of a line are, in order.
fn links(line: &str) -> Vec<Range<usize>> {
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
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn link(url: &str) -> String {
        format!(
            "<a href=\"{url}\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">{url}</a>"
        )
    }

    fn shows(cases: &[(&str, &str)]) {
        for (body, html) in cases {
            assert_eq!(render(body), *html, "{body:?}");
        }
    }

    fn stays(bodies: &[&str]) {
        for body in bodies {
            assert_eq!(render(body), *body);
        }
    }

    #[test]
    fn plain_text_and_its_line_breaks_stay_as_they_are() {
        stays(&[
            "",
            "Hello",
            "Grüße, 世界 👩‍👩‍👧",
            "two\nlines\n\nand  more",
            "\n",
            "  indented",
        ]);
    }

    #[test]
    fn everything_html_could_read_is_escaped() {
        shows(&[
            (
                "<img src=x onerror=alert(1)>",
                "&lt;img src=x onerror=alert(1)&gt;",
            ),
            ("\"><svg onload=x>", "&quot;&gt;&lt;svg onload=x&gt;"),
            ("</textarea><script>", "&lt;/textarea&gt;&lt;script&gt;"),
            (
                "<hx-partial hx-post=/x hx-trigger=load ",
                "&lt;hx-partial hx-post=/x hx-trigger=load ",
            ),
            ("' hx-get=/x &lt;", "&#39; hx-get=/x &amp;lt;"),
            ("*<b>*", "<strong>&lt;b&gt;</strong>"),
            ("`<b>&amp;`", "<code>&lt;b&gt;&amp;amp;</code>"),
            (
                "```</code></pre><b>```",
                "<pre><code>&lt;/code&gt;&lt;/pre&gt;&lt;b&gt;</code></pre>",
            ),
        ]);
    }

    #[test]
    fn marks_make_words_bold_italic_struck_and_code() {
        shows(&[
            ("*bold*", "<strong>bold</strong>"),
            ("_italic_", "<em>italic</em>"),
            ("~struck~", "<s>struck</s>"),
            ("`code`", "<code>code</code>"),
            ("a *few words* b", "a <strong>few words</strong> b"),
            (
                "(*a*), \"_b_\"!",
                "(<strong>a</strong>), &quot;<em>b</em>&quot;!",
            ),
            ("*a* *b*", "<strong>a</strong> <strong>b</strong>"),
            ("*a*\n*b*", "<strong>a</strong>\n<strong>b</strong>"),
            (
                "*ж* _日本_ ~é~",
                "<strong>ж</strong> <em>日本</em> <s>é</s>",
            ),
            ("❤️*a* *❤️*", "❤️<strong>a</strong> <strong>❤️</strong>"),
        ]);
    }

    #[test]
    fn different_marks_nest() {
        shows(&[
            ("*_~all~_*", "<strong><em><s>all</s></em></strong>"),
            (
                "*bold _both_ bold*",
                "<strong>bold <em>both</em> bold</strong>",
            ),
            ("_a *b* ~c~_", "<em>a <strong>b</strong> <s>c</s></em>"),
            ("*`code`*", "<strong><code>code</code></strong>"),
        ]);
    }

    #[test]
    fn marks_that_overlap_stay_literal_on_the_inside() {
        shows(&[
            ("*a _b* c_", "<strong>a _b</strong> c_"),
            ("_a *b_ c*", "<em>a *b</em> c*"),
            ("*foo *bar*", "*foo <strong>bar</strong>"),
            ("*foo _x *bar*_", "*foo <em>x <strong>bar</strong></em>"),
        ]);
    }

    #[test]
    fn marks_inside_words_beside_spaces_or_alone_stay_literal() {
        stays(&[
            "*",
            "_",
            "~",
            "`",
            "**",
            "* *",
            "2*3*4",
            "2 * 3 * 4",
            "snake_case_name",
            "*open",
            "close*",
            "* a *",
            "*a *",
            "* a*",
            "*a*b",
            "a*b*",
            "*one\ntwo*",
            "`one\ntwo`",
            "` a `",
            "a`b`",
            "`a`b",
            "~/a and b~c",
            "__init__",
            "**not markdown**",
            "~~neither~~",
            "``",
            "``a``",
            "* item\n* item",
            "¯\\_(ツ)_/¯",
            "*️⃣ a*️⃣",
            "हिन्दी_क_",
            "*\u{a0}a*",
        ]);
    }

    #[test]
    fn nothing_inside_code_is_read() {
        shows(&[
            (
                "`*a* _b_ https://a.example`",
                "<code>*a* _b_ https://a.example</code>",
            ),
            ("*a `b* c`", "*a <code>b* c</code>"),
            (
                "`a` https://a.example",
                &format!("<code>a</code> {}", link("https://a.example")),
            ),
            (
                "```*a* `b`\nhttps://a.example```",
                "<pre><code>*a* `b`\nhttps://a.example</code></pre>",
            ),
        ]);
    }

    #[test]
    fn a_fence_holds_lines_and_swallows_the_line_breaks_beside_it() {
        shows(&[
            (
                "```\nlet a = 1;\n  b\n```",
                "<pre><code>let a = 1;\n  b</code></pre>",
            ),
            ("see\n```\na\n```\nso", "see<pre><code>a</code></pre>so"),
            ("see\n\n```a```\n\nso", "see\n<pre><code>a</code></pre>\nso"),
            (
                "an ```inline``` fence",
                "an <pre><code>inline</code></pre> fence",
            ),
            (
                "```a```\n```b```",
                "<pre><code>a</code></pre><pre><code>b</code></pre>",
            ),
            ("```\n\na\n\n```", "<pre><code>\na\n</code></pre>"),
            ("*a ```b``` c*", "*a <pre><code>b</code></pre> c*"),
        ]);
    }

    #[test]
    fn fences_without_an_end_or_without_content_stay_literal() {
        stays(&[
            "```",
            "```a",
            "a```",
            "``````",
            "``` ```",
            "```\n```",
            "``` ``` ```",
            "`````",
        ]);
        shows(&[("```*a*", "```<strong>a</strong>")]);
    }

    #[test]
    fn web_addresses_become_links() {
        for url in [
            "https://a.example",
            "http://a.example/b?c=d#e",
            "HTTPS://A.EXAMPLE/",
            "http://localhost:3000/a_b_c",
            "https://en.wikipedia.org/wiki/Rust_(programming_language)",
            "https://ja.wikipedia.org/wiki/日本",
            "https://a.example/*b*/_c_/~d~/",
            "https://a.example/snake_case_",
            "https://user@a.example/",
        ] {
            assert_eq!(render(url), link(url));
            assert_eq!(
                render(&format!("see {url}, and ({url}).")),
                format!("see {0}, and ({0}).", link(url))
            );
        }
        assert_eq!(
            render("https://a.example/?a=1&b='2'"),
            link("https://a.example/?a=1&amp;b=&#39;2&#39;"),
        );
    }

    #[test]
    fn a_link_ends_where_the_sentence_goes_on() {
        let url = link("https://a.example/b");
        for (before, after) in [
            ("", "."),
            ("", "!"),
            ("(", ")"),
            ("&lt;", "&gt;"),
            ("&quot;", "&quot;"),
            ("&#39;", "&#39;"),
            ("“", "”"),
            ("«", "»"),
            ("看", "。然后"),
            ("（", "）"),
            ("", "\u{a0}b"),
            ("", "\u{3000}b"),
            ("", "\u{202e}b"),
            ("", "\u{200b}b"),
            ("", "…"),
            ("", "\nnext"),
            ("", "&lt;b&gt;"),
        ] {
            let unescape = |text: &str| {
                text.replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&quot;", "\"")
                    .replace("&#39;", "'")
            };
            let body = format!("{}https://a.example/b{}", unescape(before), unescape(after));
            assert_eq!(render(&body), format!("{before}{url}{after}"), "{body:?}");
        }
    }

    #[test]
    fn marks_around_links_are_not_part_of_them() {
        let host = link("https://a.example");
        let path = link("https://a.example/b_c");
        for (body, html) in [
            ("*https://a.example*", format!("<strong>{host}</strong>")),
            ("_https://a.example_", format!("<em>{host}</em>")),
            ("(~https://a.example~).", format!("(<s>{host}</s>).")),
            (
                "*https://a.example/b_c*",
                format!("<strong>{path}</strong>"),
            ),
            ("_https://a.example/b_c_", format!("<em>{path}</em>")),
            (
                "_see https://a.example/b_c._ Yes",
                format!("<em>see {path}.</em> Yes"),
            ),
            (
                "*_~https://a.example/b_c~_*",
                format!("<strong><em><s>{path}</s></em></strong>"),
            ),
            ("https://a.example/b_c _x_", format!("{path} <em>x</em>")),
        ] {
            assert_eq!(render(body), html, "{body:?}");
        }
    }

    #[test]
    fn other_schemes_and_bare_hosts_stay_text() {
        stays(&[
            "javascript:alert(1)",
            "JavaScript://a.example/%0aalert(1)",
            "javascript://http://a.example",
            "data:text/html,x",
            "vbscript:x",
            "java\tscript:x",
            "//evil.example",
            "www.a.example",
            "a.example",
            "ada@a.example",
            "mailto:ada@a.example",
            "ftp://a.example",
            "file:///etc/passwd",
            "xhttp://a.example",
            "http://",
            "https:// a",
            "http:/a.example",
            "https:a.example",
            "http://_",
            "https://.",
            "://a.example",
        ]);
        assert!(!render("java\nscript://a.example").contains("<a"));
    }

    #[test]
    fn a_text_is_long_above_20_lines_or_1500_characters() {
        assert!(!is_long(""));
        assert!(!is_long(&["x"; 20].join("\n")));
        assert!(is_long(&["x"; 21].join("\n")));
        assert!(!is_long(&"é".repeat(1_500)));
        assert!(is_long(&"é".repeat(1_501)));
    }

    #[test]
    fn the_largest_and_worst_texts_are_rendered_at_once() {
        for part in [
            "*",
            "_a",
            "*a",
            "*a ",
            "*a* ",
            "`",
            "`a",
            "`a ",
            "```",
            "```a",
            "``` ",
            "*_~",
            "*a _b ~c ",
            "a* ",
            "http://",
            "a://",
            "://",
            "http://a.b ",
            "http://a.b/_",
            "_http://a.b/_",
            "http://a@",
            "http://a.b/(",
            "<",
            "\n",
            "*\n",
            "*_~`a`~_* ",
            "http://a_",
            "a",
            "\u{301}",
            "'http://a",
            "http://a.b\u{2026}",
            "*http://a.b/*_~",
            "1http://",
            ".",
        ] {
            let body: String = part.chars().cycle().take(10_000).collect();
            let started = Instant::now();
            check(&body);
            assert!(
                started.elapsed() < Duration::from_millis(500),
                "{part:?}: {:?}",
                started.elapsed()
            );
        }
    }

    /// A small generator (xorshift64*, Vigna 2016), so that every run sees the same texts.
    fn random(state: &mut u64, below: usize) -> usize {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        let drawn = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).expect("31 bits fit") % below
    }

    #[test]
    fn any_text_gives_balanced_html_of_the_known_tags_that_loses_no_letter() {
        const PARTS: [&str; 40] = [
            "*",
            "*",
            "_",
            "_",
            "~",
            "~",
            "`",
            "`",
            "```",
            "```",
            " ",
            " ",
            "\n",
            "\n",
            "a",
            "b c",
            "é",
            "日本",
            "👍🏽",
            "\u{301}",
            "\u{fe0f}",
            "<",
            ">",
            "&",
            "\"",
            "'",
            "(",
            ")",
            ".",
            "https://a.example",
            "http://b.example/c_d",
            "https://",
            "javascript:",
            "//",
            "\u{202e}",
            "\u{a0}",
            "\0",
            "<b>",
            "&lt;",
            "@",
        ];
        let mut state = 0x9E37_79B9_7F4A_7C15;
        for _ in 0..20_000 {
            let length = random(&mut state, 24);
            let body: String = (0..length)
                .map(|_| PARTS[random(&mut state, PARTS.len())])
                .collect();
            check(&body);
        }
    }

    /// Reads the HTML as a strict parser would: known tags only, balanced, attributes exact, and
    /// the text as it was.
    fn check(body: &str) {
        let html = render(body);
        let mut text = String::new();
        let mut open: Vec<&str> = Vec::new();
        let mut rest = html.as_str();
        while let Some(at) = rest.find('<') {
            text.push_str(&rest[..at]);
            let end = at + rest[at..].find('>').expect("a tag ends");
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            match tag {
                "strong" | "em" | "s" | "code" | "pre" => {
                    assert!(!open.contains(&tag), "{body:?}: {tag} inside itself");
                    assert!(
                        !open.contains(&"code") && !open.contains(&"a"),
                        "{body:?}: {tag} inside code or a link"
                    );
                    open.push(tag);
                }
                tag if tag.starts_with('/') => assert_eq!(open.pop(), Some(&tag[1..]), "{body:?}"),
                tag => {
                    let url = tag.strip_prefix("a href=\"").expect("a known tag");
                    let url = url
                        .strip_suffix("\" rel=\"noopener noreferrer nofollow\" target=\"_blank\"");
                    let url = url.expect("exactly these attributes");
                    let scheme = url.to_ascii_lowercase();
                    assert!(
                        scheme.starts_with("http://") || scheme.starts_with("https://"),
                        "{body:?}"
                    );
                    assert!(!url.contains(['"', '\'', '<', ' ', '\n']), "{body:?}");
                    assert!(
                        rest.starts_with(url),
                        "{body:?}: a link shows where it goes"
                    );
                    assert!(!open.contains(&"code") && !open.contains(&"a"), "{body:?}");
                    open.push("a");
                }
            }
        }
        text.push_str(rest);
        assert!(open.is_empty(), "{body:?} leaves {open:?} open");
        assert!(!text.contains(['>', '"', '\'']), "{body:?} is not escaped");
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'");
        let text = text.replace("&amp;", "&");
        let kept = |text: &str| text.replace(['*', '_', '~', '`', '\n'], "");
        assert_eq!(kept(&text), kept(body), "{body:?} has lost something");
    }
}
