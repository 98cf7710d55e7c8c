//! What only the administrator sees: who is connected, and how well.

use std::sync::Arc;

use poem::{FromRequest, Request, RequestBody, Response, handler, web::Data};
use serde::Serialize;

use super::{
    Site,
    error::Problem,
    extract::{CurrentUser, Look, Wants},
    html,
    live::Survey,
    page::Page,
    views::ConnectionsView,
};
use crate::{domain::neighbours::Question, error::Error, realtime::Redis, records::Role};

/// Somebody who looks after the house. For everybody else there is nothing here.
#[derive(Debug)]
pub struct Administrator(pub CurrentUser);

impl<'a> FromRequest<'a> for Administrator {
    async fn from_request(req: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let nothing = || Problem::from(Error::NotFound);
        let user = CurrentUser::from_request(req, body).await;
        let user = user.map_err(|_| nothing())?;
        match user.user().role {
            Role::Administrator => Ok(Self(user)),
            Role::Member => Err(nothing().into()),
        }
    }
}

#[derive(Serialize)]
struct ConnectionsPage {
    page: Page,
    connections: ConnectionsView,
}

#[derive(Serialize)]
struct ConnectionsFragment {
    connections: ConnectionsView,
}

#[handler]
pub async fn connections(
    Data(site): Data<&Arc<Site>>,
    Administrator(user): Administrator,
    look: Look,
    wants: Wants,
) -> Response {
    let chat = &site.app.chat;
    let others = chat.ask_neighbours();
    let others = others
        .iter()
        .filter_map(|(_, told)| serde_json::from_str(told.get()).ok());
    let surveys: Vec<_> = [survey(site)].into_iter().chain(others).collect();
    let (_, past) = site.connections.survey();
    let (is_up, now) = (chat.redis().map(Redis::is_up), site.app.clock.now());
    // Why the database does not answer stands in the log.
    let replication = chat.replication().await.ok().flatten();
    let view = ConnectionsView::new(&surveys, &past, is_up, (&look.zone, now));
    let connections = view.over(replication);
    html(if wants.fragment() {
        let model = ConnectionsFragment { connections };
        site.templates.render("admin/_connections.html", model)
    } else {
        let page = Page::of(site, user.user(), &look, "Connections · Tertulia".into());
        let model = ConnectionsPage { page, connections };
        site.templates.render("admin/connections.html", model)
    })
}

/// Who is connected to this node.
fn survey(site: &Site) -> Survey {
    let node = site.app.chat.redis().map(|redis| redis.node().to_string());
    Survey::of(&site.connections, node)
}

/// Does what other nodes ask for. Ends when the server stops.
pub async fn answer_neighbours(site: Arc<Site>) {
    let (chat, stopping) = (&site.app.chat, &site.app.stopping);
    while let Some(questions) = stopping.run_until_cancelled(chat.questions()).await {
        for question in &questions {
            if let Question::Received {
                user,
                connection,
                number,
            } = *question
            {
                site.connections.received(user, connection, number);
            }
        }
        if questions.contains(&Question::WhoIsThere) {
            tell_neighbours(&site);
        }
    }
}

fn tell_neighbours(site: &Site) {
    match serde_json::value::to_raw_value(&survey(site)) {
        Ok(told) => site.app.chat.tell_neighbours(told),
        Err(err) => tracing::warn!(error = %err, "who is connected cannot be told"),
    }
}

/// Notes regularly how many are connected. Ends when the server stops.
pub async fn keep_samples(site: Arc<Site>) {
    let mut ticks = tokio::time::interval(super::live::SAMPLE);
    while site
        .app
        .stopping
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        site.connections.sample();
    }
}
