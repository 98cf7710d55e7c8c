//! Where a request's head ends, whether it is well formed, and what follows it.
//!
//! Stricter than hyper, because two programs that disagree about where a request ends can be
//! made to see different ones (request smuggling, RFC 9112 section 11.2). Works on bytes alone:
//! it must not know sockets, clocks or routes.

use http::Uri;

use super::rejection::Rejection;

/// The longest request line, in bytes.
const REQUEST_LINE: usize = 8 * 1024;
/// The longest head, in bytes.
const HEAD: usize = 32 * 1024;
/// The most header lines; hyper's own limit.
const HEADER_LINES: usize = 100;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// So many bytes of body, then the next head.
    Body(u64),
    /// Another protocol if the server agrees, the next head if it does not.
    Upgrade,
}

/// Looks for the end of a head while it arrives, each byte once.
#[derive(Debug, Default)]
pub struct Scan {
    seen: usize,
    line: usize,
    lines: usize,
}

impl Scan {
    /// Goes on through `bytes`, the same ones as before and perhaps more; returns the length of
    /// the head once all of it is there.
    ///
    /// # Errors
    /// A control byte, a line end other than CRLF, or a size over the limits: as soon as it is
    /// seen, so that a TLS client gets its answer at once and nobody fills the memory.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Rejection> {
        while let Some(&byte) = bytes.get(self.seen) {
            let at = self.seen;
            let after_cr = at > 0 && bytes[at - 1] == b'\r';
            match byte {
                b'\n' if after_cr && at == self.line + 1 => {
                    return if self.lines == 0 {
                        Err(Rejection::Malformed)
                    } else {
                        Ok(Some(at + 1))
                    };
                }
                b'\n' if after_cr => {
                    self.lines += 1;
                    self.line = at + 1;
                }
                _ if after_cr => return Err(Rejection::Malformed),
                b'\r' | b'\t' | b' '..=b'~' | 0x80.. => {}
                _ => return Err(Rejection::Malformed),
            }
            if self.lines == 0 && at >= REQUEST_LINE {
                return Err(Rejection::TargetTooLong);
            }
            // The request line is one more, and the line that has just begun may be the empty one.
            let begun = self.lines > HEADER_LINES && at > self.line + 1;
            if begun || at >= HEAD {
                return Err(Rejection::HeadTooLarge);
            }
            self.seen += 1;
        }
        Ok(None)
    }
}

/// Judges a whole head, as [`Scan`] found it. What passes, hyper reads the same way.
///
/// # Errors
/// See [`Rejection`]; `body_limit` is in bytes.
pub fn inspect(head: &[u8], body_limit: u64) -> Result<Next, Rejection> {
    let mut lines = head
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty());
    let http_1_1 = is_http_1_1(lines.next().unwrap_or_default())?;

    // Whether there must be a host is for the guard to say: it knows what is asked for.
    let (mut host, mut length, mut chunked) = (None, None, false);
    let (mut connection_upgrade, mut upgrade, mut compressed) = (false, false, false);
    for line in lines {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            once(&mut host, value)?;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            once(&mut length, value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Rejection::Malformed);
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            connection_upgrade |= value
                .split(|&byte| byte == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            upgrade = true;
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            compressed |= !value.eq_ignore_ascii_case(b"identity");
        }
    }

    if chunked && length.is_some() {
        return Err(Rejection::Malformed);
    }
    let length = length.map_or(Ok(0), content_length)?;
    // Browsers always say how long a body is.
    if chunked || length > body_limit {
        return Err(Rejection::BodyTooLarge);
    }
    if compressed {
        return Err(Rejection::Compressed);
    }
    if http_1_1 && upgrade && connection_upgrade && length == 0 {
        return Ok(Next::Upgrade);
    }
    Ok(Next::Body(length))
}

/// Whether a request line says HTTP/1.1, not HTTP/1.0; other versions and forms are refused.
fn is_http_1_1(line: &[u8]) -> Result<bool, Rejection> {
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Rejection::Malformed);
    };
    let printable = target.iter().all(u8::is_ascii_graphic);
    if !is_token(method) || !printable || Uri::try_from(target).is_err() {
        return Err(Rejection::Malformed);
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(Rejection::Malformed),
    }
}

/// Name and value of a header line. A folded line begins with a space, which no name does.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, value) = line.split_at(colon.ok_or(Rejection::Malformed)?);
    if !is_token(name) {
        return Err(Rejection::Malformed);
    }
    Ok((name, value[1..].trim_ascii()))
}

/// Keeps the value of a header that may stand in a head only once.
fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> Result<(), Rejection> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Rejection::Malformed),
    }
}

/// Digits only: no sign, no list, no spaces between.
fn content_length(value: &[u8]) -> Result<u64, Rejection> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Rejection::Malformed);
    }
    let digits = str::from_utf8(value).map_err(|_| Rejection::Malformed)?;
    digits.parse().map_err(|_| Rejection::BodyTooLarge)
}

/// A token as RFC 9110 section 5.6.2 has it: what methods and header names consist of.
fn is_token(word: &[u8]) -> bool {
    let mark = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !word.is_empty() && word.iter().all(|b| b.is_ascii_alphanumeric() || mark(b))
}

#[cfg(test)]
mod tests;
