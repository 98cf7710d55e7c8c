//! Who is typing.

use std::sync::Arc;

use poem::{handler, http::StatusCode, web::Data};

use super::{Site, error::Problem, extract::Member};

#[handler]
pub async fn typing(Data(site): Data<&Arc<Site>>, member: Member) -> Result<StatusCode, Problem> {
    site.limits.typing(member.user.id()).await?;
    site.app
        .chat
        .typing(member.room, member.user.person().clone());
    Ok(StatusCode::NO_CONTENT)
}
