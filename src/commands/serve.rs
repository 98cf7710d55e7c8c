//! `tertulia serve`, which is also what happens without a command: serve until told to stop.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, StartError},
    clock::Clock,
    config::{Config, DatabaseUrl, SetupCode},
    demo,
    domain::accounts::Token,
    store::moment::newest_step,
    systemd::{self, Systemd},
    version::VERSION,
    web::Server,
};

/// Serves until SIGTERM or SIGINT; with `is_demo` a chat that is filled first.
///
/// # Errors
/// A sentence for the operator.
pub async fn serve(config: Config, is_demo: bool) -> Result<(), StartError> {
    allow_many_files();
    let is_shared =
        !config.redis.is_empty() || matches!(config.database_url(), DatabaseUrl::Postgres(_));
    let tls = config.tls.check(config.public_url.as_ref(), is_shared);
    tls.map_err(StartError)?;
    let inherited = systemd::inherited().map_err(StartError)?;
    let systemd = Systemd::from_env();
    let starting = systemd.put_off("opening the database");
    if is_demo {
        demo::fill(&config).await?;
    }
    let app = App::open(config, Clock::system()).await?;
    let first = first_account(&app).await?;
    let database = app.config.database_url();
    let server = Server::on(app, inherited).await?;
    let (version, schema, addresses) = (VERSION.as_str(), newest_step(), server.urls().join(" "));
    tracing::info!(version, %database, schema, %addresses, "serving");
    let stop = CancellationToken::new();
    // Whoever is told that it is ready may tell it to stop.
    tokio::spawn(stop_on_signal(stop.clone(), systemd.clone())?);
    tokio::spawn(reload_on_signal(server.reload())?);
    say(&is_ready(server.url(), &first));
    for url in server.urls().iter().skip(1) {
        say(&format!("It is also at {url}"));
    }
    if server.waits_for_certificate() {
        say("It has no certificate yet and asks for one now; the log says what comes of it.");
    }
    drop(starting);
    systemd.ready(&format!("serving at {}", server.url()));
    tokio::spawn(systemd.watch(server.is_well(), stop.clone()));
    if is_demo {
        say(&demo::how_to_sign_in(server.url()));
    }
    server
        .run(stop)
        .await
        .map_err(|err| StartError(err.to_string()))
}

/// Prints a line. Whoever closed the pipe behind it does not want to read it, which is no reason not to serve.
fn say(words: &str) {
    let _ = writeln!(io::stdout(), "{words}");
}

/// What the first account takes, while there is none.
enum FirstAccount {
    /// It is there, or takes nothing.
    Free,
    /// What the operator has set.
    Chosen,
    /// The code in the link that is printed now.
    Printed(Token),
}

async fn first_account(app: &App) -> Result<FirstAccount, StartError> {
    let failed = |err| StartError(format!("cannot write to the database: {err}"));
    match &app.config.setup_code {
        Some(SetupCode::Off) => Ok(FirstAccount::Free),
        Some(SetupCode::Is(_)) => match app.chat.is_fresh().await.map_err(failed)? {
            true => Ok(FirstAccount::Chosen),
            false => Ok(FirstAccount::Free),
        },
        None => {
            let code = app.chat.make_setup_code().await.map_err(failed)?;
            Ok(code.map_or(FirstAccount::Free, FirstAccount::Printed))
        }
    }
}

/// The address to open; of a server with nothing but a unix socket it is not known. A code stands in it and nowhere else, never in the log.
fn is_ready(url: &str, first: &FirstAccount) -> String {
    match first {
        FirstAccount::Free => format!("Tertulia is ready: {url}"),
        FirstAccount::Chosen => format!(
            "Tertulia is ready: {url}/signup\nThe first account, the administrator's, takes the setup code that you set."
        ),
        FirstAccount::Printed(code) => format!(
            "Tertulia is ready: {url}/signup?code={}\nThis link makes the first account, the administrator's. Keep it \
             to yourself until then.",
            code.as_str()
        ),
    }
}

/// Cancels `stop` at SIGTERM or SIGINT; a second signal ends the process at once. Ends with the process.
fn stop_on_signal(
    stop: CancellationToken,
    systemd: Systemd,
) -> Result<impl Future<Output = ()>, StartError> {
    let listen =
        |kind| signal(kind).map_err(|err| StartError(format!("cannot listen for signals: {err}")));
    let (mut term, mut int) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(async move {
        for is_last in [false, true] {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if is_last {
                std::process::exit(130);
            }
            tracing::info!("stopping");
            systemd.stopping();
            stop.cancel();
        }
    })
}

/// Has the certificate looked at again at SIGHUP. Ends with the process.
fn reload_on_signal(reload: Arc<Notify>) -> Result<impl Future<Output = ()>, StartError> {
    let hangup = signal(SignalKind::hangup());
    let mut hangup =
        hangup.map_err(|err| StartError(format!("cannot listen for signals: {err}")))?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            reload.notify_one();
        }
    })
}

/// Takes as many file descriptors as the system grants: each live page needs one, and the usual first limit is 1,024.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(err) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(error = %err, "the limit of open files stays as it is");
    }
}
