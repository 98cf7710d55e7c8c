//! How far somebody has read.

use std::sync::Arc;

use poem::{handler, http::StatusCode, web::Data};
use serde::Deserialize;

use super::{
    Site,
    error::Problem,
    extract::Member,
    forms::{Fields, Form},
};
use crate::{error::Error, ids::Seq};

/// What a page sends once its room was looked at.
#[derive(Deserialize)]
pub struct ReadUpTo {
    seq: String,
}

impl Fields for ReadUpTo {}

#[handler]
pub async fn read(
    Data(site): Data<&Arc<Site>>,
    member: Member,
    Form(form): Form<ReadUpTo>,
) -> Result<StatusCode, Problem> {
    site.limits.receipt(member.user.id())?;
    let seq =
        Seq::parse(&form.seq).map_err(|_| Error::invalid("seq", "This is no message's number."))?;
    site.app
        .chat
        .mark_read(member.room, member.user.id(), seq)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
