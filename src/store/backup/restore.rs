//! From a backup back into a database that can be served.

use std::path::Path;

use super::{make::close, manifest::Manifest, partial::Partial, place, verify};
use crate::{
    config::DatabaseUrl,
    store::{
        copy::{self, Source, Target, Use},
        progress::Report,
        schema,
    },
};

/// Who was signed in then is not signed in now, and no link of then opens anything.
const LEFT_OUT: [&str; 2] = ["one_time_links", "sessions"];

/// Restores a backup, once it is found whole, into a place where there is nothing, and brings it up to date there. To
/// pages and nodes that know another state of this chat it is another chat.
///
/// # Errors
/// A sentence for the operator. The place is as it was, apart from empty tables on a server.
pub async fn restore(
    file: &Path,
    to: &DatabaseUrl,
    report: Report<'_>,
) -> Result<Manifest, String> {
    if let DatabaseUrl::Sqlite(file) = to {
        place::must_be_free(file)?;
    }
    let manifest = verify(file).await?;
    let source = Source::open(&DatabaseUrl::Sqlite(file.to_owned()), Use::Alone).await?;
    match to {
        DatabaseUrl::Sqlite(to) => {
            let _lock = place::take(to)?;
            let partial = Partial::begin(to)?;
            let target = Target::on_file(partial.path(), source.steps().await?).await?;
            fill(&source, target, report).await?;
            place::clear(to)?;
            partial.keep()?;
        }
        DatabaseUrl::Postgres(url) => {
            let target = Target::on_server(url, source.steps().await?).await?;
            fill(&source, target, report).await?;
        }
    }
    source.close().await;
    Ok(manifest)
}

async fn fill(source: &Source, target: Target, report: Report<'_>) -> Result<(), String> {
    copy::fill(source, &target, &LEFT_OUT, report).await?;
    copy::renew(target.db())
        .await
        .map_err(|err| format!("cannot write: {err}"))?;
    let db = target.commit().await?;
    let done = schema::bring_up_to_date(&db, report).await;
    close(db).await;
    done
}
