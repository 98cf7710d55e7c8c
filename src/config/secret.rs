//! Values that hold a password: given as they are, or in a file of their own, which a process list and a unit do not show.

use std::{fs, io};

/// The most that is read of such a file, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The text itself or, for `@FILE`, what stands in that file, without white space around it.
///
/// # Errors
/// A sentence for the operator, without anything from the file.
pub fn text_or_file(text: &str) -> Result<String, String> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.into());
    };
    let content = read(path).map_err(|err| format!("the file {path} cannot be read: {err}"))?;
    match content.trim() {
        "" => Err(format!("the file {path} is empty")),
        text => Ok(text.into()),
    }
}

fn read(path: &str) -> io::Result<String> {
    use io::Read as _;
    let mut content = String::new();
    fs::File::open(path)?
        .take(LONGEST)
        .read_to_string(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_the_file_that_an_at_sign_names() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("secret");
        let named = format!("@{}", file.display());
        assert!(text_or_file(&named).is_err(), "there is none");
        fs::write(&file, "\n").expect("room");
        assert!(text_or_file(&named).is_err(), "it is empty");
        fs::write(&file, "a secret\n").expect("room");
        assert_eq!(text_or_file(&named).as_deref(), Ok("a secret"));
        assert_eq!(text_or_file("plain@text").as_deref(), Ok("plain@text"));
    }
}
