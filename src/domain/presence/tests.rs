//! Who is here, who has gone, and who is told of it.

use tokio::time::advance;

use super::*;

const ADA: UserId = UserId(1);

fn presence() -> Presence {
    Presence::new(Clock::fixed(1_000))
}

#[tokio::test(start_paused = true)]
async fn a_person_is_here_until_the_last_page_has_gone_and_a_little_longer() {
    let presence = presence();
    let pages: Vec<_> = (0..3).map(|_| presence.enter(ADA, true)).collect();
    assert_eq!(presence.take_changes(), [(ADA, true)]);
    for page in pages {
        advance(GRACE * 2).await;
        assert!(presence.forget_gone().is_empty());
        drop(page);
    }
    advance(GRACE - Duration::from_millis(1)).await;
    assert!(presence.forget_gone().is_empty());
    assert!(presence.is_online(ADA));
    advance(Duration::from_millis(1)).await;
    let left = BTreeMap::from([(UnixMillis(1_000), vec![ADA])]);
    assert_eq!(presence.forget_gone(), left);
    assert_eq!(presence.take_changes(), [(ADA, false)]);
    assert!(!presence.is_online(ADA));
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_no_news() {
    let presence = presence();
    drop(presence.enter(ADA, true));
    presence.take_changes();
    advance(GRACE / 2).await;
    let _page = presence.enter(ADA, true);
    advance(GRACE * 2).await;
    assert!(presence.forget_gone().is_empty());
    assert_eq!(presence.take_changes(), []);
}

#[tokio::test(start_paused = true)]
async fn who_hides_is_not_told_of_and_who_shows_again_is() {
    let presence = presence();
    let _page = presence.enter(ADA, false);
    assert_eq!(presence.take_changes(), []);
    assert!(!presence.is_online(ADA) && presence.online().is_empty());
    presence.set_shown(ADA, true);
    assert_eq!(presence.take_changes(), [(ADA, true)]);
    presence.set_shown(ADA, false);
    assert_eq!(presence.take_changes(), [(ADA, false)]);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_people_have_a_while_to_come_back() {
    let presence = presence();
    presence.expect(vec![(ADA, UnixMillis(500)), (UserId(2), UnixMillis(500))]);
    assert!(presence.is_online(ADA));
    let _page = presence.enter(ADA, true);
    advance(RETURN).await;
    presence.forget_gone();
    assert!(presence.is_online(ADA) && !presence.is_online(UserId(2)));
}
