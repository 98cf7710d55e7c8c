//! Where the README's figures come from: starts the release binary, loads it as browsers would and prints a table.
//!
//! Measures from outside alone: it knows the program's addresses and what `/proc` says of its process, nothing of its
//! code. Each figure that depends on the machine stands beside a baseline from the same run. Asserts no time.

use std::{env, fs, io::IsTerminal, path::PathBuf, process::ExitCode};

mod balancer;
mod bare;
mod client;
mod cluster;
mod fanout;
mod figures;
mod herd;
mod lines;
mod lobby;
mod machine;
mod nodes;
mod pages;
mod posts;
mod program;
mod readers;
mod servers;
mod side;
mod signals;
mod start;

use figures::Table;
use program::Program;

/// What can go wrong here; it ends the run.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const USAGE: &str = "\
tertulia-bench [--quick] [--only start,posts,pages,fanout,signals,herd,nodes] [--server FILE] [--unpinned]
tertulia-bench cluster [NODES]
  --quick      smaller rooms, fewer people, shorter runs
  --only       some of the measurements
  --server     the program to measure [default: tertulia beside this file]
  --unpinned   server and load share all cores, instead of one core for each
  cluster      measures nothing: PostgreSQL, Redis, 3 nodes or so many and a balancer, to try them out";

/// What to measure, and how thoroughly.
pub struct Plan {
    server: PathBuf,
    only: Option<String>,
    quick: bool,
}

impl Plan {
    /// One of two sizes: the thorough one or the quick one.
    pub fn size<T>(&self, thorough: T, quick: T) -> T {
        if self.quick { quick } else { thorough }
    }

    fn wants(&self, part: &str) -> bool {
        let only = self.only.as_deref();
        only.is_none_or(|parts| parts.split(',').any(|it| it == part))
    }
}

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(bare::COMMAND) {
        return outcome(bare::run());
    }
    if env::args().nth(1).as_deref() == Some(cluster::COMMAND) {
        return outcome(try_out());
    }
    match plan() {
        Ok(plan) => outcome(run(&plan)),
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Runs several nodes until Ctrl-C.
fn try_out() -> Result<()> {
    let nodes = env::args().nth(2).map_or(Ok(3), |nodes| nodes.parse())?;
    let program = env::current_exe()?.with_file_name("tertulia");
    let runtime = tokio::runtime::Runtime::new()?;
    machine::share_all_cores();
    runtime.block_on(cluster::run(&program, nodes))
}

fn plan() -> Result<Plan, String> {
    let here = env::current_exe().map_err(|err| err.to_string())?;
    let mut plan = Plan {
        server: here.with_file_name("tertulia"),
        only: None,
        quick: false,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match argument.as_str() {
            "--quick" => plan.quick = true,
            "--only" => plan.only = Some(value()?),
            "--server" => plan.server = value()?.into(),
            "--unpinned" => machine::share_all_cores(),
            _ => return Err(USAGE.into()),
        }
    }
    if !plan.server.is_file() {
        let missing = plan.server.display();
        return Err(format!(
            "{missing} is missing; build it with cargo build --release"
        ));
    }
    Ok(plan)
}

fn run(plan: &Plan) -> Result<()> {
    machine::allow_many_files()?;
    machine::take_the_load_cores()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut table = Table::default();
    runtime.block_on(measure(plan, &mut table))?;
    println!("\n{}\n\n{table}", machine::description()?);
    Ok(())
}

async fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    if plan.wants("start") {
        tell("start and size");
        start::measure(plan, folder.path(), table).await?;
    }
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let mut program = Program::serve(&plan.server, &data).await?;
    if plan.wants("posts") {
        tell("posts");
        posts::measure(plan, &mut program, &data, table).await?;
    }
    if plan.wants("fanout") {
        tell("live readers");
        fanout::measure(plan, &mut program, &data, table).await?;
    }
    if plan.wants("signals") {
        tell("receipts and badges, on and off");
        signals::measure(plan, folder.path(), table).await?;
    }
    if plan.wants("herd") {
        tell("a herd");
        herd::measure(plan, &mut program, &data, table).await?;
    }
    if plan.wants("nodes") {
        tell("several nodes");
        nodes::measure(plan, folder.path(), table).await?;
    }
    if plan.wants("pages") {
        tell("pages");
        pages::measure(plan, &mut program, table).await?;
        lobby::measure(plan, folder.path(), table).await?;
    }
    Ok(())
}

/// Says what is being done, to whoever watches.
fn tell(what: &str) {
    if std::io::stderr().is_terminal() || env::var_os("CI").is_none() {
        eprintln!("… {what}");
    }
}

fn outcome(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("tertulia-bench: {err}");
            ExitCode::FAILURE
        }
    }
}
