//! When two names are one: the key that look-alike names share. It does not know what a name may
//! hold.

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

use super::characters::{is_invisible, one_line};

/// The key of a name: equal for names that differ only in case, width, invisible characters or
/// look-alike letters.
///
/// The steps, and why each is there:
/// 1. drop what is invisible, make white space single spaces, NFKC: full-width, mathematical and
///    ligature letters become plain ones;
/// 2. lower case, then upper case, letter by letter: `ß` and `ẞ` become `SS`, dotless `ı` becomes
///    `I`, final `ς` becomes `Σ`; the dot of `İ` goes, since `I` is drawn without it;
/// 3. capitals of other scripts become the Latin ones they look like (UTS 39): Cyrillic `В`, `Н`,
///    `Т` pass for `B`, `H`, `T`, while their small letters do not;
/// 4. lower case and the UTS 39 skeleton of the whole: `rn` = `m`, `0` = `O`, `1` = `l`. The
///    skeleton keeps case and brings capitals back (`0` → `O`), so the case must be folded both
///    before and after it.
///
/// `I` and small `l` stay apart, although some fonts draw them alike: in a key without case that
/// would make `i` and `l` one letter, and Ali could not sign up because of `all`. The key is for
/// comparing; it is never shown.
pub fn fold(name: &str) -> String {
    let visible: String = name.chars().filter(|&c| !is_invisible(c)).collect();
    let capitals: String = one_line(&visible)
        .nfkc()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .collect();
    let plain: String = capitals
        .nfkd()
        .map(capital_prototype)
        .flat_map(char::to_lowercase)
        .collect();
    let plain = plain.replace("i\u{307}", "i");
    let alike: String = skeleton(&plain).flat_map(char::to_lowercase).collect();
    alike.nfkc().collect()
}

/// The Latin capital that a capital of another script looks like, or else the character itself. The
/// table draws `I` as `l`. Prototypes outside `A` to `Z` are left to the skeleton: here they would
/// make `В` and `Ь` one letter.
fn capital_prototype(c: char) -> char {
    if c.is_ascii() || !c.is_uppercase() {
        return c;
    }
    let text = c.to_string();
    let mut prototype = skeleton(&text);
    match (prototype.next(), prototype.next()) {
        (Some('l'), None) => 'I',
        (Some(latin @ 'A'..='Z'), None) => latin,
        _ => c,
    }
}

#[cfg(test)]
mod tests;
