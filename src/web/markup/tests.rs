use std::time::{Duration, Instant};

use super::*;

pub(super) fn link(url: &str) -> String {
    format!("<a href=\"{url}\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">{url}</a>")
}

pub(super) fn shows(cases: &[(&str, &str)]) {
    for (body, html) in cases {
        assert_eq!(render(body), *html, "{body:?}");
    }
}

pub(super) fn stays(bodies: &[&str]) {
    for body in bodies {
        assert_eq!(render(body), *body);
    }
}

#[test]
fn plain_text_and_its_line_breaks_stay_as_they_are() {
    stays(&[
        "",
        "Hello",
        "Grüße, 世界 👩‍👩‍👧",
        "two\nlines\n\nand  more",
        "\n",
        "  indented",
    ]);
}

#[test]
fn everything_html_could_read_is_escaped() {
    shows(&[
        (
            "<img src=x onerror=alert(1)>",
            "&lt;img src=x onerror=alert(1)&gt;",
        ),
        ("\"><svg onload=x>", "&quot;&gt;&lt;svg onload=x&gt;"),
        ("</textarea><script>", "&lt;/textarea&gt;&lt;script&gt;"),
        (
            "<hx-partial hx-post=/x hx-trigger=load ",
            "&lt;hx-partial hx-post=/x hx-trigger=load ",
        ),
        ("' hx-get=/x &lt;", "&#39; hx-get=/x &amp;lt;"),
        ("*<b>*", "<strong>&lt;b&gt;</strong>"),
        ("`<b>&amp;`", "<code>&lt;b&gt;&amp;amp;</code>"),
        (
            "```</code></pre><b>```",
            "<pre><code>&lt;/code&gt;&lt;/pre&gt;&lt;b&gt;</code></pre>",
        ),
    ]);
}

#[test]
fn nothing_inside_code_is_read() {
    shows(&[
        (
            "`*a* _b_ https://a.example`",
            "<code>*a* _b_ https://a.example</code>",
        ),
        ("*a `b* c`", "*a <code>b* c</code>"),
        (
            "`a` https://a.example",
            &format!("<code>a</code> {}", link("https://a.example")),
        ),
        (
            "```*a* `b`\nhttps://a.example```",
            "<pre><code>*a* `b`\nhttps://a.example</code></pre>",
        ),
    ]);
}

#[test]
fn a_fence_holds_lines_and_swallows_the_line_breaks_beside_it() {
    shows(&[
        (
            "```\nlet a = 1;\n  b\n```",
            "<pre><code>let a = 1;\n  b</code></pre>",
        ),
        ("see\n```\na\n```\nso", "see<pre><code>a</code></pre>so"),
        ("see\n\n```a```\n\nso", "see\n<pre><code>a</code></pre>\nso"),
        (
            "an ```inline``` fence",
            "an <pre><code>inline</code></pre> fence",
        ),
        (
            "```a```\n```b```",
            "<pre><code>a</code></pre><pre><code>b</code></pre>",
        ),
        ("```\n\na\n\n```", "<pre><code>\na\n</code></pre>"),
        ("*a ```b``` c*", "*a <pre><code>b</code></pre> c*"),
    ]);
}

#[test]
fn fences_without_an_end_or_without_content_stay_literal() {
    stays(&[
        "```",
        "```a",
        "a```",
        "``````",
        "``` ```",
        "```\n```",
        "``` ``` ```",
        "`````",
    ]);
    shows(&[("```*a*", "```<strong>a</strong>")]);
}

#[test]
fn a_text_is_long_above_20_lines_or_1500_characters() {
    assert!(!is_long(""));
    assert!(!is_long(&["x"; 20].join("\n")));
    assert!(is_long(&["x"; 21].join("\n")));
    assert!(!is_long(&"é".repeat(1_500)));
    assert!(is_long(&"é".repeat(1_501)));
}

#[test]
fn the_largest_and_worst_texts_are_rendered_at_once() {
    for part in [
        "*",
        "_a",
        "*a",
        "*a ",
        "*a* ",
        "`",
        "`a",
        "`a ",
        "```",
        "```a",
        "``` ",
        "*_~",
        "*a _b ~c ",
        "a* ",
        "http://",
        "a://",
        "://",
        "http://a.b ",
        "http://a.b/_",
        "_http://a.b/_",
        "http://a@",
        "http://a.b/(",
        "<",
        "\n",
        "*\n",
        "*_~`a`~_* ",
        "http://a_",
        "a",
        "\u{301}",
        "'http://a",
        "http://a.b\u{2026}",
        "*http://a.b/*_~",
        "1http://",
        ".",
    ] {
        let body: String = part.chars().cycle().take(10_000).collect();
        let started = Instant::now();
        check(&body);
        assert!(
            started.elapsed() < Duration::from_millis(500),
            "{part:?}: {:?}",
            started.elapsed()
        );
    }
}

/// A small generator (xorshift64*, Vigna 2016), so that every run sees the same texts.
fn random(state: &mut u64, below: usize) -> usize {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    let drawn = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
    usize::try_from(drawn).expect("31 bits fit") % below
}

#[test]
fn any_text_gives_balanced_html_of_the_known_tags_that_loses_no_letter() {
    const PARTS: [&str; 40] = [
        "*",
        "*",
        "_",
        "_",
        "~",
        "~",
        "`",
        "`",
        "```",
        "```",
        " ",
        " ",
        "\n",
        "\n",
        "a",
        "b c",
        "é",
        "日本",
        "👍🏽",
        "\u{301}",
        "\u{fe0f}",
        "<",
        ">",
        "&",
        "\"",
        "'",
        "(",
        ")",
        ".",
        "https://a.example",
        "http://b.example/c_d",
        "https://",
        "javascript:",
        "//",
        "\u{202e}",
        "\u{a0}",
        "\0",
        "<b>",
        "&lt;",
        "@",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..20_000 {
        let length = random(&mut state, 24);
        let body: String = (0..length)
            .map(|_| PARTS[random(&mut state, PARTS.len())])
            .collect();
        check(&body);
    }
}

/// Reads the HTML as a strict parser would: known tags only, balanced, attributes exact, and
/// the text as it was.
fn check(body: &str) {
    let html = render(body);
    let mut text = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.as_str();
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        match tag {
            "strong" | "em" | "s" | "code" | "pre" => {
                assert!(!open.contains(&tag), "{body:?}: {tag} inside itself");
                assert!(
                    !open.contains(&"code") && !open.contains(&"a"),
                    "{body:?}: {tag} inside code or a link"
                );
                open.push(tag);
            }
            tag if tag.starts_with('/') => assert_eq!(open.pop(), Some(&tag[1..]), "{body:?}"),
            tag => {
                let url = tag.strip_prefix("a href=\"").expect("a known tag");
                let url =
                    url.strip_suffix("\" rel=\"noopener noreferrer nofollow\" target=\"_blank\"");
                let url = url.expect("exactly these attributes");
                let scheme = url.to_ascii_lowercase();
                assert!(
                    scheme.starts_with("http://") || scheme.starts_with("https://"),
                    "{body:?}"
                );
                assert!(!url.contains(['"', '\'', '<', ' ', '\n']), "{body:?}");
                assert!(
                    rest.starts_with(url),
                    "{body:?}: a link shows where it goes"
                );
                assert!(!open.contains(&"code") && !open.contains(&"a"), "{body:?}");
                open.push("a");
            }
        }
    }
    text.push_str(rest);
    assert!(open.is_empty(), "{body:?} leaves {open:?} open");
    assert!(!text.contains(['>', '"', '\'']), "{body:?} is not escaped");
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'");
    let text = text.replace("&amp;", "&");
    let kept = |text: &str| text.replace(['*', '_', '~', '`', '\n'], "");
    assert_eq!(kept(&text), kept(body), "{body:?} has lost something");
}
