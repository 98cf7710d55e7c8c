//! What the source alone does not tell the program: its templates, what it was made from, and at which commit.

use std::{
    env, fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    // A debug build reads templates and assets from the disk whenever it needs them: it is not built anew for them.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let mut made_from = vec!["src", "migrations/src", "build.rs", "Cargo.lock"];
    if is_release {
        made_from.extend(["templates", "assets"]);
        minijinja_embed::embed_templates!("templates");
    }
    println!(
        "cargo:rustc-env=TERTULIA_FINGERPRINT={}",
        fingerprint(&made_from)
    );
    for path in &made_from {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rerun-if-env-changed=TERTULIA_COMMIT");
    tell_commit(&made_from);
}

/// A hash of every file in these places, by path and content: the same on every machine with the same compiler.
fn fingerprint(places: &[&str]) -> String {
    let mut paths: Vec<_> = places
        .iter()
        .flat_map(|place| files(Path::new(place)))
        .collect();
    paths.sort();
    let mut hash = DefaultHasher::new();
    for path in paths {
        let content = fs::read(&path).expect("a file that was just listed");
        for bytes in [path.as_os_str().as_encoded_bytes(), &content] {
            hash.write_usize(bytes.len());
            hash.write(bytes);
        }
    }
    format!("{:016x}", hash.finish())
}

/// All files below a path, or the path itself; without hidden ones, which editors leave.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else {
        return vec![path.to_owned()];
    };
    let entries = entries.map(|entry| entry.expect("the folder can be read"));
    entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .flat_map(|entry| files(&entry.path()))
        .collect()
}

/// Names the file whose last line names the commit: git's own log of `HEAD`, or one in the same form with the commit
/// that `TERTULIA_COMMIT` gives; an empty one where there is neither. `main.rs` includes that file, so a commit builds
/// only the program's last piece anew, which is all that shows it.
fn tell_commit(made_from: &[&str]) {
    let log = match env::var("TERTULIA_COMMIT") {
        Ok(commit) if !commit.is_empty() => written(&format!("from {commit} given\n")),
        _ => git_log(made_from).unwrap_or_else(|| written("")),
    };
    println!("cargo:rustc-env=TERTULIA_HEAD_LOG={}", log.display());
}

fn written(text: &str) -> PathBuf {
    let out = env::var_os("OUT_DIR").expect("Cargo sets it");
    let file = Path::new(&out).join("head-log");
    fs::write(&file, text).expect("room for a line");
    file
}

/// The log of `HEAD`, if this folder is the top of a git checkout and not merely inside of one.
fn git_log(made_from: &[&str]) -> Option<PathBuf> {
    let here = fs::canonicalize(".").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != here {
        return None;
    }
    let log = here.join(git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    // Should the checkout lose its .git, this file goes too, and the program is built without it.
    let config = here.join(git(&["rev-parse", "--git-path", "config"])?);
    println!("cargo:rerun-if-changed={}", config.display());
    // What was changed is a change of this commit; after the next one it counts no longer.
    let status = [&["status", "--porcelain", "--"], made_from].concat();
    if !git(&status)?.is_empty() {
        println!(
            "cargo:rustc-env=TERTULIA_CHANGED_FROM={}",
            git(&["rev-parse", "HEAD"])?
        );
    }
    fs::metadata(&log)
        .is_ok_and(|log| log.len() > 0)
        .then_some(log)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
