//! The real program in a process of its own: how soon it is ready, and how much memory it takes under load.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
};

use crate::asking::{Page, SECRET, URL, pace};

/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// `homestretch serve`. Dropping it kills it.
pub struct Serving {
    child: Child,
    address: SocketAddr,
    /// From starting the process until it said it was ready.
    pub ready: Duration,
}

impl Serving {
    /// Starts it against a database, and waits until it is ready.
    pub async fn start(url: &str) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("homestretch");
        let (address, metrics) = (free()?, free()?);
        let watch = Instant::now();
        let child = Command::new(&binary)
            .arg("serve")
            .env("DATABASE_URL", url)
            .env("HOMESTRETCH_SECRET", SECRET)
            .env("HOMESTRETCH_URL", URL)
            .env("HOMESTRETCH_BIND", address.to_string())
            .env("HOMESTRETCH_METRICS_BIND", metrics.to_string())
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut serving = Self { child, address, ready: Duration::ZERO };
        loop {
            if matches!(serving.status("/health/ready", "").await, Ok(200)) {
                serving.ready = watch.elapsed();
                return Ok(serving);
            }
            ensure!(serving.child.try_wait()?.is_none(), "the web server ended before it was ready");
            ensure!(watch.elapsed() < PATIENCE, "the web server is not ready after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asks for pages over many connections, and gives the greatest memory until then, in MiB.
    pub async fn under_load(&self, pages: &[Page], connections: usize, span: Duration) -> Result<f64> {
        let (address, pages) = (self.address, pages.to_vec());
        pace(connections, span, move |at| {
            let page = pages[at % pages.len()].clone();
            async move {
                let status = ask(address, &page.path, &page.cookie).await?;
                ensure!(status == 200, "{}: {status}", page.path);
                Ok(())
            }
        })
        .await?;
        let pid = self.child.id().context("the web server has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }

    async fn status(&self, path: &str, cookie: &str) -> Result<u16> {
        ask(self.address, path, cookie).await
    }
}

/// A port that is free now.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Asks once, over a connection of its own; the status.
async fn ask(address: SocketAddr, path: &str, cookie: &str) -> Result<u16> {
    let mut line = TcpStream::connect(address).await?;
    let host = URL.trim_start_matches("http://");
    let words =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n");
    line.write_all(words.as_bytes()).await?;
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await?;
    let head = String::from_utf8_lossy(answer.get(..64.min(answer.len())).unwrap_or_default()).into_owned();
    head.split(' ').nth(1).context("no answer")?.parse().context("no status")
}
