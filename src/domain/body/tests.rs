use super::*;

fn stored(raw: &str) -> String {
    let body = MessageBody::parse(raw).unwrap_or_else(|_| panic!("{raw:?} is a message"));
    body.as_str().to_owned()
}

fn refused(raw: &str) -> bool {
    MessageBody::parse(raw).is_err()
}

#[test]
fn every_line_break_is_stored_as_one_newline() {
    assert_eq!(
        stored("a\r\nb\rc\nd\u{2028}e\u{2029}f\u{85}g"),
        "a\nb\nc\nd\ne\nf\ng"
    );
    assert_eq!(stored("a\r\n\r\nb\n\rc"), "a\n\nb\n\nc");
}

#[test]
fn text_is_stored_composed() {
    assert_eq!(stored("Zoe\u{308}"), "Zo\u{eb}");
}

#[test]
fn blank_lines_before_and_white_space_after_are_dropped() {
    assert_eq!(
        stored("\n \t\r\n\u{a0}\n  fn main() {\n  }  \n\n \u{3000}"),
        "  fn main() {\n  }"
    );
    assert_eq!(stored("\thello"), "\thello");
    assert_eq!(stored("\r  hello\r"), "  hello");
    assert_eq!(stored("\u{2028} hello"), " hello");
    assert_eq!(stored("\u{202a}\n\n hello \u{202c}\n"), " hello");
}

#[test]
fn parsing_what_is_stored_changes_nothing() {
    for raw in [
        "  a \r\n\n b ",
        "\u{202e}x\u{301}\u{202c} ",
        "❤️",
        "👩‍👩‍👧",
        "שלום \u{200f}!",
        "क\u{94d}\u{200d}ष",
    ] {
        assert_eq!(stored(&stored(raw)), stored(raw));
    }
}

#[test]
fn a_message_in_which_nothing_can_be_seen_is_refused() {
    for raw in [
        "",
        " ",
        "\n\t\r\n",
        "\u{200b}",
        "\u{200b}\u{200d} \u{feff}\u{2060}",
        "\u{a0}\u{3000}",
        "\u{202e}",
        "\u{2066}\u{2069}",
        "\u{3164}",
        "\u{2800}\u{2800}",
        "\u{ad}",
        "\u{e0041}",
        "\u{fe0f}",
        "\u{301}",
    ] {
        assert!(refused(raw), "{raw:?}");
    }
}

#[test]
fn a_message_has_at_most_10_000_characters() {
    assert_eq!(stored(&"é".repeat(10_000)).chars().count(), 10_000);
    assert_eq!(stored(&"e\u{301}".repeat(10_000)).chars().count(), 10_000);
    assert_eq!(stored(&"😀".repeat(10_000)).chars().count(), 10_000);
    assert_eq!(stored(&format!("a{}", " ".repeat(1 << 20))), "a");
    assert!(refused(&"a".repeat(10_001)));
    assert!(refused(&"a".repeat(1 << 20)));
    // Composed form can be longer: U+0958 is never composed.
    assert!(refused(&"\u{958}".repeat(5_001)));
}

#[test]
fn a_message_has_at_most_500_lines() {
    assert!(!refused(&["x"; 500].join("\n")));
    assert!(!refused(&["x"; 500].join("\r\n")));
    assert!(refused(&["x"; 501].join("\n")));
    assert!(refused(&["x"; 501].join("\u{2028}")));
    assert!(refused(&format!("a{}b", "\n".repeat(5_000))));
}

#[test]
fn control_characters_are_refused_but_tabs_are_not() {
    for c in ('\0'..='\u{9f}').filter(|c| c.is_control()) {
        let kept = matches!(c, '\t' | '\n' | '\r' | '\u{85}');
        assert_eq!(refused(&format!("a{c}b")), !kept, "{c:?}");
    }
}

#[test]
fn piles_of_marks_are_refused() {
    assert!(!refused(&format!("x{}", "\u{310}".repeat(8))));
    assert!(refused(&format!("x{}", "\u{310}".repeat(9))));
    assert!(refused(&format!(
        "words before x{} and after",
        "\u{310}".repeat(9)
    )));
    assert!(refused(&"\u{310}".repeat(9)));
    assert!(refused(&format!("x{}", "\u{310}\u{200d}".repeat(9))));
    assert!(refused(&format!("x{}", "\u{310}\u{202e}".repeat(9))));
    assert!(refused(&"\u{301}".repeat(1 << 19)));
}

#[test]
fn right_to_left_text_stays_and_overrides_of_direction_go() {
    assert_eq!(stored("שלום עולם \u{200f}!"), "שלום עולם \u{200f}!");
    assert_eq!(stored("مرحبا بالعالم"), "مرحبا بالعالم");
    assert_eq!(
        stored("a\u{202e}b\u{202c}c\u{2067}d\u{2069}\u{202a}\u{202b}\u{202d}\u{2066}\u{2068}"),
        "abcd"
    );
}

#[test]
fn emoji_and_scripts_that_need_joiners_stay_as_they_are() {
    for raw in [
        "👩‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣",
        "می‌خواهم",
        "क्‍ष",
        "สวัสดี",
        "{\"content\":\"<b>x\",\"target\":\"body\"}",
    ] {
        assert_eq!(stored(raw), raw);
    }
}

#[test]
fn a_refusal_never_repeats_the_text_and_debug_never_shows_it() {
    let error = MessageBody::parse("canary\0").expect_err("NUL");
    assert!(!format!("{error:?}").contains("canary"));
    let body = MessageBody::parse("canary").expect("a message");
    assert_eq!(format!("{body:?}"), "MessageBody(6 bytes)");
}

#[test]
fn a_preview_is_one_line_with_its_marks() {
    let body = MessageBody::parse("  *Hello*\n\n\tworld  and <b>\n").expect("a message");
    assert_eq!(body.preview(), "*Hello* world and <b>");
}

#[test]
fn a_preview_has_at_most_120_characters() {
    assert_eq!(preview(&"é".repeat(120)), "é".repeat(120));
    assert_eq!(preview(&"é".repeat(121)), format!("{}…", "é".repeat(119)));
    let words = preview(&"four ".repeat(2_000));
    assert_eq!(words.chars().count(), 120);
    assert!(words.ends_with("four…") && !words.contains(" …"), "{words}");
}

#[test]
fn a_preview_does_not_cut_through_an_emoji_or_a_letter() {
    let family = "👩‍👩‍👧";
    for before in 110..125 {
        let text = preview(&format!(
            "{}{family}{}",
            "a".repeat(before),
            "z".repeat(200)
        ));
        assert!(text.chars().count() <= 120);
        assert!(
            text.contains(family) || !text.contains(['👩', '\u{200d}']),
            "{text}"
        );
    }
    let marked = preview(&format!("{}e\u{310}\u{311}zz", "a".repeat(118)));
    assert_eq!(marked, format!("{}…", "a".repeat(118)));
    assert_eq!(preview(&"👩\u{200d}".repeat(200)).chars().count(), 120);
}
