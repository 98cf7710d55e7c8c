//! Snapshots of pages, fragments and frames, without what differs from run to run.

use super::Answer;

/// What differs between two runs, and the word that takes its place.
const VARIES: [(&str, &str); 11] = [
    (
        r"assets(/|&#x2f;)[0-9a-f]{6,}(/|&#x2f;)",
        "assets$1[hash]$2",
    ),
    (r#"(name="key"[^>]*value=")[0-9a-f]{32}"#, "$1[key]"),
    // Stamps tell in which order batches were committed.
    (r#"(data-sort=")\d+-0*"#, "$1[stamp]-"),
    (r#"(data-at=")\d+"#, "$1[stamp]"),
    (r#"(data-version=")[^"]+"#, "$1[version]"),
    (r"127\.0\.0\.1:\d+", "[host]"),
    (r#"(data-request=")[0-9a-f]{16}"#, "$1[request]"),
    (r"(Request (<code>)?)[0-9a-f]{16}", "$1[request]"),
    // Only of a file, and different on every disk.
    (r#""disk":\{[^}]*\},"#, ""),
    // Only where the run is about several nodes.
    (r#","redis":"(ok|degraded)""#, ""),
    // The same on every page, and a matter of the eyes.
    (r"(?s)<symbol.*</symbol>", "[symbols]"),
];

/// Holds the status, the telling headers and the body of an answer against its snapshot.
pub fn looks_like(name: &str, answer: &Answer) {
    let mut text = format!("{}\n", answer.status);
    for header in [
        "content-type",
        "cache-control",
        "vary",
        "location",
        "hx-redirect",
        "x-seq",
        "x-rev",
        "allow",
    ] {
        for value in answer.headers(header) {
            text.push_str(&format!("{header}: {value}\n"));
        }
    }
    text.push('\n');
    text.push_str(&answer.body);
    reads_like(name, &text);
}

/// Holds a text against its snapshot.
pub fn reads_like(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, word) in VARIES {
        settings.add_filter(pattern, word);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}
