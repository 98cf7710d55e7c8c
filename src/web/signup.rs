//! Making an account. The first one, the administrator's, takes the code that a start of the program printed in its
//! link: whoever only reaches the server, from this machine too, cannot make it.

use std::sync::Arc;

use poem::{
    Request, Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::Data,
};
use serde::{Deserialize, Serialize};

use super::{
    Site, accounts,
    error::Problem,
    extract::{ClientAddress, Look},
    forms::{Fields, Form, Query},
    html,
    page::Page,
    redirect, security,
};
use crate::{
    config::{SetupCode, Signup},
    domain::accounts::{Admission, CLOSED, Token},
    error::Error,
};

/// What the sign-up form sends.
#[derive(Deserialize)]
pub struct SignUp {
    username: String,
    password: String,
    #[serde(default)]
    code: String,
}

impl Fields for SignUp {
    const LIMIT: usize = 8 * 1024;
}

/// The code in the printed link.
#[derive(Deserialize)]
pub struct Code {
    #[serde(default)]
    code: String,
}

#[derive(Serialize)]
struct SignUpPage<'a> {
    page: Page,
    form: FormView<'a>,
    first: bool,
    open: bool,
}

/// The form: what was typed, and what to say about it.
#[derive(Default, Serialize)]
struct FormView<'a> {
    username: &'a str,
    code: &'a str,
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct SetupPage {
    page: Page,
    /// Whether the code was chosen by the operator: then no link was printed.
    is_chosen: bool,
    is_wrong: bool,
}

#[handler]
pub async fn show(
    Data(site): Data<&Arc<Site>>,
    address: ClientAddress,
    look: Look,
    Query(query): Query<Code>,
) -> Result<Response, Problem> {
    let first = site.app.chat.is_fresh().await?;
    let admission = admission(site, &query.code);
    if first && !may_be_first(site, address, &admission, &query.code).await? {
        return Ok(ask_for_code(site, &look, &query.code));
    }
    let form = FormView {
        code: &query.code,
        ..FormView::default()
    };
    Ok(page(site, &look, form, first))
}

#[handler]
pub async fn sign_up(
    req: &Request,
    Data(site): Data<&Arc<Site>>,
    address: ClientAddress,
    look: Look,
    Form(form): Form<SignUp>,
) -> Result<Response, Problem> {
    site.limits.sign_up(address).await?;
    let first = site.app.chat.is_fresh().await?;
    let admission = admission(site, &form.code);
    if first && !may_be_first(site, address, &admission, &form.code).await? {
        return Ok(ask_for_code(site, &look, &form.code));
    }
    if !first && !admission.others {
        return Err(Error::Forbidden { words: CLOSED }.into());
    }
    let chat = &site.app.chat;
    let made = chat.sign_up(&form.username, &form.password, &admission);
    let (words, status) = match made.await {
        Ok(user) => {
            security::tell("signed_up", Some(&user.person), address);
            accounts::bind(req, user.person.id).await?;
            return Ok(redirect("/"));
        }
        Err(Error::Invalid { words, .. }) => (words, StatusCode::UNPROCESSABLE_ENTITY),
        Err(Error::Conflict { words }) => (words, StatusCode::CONFLICT),
        Err(err) => return Err(err.into()),
    };
    let view = FormView {
        username: &form.username,
        code: &form.code,
        error: Some(words),
    };
    let mut answer = page(site, &look, view, first);
    answer.set_status(status);
    Ok(answer)
}

/// Who may make an account now, by what was set and the code that was given.
fn admission(site: &Site, code: &str) -> Admission {
    let given = Token::given(code);
    let first = match &site.app.config.setup_code {
        Some(SetupCode::Off) => None,
        Some(SetupCode::Is(chosen)) if Token::given(chosen) == given => None,
        _ => Some(given),
    };
    Admission {
        first,
        others: site.app.config.signup == Signup::Open,
    }
}

/// Whether the first account can be made with this code; wrong codes are counted.
async fn may_be_first(
    site: &Site,
    address: ClientAddress,
    admission: &Admission,
    code: &str,
) -> Result<bool, Problem> {
    let is_guess = admission.first.is_some() && !code.is_empty();
    if is_guess {
        site.limits.code(address).await?;
    }
    let may = site.app.chat.may_be_first(admission).await?;
    if is_guess && !may {
        security::tell("wrong_setup_code", None, address);
        site.limits.wrong_code(address).await?;
    }
    Ok(may)
}

/// The page for whoever opens a fresh server without the printed link, or with one that does not work.
fn ask_for_code(site: &Site, look: &Look, code: &str) -> Response {
    let page = Page::anonymous(site, look, "The first account · Tertulia".into());
    let is_wrong = !code.is_empty();
    let model = SetupPage {
        page,
        is_chosen: matches!(site.app.config.setup_code, Some(SetupCode::Is(_))),
        is_wrong,
    };
    let mut answer = html(site.templates.render("accounts/setup.html", model));
    if is_wrong {
        answer.set_status(StatusCode::FORBIDDEN);
    }
    without_address(answer)
}

fn page(site: &Site, look: &Look, form: FormView<'_>, first: bool) -> Response {
    let open = first || site.app.config.signup == Signup::Open;
    let page = Page::anonymous(site, look, "Create an account · Tertulia".into());
    let has_code = !form.code.is_empty();
    let model = SignUpPage {
        page,
        form,
        first,
        open,
    };
    let answer = html(site.templates.render("accounts/signup.html", model));
    match has_code {
        true => without_address(answer),
        false => answer,
    }
}

/// A page whose address holds a secret: what it loads and sends is told where it comes from, but not the address.
pub(super) fn without_address(mut answer: Response) -> Response {
    let origin = HeaderValue::from_static("strict-origin");
    answer.headers_mut().insert(header::REFERRER_POLICY, origin);
    answer
}
