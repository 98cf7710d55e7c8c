//! `tertulia serve`, which is also what happens without a command: serve until told to stop.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, StartError},
    clock::Clock,
    config::Config,
    demo,
    web::Server,
};

/// Serves until SIGTERM or SIGINT; with `is_demo` a chat that is filled first.
///
/// # Errors
/// A sentence for the operator.
pub async fn serve(config: Config, is_demo: bool) -> Result<(), StartError> {
    allow_many_files();
    if is_demo {
        demo::fill(&config).await?;
    }
    let app = App::open(config, Clock::system()).await?;
    let server = Server::bind(app).await?;
    let stop = CancellationToken::new();
    // Whoever is told that it is ready may tell it to stop.
    tokio::spawn(stop_on_signal(stop.clone())?);
    println!("Tertulia is ready: {}", server.url());
    if is_demo {
        println!("{}", demo::how_to_sign_in(server.url()));
    }
    server
        .run(stop)
        .await
        .map_err(|err| StartError(err.to_string()))
}

/// Cancels `stop` at SIGTERM or SIGINT; a second signal ends the process at once. Ends with the process.
fn stop_on_signal(stop: CancellationToken) -> Result<impl Future<Output = ()>, StartError> {
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
            stop.cancel();
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
