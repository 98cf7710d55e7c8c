//! The command line: which command, its log, its exit status.

use std::process::ExitCode;

use clap::Parser;
use tertulia::{
    app::StartError,
    commands::{Cli, Command, moving, serve::serve},
    demo, telemetry,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.config)) {
        Command::Serve(config) => {
            telemetry::start(&config.log);
            run(serve(config, false))
        }
        Command::Demo(config) => {
            telemetry::start(&config.log);
            run(serve(demo::config(config), true))
        }
        Command::Move(config) => {
            telemetry::start(&config.log);
            run(moving::run(&config))
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
