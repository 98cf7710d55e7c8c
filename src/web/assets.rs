//! Style, script and pictures: inside a release binary, read anew from the disk in a debug build.
//!
//! A path carries a fingerprint of the content, so browsers keep it for ever; `latest` in its place (for pictures
//! named in the style sheet) is kept for an hour.

use std::{borrow::Cow, fmt::Write as _};

use poem::{
    Response,
    http::{StatusCode, header},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::{error::Problem, gzip};
use crate::error::Error;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets"]
struct Files;

/// What is smaller than this, in bytes, fits into one packet as it is.
const WORTH: usize = 1_400;

/// The script is one file, because htmx must not start before its extensions have registered.
const SCRIPT: [&str; 5] = [
    "vendor/htmx-4.0.1/htmx.min.js",
    "vendor/htmx-4.0.1/hx-ws.min.js",
    "vendor/htmx-4.0.1/hx-sse.min.js",
    "vendor/htmx-4.0.1/hx-upsert.min.js",
    "js/tertulia.js",
];

/// The address of an asset, with the fingerprint of what it holds now.
pub fn url(path: &str) -> String {
    let hash = match path.starts_with("img/") {
        // Hashed when it was embedded: notifications name a picture for every message.
        true => Files::get(path).map(|file| file.metadata.sha256_hash()),
        false => content(path).map(|content| Sha256::digest(&content).into()),
    };
    let fingerprint = hash.map_or_else(|| "missing".into(), |hash| hex(&hash));
    format!("/assets/{fingerprint}/{path}")
}

/// Answers `GET /assets/:fingerprint/*path`, compressed where it pays and `gzip` is welcome.
///
/// # Errors
/// `NotFound` for another path or an old fingerprint.
pub fn answer(asked: &str, path: &str, gzip: bool) -> Result<Response, Problem> {
    let missing = || Problem::from(Error::NotFound);
    let content = content(path).ok_or_else(missing)?;
    let kind = kind(path).ok_or_else(missing)?;
    let fingerprint = fingerprint(&content);
    let keep = match asked {
        "latest" => "public, max-age=3600",
        _ if asked == fingerprint => "public, max-age=31536000, immutable",
        _ => return Err(missing()),
    };
    let answer = Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, keep)
        .header(header::VARY, "Accept-Encoding");
    if !gzip || content.len() < WORTH || path.ends_with(".png") {
        return Ok(answer.body(content.into_owned()));
    }
    let squeezed = gzip::squeezed(path, &fingerprint, &content);
    Ok(answer
        .header(header::CONTENT_ENCODING, "gzip")
        .body(squeezed.to_vec()))
}

#[cfg(debug_assertions)]
fn content(path: &str) -> Option<Cow<'static, [u8]>> {
    assemble(path)
}

/// What never changes is put together and fingerprinted once.
#[cfg(not(debug_assertions))]
fn content(path: &str) -> Option<Cow<'static, [u8]>> {
    use std::sync::LazyLock;
    static STYLE: LazyLock<Option<Vec<u8>>> =
        LazyLock::new(|| assemble("app.css").map(Cow::into_owned));
    static CODE: LazyLock<Option<Vec<u8>>> =
        LazyLock::new(|| assemble("app.js").map(Cow::into_owned));
    match path {
        "app.css" => STYLE.as_deref().map(Cow::Borrowed),
        "app.js" => CODE.as_deref().map(Cow::Borrowed),
        _ => assemble(path),
    }
}

fn assemble(path: &str) -> Option<Cow<'static, [u8]>> {
    match path {
        "app.js" => joined(SCRIPT.into_iter().map(Cow::Borrowed)),
        "app.css" => {
            let mut sheets: Vec<_> = Files::iter()
                .filter(|path| path.starts_with("css/"))
                .collect();
            sheets.sort_by_key(|path| (path != "css/layers.css", path.clone()));
            joined(sheets.into_iter())
        }
        "js/sw.js" => joined([Cow::Borrowed("js/sw.js")].into_iter()),
        "manifest.webmanifest" => Files::get(path).map(|file| file.data),
        _ if path.starts_with("img/") => Files::get(path).map(|file| file.data),
        _ => None,
    }
}

fn joined(paths: impl Iterator<Item = Cow<'static, str>>) -> Option<Cow<'static, [u8]>> {
    let mut whole = Vec::new();
    for path in paths {
        let file = Files::get(&path)?.data;
        let ours = path.starts_with("js/");
        if !ours {
            whole.extend_from_slice(&file);
            whole.push(b'\n');
            continue;
        }
        // What only people read stays at home: the comments, indentation and empty lines of our own script.
        let lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with(b"//")) {
            whole.extend_from_slice(line);
            whole.push(b'\n');
        }
    }
    Some(whole.into())
}

fn fingerprint(content: &[u8]) -> String {
    hex(&Sha256::digest(content).into())
}

fn hex(hash: &[u8; 32]) -> String {
    hash[..8].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

fn kind(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
