//! What proxies say of those they ask for: `X-Forwarded-For` and `Forwarded` (RFC 7239). Knows no settings: who is
//! believed is decided by [`client_address`](super::client_address).
//!
//! Each header lists the way of a request, the nearest hop last. Both are read from that end here.

use std::{borrow::Cow, net::IpAddr};

use poem::http::HeaderMap;

/// Of how many hops a request may tell; what lies farther away is not read.
const MOST_HOPS: usize = 32;

/// One hop of a request's way: its address, or `None` where it is kept secret or cannot be read.
pub type Hop = Option<IpAddr>;

/// What `X-Forwarded-For` says, the nearest hop first; `None` without one.
pub fn x_forwarded_for(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let mut values = headers.get_all("x-forwarded-for").iter().peekable();
    values.peek()?;
    let entries = values
        .rev()
        .flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
    let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
    Some(entries.map(node).take(MOST_HOPS).collect())
}

/// What `Forwarded` says, the nearest hop first; `None` without one. Of a header that is not well formed nothing is
/// believed: it is one hop that cannot be read.
pub fn forwarded(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let mut values = headers.get_all("forwarded").iter().peekable();
    values.peek()?;
    let hops = values.rev().flat_map(|value| {
        let mut hops = value.to_str().ok().and_then(hops).unwrap_or(vec![None]);
        hops.reverse();
        hops
    });
    Some(hops.take(MOST_HOPS).collect())
}

/// The hops of one `Forwarded` header, in its own order.
fn hops(value: &str) -> Option<Vec<Hop>> {
    let elements = split(value, ',')?;
    let elements = elements.into_iter().filter(|it| !it.is_empty());
    elements.map(hop).collect()
}

/// Who asked, by one element: `for=192.0.2.60;proto=http`.
fn hop(element: &str) -> Option<Hop> {
    let mut found = None;
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    Some(found.and_then(|value| node(&unquoted(value)?)))
}

/// The parts between separators that stand outside of quotes; `None` when a quote is not closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    (!is_quoted).then_some(parts)
}

fn unquoted(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value.strip_prefix('"') else {
        return Some(value.into());
    };
    let inner = inner.strip_suffix('"')?;
    let mut plain = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next()? } else { c });
    }
    Some(plain.into())
}

/// An address, with or without brackets, a port (which may be a secret, `_port`) and a zone; `unknown` and secrets
/// (`_hidden`) are none.
fn node(text: &str) -> Hop {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        // One colon is before a port, several are an IPv6 address.
        None => match text.split_once(':') {
            Some((name, port)) if !port.contains(':') => (name, &text[name.len()..][..=port.len()]),
            _ => (text, ""),
        },
    };
    let is_port = |port: &str| port.starts_with('_') || port.parse::<u16>().is_ok();
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    let name = name.split_once('%').map_or(name, |(name, _)| name);
    name.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let name = HeaderName::from_static(name);
        let value = |text: &&str| HeaderValue::from_bytes(text.as_bytes()).expect("a value");
        values.iter().map(|it| (name.clone(), value(it))).collect()
    }

    fn list(hops: &[&str]) -> Vec<Hop> {
        hops.iter().map(|hop| hop.parse().ok()).collect()
    }

    #[test]
    fn x_forwarded_for_is_read_from_its_end() {
        for (values, hops) in [
            (&["1.2.3.4"][..], &["1.2.3.4"][..]),
            (&["1.2.3.4, 5.6.7.8"], &["5.6.7.8", "1.2.3.4"]),
            (&["1.2.3.4", "5.6.7.8"], &["5.6.7.8", "1.2.3.4"]),
            (&["1.2.3.4:567 ,,"], &["1.2.3.4"]),
            (&["[::1]:8,[2001:db8::1]"], &["2001:db8::1", "::1"]),
            (
                &["2001:db8::1", "fe80::1%eth0"],
                &["fe80::1", "2001:db8::1"],
            ),
            (&["::ffff:1.2.3.4"], &["1.2.3.4"]),
            (
                &["1.2.3.4:x", "unknown", "evil", "caf\u{e9}"],
                &["?", "?", "?", "?"],
            ),
            (
                &["1.2.3.4:99999", "[::1", "::1]:8", "[1.2.3.4]x"],
                &["?"; 4],
            ),
            (&[""], &[]),
        ] {
            let read = x_forwarded_for(&headers("x-forwarded-for", values));
            assert_eq!(read, Some(list(hops)), "{values:?}");
        }
        assert_eq!(x_forwarded_for(&HeaderMap::new()), None);
    }

    #[test]
    fn forwarded_is_read_from_its_end_quotes_and_secrets_included() {
        for (values, hops) in [
            (
                &["for=192.0.2.60;proto=http;by=203.0.113.43"][..],
                &["192.0.2.60"][..],
            ),
            (
                &["for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\""],
                &["2001:db8:cafe::17", "192.0.2.43"],
            ),
            (
                &["for=192.0.2.43", "for=198.51.100.17"],
                &["198.51.100.17", "192.0.2.43"],
            ),
            (&["for=_gazonk, for=unknown"], &["?", "?"]),
            (
                &["for=\"192.0.2.43:_secret\";host=\"a,b;c=\\\"d\""],
                &["192.0.2.43"],
            ),
            (&["for=\"\\1.2.3.4\""], &["1.2.3.4"]),
            (&["proto=https"], &["?"]),
            (&["for=1.2.3.4;for=5.6.7.8"], &["?"]),
            (&["for=\", for=1.2.3.4"], &["?"]),
            (&["for=\"", "for=1.2.3.4"], &["1.2.3.4", "?"]),
            (&["1.2.3.4"], &["?"]),
        ] {
            let read = forwarded(&headers("forwarded", values));
            assert_eq!(read, Some(list(hops)), "{values:?}");
        }
        assert_eq!(forwarded(&HeaderMap::new()), None);
    }

    #[test]
    fn a_long_way_is_read_up_to_a_point() {
        let long = "1.2.3.4,".repeat(1000) + "5.6.7.8";
        let read = x_forwarded_for(&headers("x-forwarded-for", &[&long])).expect("it is there");
        assert_eq!((read.len(), read[0]), (MOST_HOPS, list(&["5.6.7.8"])[0]));
        let long = "for=1.2.3.4,".repeat(1000) + "for=5.6.7.8";
        let read = forwarded(&headers("forwarded", &[&long])).expect("it is there");
        assert_eq!((read.len(), read[0]), (MOST_HOPS, list(&["5.6.7.8"])[0]));
    }
}
