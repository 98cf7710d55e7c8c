//! A new password by a link that works once, for people who have forgotten theirs.

use std::sync::Arc;

use poem::{Response, handler, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Site,
    error::Problem,
    extract::{ClientAddress, Look},
    forms::{Fields, Form, Query},
    html,
    page::Page,
    redirect, security,
    signup::without_address,
};
use crate::{domain::accounts::Token, error::Error};

/// The secret in the link.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    code: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct NewPassword {
    code: String,
    password: String,
}

impl Fields for NewPassword {
    const LIMIT: usize = 8 * 1024;
}

#[derive(Serialize)]
struct PasswordPage<'a> {
    page: Page,
    /// Whose password it is; nobody's when the link does not work.
    name: Option<&'a str>,
    code: &'a str,
    error: Option<&'static str>,
}

#[handler]
pub async fn show(
    Data(site): Data<&Arc<Site>>,
    address: ClientAddress,
    look: Look,
    Query(query): Query<Link>,
) -> Result<Response, Problem> {
    site.limits.code(address).await?;
    page(site, address, &look, (&query.code, None)).await
}

/// Another password. All sessions of the person end at once, and what is live by them, and their other links.
#[handler]
pub async fn set(
    Data(site): Data<&Arc<Site>>,
    address: ClientAddress,
    look: Look,
    Form(form): Form<NewPassword>,
) -> Result<Response, Problem> {
    site.limits.code(address).await?;
    let link = Token::given(&form.code);
    let used = site.app.chat.use_password_link(&link, &form.password);
    match used.await {
        Ok(Some(user)) => {
            site.signed_in.forget(user);
            let who = site.app.chat.user(user).await?;
            security::tell("password_changed", Some(&who.person), address);
            Ok(redirect("/signin?changed=1"))
        }
        Ok(None) => page(site, address, &look, (&form.code, None)).await,
        Err(Error::Invalid { words, .. }) => {
            page(site, address, &look, (&form.code, Some(words))).await
        }
        Err(err) => Err(err.into()),
    }
}

/// The form, or, for every link that does not work, one page that says so.
async fn page(
    site: &Site,
    address: ClientAddress,
    look: &Look,
    (code, error): (&str, Option<&'static str>),
) -> Result<Response, Problem> {
    let holder = site.app.chat.link_holder(&Token::given(code)).await?;
    let status = match (&holder, error) {
        (None, _) => {
            security::tell("wrong_password_link", None, address);
            site.limits.wrong_code(address).await?;
            StatusCode::NOT_FOUND
        }
        (Some(_), Some(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        (Some(_), None) => StatusCode::OK,
    };
    let model = PasswordPage {
        page: Page::anonymous(site, look, "A new password · Tertulia".into()),
        name: holder.as_ref().map(|user| &*user.person.name),
        code,
        error,
    };
    let mut answer = html(site.templates.render("accounts/password.html", model));
    answer.set_status(status);
    Ok(without_address(answer))
}
