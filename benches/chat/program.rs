//! A running server, ours or the bare one: where it listens, and what `/proc` says of its process.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    Result,
    client::{Client, Person},
    machine,
};

/// A program that was started here; killed when dropped.
pub struct Program {
    child: Child,
    /// Its process.
    pub process: Process,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Who has an account, with a session each.
    pub people: Vec<Person>,
}

/// A process of this machine.
#[derive(Clone, Copy)]
pub struct Process(u32);

impl Program {
    /// Starts Tertulia on this data, without rate limits.
    pub async fn serve(program: &Path, data: &Path) -> Result<Self> {
        Self::start(program, &serving(data, "127.0.0.1:0")).await
    }

    /// Starts Tertulia on this data without receipts, badges and presence either.
    pub async fn serve_without_signals(program: &Path, data: &Path) -> Result<Self> {
        let mut arguments = serving(data, "127.0.0.1:0");
        arguments.extend(["--signals", "off"].map(Into::into));
        Self::start(program, &arguments).await
    }

    /// Starts it anew on the same data and address, so that its memory holds nothing from before.
    pub async fn begin_afresh(&mut self, program: &Path, data: &Path) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        let people = std::mem::take(&mut self.people);
        *self = Self::start(program, &serving(data, &self.address)).await?;
        self.people = people;
        Ok(())
    }

    /// Starts a program on the server's core and waits for the line that says where it is.
    pub async fn start(program: &Path, arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = machine::on_the_server_core(|| command.spawn())??;
        let out = child.stdout.take().ok_or("its output is no pipe")?;
        for line in BufReader::new(out).lines() {
            let line = line?;
            if let Some((_, rest)) = line.split_once("http://") {
                let address = rest
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_string();
                let process = Process(child.id());
                return Ok(Self {
                    child,
                    process,
                    address,
                    people: Vec::new(),
                });
            }
        }
        child.kill()?;
        Err(format!("{} ended without saying where it is", program.display()).into())
    }

    /// Sees to it that at least so many people have accounts.
    pub async fn invite(&mut self, people: usize) -> Result<()> {
        while self.people.len() < people {
            let mut client = Client::connect(&self.address).await?;
            let name = format!("person{}", self.people.len() + 1);
            self.people.push(client.sign_up(&name).await?);
        }
        Ok(())
    }
}

fn serving(data: &Path, listen: &str) -> Vec<String> {
    let data = data.display().to_string();
    let place = ["--listen", listen, "--data", &data];
    let off = ["--limits", "off", "--setup-code", "off"];
    [place, off].concat().into_iter().map(Into::into).collect()
}

impl Process {
    /// Its number.
    pub fn id(self) -> u32 {
        self.0
    }

    /// The processor time it has used, in steps of 10 ms.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let after_name = stat.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?.1;
        let fields: Vec<&str> = after_name.split(' ').collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_secs_f64(
            ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        ))
    }

    /// The memory that it holds, in KiB.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(line
            .split_whitespace()
            .nth(1)
            .ok_or("an odd VmRSS")?
            .parse()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
