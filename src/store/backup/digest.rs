//! The digest that a backup bears in itself: SHA-256 over the whole file, in which its own digits count as zeros. SQLite's
//! own check finds broken structure; this finds a single changed letter.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use sha2::{Digest as _, Sha256};

/// How many digits it has.
const DIGITS: usize = 64;
/// How much is read at a time.
const PIECE: usize = 1 << 20;

/// Digits that stand nowhere else: they keep the place.
pub(super) fn placeholder() -> String {
    let parts: [u64; 4] = rand::random();
    parts.iter().map(|part| format!("{part:016x}")).collect()
}

/// Writes the digest where the placeholder stands.
///
/// # Errors
/// The file cannot be read or written, or the placeholder is not in it.
pub(super) fn seal(file: &Path, placeholder: &str) -> io::Result<()> {
    let (digest, place) = digest(file, placeholder)?;
    let file = OpenOptions::new().write(true).open(file)?;
    file.write_all_at(digest.as_bytes(), place)
}

/// Whether the file is as it was when this digest was written into it.
pub(super) fn is_sealed(file: &Path, with: &str) -> io::Result<bool> {
    match digest(file, with) {
        Ok((digest, _)) => Ok(digest == with),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(err) => Err(err),
    }
}

/// The digest of a file in which `digits` count as zeros, and where they begin. Nobody can write a message that has
/// them in it: they are not known before the file is made.
fn digest(file: &Path, digits: &str) -> io::Result<(String, u64)> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "the digest has no place");
    if digits.len() != DIGITS {
        return Err(missing());
    }
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let (mut piece, mut carried) = (vec![0; PIECE], 0);
    let (mut begins, mut place) = (0_u64, None);
    loop {
        let read = file.read(&mut piece[carried..])?;
        let has = carried + read;
        let window = &mut piece[..has];
        if place.is_none()
            && let Some(at) = find(window, digits.as_bytes())
        {
            window[at..at + DIGITS].fill(b'0');
            place = Some(begins + at as u64);
        }
        // What may be the beginning of the digits waits for the next piece.
        let done = match read {
            0 => has,
            _ => has.saturating_sub(DIGITS - 1),
        };
        hash.update(&piece[..done]);
        piece.copy_within(done..has, 0);
        carried = has - done;
        begins += done as u64;
        if read == 0 {
            break;
        }
    }
    let digest = hash.finalize();
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digest, place.ok_or_else(missing)?))
}

fn find(text: &[u8], digits: &[u8]) -> Option<usize> {
    let first = *digits.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        let at = from + at;
        if text[at..].starts_with(digits) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_changed_byte_is_found_wherever_the_digest_stands() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for before in [0, 1, PIECE - 63, PIECE - 1, PIECE, 2 * PIECE - 30] {
            let digits = placeholder();
            let mut bytes = vec![b'x'; before];
            bytes.extend(digits.as_bytes());
            bytes.extend([b'y'; 1000]);
            std::fs::write(file.path(), &bytes).expect("room");
            seal(file.path(), &digits).expect("the digits are there");
            let sealed = std::fs::read(file.path()).expect("it is there");
            let with = String::from_utf8(sealed[before..before + 64].to_vec()).expect("digits");
            assert!(is_sealed(file.path(), &with).expect("readable"), "{before}");
            for changed in [before / 2, before + 3, before + 500] {
                let mut other = sealed.clone();
                other[changed] ^= 1;
                std::fs::write(file.path(), other).expect("room");
                assert!(
                    !is_sealed(file.path(), &with).expect("readable"),
                    "{before} {changed}"
                );
            }
        }
    }
}
