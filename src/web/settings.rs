//! What people let others see of them, their password, and what the administrator allows everyone.

use std::sync::Arc;

use poem::{Response, handler, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{ClientAddress, CurrentUser, Look},
    forms::{Fields, Form, Query},
    html,
    page::Page,
    redirect, security,
};
use crate::{
    domain::{accounts::Sessions, names},
    error::Error,
    records::{Privacy, Role},
};

/// What the settings form sends: a switch that is off is not sent at all.
#[derive(Deserialize)]
pub struct PrivacyForm {
    receipts: Option<String>,
    presence: Option<String>,
}

impl Fields for PrivacyForm {}

/// What the administrator's form sends.
#[derive(Deserialize)]
pub struct HouseForm {
    receipts: Option<String>,
}

impl Fields for HouseForm {}

/// What the form for another password sends.
#[derive(Deserialize)]
pub struct PasswordForm {
    current: String,
    password: String,
}

impl Fields for PasswordForm {
    const LIMIT: usize = 8 * 1024;
}

/// Whether the page follows a change.
#[derive(Deserialize)]
pub struct Saved {
    saved: Option<String>,
}

#[derive(Serialize)]
struct SettingsPage {
    page: Page,
    settings: SettingsView,
    house: Option<HouseView>,
    saved: bool,
    password_error: Option<&'static str>,
}

#[derive(Serialize)]
struct SettingsView {
    receipts: bool,
    presence: bool,
    receipts_disabled: bool,
}

#[derive(Serialize)]
struct HouseView {
    receipts: bool,
}

#[handler]
pub async fn show(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    look: Look,
    Query(query): Query<Saved>,
) -> Result<Response, Problem> {
    page(site, &user, &look, query.saved.is_some(), None).await
}

async fn page(
    site: &Site,
    user: &CurrentUser,
    look: &Look,
    saved: bool,
    password_error: Option<&'static str>,
) -> Result<Response, Problem> {
    let chat = &site.app.chat;
    let user = chat.user(user.id()).await?;
    let receipts = chat.has_receipts();
    let model = SettingsPage {
        page: Page::of(site, &user, look, "Settings · Tertulia".into()),
        settings: SettingsView {
            receipts: user.privacy.receipts,
            presence: user.privacy.presence,
            receipts_disabled: !receipts,
        },
        house: (user.role == Role::Administrator).then_some(HouseView { receipts }),
        saved,
        password_error,
    };
    Ok(html(site.templates.render("accounts/settings.html", model)))
}

/// Another password. All other sessions of the person end at once, and what is live by them.
#[handler]
pub async fn set_password(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    address: ClientAddress,
    look: Look,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Problem> {
    let name = names::fold(&user.person().name);
    site.limits.sign_in(address, &name).await?;
    let (words, kept) = (
        (form.current.as_str(), form.password.as_str()),
        Sessions::name(&user.session()),
    );
    let changed = site.app.chat.change_password(user.user(), words, &kept);
    let error = match changed.await {
        Ok(Some(())) => {
            site.signed_in.forget(user.id());
            security::tell("password_changed", Some(user.person()), address);
            return Ok(redirect("/settings?saved=1"));
        }
        Ok(None) => {
            security::tell("wrong_current_password", Some(user.person()), address);
            site.limits.wrong_password(address, &name).await?;
            "Your current password is another one."
        }
        Err(Error::Invalid { words, .. }) => words,
        Err(err) => return Err(err.into()),
    };
    let mut answer = page(site, &user, &look, false, Some(error)).await?;
    answer.set_status(StatusCode::UNPROCESSABLE_ENTITY);
    Ok(answer)
}

#[handler]
pub async fn set_privacy(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    Form(form): Form<PrivacyForm>,
) -> Result<Response, Problem> {
    site.limits.receipt(user.id()).await?;
    let known = user.user().privacy;
    let privacy = Privacy {
        // While nobody sends receipts the switch cannot be moved, and a browser does not send it.
        receipts: match site.app.chat.has_receipts() {
            true => form.receipts.is_some(),
            false => known.receipts,
        },
        presence: form.presence.is_some(),
    };
    site.app.chat.set_privacy(user.id(), privacy).await?;
    site.signed_in.forget(user.id());
    Ok(redirect("/settings?saved=1"))
}

#[handler]
pub async fn set_house(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    Form(form): Form<HouseForm>,
) -> Result<Response, Problem> {
    let on = form.receipts.is_some();
    site.app.chat.switch_receipts(user.user(), on).await?;
    Ok(redirect("/settings?saved=1"))
}
