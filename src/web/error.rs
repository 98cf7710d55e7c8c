//! Error → status and words, in one place. The words are fixed; nothing that was sent ever comes back.

use std::time::Duration;

use poem::{
    Response,
    error::ResponseError,
    http::{HeaderValue, StatusCode, header},
};
use serde::Serialize;

use super::{Site, extract::Wants, page::Page, refusal::Refusal};
use crate::error::Error;

/// Why a request is not answered as asked: what went wrong in the chat, or in the request itself.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// In the chat.
    #[error(transparent)]
    Chat(#[from] Error),
    /// Nobody is signed in.
    #[error("signed out")]
    SignedOut,
    /// Name or password is wrong.
    #[error("wrong name or password")]
    WrongPassword,
    /// The request makes no sense.
    #[error("malformed request")]
    Malformed,
    /// The method is not for this address.
    #[error("method not allowed")]
    Method,
    /// The body is too large.
    #[error("body too large")]
    TooLarge,
    /// The body is of a kind that is not read here.
    #[error("unsupported media type")]
    Unsupported,
    /// The request is for a host that this is not, or was made by a page of another site.
    #[error("refused by where it is for or from")]
    Refused(Box<Refusal>),
    /// The server is about to stop; another one, or the same anew, takes over.
    #[error("stopping")]
    Stopping,
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Chat(Error::NotFound) => StatusCode::NOT_FOUND,
            Self::Refused(refusal) if refusal.is_misdirected() => StatusCode::MISDIRECTED_REQUEST,
            Self::Chat(Error::Forbidden { .. }) | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Chat(Error::Conflict { .. }) => StatusCode::CONFLICT,
            Self::Chat(Error::Invalid { .. }) | Self::WrongPassword => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Chat(Error::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Chat(Error::Unavailable(_) | Error::Unknown) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Chat(Error::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Problem {
    /// The problem behind one of poem's errors: ours, or what its status says.
    pub fn from_poem(err: poem::Error) -> Self {
        let status = err.status();
        match err.downcast::<Self>() {
            Ok(problem) => problem,
            Err(err) => match status {
                StatusCode::NOT_FOUND => Error::NotFound.into(),
                StatusCode::METHOD_NOT_ALLOWED => Self::Method,
                StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::Unsupported,
                status if status.is_client_error() => Self::Malformed,
                _ => Error::Internal(err.to_string()).into(),
            },
        }
    }

    /// What to tell the person: a heading and a sentence.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Chat(Error::NotFound) => (
                "Nothing here",
                "This page does not exist, or it is not for you.",
            ),
            Self::Chat(Error::Forbidden { words }) => ("Not allowed", words),
            Self::Chat(Error::Conflict { words }) => ("That does not fit", words),
            Self::Chat(Error::Invalid { words, .. }) => ("That cannot be used", words),
            Self::Chat(Error::TooMany { .. }) => (
                "Too fast",
                "That was a lot at once. Wait a little and try again.",
            ),
            Self::Chat(Error::Unavailable(_)) => (
                "Not now",
                "The server cannot get to its data right now. Nothing was stored or changed; try again in a moment.",
            ),
            Self::Chat(Error::Unknown) => (
                "Not sure",
                "The server did not answer in time. Send it again: it will not be stored twice.",
            ),
            Self::Chat(Error::Internal(_)) => (
                "Something broke",
                "This is our fault, not yours. Try again, and tell your administrator the number below if it stays.",
            ),
            Self::SignedOut => ("Signed out", "Sign in to go on."),
            Self::WrongPassword => ("Not signed in", "Name or password is wrong."),
            Self::Malformed => ("Not understood", "The server could not read this request."),
            Self::Method => ("Not this way", "This address does not do that."),
            Self::TooLarge => ("Too large", "That is more than this server takes at once."),
            Self::Unsupported => (
                "Not understood",
                "The server does not read this kind of content.",
            ),
            Self::Refused(refusal) => refusal.words(),
            Self::Stopping => ("Back in a moment", "The server is being restarted."),
        }
    }

    /// Whether whoever runs the server should know of it: nothing that a request does brings it about.
    pub fn is_fault(&self) -> bool {
        self.status().is_server_error() && !matches!(self, Self::Stopping)
    }

    /// What to tell whoever runs the server, if it is for them to change something.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) => Some(refusal.advice()),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Chat(Error::TooMany { retry_after }) => {
                Some((*retry_after).max(Duration::from_secs(1)))
            }
            Self::Chat(Error::Unavailable(_) | Error::Unknown) | Self::Stopping => {
                Some(Duration::from_secs(2))
            }
            _ => None,
        }
    }
}

/// What the error templates show.
#[derive(Debug, Serialize)]
struct ErrorView<'a> {
    status: u16,
    title: &'static str,
    words: &'static str,
    advice: Option<&'static str>,
    request_id: &'a str,
    back: &'static str,
}

#[derive(Debug, Serialize)]
struct ErrorFragment<'a> {
    error: ErrorView<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorPage<'a> {
    page: Page,
    error: ErrorView<'a>,
}

/// The answer to a request that failed: a page, a fragment, or the way to the sign-in page.
pub fn render(site: &Site, wants: &Wants, request_id: &str, problem: &Problem) -> Response {
    let status = problem.status();
    if let (Problem::SignedOut, Wants::Page { path: Some(path) }) = (problem, wants) {
        let next = form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
        return super::redirect(&if path == "/" {
            "/signin".into()
        } else {
            format!("/signin?next={next}")
        });
    }
    let (title, words) = problem.words();
    let error = ErrorView {
        status: status.as_u16(),
        title,
        words,
        advice: problem.advice(),
        request_id,
        back: "/",
    };
    let html = match wants {
        Wants::Fragment => site
            .templates
            .render("errors/_error.html", ErrorFragment { error }),
        Wants::Page { .. } => {
            let page = Page::bare(site, title);
            site.templates
                .render("errors/error.html", ErrorPage { page, error })
        }
    };
    let mut answer = super::html(html);
    answer.set_status(status);
    if matches!((problem, wants), (Problem::SignedOut, Wants::Fragment)) {
        answer
            .headers_mut()
            .insert("hx-redirect", HeaderValue::from_static("/signin"));
    }
    // For whoever keeps the reason without showing the fragment: a refused message, in the browser.
    if let Ok(words) = HeaderValue::from_str(words) {
        answer.headers_mut().insert("x-problem", words);
    }
    if let Some(after) = problem.retry_after() {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    answer
}
