//! What people let others see of them, and what the administrator allows everyone.

use std::sync::Arc;

use poem::{Response, handler, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{CurrentUser, Look},
    forms::{Fields, Form, Query},
    html,
    page::Page,
    redirect,
};
use crate::records::{Privacy, Role};

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
    let chat = &site.app.chat;
    let user = chat.user(user.id()).await?;
    let receipts = chat.has_receipts();
    let model = SettingsPage {
        page: Page::of(site, &user, &look, "Settings · Tertulia".into()),
        settings: SettingsView {
            receipts: user.privacy.receipts,
            presence: user.privacy.presence,
            receipts_disabled: !receipts,
        },
        house: (user.role == Role::Administrator).then_some(HouseView { receipts }),
        saved: query.saved.is_some(),
    };
    Ok(html(site.templates.render("accounts/settings.html", model)))
}

#[handler]
pub async fn set_privacy(
    Data(site): Data<&Arc<Site>>,
    user: CurrentUser,
    Form(form): Form<PrivacyForm>,
) -> Result<Response, Problem> {
    site.limits.receipt(user.id())?;
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
