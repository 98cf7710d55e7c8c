//! The first account of a fresh server: made by whoever has the link that the program printed, and by nobody else.

use std::path::Path;

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;

use crate::support::process::outcome_of;
use crate::support::{House, PASSWORD, Person, databases};

/// What starts the real program with a code in its link.
const ITS_OWN: &[&str] = &[];

/// A fresh server, and the code that it printed.
async fn fresh(data: &Path, flags: &[&str]) -> (House, String) {
    let mut house = House::with_its_own_code(data, flags).await;
    let code = house.setup_code().expect("its link bears a code");
    assert!(code.len() >= 16, "64 bits in {code:?}");
    house.says("first account").await;
    (house, code)
}

async fn tries(person: &Person, code: &str) -> crate::support::Answer {
    let form = [
        ("username", person.name()),
        ("password", PASSWORD),
        ("code", code),
    ];
    person.submits("/signup", &form).await
}

/// How many codes and links are stored.
async fn stored(data: &Path) -> i64 {
    let database = databases::open(data).await;
    let sql = "SELECT COUNT(*) AS rows FROM one_time_links";
    let query = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(query).await.expect("the table");
    let rows = row.expect("a row").try_get("", "rows").expect("a number");
    database.close().await.expect("it was open");
    rows
}

#[tokio::test]
async fn the_printed_link_makes_the_administrator_and_the_bare_address_says_where_it_stands() {
    let data = TempDir::new().expect("a directory");
    let (house, code) = fresh(data.path(), ITS_OWN).await;
    let eve = house.anon("eve");
    let bare = eve.gets("/signup").await.is(200);
    assert!(!bare.has("input[name='password']") && bare.has("input[name='code']"));
    for words in ["printed when it started", "journalctl"] {
        assert!(bare.body.contains(words), "{words} in {}", bare.body);
    }
    for guess in ["", "0", &code[1..], &code.to_uppercase().replace('0', "1")] {
        tries(&eve, guess).await;
        assert_eq!(eve.session(), None, "she is in by {guess:?}");
    }
    let guessed = eve.gets("/signup?code=0123456789abcdef").await.is(403);
    assert!(!guessed.has("input[name='password']"), "{}", guessed.body);

    let ada = house.anon("ada");
    let page = ada.gets(&format!("/signup?code={code}")).await.is(200);
    let kept = page.attrs("form input[name='code']", "value");
    assert_eq!(kept, [code.as_str()]);
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    // A name that cannot be costs her nothing but another try.
    let form = [("username", "@"), ("password", PASSWORD), ("code", &*code)];
    let refused = ada.submits("/signup", &form).await.is(422);
    assert_eq!(refused.attrs("form input[name='code']", "value"), [&*code]);
    tries(&ada, &code).await.leads_to("/");
    ada.gets("/admin/people").await.is(200);
    assert_eq!(stored(data.path()).await, 0, "the code is used up");
    // From now on there is nothing special about it.
    tries(&eve, &code).await.leads_to("/");
    eve.gets("/admin/people").await.is(404);
}

#[tokio::test]
async fn each_start_prints_a_new_code_until_somebody_is_there_and_none_is_stored_or_logged() {
    let data = TempDir::new().expect("a directory");
    let flags = ["--log-level", "debug"];
    let (house, first) = fresh(data.path(), &flags).await;
    let nobody = house.anon("nobody");
    nobody.gets(&format!("/signup?code={first}")).await.is(200);
    nobody.gets("/").await.leads_to("/signin");
    let log = house.dies().await;
    assert_eq!(log.matches(&first).count(), 1, "printed once: {log}");

    let (house, second) = fresh(data.path(), &flags).await;
    assert_ne!(first, second);
    if !databases::are_postgres() {
        let file = std::fs::read(data.path().join("tertulia.db")).expect("the file");
        let wal = std::fs::read(data.path().join("tertulia.db-wal")).unwrap_or_default();
        for bytes in [&file, &wal] {
            let code = second.as_bytes();
            assert!(!bytes.windows(code.len()).any(|part| part == code));
        }
    }
    // Whoever has the older link open need not look for the newer one.
    tries(&house.anon("ada"), &first).await.leads_to("/");
    let log = house.dies().await;
    assert_eq!(log.matches(&second).count(), 1, "printed once: {log}");
    assert_eq!(log.matches(&first).count(), 0, "never logged: {log}");

    let house = House::with_its_own_code(data.path(), &flags).await;
    assert_eq!(house.setup_code(), None, "somebody is there");
}

#[tokio::test]
async fn of_two_first_accounts_at_once_one_is_the_administrators_and_closed_sign_up_lets_only_it_in()
 {
    let data = TempDir::new().expect("a directory");
    let (house, code) = fresh(data.path(), &["--signup", "closed"]).await;
    let people: Vec<_> = (1..=6).map(|n| house.anon(&format!("person{n}"))).collect();
    let all = people.iter().map(|person| tries(person, &code));
    futures_util::future::join_all(all).await;
    let mut administrators = 0;
    let mut accounts = 0;
    for person in &people {
        accounts += usize::from(person.session().is_some());
        administrators += usize::from(person.gets("/admin/people").await.status == 200);
    }
    assert_eq!((accounts, administrators), (1, 1));
}

#[tokio::test]
async fn a_code_of_the_operators_own_works_and_off_takes_none() {
    let data = TempDir::new().expect("a directory");
    let chosen = ["--setup-code", "a-code-of-my-own-choosing"];
    let mut house = House::with_its_own_code(data.path(), &chosen).await;
    assert_eq!(house.setup_code(), None);
    house.says("that you set").await;
    let bare = house.anon("eve").gets("/signup").await.is(200);
    assert!(bare.body.contains("TERTULIA_SETUP_CODE"), "{}", bare.body);
    tries(&house.anon("eve"), "a-code-of-my-own-choosinh")
        .await
        .is(403);
    tries(&house.anon("ada"), chosen[1]).await.leads_to("/");
    let log = house.dies().await;
    assert!(!log.contains(chosen[1]), "{log}");

    let short = outcome_of(&["--setup-code", "short"]).await;
    let said = String::from_utf8_lossy(&short.stderr).into_owned();
    assert!(!short.status.success() && said.contains("16"), "{said}");
}

#[tokio::test]
async fn whoever_guesses_codes_has_to_wait() {
    let data = TempDir::new().expect("a directory");
    let (house, _) = fresh(data.path(), &["--limits", "on"]).await;
    let eve = house.anon("eve");
    let mut last = 0;
    for guess in 0..12 {
        last = eve.gets(&format!("/signup?code={guess}")).await.status;
    }
    assert_eq!(last, 429);
    eve.gets("/signup").await.is(200);
}
