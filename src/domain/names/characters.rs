//! What characters are to a reader: seen or not, letter or picture, a mark on another one. It knows
//! Unicode alone, and not what a name is.

use unicode_normalization::char::is_combining_mark;

/// Whether a character draws nothing of its own: the property Default_Ignorable_Code_Point of
/// Unicode 17, which holds zero-width characters, bidi controls, fillers, variation selectors and
/// tags, and the interlinear annotation marks.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a reader sees something: neither white space, nor invisible, nor a mark without a
/// letter, nor the empty Braille cell.
pub(crate) fn is_visible(c: char) -> bool {
    !(c.is_whitespace()
        || c.is_control()
        || is_invisible(c)
        || is_combining_mark(c)
        || c == '\u{2800}')
}

/// The length of the longest pile of combining marks; invisible characters between marks do not end
/// a pile.
pub(crate) fn longest_run_of_marks(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars().filter(|&c| !is_invisible(c)) {
        run = if is_combining_mark(c) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// The text with each run of white space, line breaks included, as one space and none at the ends.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether people read it as a letter or a digit.
pub(super) fn is_letter_or_digit(c: char) -> bool {
    // Circled and squared letters are letters to Unicode, and pictures to people; Hangul fillers
    // draw nothing.
    let picture = matches!(c, '\u{2460}'..='\u{24FF}' | '\u{1F100}'..='\u{1F1FF}');
    c.is_alphanumeric() && !is_combining_mark(c) && !is_invisible(c) && !picture
}

/// Whether no standard says what it is: private use and noncharacters.
pub(super) fn is_private(c: char) -> bool {
    let code = u32::from(c);
    let noncharacter = code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code);
    noncharacter || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..)
}

/// The blocks where emoji live; wider than the emoji property, which is enough to tell a joined
/// emoji from a trick.
pub(super) fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21FF}'
        | '\u{2300}'..='\u{23FF}' | '\u{24C2}' | '\u{25A0}'..='\u{27BF}' | '\u{2934}'..='\u{2935}'
        | '\u{2B00}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}')
}
