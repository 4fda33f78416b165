//! Processes of the bench: starting them, what they say in the end, and what they cost.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};

/// Clock ticks a second, in which Linux counts a process's time.
const TICKS: f64 = 100.0;

/// Prints a result as the last thing a process of the bench does, with its own CPU seconds and its greatest memory in MiB.
pub fn say(result: &Value) -> Result<()> {
    let mut all: Map<String, Value> = result.as_object().cloned().context("a result is an object")?;
    all.insert("cpu".to_owned(), times("self")?.own.into());
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    all.insert("peak_mib".to_owned(), (kilobytes / 1024.0).into());
    println!("{}", Value::Object(all));
    Ok(())
}

/// Runs a subcommand of the bench to its end, and gives what it said.
pub async fn run(arguments: Vec<String>) -> Result<Value> {
    let name = arguments.first().cloned().unwrap_or_default();
    let (tell, told) = tokio::sync::oneshot::channel();
    // Waiting for it must not take one of the runtime's threads from the sink's pipe.
    thread::spawn(move || {
        let outcome = std::env::current_exe()
            .and_then(|program| Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output());
        // Nobody waits any more: the bench is ending.
        let _ = tell.send(outcome);
    });
    let output = told.await??;
    ensure!(output.status.success(), "{name} ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(text.lines().last().unwrap_or_default()).with_context(|| format!("{name} said {text}"))
}

/// CPU seconds of a process.
pub struct Times {
    /// Its own.
    pub own: f64,
    /// Of its children that have ended.
    pub ended: f64,
    parent: u32,
}

/// Reads a process's CPU seconds; `self` for this one.
pub fn times(process: &str) -> Result<Times> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold anything; what counts follows its closing bracket, beginning with the third field.
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace().collect();
    let field = |number: usize| -> Result<f64> { Ok(fields.get(number - 3).context("a short stat")?.parse()?) };
    Ok(Times {
        own: (field(14)? + field(15)?) / TICKS,
        ended: (field(16)? + field(17)?) / TICKS,
        parent: fields.get(1).context("a short stat")?.parse()?,
    })
}

/// CPU seconds of a whole server so far: the process, its children, and those of them that have ended.
pub fn family(head: u32) -> Result<f64> {
    let own = times(&head.to_string())?;
    let mut all = own.own + own.ended;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        // One that ended meanwhile is counted with its parent the next time.
        if let Ok(child) = times(pid)
            && child.parent == head
        {
            all += child.own;
        }
    }
    Ok(all)
}

/// A mail server in a process of its own.
pub struct Sink {
    child: tokio::process::Child,
    said: Lines<BufReader<tokio::process::ChildStdout>>,
    /// Where it listens.
    pub address: String,
}

impl Sink {
    /// Starts one: `mail-server` or `sink`.
    pub async fn start(which: &str) -> Result<Self> {
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .arg(which)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().context("the sink has no output")?).lines();
        let address = said.next_line().await?.context("the sink said nothing")?;
        Ok(Self { child, said, address })
    }

    async fn ask(&mut self, line: &str) -> Result<String> {
        let stdin = self.child.stdin.as_mut().context("the sink has no input")?;
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        stdin.flush().await?;
        match self.said.next_line().await? {
            Some(answer) => Ok(answer),
            None => bail!("the sink went away"),
        }
    }

    /// Mails accepted since it was last asked.
    pub async fn count(&mut self) -> Result<u64> {
        Ok(self.ask("count").await?.parse()?)
    }

    /// Writes the last mail into a file; gives its length. Only a `sink` keeps it.
    pub async fn last(&mut self, file: &std::path::Path) -> Result<u64> {
        Ok(self.ask(&format!("last {}", file.display())).await?.parse()?)
    }

    /// Its CPU seconds so far.
    pub fn cpu(&self) -> Result<f64> {
        Ok(times(&self.child.id().context("the sink has ended")?.to_string())?.own)
    }
}
