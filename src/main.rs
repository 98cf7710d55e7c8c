//! The command line: which command, its log, its exit status.

use std::process::ExitCode;

use tertulia::{
    app::StartError,
    commands::{
        Cli, Command, backup, doctor, health, moving, password, people, restore, serve::serve,
    },
    demo, telemetry,
    version::VERSION,
};

/// The commit, from the last line of git's log of `HEAD` (`OLD NEW …`), or of a file in that form; zeros where there is none.
static COMMIT: [u8; 12] = newest(include_bytes!(env!("TERTULIA_HEAD_LOG")));

fn main() -> ExitCode {
    tell_commit();
    // Whatever the program makes is its own account's alone. A socket for others gets its rights where it is made.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = Cli::read();
    match cli.command.unwrap_or(Command::Serve(cli.config)) {
        Command::Serve(config) => {
            telemetry::start(&config.log);
            run(serve(config, false))
        }
        Command::Demo(config) => {
            telemetry::start(&config.log);
            run(serve(demo::config(config), true))
        }
        Command::Doctor(config) => {
            telemetry::start(&config.config.log);
            run(doctor::run(&config))
        }
        Command::Password(config) => {
            telemetry::start(&config.log);
            run(password::run(&config))
        }
        Command::People(config) => {
            telemetry::start(config.log());
            run(people::run(&config))
        }
        Command::Health(config) => run(async { health::run(&config) }),
        Command::Move(config) => {
            telemetry::start(&config.log);
            run(moving::run(&config))
        }
        Command::Monitoring(what) => {
            print!("{}", what.text());
            ExitCode::SUCCESS
        }
        Command::Backup(config) => {
            telemetry::start(&config.log);
            run(backup::run(&config))
        }
        Command::Restore(config) => {
            telemetry::start(&config.log);
            run(restore::run(&config))
        }
    }
}

fn run(work: impl Future<Output = Result<(), StartError>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(err) => return refuse(&format!("cannot start: {err}")),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError(words)) => refuse(&words),
    }
}

fn refuse(words: &str) -> ExitCode {
    eprintln!("tertulia: {words}");
    ExitCode::FAILURE
}

fn tell_commit() {
    let commit = String::from_utf8_lossy(&COMMIT);
    let commit = commit.trim_end_matches('\0');
    let is_changed =
        option_env!("TERTULIA_CHANGED_FROM").is_some_and(|from| from.starts_with(commit));
    match commit {
        "" => {}
        _ if is_changed => VERSION.is_of_commit(&format!("{commit}+changes")),
        _ => VERSION.is_of_commit(commit),
    }
}

/// The first letters of the second word of the last line. At compile time, so that the rest of the log stays outside.
const fn newest(log: &[u8]) -> [u8; 12] {
    let mut commit = [0; 12];
    let mut start = log.len().saturating_sub(1);
    while start > 0 && log[start - 1] != b'\n' {
        start -= 1;
    }
    while start < log.len() && log[start] != b' ' {
        start += 1;
    }
    let mut at = 0;
    while at < commit.len() && start + 1 + at < log.len() && log[start + 1 + at] > b' ' {
        commit[at] = log[start + 1 + at];
        at += 1;
    }
    commit
}
