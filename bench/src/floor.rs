//! The floor: the same bytes to the same server with nothing but sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::process;

/// What to send where.
#[derive(Debug, clap::Args)]
pub struct Floor {
    #[arg(long)]
    server: String,
    #[arg(long)]
    mails: u32,
    /// A file with the mail as it goes over the wire, without its final dot
    #[arg(long)]
    message: std::path::PathBuf,
    #[arg(long, default_value_t = 16)]
    connections: u32,
}

/// Raw pipelined SMTP: `MAIL`, `RCPT` and `DATA` of the next mail go out with the content and the final dot of the one before, so each
/// mail costs one round trip. RFC 2920 allows that; an engine that must commit between the 354 and the dot cannot do it.
pub async fn raw(wanted: &Floor) -> Result<()> {
    let mut content = tokio::fs::read(&wanted.message).await?;
    content.extend_from_slice(b".\r\n");
    let (content, left) = (Arc::new(content), Arc::new(AtomicU32::new(wanted.mails)));
    let started = Instant::now();
    let mut lanes = JoinSet::new();
    for lane in 0..wanted.connections {
        let (server, content, left) = (wanted.server.clone(), content.clone(), left.clone());
        lanes.spawn(async move { raw_lane(&server, &content, &left, lane).await });
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    process::say(&json!({ "mails": wanted.mails, "seconds": started.elapsed().as_secs_f64() }))
}

async fn raw_lane(server: &str, content: &[u8], left: &AtomicU32, lane: u32) -> Result<()> {
    let mut wire = Wire::open(server).await?;
    wire.expect(1).await?;
    wire.stream.write_all(b"EHLO bench.test\r\n").await?;
    wire.expect(1).await?;
    let next = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok();
    let envelope = |mail: u32| {
        format!("MAIL FROM:<reminders@clinic.test>\r\nRCPT TO:<somebody{mail}.{lane}@mail{}.test>\r\nDATA\r\n", mail % 200)
            .into_bytes()
    };
    let Some(first) = next() else { return Ok(()) };
    wire.stream.write_all(&envelope(first)).await?;
    wire.expect(3).await?;
    loop {
        let mut out = content.to_vec();
        match next() {
            Some(mail) => {
                out.extend_from_slice(&envelope(mail));
                wire.stream.write_all(&out).await?;
                wire.expect(4).await?;
            }
            None => {
                wire.stream.write_all(&out).await?;
                wire.expect(1).await?;
                wire.stream.write_all(b"QUIT\r\n").await?;
                return wire.expect(1).await;
            }
        }
    }
}

/// A conversation that only looks at the replies' codes.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    async fn open(server: &str) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Reads this many replies, all of which must be a yes.
    async fn expect(&mut self, mut replies: u32) -> Result<()> {
        while replies > 0 {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                ensure!(matches!(line.first(), Some(b'2' | b'3')), "the server said {}", String::from_utf8_lossy(&line));
                if line.get(3) == Some(&b' ') {
                    replies = replies.checked_sub(1).context("more replies than commands")?;
                }
            }
            if replies > 0 && self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server went away");
            }
        }
        Ok(())
    }
}
