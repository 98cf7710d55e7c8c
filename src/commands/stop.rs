//! Work that ends when the program is told to stop, and leaves nothing half done.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for work that is given up when the program is told to stop (SIGINT, SIGTERM): what it has begun is removed then.
///
/// # Errors
/// The work's own, or that it was stopped.
pub(super) async fn unless_stopped<T>(
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let listen = |kind| signal(kind).map_err(|err| format!("cannot listen for signals: {err}"));
    let (mut term, mut int) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    tokio::select! {
        done = work => done,
        _ = term.recv() => Err("it was told to stop. Nothing was kept".into()),
        _ = int.recv() => Err("it was told to stop. Nothing was kept".into()),
    }
}
