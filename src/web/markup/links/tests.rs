use crate::web::markup::{
    render,
    tests::{link, stays},
};

#[test]
fn web_addresses_become_links() {
    for url in [
        "https://a.example",
        "http://a.example/b?c=d#e",
        "HTTPS://A.EXAMPLE/",
        "http://localhost:3000/a_b_c",
        "https://en.wikipedia.org/wiki/Rust_(programming_language)",
        "https://ja.wikipedia.org/wiki/日本",
        "https://a.example/*b*/_c_/~d~/",
        "https://a.example/snake_case_",
        "https://user@a.example/",
    ] {
        assert_eq!(render(url), link(url));
        assert_eq!(
            render(&format!("see {url}, and ({url}).")),
            format!("see {0}, and ({0}).", link(url))
        );
    }
    assert_eq!(
        render("https://a.example/?a=1&b='2'"),
        link("https://a.example/?a=1&amp;b=&#39;2&#39;"),
    );
}

#[test]
fn a_link_ends_where_the_sentence_goes_on() {
    let url = link("https://a.example/b");
    for (before, after) in [
        ("", "."),
        ("", "!"),
        ("(", ")"),
        ("&lt;", "&gt;"),
        ("&quot;", "&quot;"),
        ("&#39;", "&#39;"),
        ("“", "”"),
        ("«", "»"),
        ("看", "。然后"),
        ("（", "）"),
        ("", "\u{a0}b"),
        ("", "\u{3000}b"),
        ("", "\u{202e}b"),
        ("", "\u{200b}b"),
        ("", "…"),
        ("", "\nnext"),
        ("", "&lt;b&gt;"),
    ] {
        let unescape = |text: &str| {
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
        };
        let body = format!("{}https://a.example/b{}", unescape(before), unescape(after));
        assert_eq!(render(&body), format!("{before}{url}{after}"), "{body:?}");
    }
}

#[test]
fn marks_around_links_are_not_part_of_them() {
    let host = link("https://a.example");
    let path = link("https://a.example/b_c");
    for (body, html) in [
        ("*https://a.example*", format!("<strong>{host}</strong>")),
        ("_https://a.example_", format!("<em>{host}</em>")),
        ("(~https://a.example~).", format!("(<s>{host}</s>).")),
        (
            "*https://a.example/b_c*",
            format!("<strong>{path}</strong>"),
        ),
        ("_https://a.example/b_c_", format!("<em>{path}</em>")),
        (
            "_see https://a.example/b_c._ Yes",
            format!("<em>see {path}.</em> Yes"),
        ),
        (
            "*_~https://a.example/b_c~_*",
            format!("<strong><em><s>{path}</s></em></strong>"),
        ),
        ("https://a.example/b_c _x_", format!("{path} <em>x</em>")),
    ] {
        assert_eq!(render(body), html, "{body:?}");
    }
}

#[test]
fn other_schemes_and_bare_hosts_stay_text() {
    stays(&[
        "javascript:alert(1)",
        "JavaScript://a.example/%0aalert(1)",
        "javascript://http://a.example",
        "data:text/html,x",
        "vbscript:x",
        "java\tscript:x",
        "//evil.example",
        "www.a.example",
        "a.example",
        "ada@a.example",
        "mailto:ada@a.example",
        "ftp://a.example",
        "file:///etc/passwd",
        "xhttp://a.example",
        "http://",
        "https:// a",
        "http:/a.example",
        "https:a.example",
        "http://_",
        "https://.",
        "://a.example",
    ]);
    assert!(!render("java\nscript://a.example").contains("<a"));
}
