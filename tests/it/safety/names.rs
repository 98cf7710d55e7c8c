//! Names that are not what they seem.

use crate::support::{PASSWORD, Town};

async fn try_name(town: &Town, name: &str) -> u16 {
    let somebody = town.anon();
    let answer = somebody
        .submits("/signup", &[("username", name), ("password", PASSWORD)])
        .await;
    assert_eq!(
        somebody.session().is_some(),
        answer.status == 303,
        "{name:?}"
    );
    answer.status
}

#[tokio::test]
async fn nobody_can_take_a_name_that_looks_like_anothers() {
    let town = Town::start().await;
    town.person("ada").await;
    town.person("pope").await;
    for name in [
        "Ada",
        "ADA",
        "аda",
        "\u{430}d\u{430}",
        "ａｄａ",
        "a\u{200b}da",
        "ada\u{a0}",
        " ada",
        "ada ",
        "ad\u{202e}a",
        "ɑda",
        "роре",
    ] {
        let status = try_name(&town, name).await;
        assert!([409, 422].contains(&status), "{name:?} → {status}");
    }
    let lobby = town.person("ben").await.lobby().await;
    assert_eq!(lobby.count("#people li[id]"), 2);
}

#[tokio::test]
async fn a_name_that_is_no_name_is_refused() {
    let town = Town::start().await;
    town.person("ada").await;
    let emoji = "😀".repeat(300);
    for name in [
        "",
        " ",
        ".",
        "..",
        "admin",
        "Admin",
        "аdmin",
        "administrator",
        "root",
        "system",
        "tertulia",
        "@everyone",
        "everyone",
        "\u{202e}nimda",
        "a\u{2066}b\u{2069}",
        "a\u{0}b",
        "a\nb",
        "a/b",
        "\u{200d}\u{200d}",
        "\u{301}",
        "<b>",
        &emoji,
        &"x".repeat(100),
    ] {
        let status = try_name(&town, name).await;
        assert!([409, 422].contains(&status), "{name:?} → {status}");
    }
    assert_eq!(
        town.person("ben")
            .await
            .lobby()
            .await
            .count("#people li[id]"),
        1
    );
}

#[tokio::test]
async fn names_of_all_peoples_are_welcome() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    for name in [
        "josé",
        "Zoë",
        "мария",
        "明子",
        "أحمد",
        "δημήτρης",
        "jean-luc",
        "ana_maria",
        "o.neil",
        "r2d2",
    ] {
        town.person(name).await;
        let lobby = ada.lobby().await;
        assert!(
            lobby
                .attrs("#people input[name=username]", "value")
                .contains(&name.to_owned()),
            "{name}"
        );
        let person = town.anon();
        person
            .submits("/signin", &[("username", name), ("password", PASSWORD)])
            .await
            .leads_to("/");
    }
}

#[tokio::test]
async fn the_same_name_at_the_same_instant_is_one_persons() {
    let town = Town::start().await;
    town.person("ada").await;
    let tries = (0..10).map(|_| {
        let somebody = town.anon();
        tokio::spawn(async move {
            let form = [("username", "ben"), ("password", PASSWORD)];
            somebody.submits("/signup", &form).await.status
        })
    });
    let mut statuses = Vec::new();
    for attempt in tries.collect::<Vec<_>>() {
        statuses.push(attempt.await.expect("an answer"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 303);
    assert!(
        statuses[1..]
            .iter()
            .all(|status| [409, 503].contains(status)),
        "{statuses:?}"
    );
}
