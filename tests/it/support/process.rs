//! The real program, as someone starts it on their machine.

use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{PATIENCE, Person, ask, databases};

/// What stands before the address to open.
const READY: &str = "Tertulia is ready: ";

/// The program running with its own data; killed when dropped.
pub struct House {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
    url: String,
    client: reqwest::Client,
    errors: TempPath,
}

impl House {
    /// Starts `tertulia` on this data, and waits for the line that says where it is.
    pub async fn opens(listen: &str, data: &Path, flags: &[&str]) -> House {
        let folder = data.to_str().expect("a path in UTF-8");
        House::runs(&[&["--listen", listen, "--data", folder], flags].concat()).await
    }

    /// The same, started by another program, which gets ours and its arguments as its last ones.
    pub async fn opens_under(under: &[&str], listen: &str, data: &Path, flags: &[&str]) -> House {
        let folder = data.to_str().expect("a path in UTF-8");
        let place = ["--listen", listen, "--data", folder];
        House::starts(under, &[&place, flags].concat()).await
    }

    /// Starts `tertulia` with these arguments, and waits for the line that says where it is.
    pub async fn runs(arguments: &[&str]) -> House {
        House::starts(&[], arguments).await
    }

    /// Starts `tertulia` as an operator does: the first account takes the code in the printed link. No limits unless
    /// they are among the flags.
    pub async fn with_its_own_code(data: &Path, flags: &[&str]) -> House {
        let folder = data.to_str().expect("a path in UTF-8");
        let place = ["--listen", "127.0.0.1:0", "--data", folder];
        let limits: &[&str] = match flags.contains(&"--limits") {
            true => &[],
            false => &["--limits", "off"],
        };
        let all = [&place, limits, flags].concat();
        House::starts_with(&[], &all, &[]).await
    }

    /// The setup code in the link that it printed.
    pub fn setup_code(&self) -> Option<String> {
        let (_, code) = self.said.last()?.split_once("/signup?code=")?;
        Some(code.split_whitespace().next()?.to_owned())
    }

    /// Without a setup code, unless one is among the arguments.
    async fn starts(under: &[&str], arguments: &[&str]) -> House {
        let code: &[&str] = match arguments.contains(&"--setup-code") {
            true => &[],
            false => &["--setup-code", "off"],
        };
        House::starts_with(under, arguments, code).await
    }

    async fn starts_with(under: &[&str], arguments: &[&str], more: &[&str]) -> House {
        let data = arguments.iter().position(|word| *word == "--data");
        let data = data.expect("it is told where its data is");
        let database = databases::flags(Path::new(arguments[data + 1]), arguments).await;
        let database: Vec<_> = database.iter().map(String::as_str).collect();
        let mut command = command_under(under, &[arguments, &database, more].concat());
        let (file, errors) = NamedTempFile::new()
            .expect("a file for its log")
            .into_parts();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("the program starts");
        let out = child.stdout.take().expect("its output is a pipe");
        let lines = BufReader::new(out).lines();
        let client = ask::client();
        let mut house = House {
            child,
            lines,
            said: Vec::new(),
            url: String::new(),
            client,
            errors,
        };
        let line = house.says(READY).await;
        let (_, url) = line.split_once(READY).expect("the line was found by it");
        let url: String = url
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '\u{1b}')
            .collect();
        let url = url.split("/signup").next().unwrap_or_default();
        house.url = url.trim_end_matches(['/', '.', ',']).to_owned();
        house
    }

    /// Reads what the program prints until a line has this in it.
    pub async fn says(&mut self, text: &str) -> String {
        let found = timeout(PATIENCE, async {
            while let Some(line) = self.lines.next_line().await.expect("lines in UTF-8") {
                self.said.push(line.clone());
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        });
        match found.await {
            Ok(Some(line)) => line,
            _ => panic!("the program never said {text:?}, but {}", self.log().await),
        }
    }

    /// Everything printed until the program ends.
    pub async fn last_words(&mut self) -> Vec<String> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            self.said.push(line);
        }
        self.said.clone()
    }

    /// Everything that it printed and logged until it ended.
    pub async fn log(&mut self) -> String {
        let errors = std::fs::read(&self.errors).expect("the file is there");
        let said = self.last_words().await.join("\n");
        said + &String::from_utf8_lossy(&errors)
    }

    /// Whether it has logged something with this in it.
    pub fn has_logged(&self, text: &str) -> bool {
        let errors = std::fs::read(&self.errors).expect("the file is there");
        String::from_utf8_lossy(&errors).contains(text)
    }

    /// How many of the lines that it has logged have this in them.
    pub fn times_logged(&self, text: &str) -> usize {
        let errors = std::fs::read(&self.errors).expect("the file is there");
        let errors = String::from_utf8_lossy(&errors);
        errors.lines().filter(|line| line.contains(text)).count()
    }

    /// The first line that it has logged with this in it.
    pub fn logged(&self, text: &str) -> String {
        let errors = std::fs::read(&self.errors).expect("the file is there");
        let errors = String::from_utf8_lossy(&errors);
        let line = errors.lines().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("{text} is not in {errors}"))
            .to_owned()
    }

    /// Sends bytes over a new line and brings back what comes until the server closes it.
    pub async fn raw(&self, bytes: &str) -> String {
        raw(self.listen(), bytes).await
    }

    /// `127.0.0.1:PORT`.
    pub fn listen(&self) -> &str {
        self.url.split_once("//").expect("a URL with a scheme").1
    }

    /// A browser in which nobody has signed in; a client of its own, for hundreds of requests at once.
    pub fn anon(&self, name: &str) -> Person {
        Person::new(name, &self.url, self.client.clone())
    }

    /// Someone with a new account, signed in.
    pub async fn person(&self, name: &str) -> Person {
        let person = self.anon(name);
        person.signs_up().await;
        person
    }

    /// `kill -9`: no time for last words. What it printed and logged until then.
    pub async fn dies(mut self) -> String {
        self.child.kill().await.expect("it was running");
        self.log().await
    }

    /// SIGTERM, as systems send it at shutdown.
    pub fn is_asked_to_stop(&self) {
        self.is_sent("-TERM");
    }

    /// Sends it a signal: `-STOP`, `-CONT`.
    pub fn is_sent(&self, signal: &str) {
        let id = self.id().to_string();
        let told = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(told.expect("kill is there").success());
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it is running")
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("it is a child of ours")
            .is_some()
    }

    /// Waits for its end and tells the exit code.
    pub async fn ends(&mut self) -> Option<i32> {
        let end = timeout(PATIENCE, self.child.wait())
            .await
            .expect("the program ends");
        end.expect("it is a child of ours").code()
    }
}

/// Sends bytes over a new line to this address and brings back what comes until the server closes it.
pub async fn raw(address: &str, bytes: &str) -> String {
    let mut line = TcpStream::connect(address)
        .await
        .expect("the server is there");
    line.write_all(bytes.as_bytes())
        .await
        .expect("the server reads");
    line.shutdown().await.expect("our half of the line ends");
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, line.read_to_end(&mut answer))
        .await
        .expect("the server closes the line");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Runs `tertulia` with these arguments to its end.
pub async fn outcome_of(arguments: &[&str]) -> Output {
    outcome_under(&[], arguments).await
}

/// The same, started by another program, which gets ours and its arguments as its last ones.
pub async fn outcome_under(under: &[&str], arguments: &[&str]) -> Output {
    let run = command_under(under, arguments).output();
    timeout(PATIENCE, run)
        .await
        .expect("the program ends by itself")
        .expect("the program starts")
}

/// Starts `tertulia` with these arguments, and lets it run.
pub fn spawned(arguments: &[&str]) -> Child {
    let mut command = command_under(&[], arguments);
    let started = command.stdout(Stdio::piped()).spawn();
    started.expect("the program starts")
}

/// The first line of the log with this in it; the program is ended then.
pub async fn logs(text: &str, arguments: &[&str]) -> String {
    let mut command = command_under(&[], arguments);
    let started = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = started.expect("the program starts");
    let errors = child.stderr.take().expect("its errors are a pipe");
    let mut lines = BufReader::new(errors).lines();
    let found = timeout(PATIENCE, async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains(text) {
                return Some(line);
            }
        }
        None
    });
    let line = found.await.ok().flatten();
    let _ = child.kill().await;
    line.unwrap_or_else(|| panic!("{arguments:?} never logged {text:?}"))
}

fn command_under(under: &[&str], arguments: &[&str]) -> Command {
    let line = [under, &[env!("CARGO_BIN_EXE_tertulia")], arguments].concat();
    let (program, arguments) = line.split_first().expect("a program");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TERTULIA_")) {
        command.env_remove(name);
    }
    command
}

/// Runs `tertulia` with these arguments to its end, with this as its standard input.
pub async fn outcome_with(input: &str, arguments: &[&str]) -> Output {
    let mut command = command_under(&[], arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    // A program that ends without reading breaks the pipe; its outcome says why it did.
    let _ = pipe.write_all(input.as_bytes()).await;
    drop(pipe);
    timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("the program ends by itself")
        .expect("it is a child of ours")
}
