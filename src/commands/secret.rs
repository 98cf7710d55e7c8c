//! Passwords that the operator types, or hands in by a pipe.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::task::JoinHandle;

use crate::app::StartError;

/// The most bytes that are read as a password; a longer one is refused by its own rule.
const MOST: usize = 8 * 1024;

/// A new password: the first line of standard input, or what is typed twice at the terminal, where it does not show.
///
/// # Errors
/// A sentence for the operator.
pub fn new_password(from_stdin: bool) -> Result<String, StartError> {
    if from_stdin {
        return line();
    }
    if !stdin().is_terminal() {
        let words = "there is no terminal to ask for the password: pass it in with --stdin";
        return Err(StartError(words.into()));
    }
    let first = ask("New password: ")?;
    match ask("Once more: ")? == first {
        true => Ok(first),
        false => Err(StartError(
            "the two are not the same. Nothing was changed".into(),
        )),
    }
}

fn ask(words: &str) -> Result<String, StartError> {
    let failed = |err| StartError(format!("the terminal does not answer: {err}"));
    let hidden = Hidden::begin().map_err(failed)?;
    eprint!("{words}");
    stderr().flush().map_err(failed)?;
    let typed = line();
    drop(hidden);
    typed
}

fn line() -> Result<String, StartError> {
    let mut line = String::new();
    let mut input = std::io::Read::take(stdin().lock(), MOST as u64);
    let read = input.read_line(&mut line);
    match read {
        Ok(0) => Err(StartError(
            "no password was given. Nothing was changed".into(),
        )),
        Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).into()),
        Err(err) => Err(StartError(format!("the password cannot be read: {err}"))),
    }
}

/// While this lives, what is typed does not show; Ctrl-C ends the program with the terminal as it was.
struct Hidden {
    before: Termios,
    watch: JoinHandle<()>,
}

impl Hidden {
    fn begin() -> std::io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Flush, &modes)?;
        let kept = before.clone();
        let watch = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                restore(&kept);
                eprintln!("\nNothing was changed.");
                std::process::exit(130);
            }
        });
        Ok(Self { before, watch })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        restore(&self.before);
        self.watch.abort();
    }
}

fn restore(before: &Termios) {
    // If this fails the terminal is gone, and so is who could be told.
    let _ = tcsetattr(stdin(), OptionalActions::Now, before);
}
