//! What a certificate authority answers when it gives no certificate, in words.

use instant_acme::{Error, Problem};

/// What stands before the kinds of problems that RFC 8555 (section 6.7) names.
const KIND: &str = "urn:ietf:params:acme:error:";

/// Why there is no certificate for `host`, as a sentence without its full stop.
pub fn in_words(error: &Error, host: &str) -> String {
    match error {
        Error::Api(problem) => refused(problem, host),
        Error::Timeout(_) => "the certificate authority has not decided in time".into(),
        Error::Json(_) => {
            "the directory's answer is not understood (is --acme-directory an ACME directory?)"
                .into()
        }
        other => format!("the certificate authority is out of reach: {other}"),
    }
}

fn refused(problem: &Problem, host: &str) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.strip_prefix(KIND).unwrap_or(kind);
    let detail = problem.detail.as_deref().unwrap_or("it does not say why");
    match kind {
        "rateLimited" => {
            format!("the certificate authority has had enough requests for now: {detail}")
        }
        "connection" | "dns" | "unauthorized" | "incorrectResponse" | "tls" => format!(
            "the certificate authority did not find this server at http://{host}/ ({detail}). The name must lead to \
             this machine, and port 80 of it to --http-listen"
        ),
        "rejectedIdentifier" | "caa" | "unsupportedIdentifier" => {
            format!("the certificate authority gives none for {host}: {detail}")
        }
        "" => format!("the certificate authority refused: {detail}"),
        kind => format!("the certificate authority refused: {detail} ({kind})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_authority_says_is_told_with_what_to_do() {
        for (kind, words) in [
            ("rateLimited", "had enough requests"),
            ("connection", "port 80 of it to --http-listen"),
            ("caa", "gives none for chat.example.org"),
            ("serverInternal", "refused: because (serverInternal)"),
        ] {
            let problem = format!(r#"{{"type":"{KIND}{kind}","detail":"because","status":400}}"#);
            let problem = serde_json::from_str(&problem).expect("a problem");
            let said = in_words(&Error::Api(problem), "chat.example.org");
            assert!(said.contains(words) && said.contains("because"), "{said}");
        }
    }
}
