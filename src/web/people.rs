//! Everybody with an account, as the administrator sees them: who may come in.

use std::sync::Arc;

use poem::{Request, Response, handler, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    admin::Administrator,
    error::Problem,
    extract::{ClientAddress, Look},
    forms::{Fields, Form},
    html,
    page::{Page, hue, initials},
    redirect, security,
};
use crate::{
    error::Error,
    ids::UserId,
    records::{Role, User},
};

/// Whether somebody is shut out from now on.
#[derive(Deserialize)]
pub struct BanForm {
    banned: String,
}

impl Fields for BanForm {}

#[derive(Serialize)]
struct PeoplePage {
    page: Page,
    people: Vec<PersonView>,
}

/// Somebody with an account.
#[derive(Serialize)]
struct PersonView {
    id: UserId,
    name: String,
    initials: String,
    hue: i64,
    since: String,
    is_administrator: bool,
    is_banned: bool,
}

#[handler]
pub async fn show(
    Data(site): Data<&Arc<Site>>,
    Administrator(user): Administrator,
    look: Look,
) -> Result<Response, Problem> {
    let everybody = site.app.chat.everybody().await?;
    let now = site.app.clock.now();
    let view = |user: &User| PersonView {
        id: user.person.id,
        name: user.person.name.to_string(),
        initials: initials(&user.person.name),
        hue: hue(user.person.id.0),
        since: look.zone.day_label(user.created, now),
        is_administrator: user.role == Role::Administrator,
        is_banned: user.is_banned,
    };
    let people = everybody.iter().map(view).collect();
    let page = Page::of(site, user.user(), &look, "People · Tertulia".into());
    let model = PeoplePage { page, people };
    Ok(html(site.templates.render("admin/people.html", model)))
}

/// Shuts somebody out, at once and everywhere, or lets them in again.
#[handler]
pub async fn ban(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    Administrator(by): Administrator,
    address: ClientAddress,
    Form(form): Form<BanForm>,
) -> Result<Response, Problem> {
    let id = req.raw_path_param("id").map(UserId::parse);
    let id = id.and_then(Result::ok).ok_or(Error::NotFound)?;
    let is_banned = match form.banned.as_str() {
        "on" => true,
        "off" => false,
        _ => return Err(Problem::Malformed),
    };
    site.app.chat.ban(by.user(), id, is_banned).await?;
    let event = if is_banned {
        "deactivated"
    } else {
        "activated"
    };
    security::tell_deed(event, id, by.person(), address);
    site.signed_in.forget(id);
    Ok(redirect("/admin/people"))
}
