//! The mail servers that both sides send to, each in a process of its own. One is the tests' own, which reads every mail line by line,
//! looks for its Message-ID and counts. The other is as little of a mail server as can be: it looks for the dot, says yes, and
//! answers everything it has understood in one write.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Default)]
struct Kept {
    mails: AtomicU64,
    last: Mutex<Vec<u8>>,
}

/// Listens; prints its address; then answers on its standard input: `count` with the mails since the last `count`, and
/// `last FILE` by writing the last mail there. Ends with its standard input.
pub async fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let kept = Arc::<Kept>::default();
    let accepting = kept.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = accepting.clone();
            // A client that goes away is the end of its conversation.
            tokio::spawn(async move { converse(stream, &kept).await.ok() });
        }
    });
    tokio::task::spawn_blocking(move || obey(&kept)).await?
}

/// As [`run`], with the tests' mail server; it keeps no mail.
pub async fn mail_server() -> Result<()> {
    let server = testkit::smtp::Server::counting_only().await?;
    server.pipelining(true);
    println!("{}", server.address());
    tokio::task::spawn_blocking(move || {
        let mut before = 0;
        for _ in std::io::stdin().lines() {
            let all = server.accepted_in_all();
            println!("{}", all - before);
            before = all;
        }
    })
    .await?;
    Ok(())
}

fn obey(kept: &Kept) -> Result<()> {
    for line in std::io::stdin().lines() {
        if let Some(file) = line?.strip_prefix("last ") {
            let last = kept.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
            std::fs::write(file, &last).with_context(|| format!("cannot write {file}"))?;
            println!("{}", last.len());
        } else {
            println!("{}", kept.mails.swap(0, Ordering::Relaxed));
        }
    }
    Ok(())
}

async fn converse(mut stream: TcpStream, kept: &Kept) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 sink.test ESMTP\r\n").await?;
    let (mut buffer, mut replies) = (Vec::with_capacity(64 * 1024), Vec::new());
    let mut content = false;
    loop {
        let mut done = 0;
        loop {
            let rest = &buffer[done..];
            if content {
                let Some(end) = end_of_content(rest) else { break };
                *kept.last.lock().unwrap_or_else(PoisonError::into_inner) = rest[..end].to_vec();
                kept.mails.fetch_add(1, Ordering::Relaxed);
                replies.extend_from_slice(b"250 2.0.0 kept\r\n");
                (content, done) = (false, done + end + b".\r\n".len());
                continue;
            }
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
            let verb = rest[..end].first_chunk::<4>().map(|verb| verb.map(|byte| byte.to_ascii_uppercase()));
            done += end + 1;
            replies.extend_from_slice(match verb.as_ref().map(<[u8; 4]>::as_slice) {
                Some(b"EHLO") => b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
                Some(b"MAIL" | b"RCPT" | b"RSET" | b"NOOP") => b"250 2.0.0 fine\r\n",
                Some(b"DATA") => {
                    content = true;
                    b"354 go on\r\n"
                }
                Some(b"QUIT") => b"221 2.0.0 goodbye\r\n",
                _ => b"502 5.5.2 not understood\r\n".as_slice(),
            });
        }
        buffer.drain(..done);
        if !replies.is_empty() {
            stream.write_all(&replies).await?;
            replies.clear();
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Where the content ends and its final dot begins.
fn end_of_content(bytes: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n.\r\n";
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'.') {
        let dot = from + at;
        if dot >= 2 && bytes[dot - 2..].starts_with(END) {
            return Some(dot);
        }
        from = dot + 1;
    }
    None
}
