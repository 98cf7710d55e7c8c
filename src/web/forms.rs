//! Forms and queries, read into types within bounds. It knows neither who sent them nor what their
//! fields mean.

use std::collections::HashSet;

use poem::{
    FromRequest, Request, RequestBody,
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;

use super::error::Problem;

/// The most fields that any form of ours could have.
const MOST_FIELDS: usize = 32;

/// A form: how large it may be, and its fields. Unknown fields are ignored, repeated ones refused.
pub trait Fields: DeserializeOwned + Send {
    /// The most bytes that are read.
    const LIMIT: usize = 16 * 1024;
}

/// The fields of a posted form.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<'a, T: Fields> FromRequest<'a> for Form<T> {
    async fn from_request(req: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let kind = req
            .content_type()
            .and_then(|kind| kind.split(';').next())
            .map(str::trim);
        if kind != Some("application/x-www-form-urlencoded")
            || req.headers().contains_key(header::CONTENT_ENCODING)
        {
            return Err(Problem::Unsupported.into());
        }
        let bytes = body
            .take()?
            .into_bytes_limit(T::LIMIT)
            .await
            .map_err(|err| {
                let too_large = poem::Error::from(err).status() == StatusCode::PAYLOAD_TOO_LARGE;
                if too_large {
                    Problem::TooLarge
                } else {
                    Problem::Malformed
                }
            })?;
        Ok(Self(fields(&bytes)?))
    }
}

fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut names = HashSet::new();
    for (name, _) in form_urlencoded::parse(bytes) {
        if names.len() == MOST_FIELDS || !names.insert(name) {
            return Err(Problem::Malformed);
        }
    }
    // What is not UTF-8 (a lone surrogate, say) is refused rather than replaced.
    percent_encoding::percent_decode(bytes)
        .decode_utf8()
        .map_err(|_| Problem::Malformed)?;
    serde_urlencoded::from_bytes(bytes).map_err(|_| Problem::Malformed)
}

/// The query of an address; a field that does not parse is a 400.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<'a, T: DeserializeOwned + Send> FromRequest<'a> for Query<T> {
    async fn from_request(req: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let query = req.uri().query().unwrap_or_default();
        Ok(Self(
            serde_urlencoded::from_str(query).map_err(|_| Problem::Malformed)?,
        ))
    }
}
