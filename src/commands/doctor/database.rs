//! Database, clock and Redis.

use std::time::Duration;

use super::Report;
use crate::{
    clock::Clock,
    config::{Config, DatabaseUrl},
    realtime::Redis,
    store::{Store, check::check_database, moment},
};

/// How far the clock may be off.
const APART: Duration = Duration::from_secs(5);

/// Checks the database as a whole, over a read-only connection; the time of the newest change in it, and what the
/// database's server has for the present.
pub async fn look(config: &Config, report: &mut Report) -> Option<moment::Moments> {
    let url = config.database_url();
    if let DatabaseUrl::Sqlite(file) = &url
        && !file.exists()
    {
        let words = format!(
            "{} is not there yet; the first start makes it",
            file.display()
        );
        report.good("database", words);
        return None;
    }
    let newest = moment::read(&url).await;
    match &newest {
        Err(words) => report.bad(
            "database",
            words,
            "see that the database's server runs, and that address, name and password are right",
        ),
        Ok(moments) => {
            match &moments.behind {
                None => report.good("schema", format!("up to date ({})", moment::newest_step())),
                Some(words) => report.bad("schema", words, "start this version of the server once"),
            }
            look_inside(&url, report).await;
            look_at_standbys(&url, report).await;
        }
    }
    newest.ok()
}

async fn look_inside(url: &DatabaseUrl, report: &mut Report) {
    match check_database(url).await {
        Ok(faults) if faults.is_empty() => {
            report.good("database", "is sound; all rooms count without holes");
        }
        Ok(faults) => {
            for fault in faults {
                report.bad(
                    "database",
                    fault,
                    "stop the server, keep a copy of the files, restore a backup",
                );
            }
        }
        Err(words) => report.bad(
            "database",
            words,
            "keep a copy of the files before anything else",
        ),
    }
}

/// What a failover of PostgreSQL would lose.
async fn look_at_standbys(url: &DatabaseUrl, report: &mut Report) {
    let Ok(store) = Store::open_beside(url).await else {
        return;
    };
    if let Ok(Some(found)) = store.replication().await {
        let (said, remedy) = found
            .words()
            .split_once(": ")
            .unwrap_or((found.words(), ""));
        match found.is_warning() {
            true => report.bad("replication", said, remedy),
            false => report.good("replication", found.words()),
        }
    }
    store.close().await;
}

/// Compares the clock with the database's.
pub async fn look_at_clock(config: &Config, found: Option<moment::Moments>, report: &mut Report) {
    let now = Clock::system().now();
    let Some(found) = found else {
        return;
    };
    let remedy = "set the clock by NTP: timedatectl set-ntp true";
    let server = found.server.unwrap_or(now);
    let apart = now.since(server).max(server.since(now));
    let behind = found.newest.since(now);
    if apart > APART {
        let words = format!("is {} s apart from the database's", apart.as_secs());
        report.bad("clock", words, remedy);
    } else if behind > APART {
        let words = format!(
            "is {} s behind the newest change in the database",
            behind.as_secs()
        );
        report.bad("clock", words, remedy);
    } else {
        let of = match config.database_url() {
            DatabaseUrl::Sqlite(_) => "is not behind the newest change in the database".into(),
            DatabaseUrl::Postgres(_) => {
                format!("is {} ms apart from the database's", apart.as_millis())
            }
        };
        report.good("clock", of);
    }
}

/// Asks Redis, if there is to be one.
pub async fn look_at_redis(config: &Config, report: &mut Report) {
    if config.redis.is_empty() {
        return;
    }
    match Redis::round_trip(&config.redis).await {
        Ok(took) => report.good("Redis", format!("answers within {:.1} ms", took.as_secs_f64() * 1e3)),
        Err(words) => report.bad(
            "Redis",
            words,
            "see that it runs, and that address and password are right; without it nodes hear of each other two seconds later",
        ),
    }
}
