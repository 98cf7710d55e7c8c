use super::*;

fn name(raw: &str) -> Username {
    Username::parse(raw).unwrap_or_else(|_| panic!("{raw:?} is a name"))
}

fn room(raw: &str) -> RoomName {
    RoomName::parse(raw).unwrap_or_else(|_| panic!("{raw:?} is a room name"))
}

#[test]
fn people_may_write_their_names_in_their_own_script() {
    for raw in [
        "ada",
        "Ada Lovelace",
        "ben_2",
        "J.R.",
        "Jean-Luc",
        "7of9",
        "Ольга",
        "Ελένη",
        "愛",
        "さくら",
        "Kenさん",
        "이준",
        "محمد",
        "שרה",
        "नमिता",
        "สมชาย",
        "Zoë",
        "Nguyễn Thị",
        "Łukasz",
        "İpek",
        "Ivan Иван",
        "Ali",
        "Դավիթ",
    ] {
        assert_eq!(name(raw).as_str(), raw.nfc().collect::<String>());
    }
}

#[test]
fn a_name_is_kept_composed_and_without_the_white_space_around_it() {
    assert_eq!(name(" \u{a0}Zoe\u{308}\u{3000}\n").as_str(), "Zo\u{eb}");
    assert_eq!(name("ada\u{a0}"), name("ada"));
}

#[test]
fn a_name_has_between_1_and_32_characters() {
    assert_eq!(name(&"é".repeat(32)).as_str().chars().count(), 32);
    assert_eq!(name(&"e\u{301}".repeat(32)).as_str().chars().count(), 32);
    for raw in [
        "",
        " ",
        "\u{3000}",
        &"a".repeat(33),
        &"a".repeat(1 << 20),
        &"😀".repeat(300),
    ] {
        assert!(Username::parse(raw).is_err(), "{} bytes", raw.len());
    }
}

#[test]
fn names_with_hidden_or_foreign_characters_are_refused() {
    for raw in [
        "..",
        ".ada",
        "-ada",
        "_",
        "@everyone",
        "a@b",
        "ada  ben",
        "ada\u{a0}ben",
        "ada\tben",
        "a\0b",
        "ada\u{200b}",
        "a\u{200d}da",
        "a\u{ad}da",
        "\u{202e}ada",
        "ada\u{2066}",
        "ada\u{200f}",
        "ada\u{fe0f}",
        "ada\u{3164}",
        "\u{3164}",
        "\u{115f}",
        "\u{2800}",
        "\u{301}",
        "\u{301}a",
        "1\u{301}",
        "_\u{301}",
        "a\u{20dd}",
        "😀",
        "ada😀",
        "🄰da",
        "Ⓐda",
        "🇦🇧",
        "\u{e000}",
        "\u{f0000}",
        "<b>",
        "a/b",
        "a\\b",
        "a\"b",
        "a'b",
        "a&b",
        "a\u{2028}b",
        "e\u{310}\u{310}\u{310}\u{310}\u{310}",
        "%00",
        "a:b",
        "\u{fdd0}",
        "ada\u{e0061}",
    ] {
        assert!(Username::parse(raw).is_err(), "{raw:?}");
    }
}

#[test]
fn names_that_speak_for_the_server_are_reserved_however_they_are_drawn() {
    for raw in [
        "admin",
        "ADMIN",
        "Admin ",
        "аdmin",
        "ａｄｍｉｎ",
        "adrnin",
        "ADMİN",
        "admın",
        "𝐚𝐝𝐦𝐢𝐧",
        "root",
        "rооt",
        "r00t",
        "Everyone",
        "here",
        "all",
        "ALL",
        "a1l",
        "null",
        "undefined",
        "system",
        "ѕуѕтем",
        "Tertulia",
        "support",
    ] {
        assert!(Username::parse(raw).is_err(), "{raw:?}");
    }
}

#[test]
fn a_word_that_mixes_look_alike_alphabets_is_refused() {
    for raw in ["Вen", "Вen Franklin", "Нugo", "νera", "pаypal", "Maрия"] {
        assert!(Username::parse(raw).is_err(), "{raw:?}");
    }
}

#[test]
fn a_refusal_never_repeats_the_name() {
    let error = Username::parse("<img src=x>").expect_err("not a name");
    assert!(!format!("{error:?}").contains("img"));
}

#[test]
fn rooms_may_have_punctuation_spaces_and_emoji() {
    for raw in [
        "General",
        "Off-topic & fun!",
        "Küche",
        "日本語の部屋",
        "🎉",
        "Team ❤️",
        "👩‍👩‍👧 Familie",
        "🏳️‍🌈",
        "👍🏽",
        "#1️⃣",
        "9️⃣",
        "🇪🇸 Spanisch",
        "<b>bold</b>",
        "...",
        "@everyone",
        "حجرة",
        "admin",
    ] {
        assert_eq!(room(raw).as_str(), raw);
    }
}

#[test]
fn white_space_in_a_room_name_becomes_single_spaces() {
    assert_eq!(
        room("  The\u{a0}\u{a0} big\r\n\troom\u{3000}").as_str(),
        "The big room"
    );
    assert_eq!(
        room("THE BIG ROOM").folded(),
        room("The  big rоom").folded()
    );
}

#[test]
fn a_room_name_has_between_1_and_64_characters() {
    assert_eq!(room(&"é".repeat(64)).as_str().chars().count(), 64);
    for raw in [
        "",
        " \t",
        "\u{301}",
        "\u{2800}",
        "\u{3164}",
        "\u{fe0f}",
        &"a".repeat(65),
        &"a".repeat(1 << 20),
    ] {
        assert!(RoomName::parse(raw).is_err(), "{} bytes", raw.len());
    }
}

#[test]
fn room_names_with_hidden_characters_are_refused() {
    for raw in [
        "a\0b",
        "a\u{1b}[31m",
        "\u{202e}room",
        "room\u{2069}",
        "ro\u{200b}om",
        "ro\u{200d}om",
        "room\u{fe0f}",
        "room\u{feff}",
        "\u{200f}room",
        "\u{e000}room",
        "\u{ffff}room",
        "\u{7f}room",
        "\u{9b}room",
        "🎉\u{200d}",
        "🎉\u{200d}a",
        "🎉\u{fe0f}\u{fe0f}",
        "1\u{fe0f}",
        "room\u{e0041}",
        "a\u{310}\u{310}\u{310}\u{310}\u{310}",
    ] {
        assert!(RoomName::parse(raw).is_err(), "{raw:?}");
    }
}
