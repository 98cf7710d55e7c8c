//! The door of the live channel: every check comes before the upgrade.

use reqwest::Method;

use crate::support::Town;

#[tokio::test]
async fn a_foreign_origin_gets_no_live_channel() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let query = format!("?room={room}&rev=0");
    for origin in [
        "https://evil.example",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "null",
    ] {
        assert_eq!(
            ada.knocks(&query)
                .header("origin", origin)
                .sends()
                .await
                .status,
            403,
            "{origin}"
        );
    }
    assert_eq!(
        ada.knocks(&query).without("origin").sends().await.status,
        403
    );
    assert_eq!(
        ada.knocks(&query).sends().await.status,
        101,
        "her own origin is let in"
    );
}

#[tokio::test]
async fn who_is_not_signed_in_gets_no_live_channel() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let room = ada.creates_room("General").await;
    let (name, value) = ada.session().expect("she is signed in");
    for query in [String::new(), format!("?room={room}&rev=0")] {
        town.anon().knocks(&query).sends().await.is(401);
        for forged in [
            "x",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "0",
            "1",
            "%00",
            &"A".repeat(5000),
            &value[1..],
            &format!("{value}A"),
        ] {
            let forger = town.anon();
            forger.has_cookie(&name, forged);
            forger.knocks(&query).sends().await.is(401);
        }
    }
}

#[tokio::test]
async fn a_plain_request_to_the_live_channel_is_told_to_upgrade() {
    let town = Town::start().await;
    let ada = town.person("ada").await;
    let answer = ada
        .asks(Method::GET, "/live")
        .header("origin", town.url())
        .sends()
        .await;
    assert!([400, 426].contains(&answer.status), "{}", answer.status);
}
