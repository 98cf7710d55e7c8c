//! What the operator does at the command line, beside a server that runs or does not: passwords and people.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use crate::support::process::{outcome_of, outcome_with};
use crate::support::{Answer, House, PASSWORD, Person, databases, eventually};

const NEW: &str = "a brand new password";

/// A command on the chat that has this data: whether it worked, and what it said.
async fn runs(data: &Path, input: &str, words: &[&str]) -> (bool, String) {
    let folder = data.to_str().expect("a path in UTF-8");
    let mut all = words.to_vec();
    all.extend(["--data", folder]);
    let url = match databases::are_postgres() {
        true => databases::url(data).await,
        false => String::new(),
    };
    if !url.is_empty() {
        all.extend(["--database", &url]);
    }
    let run = outcome_with(input, &all).await;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&run.stderr);
    assert!(!said.contains("panicked"), "{said}");
    (run.status.success(), said)
}

async fn works(data: &Path, input: &str, words: &[&str]) -> String {
    let (worked, said) = runs(data, input, words).await;
    assert!(worked, "{words:?}: {said}");
    said
}

async fn is_refused(data: &Path, input: &str, words: &[&str]) -> String {
    let (worked, said) = runs(data, input, words).await;
    assert!(!worked, "{words:?} was done: {said}");
    said
}

async fn signs_in(person: &Person, password: &str) -> Answer {
    let form = [("username", person.name()), ("password", password)];
    person.submits("/signin", &form).await
}

async fn opens(data: &Path) -> House {
    House::opens("127.0.0.1:0", data, &["--limits", "off"]).await
}

/// Whether somebody's pages are closed to them.
async fn is_out(person: &Person) -> bool {
    person.gets("/").await.status == 303
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_whether_the_server_runs_or_not() {
    let data = TempDir::new().expect("a directory");
    let mut house = opens(data.path()).await;
    let ada = house.person("Ada").await;
    let ben = house.person("ben").await;
    let said = works(data.path(), NEW, &["password", "ada", "--stdin"]).await;
    assert!(said.contains("Ada has a new password"), "{said}");
    assert!(!said.contains(NEW), "{said}");
    eventually("her sessions have ended", async || is_out(&ada).await).await;
    assert!(!is_out(&ben).await, "his have not");
    signs_in(&ada, PASSWORD).await.is(422);
    signs_in(&ada, NEW).await.leads_to("/");

    let short = is_refused(data.path(), "short\n", &["password", "ada", "--stdin"]).await;
    assert!(short.contains("8 characters"), "{short}");
    let nobody = is_refused(data.path(), NEW, &["password", "nobody", "--stdin"]).await;
    assert!(nobody.contains("people list"), "{nobody}");
    let unasked = is_refused(data.path(), "", &["password", "ada"]).await;
    assert!(unasked.contains("--stdin"), "{unasked}");
    signs_in(&ada.elsewhere(), NEW).await.leads_to("/");

    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    works(data.path(), PASSWORD, &["password", "ADA", "--stdin"]).await;
    let house = opens(data.path()).await;
    let ada = house.anon("ada");
    signs_in(&ada, NEW).await.is(422);
    signs_in(&ada, PASSWORD).await.leads_to("/");
}

#[tokio::test]
async fn a_link_for_a_new_password_works_once_and_every_other_looks_the_same() {
    let data = TempDir::new().expect("a directory");
    let house = House::opens(
        "127.0.0.1:0",
        data.path(),
        &["--limits", "off", "--log-level", "debug"],
    )
    .await;
    let ada = house.person("ada").await;
    let link = async |more: &[&str]| {
        let words = [&["password", "ada", "--link"], more].concat();
        let said = works(data.path(), "", &words).await;
        let link = said.split_whitespace().find(|word| word.contains("code="));
        link.expect("a link").to_owned()
    };
    let named = link(&["--public-url", "https://chat.example.org"]).await;
    assert!(
        named.starts_with("https://chat.example.org/password?code="),
        "{named}"
    );
    let (old, expired, good) = (link(&[]).await, link(&[]).await, link(&[]).await);

    let database = databases::open(data.path()).await;
    let code = expired.split_once('=').expect("a code").1;
    let hash = {
        use sha2::Digest as _;
        let hash = sha2::Sha256::digest(code.as_bytes());
        hash.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let late = format!("UPDATE one_time_links SET expires = 1 WHERE token_hash = '{hash}'");
    let done = database.execute_unprepared(&late).await;
    assert_eq!(done.expect("the table").rows_affected(), 1, "stored hashed");
    database.close().await.expect("it was open");

    let nobody = house.anon("nobody");
    let page = nobody.gets(&good).await.is(200);
    assert!(page.body.contains("ada") && page.has("input[name='password']"));
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    let code = good.split_once('=').expect("a code").1;
    let set = async |code: &str, password: &str| {
        let form = [("code", code), ("password", password)];
        nobody.submits("/password", &form).await
    };
    // Words for a password that cannot be, and another try.
    let refused = set(code, "short").await.is(422);
    assert_eq!(refused.attrs("input[name='code']", "value"), [code]);
    assert!(!is_out(&ada).await, "nothing has happened so far");
    let done = set(code, NEW).await;
    done.leads_to("/signin?changed=1");
    assert!(is_out(&ada).await, "her sessions have ended");
    let page = nobody.gets("/signin?changed=1").await.is(200);
    assert!(page.body.contains("Your password was changed"));
    signs_in(&ada, PASSWORD).await.is(422);
    signs_in(&ada, NEW).await.leads_to("/");

    let dead = nobody.gets("/password?code=0123456789abcdef").await.is(404);
    for link in [&good, &old, &expired, "/password", "/password?code="] {
        assert_eq!(nobody.gets(link).await.is(404).body, dead.body, "{link}");
    }
    for link in [&good, &old, &expired] {
        let code = link.split_once('=').expect("a code").1;
        assert_eq!(set(code, NEW).await.is(404).body, dead.body, "{link}");
    }
    let log = house.dies().await;
    for link in [&good, &old, &expired] {
        let code = link.split_once('=').expect("a code").1;
        assert!(!log.contains(code), "{code} in {log}");
    }
}

#[tokio::test]
async fn of_two_who_use_one_link_at_once_one_sets_the_password() {
    let data = TempDir::new().expect("a directory");
    let house = opens(data.path()).await;
    let ada = house.person("ada").await;
    let said = works(data.path(), "", &["password", "ada", "--link"]).await;
    let code = said.split_once("code=").expect("a link").1;
    let code = code.split_whitespace().next().expect("a code");
    let passwords = ["the first password", "the second password"];
    let forms = passwords.map(|password| [("code", code), ("password", password)]);
    let (one, other) = tokio::join!(
        ada.submits("/password", &forms[0]),
        ada.submits("/password", &forms[1])
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    let signed_in = async |password| signs_in(&ada.elsewhere(), password).await.status == 303;
    let works = (signed_in(passwords[0]).await, signed_in(passwords[1]).await);
    assert_eq!(works, (one.status == 303, other.status == 303));
}

#[tokio::test]
async fn people_are_listed_added_promoted_and_shut_out_at_the_command_line() {
    let data = TempDir::new().expect("a directory");
    let mut house = opens(data.path()).await;
    let none = works(data.path(), "", &["people", "list"]).await;
    assert!(none.contains("Nobody"), "{none}");
    let added = works(data.path(), PASSWORD, &["people", "add", "Ada", "--stdin"]).await;
    assert!(
        added.contains("Ada") && added.contains("administrator"),
        "{added}"
    );
    let taken = is_refused(data.path(), PASSWORD, &["people", "add", "ada", "--stdin"]).await;
    assert!(taken.contains("taken"), "{taken}");
    let odd = is_refused(data.path(), PASSWORD, &["people", "add", "@x", "--stdin"]).await;
    assert!(odd.contains("starts with a letter"), "{odd}");
    works(data.path(), PASSWORD, &["people", "add", "ben", "--stdin"]).await;
    let (ada, ben) = (house.anon("ada"), house.anon("ben"));
    signs_in(&ada, PASSWORD).await.leads_to("/");
    signs_in(&ben, PASSWORD).await.leads_to("/");
    ada.gets("/admin/people").await.is(200);

    // The last administrator stays one, and stays in.
    for words in [
        ["people", "role", "ada", "member"].as_slice(),
        &["people", "deactivate", "ada"],
    ] {
        let refused = is_refused(data.path(), "", words).await;
        assert!(refused.contains("last administrator"), "{refused}");
    }
    works(data.path(), "", &["people", "role", "ben", "administrator"]).await;
    eventually("ben looks after it", async || {
        ben.gets("/admin/people").await.status == 200
    })
    .await;
    works(data.path(), "", &["people", "deactivate", "ada"]).await;
    eventually("ada is out", async || is_out(&ada).await).await;
    signs_in(&ada, PASSWORD).await.is(403);
    let list = works(data.path(), "", &["people", "list"]).await;
    let line = |name: &str| {
        let line = list.lines().find(|line| line.starts_with(name));
        line.unwrap_or_default().to_owned()
    };
    assert!(line("Ada").ends_with("deactivated"), "{list}");
    assert!(line("ben").contains("administrator"), "{list}");
    let last = is_refused(data.path(), "", &["people", "deactivate", "ben"]).await;
    assert!(last.contains("last administrator"), "{last}");

    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    works(data.path(), "", &["people", "activate", "ada"]).await;
    works(data.path(), "", &["people", "role", "ben", "member"]).await;
    let house = opens(data.path()).await;
    let ada = house.anon("ada");
    signs_in(&ada, PASSWORD).await.leads_to("/");
    ada.gets("/admin/people").await.is(200);
}

#[tokio::test]
async fn a_command_says_where_it_looked_for_a_database_that_is_not_there() {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().join("nowhere");
    let folder = folder.to_str().expect("a path in UTF-8");
    for words in [&["people", "list"][..], &["password", "ada", "--link"]] {
        let run = outcome_of(&[words, &["--data", folder]].concat()).await;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success());
        for word in [folder, "--data", "start the server"] {
            assert!(said.contains(word), "{word} in {said}");
        }
    }
    assert!(!Path::new(folder).exists(), "nothing was made");
}

#[tokio::test]
async fn flags_before_a_command_are_refused_and_not_forgotten() {
    let run = outcome_of(&["--data", "/tmp/elsewhere", "people", "list"]).await;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success());
    assert!(said.contains("--data") || said.contains("people"), "{said}");
}

/// Only root can make this mistake, so only root can try it.
#[tokio::test]
async fn what_root_makes_belongs_to_the_directorys_owner() {
    const NOBODY: u32 = 65_534;
    if databases::are_postgres() || std::fs::metadata("/proc/self").expect("Linux").uid() != 0 {
        return;
    }
    let data = TempDir::new().expect("a directory");
    let mut house = opens(data.path()).await;
    house.person("ada").await;
    house.is_asked_to_stop();
    assert_eq!(house.ends().await, Some(0));
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY));
    own(data.path()).expect("we are root");
    for entry in std::fs::read_dir(data.path()).expect("the directory") {
        own(&entry.expect("a file").path()).expect("we are root");
    }
    // While this is open, what the command writes stays beside the file.
    let database = databases::open(data.path()).await;
    let read = database
        .execute_unprepared("SELECT COUNT(*) FROM users")
        .await;
    read.expect("a table");
    works(data.path(), PASSWORD, &["people", "add", "ben", "--stdin"]).await;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(data.path()).expect("the directory") {
        let entry = entry.expect("a file");
        let owner = entry.metadata().expect("it is there").uid();
        files.push(entry.file_name().to_string_lossy().into_owned());
        assert_eq!(owner, NOBODY, "{:?}", entry.path());
    }
    assert!(files.iter().any(|name| name.ends_with("-wal")), "{files:?}");
    database.close().await.expect("it was open");
}
