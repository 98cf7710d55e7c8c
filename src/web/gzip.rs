//! Style and script, compressed once for all who ask. Pages are not: they hold what only their reader may know.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use flate2::{Compression, write::GzEncoder};
use poem::http::{HeaderMap, header};

/// What was compressed, by its path, with the fingerprint of what it was then.
type Kept = HashMap<String, (String, Arc<[u8]>)>;

/// By path, and so as bounded as the assets are: the fingerprint of what was compressed, and what came of it.
static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// Whether whoever asks takes gzip.
pub fn is_welcome(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|weight| weight.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// `content`, which has this fingerprint, as gzip.
pub fn squeezed(path: &str, fingerprint: &str, content: &[u8]) -> Arc<[u8]> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    match kept.get(path) {
        Some((of, bytes)) if of == fingerprint => bytes.clone(),
        _ => {
            let bytes: Arc<[u8]> = squeeze(content).into();
            kept.insert(path.into(), (fingerprint.into(), bytes.clone()));
            bytes
        }
    }
}

fn squeeze(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    written.expect("writing to a Vec cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let takes = |value: &'static str| {
            is_welcome(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                value.parse().expect("a value"),
            )]))
        };
        for value in ["gzip", "gzip, deflate, br, zstd", "br;q=1, GZIP;q=0.5"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "identity", "br", "gzip;q=0", "gzip; q=0.000", "xgzip"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!is_welcome(&HeaderMap::new()));
    }

    #[test]
    fn it_is_compressed_anew_when_it_has_changed() {
        let first = squeezed("a.css", "1", b"one");
        assert!(Arc::ptr_eq(&first, &squeezed("a.css", "1", b"one")));
        assert_ne!(first, squeezed("a.css", "2", b"two"));
    }
}
