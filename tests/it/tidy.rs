//! The directions of the house, read from its source: what may know what.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// A source file: its path inside the package and its code, without comments and without its tests.
struct Source {
    path: String,
    code: String,
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the package.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let rust = files(&home().join("src"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let rust = rust.filter(|path| !path.ends_with("tests.rs"));
    let sources: Vec<_> = rust
        .map(|path| Source {
            code: code(&path),
            path: inside(&path),
        })
        .collect();
    assert!(sources.len() > 10, "the source is where it is expected");
    sources
}

fn inside(path: &Path) -> String {
    path.strip_prefix(home())
        .expect("it lies in the package")
        .to_str()
        .expect("UTF-8")
        .to_owned()
}

/// The code of a file up to its unit tests, line by line, without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("source is UTF-8");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(before, _)| before));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether the word stands in the code on its own, not as a part of another.
fn has_word(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// The modules of this crate that the code reaches: `crate::store::…`, also inside a nested `use crate::{…}`.
fn reaches(code: &str, module: &str) -> bool {
    if has_word(code, &format!("crate::{module}")) {
        return true;
    }
    code.match_indices("crate::{").any(|(at, start)| {
        let list = &code[at + start.len()..];
        let mut depth = 0;
        let mut name = String::new();
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => return name.trim() == module,
                '}' => depth -= 1,
                ',' | ':' if depth == 0 => {
                    if name.trim() == module {
                        return true;
                    }
                    if c == ',' { name.clear() } else { name.push(c) }
                }
                c if depth == 0 => name.push(c),
                _ => {}
            }
        }
        false
    })
}

#[test]
fn every_outside_crate_stays_in_its_home() {
    let homes: [(&str, &[&str]); 11] = [
        ("listenfd", &["src/systemd/"]),
        ("instant_acme", &["src/listener/acme/"]),
        ("rcgen", &["src/listener/acme/"]),
        ("tokio_rustls", &["src/listener/", "src/commands/doctor/"]),
        ("sea_orm", &["src/store/"]),
        ("sea_orm_migration", &["src/store/"]),
        ("poem", &["src/web/"]),
        ("minijinja", &["src/web/"]),
        ("minijinja_embed", &["src/web/"]),
        ("tokio_tungstenite", &["src/web/live/"]),
        ("argon2", &["src/domain/passwords.rs"]),
    ];
    for Source { path, code } in sources() {
        for (outsider, home) in homes {
            let at_home = home.iter().any(|home| path.starts_with(home));
            assert!(
                at_home || !has_word(&code, outsider),
                "{path} uses {outsider}, whose home is {home:?}"
            );
        }
    }
}

#[test]
fn the_layers_know_only_what_lies_below_them() {
    let forbidden: [(&str, &[&str]); 10] = [
        (
            "src/listener/",
            &["web", "domain", "store", "realtime", "app", "commands"],
        ),
        ("src/web/", &["store"]),
        ("src/domain/", &["web", "app", "config"]),
        ("src/store/", &["web", "domain", "realtime", "app"]),
        ("src/realtime/", &["web", "domain", "store", "app"]),
        (
            "src/ids.rs",
            &[
                "web", "domain", "store", "realtime", "app", "error", "config", "clock", "records",
            ],
        ),
        (
            "src/clock.rs",
            &[
                "web", "domain", "store", "realtime", "app", "error", "config", "records",
            ],
        ),
        (
            "src/error.rs",
            &[
                "web", "domain", "store", "realtime", "app", "config", "records",
            ],
        ),
        (
            "src/records.rs",
            &["web", "domain", "store", "realtime", "app", "config"],
        ),
        (
            "src/config/",
            &["web", "domain", "store", "realtime", "app", "commands"],
        ),
    ];
    for Source { path, code } in sources() {
        for (layer, unknown) in forbidden {
            if path.starts_with(layer) {
                for module in unknown {
                    assert!(!reaches(&code, module), "{path} knows crate::{module}");
                }
            }
        }
    }
}

#[test]
fn the_clock_is_read_in_one_place() {
    let readings = [
        "SystemTime::now",
        "Timestamp::now",
        "OffsetDateTime::now_utc",
        "Zoned::now",
        "Utc::now",
        "now_local",
    ];
    for Source { path, code } in sources() {
        for reading in readings {
            assert!(
                path == "src/clock.rs" || !code.contains(reading),
                "{path} reads the clock by {reading}"
            );
        }
    }
}

#[test]
fn nothing_gives_up_by_unwrap_and_no_lint_is_silenced() {
    for Source { path, code } in sources() {
        for word in [
            ".unwrap()",
            "todo!(",
            "unimplemented!(",
            "dbg!(",
            "#[allow",
            "#![allow",
        ] {
            assert!(!code.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    let folders = ["src", "migrations/src", "tests/it"];
    let all = folders
        .iter()
        .flat_map(|folder| files(&home().join(folder)));
    let is_module = |path: &PathBuf| {
        path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs")
    };
    for path in all.filter(is_module) {
        let text = fs::read_to_string(&path).expect("source is UTF-8");
        assert!(
            text.starts_with("//! "),
            "{} opens without a word",
            inside(&path)
        );
        let length = code(&path).lines().count();
        assert!(
            length <= 500,
            "{} has {length} lines before its tests",
            inside(&path)
        );
    }
}

#[test]
fn what_others_wrote_is_unedited() {
    let vendors = ["assets/vendor", "tests/it/vendor"];
    let mut checked = 0;
    for list in vendors
        .iter()
        .flat_map(|vendor| files(&home().join(vendor)))
        .filter(|path| path.ends_with("SHA256SUMS"))
    {
        let folder = list.parent().expect("it lies in a folder");
        let sums = fs::read_to_string(&list).expect("a text");
        for (sum, name) in sums.lines().filter_map(|line| line.split_once("  ")) {
            let bytes =
                fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let real: String = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(real, sum, "{name} was edited");
            checked += 1;
        }
        for path in files(folder)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|kind| kind == "js"))
        {
            let name = path
                .strip_prefix(folder)
                .expect("it lies there")
                .to_str()
                .expect("UTF-8");
            assert!(sums.contains(name), "{name} is in no list");
        }
    }
    assert!(checked >= 5, "htmx, its parts and the checker are listed");
}

/// A script's lines, and how many bytes of it are sent: without what only people read, as gzip.
fn size(name: &str) -> (usize, usize) {
    let text = fs::read_to_string(home().join("assets/js").join(name)).expect("a text");
    let lines = text.lines().map(str::trim);
    let sent = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let sent: String = sent.map(|line| format!("{line}\n")).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(sent.as_bytes()).expect("room in memory");
    let gzip = gzip.finish().expect("room in memory");
    (text.lines().count(), gzip.len())
}

#[test]
fn our_script_stays_small() {
    let (lines, bytes) = size("tertulia.js");
    assert!((100..=300).contains(&lines), "{lines} lines of script");
    assert!(bytes <= 4352, "{bytes} bytes of script, compressed");
    let (lines, _) = size("sw.js");
    assert!(
        (10..=80).contains(&lines),
        "{lines} lines of service worker"
    );
    let scripts = files(&home().join("assets/js"));
    assert_eq!(scripts.len(), 2, "every script is counted: {scripts:?}");
}

#[test]
fn templates_hold_no_script_no_style_and_one_safe() {
    for path in files(&home().join("templates")) {
        let text = fs::read_to_string(&path).expect("a text");
        let name = inside(&path);
        for word in [
            " style=",
            "<style",
            " onclick=",
            " onload=",
            "hx-on",
            "javascript:",
            "js:",
        ] {
            assert!(!text.contains(word), "{name} has {word}");
        }
        assert!(
            text.matches("<script").count() == text.matches("<script src=").count(),
            "{name} has a script inside"
        );
        let trusted = text.matches("safe").count();
        let texts = ["_message.html", "_info_message.html"];
        let allowed = usize::from(texts.iter().any(|text| name.ends_with(&format!("/{text}"))));
        assert!(
            trusted <= allowed.max(text.matches("safe-area").count() + allowed),
            "{name} trusts {trusted} values"
        );
    }
}

/// WebKit hangs for good when an element with places to try goes, with its pane, out of the layout.
#[test]
fn only_what_is_open_tries_places() {
    for path in files(&home().join("assets/css")) {
        let text = fs::read_to_string(&path).expect("a text");
        for (at, _) in text.match_indices("position-try") {
            let rule = text[..at].rfind(['}', ';']).map_or(0, |end| end + 1);
            let selector = &text[rule..at];
            let name = inside(&path);
            assert!(selector.contains(":popover-open {"), "{name}: {selector}");
        }
    }
}

/// Cargo refuses an older compiler than any crate asks for, so the number that people are told is the greatest of all.
#[test]
fn the_rust_version_that_people_are_told_is_enough() {
    let run = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(home())
        .output()
        .expect("Cargo is there");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let all: serde_json::Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let nodes = all["resolve"]["nodes"].as_array().expect("a list").iter();
    let used: Vec<_> = nodes.map(|node| &node["id"]).collect();
    let packages = all["packages"].as_array().expect("a list").iter();
    let number = |text: &str| -> Vec<u32> { text.split('.').flat_map(str::parse).collect() };
    let ours = env!("CARGO_PKG_RUST_VERSION");
    for package in packages.filter(|package| used.contains(&&package["id"])) {
        let needed = package["rust_version"].as_str().unwrap_or("1");
        assert!(
            number(needed) <= [number(ours), vec![u32::MAX]].concat(),
            "{} needs Rust {needed}, and Cargo.toml says {ours}",
            package["name"]
        );
    }
    let readme = fs::read_to_string(home().join("README.md")).expect("a text");
    assert!(
        readme.contains(&format!("Rust {ours}")),
        "README says {ours}"
    );
}
