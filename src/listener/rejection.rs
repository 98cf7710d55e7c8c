//! Why a request is rejected before hyper sees it, and the answer that says so.

use super::BASELINE;

/// Why a request is not handed to hyper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not HTTP/1.1, or of a form that others may read differently.
    Malformed,
    /// A body larger than allowed, or one that does not say how large it is.
    BodyTooLarge,
    /// A request line of more than 8 KiB.
    TargetTooLong,
    /// A compressed body.
    Compressed,
    /// A head of more than 32 KiB or 100 lines.
    HeadTooLarge,
}

impl Rejection {
    /// The whole answer, which ends the connection. It repeats nothing of the request. Its body is a fragment
    /// of the same shape as `errors/_error.html`, because a form that htmx sent may be what was refused.
    pub fn answer(self) -> String {
        let (status, words) = match self {
            Rejection::Malformed => ("400 Bad Request", "The server could not read this request."),
            Rejection::BodyTooLarge => (
                "413 Content Too Large",
                "That is more than this server takes at once.",
            ),
            Rejection::TargetTooLong => ("414 URI Too Long", "This address is too long."),
            Rejection::Compressed => (
                "415 Unsupported Media Type",
                "The server does not read this kind of content.",
            ),
            Rejection::HeadTooLarge => (
                "431 Request Header Fields Too Large",
                "This request has too many headers. Deleting this site's cookies may help.",
            ),
        };
        let body = format!(
            "<p class=\"error\" data-error=\"{}\">{words}</p>",
            &status[..3]
        );
        let baseline: String = BASELINE
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: text/html; charset=utf-8\r\ncache-control: no-store\r\n{baseline}\r\n{body}",
            body.len()
        )
    }
}
