//! Messages of a few emoji and nothing else, which are shown large.

/// With more than this, a message of emoji is as large as any other.
const FEW: usize = 3;
/// Joins two emoji into one.
const JOINER: char = '\u{200D}';

/// Whether a text is one to three emoji. It goes by the blocks that emoji live in (Unicode Technical Standard 51),
/// which is more than the list of emoji, and less than a table of them.
pub fn is_few(body: &str) -> bool {
    let (mut count, mut joined, mut half_flag) = (0, false, false);
    for c in body.chars() {
        match c {
            JOINER => joined = true,
            // Variants, skin tones, and the letters of flags inside one flag.
            '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0020}'..='\u{E007F}' => {}
            ' ' => joined = false,
            _ if !is_emoji(c) => return false,
            _ => {
                let is_letter = matches!(c, '\u{1F1E6}'..='\u{1F1FF}');
                count += usize::from(!(joined || is_letter && half_flag));
                half_flag = is_letter && !half_flag;
                joined = false;
            }
        }
    }
    (1..=FEW).contains(&count)
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{231A}' | '\u{231B}' | '\u{23E9}'..='\u{23F3}' | '\u{2600}'..='\u{27BF}' | '\u{2B1B}' | '\u{2B1C}'
        | '\u{2B50}' | '\u{2B55}' | '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F300}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_emoji_are_told_from_words_and_from_many() {
        for few in ["🎉", "👍👍🏽👍", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇪🇸🇫🇷", "❤️", "🍋 🍰", "⭐"]
        {
            assert!(is_few(few), "{few}");
        }
        for other in [
            "",
            " ",
            "ok",
            "🎉!",
            "🎉🎉🎉🎉",
            "7",
            "→",
            "🇪🇸🇫🇷🇩🇪🇵🇹",
            "a🎉",
        ] {
            assert!(!is_few(other), "{other}");
        }
    }
}
