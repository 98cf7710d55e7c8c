//! The marks of one line: which of them open and close, and the pieces that they make of it. It
//! knows neither line breaks nor fences, and only of a link where it stands.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::{
    escape,
    links::{PUNCTUATION, links},
    write_element,
};

/// A part of a line. A mark is literal until its partner is found.
pub(super) enum Piece<'t> {
    Plain(&'t str),
    Code(&'t str),
    Link(&'t str),
    Literal(Mark),
    Start(Mark),
    End(Mark),
}

impl Piece<'_> {
    pub(super) fn write(&self, html: &mut String) {
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
pub(super) enum Mark {
    Bold,
    Italic,
    Struck,
}

impl Mark {
    pub(super) fn from_sign(sign: char) -> Option<Self> {
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
pub(super) struct Line<'t> {
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
    pub(super) fn read(text: &'t str) -> Vec<Piece<'t>> {
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

#[cfg(test)]
mod tests;
