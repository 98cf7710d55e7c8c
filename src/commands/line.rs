//! How the command line and the variables are read: what all flags of all commands have in common.

use clap::{
    Arg, Command, CommandFactory as _, Error, FromArgMatches as _,
    error::{ContextKind, ContextValue},
};

use super::Cli;

impl Cli {
    /// Reads the command line and the `TERTULIA_…` variables. An empty variable counts as one that is not set; no
    /// variable's value stands in the help, and no secret in an error. Ends the program where something is wrong, or
    /// where help was asked for.
    pub fn read() -> Self {
        let read = prepared(Self::command()).try_get_matches();
        let read = read.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        read.unwrap_or_else(|err| without_secret(err, &Self::command()).exit())
    }
}

/// The command, and all below it, with all their flags treated alike.
fn prepared(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        let arg = match value.is_some_and(|value| value.is_empty()) {
            true => arg.env(None::<&'static str>),
            false => arg,
        };
        arg.hide_env_values(true)
    });
    command.mut_subcommands(prepared)
}

/// An error about a flag whose values are hidden does not show the value either.
fn without_secret(mut err: Error, command: &Command) -> Error {
    let is_secret = match err.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(named)) => has_secret(command, named),
        _ => false,
    };
    if is_secret {
        err.insert(ContextKind::InvalidValue, ContextValue::String("…".into()));
    }
    err
}

/// Whether a flag of this command, or of one below it, holds a secret. `named` is it as errors name it: `--flag <VALUE>`.
fn has_secret(command: &Command, named: &str) -> bool {
    let flag = named.split([' ', '=']).next().unwrap_or_default();
    let is_it = |arg: &Arg| {
        arg.is_hide_env_values_set()
            && arg.get_long().map(|long| format!("--{long}")).as_deref() == Some(flag)
    };
    command.get_arguments().any(is_it)
        || command
            .get_subcommands()
            .any(|below| has_secret(below, named))
}
