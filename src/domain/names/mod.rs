//! What people and rooms may be called, and when two names are one. It knows Unicode, and neither
//! the store nor the web.
//!
//! Each name has two forms: `shown`, as its owner wrote it, and `folded`, the key that must be
//! unique. Names that a reader would take for each other have the same key, so the unique index of
//! the store is what stops impersonation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::is_potential_mixed_script_confusable_char;
use unicode_security::mixed_script::AugmentedScriptSet;

use crate::error::Error;

mod characters;
mod fold;

pub(crate) use characters::{is_invisible, is_visible, longest_run_of_marks, one_line};
pub use fold::fold;

use characters::{is_emoji, is_letter_or_digit, is_private};

/// The most characters in a person's name, in composed form (NFC).
pub const USERNAME_CHARS: usize = 32;
/// The most characters in a room's name, in composed form (NFC).
pub const ROOM_NAME_CHARS: usize = 64;

/// Vietnamese, pointed Hebrew and Tibetan need up to four marks on one letter; more of them only
/// climb out of the line.
const MARKS_IN_A_ROW: usize = 4;
/// Longer input is refused before any work is spent on it; 64 characters with four marks each stay
/// well below.
const RAW_BYTES: usize = 2048;

/// Names that speak for the server or for everybody, and words that programs mistake for "nobody".
const RESERVED: [&str; 13] = [
    "admin",
    "administrator",
    "root",
    "system",
    "tertulia",
    "everyone",
    "all",
    "here",
    "channel",
    "moderator",
    "support",
    "null",
    "undefined",
];

/// A person's name: 1 to 32 letters and digits of any script with their marks, `_`, `-`, `.` and
/// single spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    shown: String,
    folded: String,
}

impl Username {
    /// Reads a name from a form; white space around it does not count.
    ///
    /// # Errors
    /// `Invalid`, with words for the person, when the name is empty, too long, reserved, or holds
    /// what is not allowed.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let refuse = |words| Err(Error::invalid("username", words));
        if raw.len() > RAW_BYTES {
            return refuse("A name has at most 32 characters.");
        }
        let shown: String = raw.trim().nfc().collect();
        if shown.is_empty() {
            return refuse("Choose a name.");
        }
        if shown.chars().count() > USERNAME_CHARS {
            return refuse("A name has at most 32 characters.");
        }
        if !shown.starts_with(is_letter_or_digit) {
            return refuse("A name starts with a letter or a digit.");
        }
        if !is_well_spelled(&shown) || longest_run_of_marks(&shown) > MARKS_IN_A_ROW {
            return refuse(
                "A name is made of letters, digits, hyphens, dots, underscores and single spaces.",
            );
        }
        if words_of(&shown).any(mixes_look_alike_alphabets) {
            return refuse("Write each word of the name in one alphabet.");
        }
        let folded = fold(&shown);
        if RESERVED.iter().any(|reserved| fold(reserved) == folded) {
            return refuse("This name is reserved. Choose another one.");
        }
        Ok(Self { shown, folded })
    }

    /// The name as its owner wrote it, in NFC.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The key that no other person may have; see [`fold`].
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// A room's name: 1 to 64 characters of any script, with punctuation and emoji, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomName {
    shown: String,
    folded: String,
}

impl RoomName {
    /// Reads a name from a form; each run of white space becomes one space.
    ///
    /// # Errors
    /// `Invalid`, with words for the person, when the name is empty, too long, or holds what nobody
    /// can see.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let refuse = |words| Err(Error::invalid("name", words));
        if raw.len() > RAW_BYTES {
            return refuse("A room name has at most 64 characters.");
        }
        let shown: String = one_line(raw).nfc().collect();
        if !shown.chars().any(is_visible) {
            return refuse("Give the room a name.");
        }
        if shown.chars().count() > ROOM_NAME_CHARS {
            return refuse("A room name has at most 64 characters.");
        }
        if holds_hidden_characters(&shown) {
            return refuse("A room name cannot hold control or invisible characters.");
        }
        if longest_run_of_marks(&shown) > MARKS_IN_A_ROW {
            return refuse("A room name cannot pile up that many marks on one letter.");
        }
        let folded = fold(&shown);
        Ok(Self { shown, folded })
    }

    /// The name as its author wrote it, in NFC and on one line.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The key of names that look the same; see [`fold`].
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// Marks stand on letters only, spaces are single, and nothing else than the allowed characters
/// occurs.
fn is_well_spelled(name: &str) -> bool {
    let before = std::iter::once(' ').chain(name.chars());
    before.zip(name.chars()).all(|(before, c)| match c {
        '_' | '-' | '.' => true,
        ' ' => before != ' ',
        c if is_combining_mark(c) => {
            let encloses =
                matches!(c, '\u{488}'..='\u{489}' | '\u{1ABE}' | '\u{20D0}'..='\u{20FF}');
            !is_invisible(c) && !encloses && (before.is_alphabetic() || is_combining_mark(before))
        }
        c => is_letter_or_digit(c),
    })
}

fn words_of(name: &str) -> impl Iterator<Item = &str> {
    name.split([' ', '_', '-', '.'])
}

/// Whether a word mixes scripts with a letter that could pass for one of another script: `Вen` with
/// a Cyrillic `В`. East Asian writing mixes scripts by nature, also with Latin letters, and passes.
fn mixes_look_alike_alphabets(word: &str) -> bool {
    let foreign_look_alike = |c: char| {
        let script = AugmentedScriptSet::for_char(c);
        let east_asian = script.hanb || script.jpan || script.kore;
        c.is_alphabetic()
            && !c.is_ascii()
            && !east_asian
            && is_potential_mixed_script_confusable_char(c)
    };
    AugmentedScriptSet::for_str(word).is_empty() && word.chars().any(foreign_look_alike)
}

/// Controls, private use, noncharacters, and invisible characters other than those that hold an
/// emoji together.
fn holds_hidden_characters(name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    chars.iter().enumerate().any(|(at, &c)| {
        let before = at.checked_sub(1).map_or(' ', |at| chars[at]);
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        match c {
            '\u{FE0F}' => {
                !(is_emoji(before)
                    || matches!(before, '0'..='9' | '#' | '*') && after == '\u{20E3}')
            }
            '\u{200D}' => !((is_emoji(before) || before == '\u{FE0F}') && is_emoji(after)),
            c => c.is_control() || is_invisible(c) || is_private(c),
        }
    })
}

#[cfg(test)]
mod tests;
