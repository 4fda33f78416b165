//! The way from one worker to the database. It can fall silent: connections stay open and nothing more comes through in either
//! direction, until it speaks again and everything that was held arrives at once.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

pub(super) struct Line {
    port: u16,
    silent: Arc<watch::Sender<bool>>,
    listening: JoinHandle<()>,
}

impl Line {
    /// A line to a port of 127.0.0.1.
    pub(super) async fn to(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for a line to the database")?;
        let port = listener.local_addr()?.port();
        let silent = Arc::new(watch::channel(false).0);
        let told = silent.clone();
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // A server that is away refuses; so does this.
                let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(carry(near_in, far_out, told.subscribe()));
                tokio::spawn(carry(far_in, near_out, told.subscribe()));
            }
        });
        Ok(Self { port, silent, listening })
    }

    /// The near end's port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Falls silent, or speaks again.
    pub(super) fn silence(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut silent: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if silent.wait_for(|silent| !silent).await.is_err() {
            break;
        }
        if to.write_all(buffer.get(..count).unwrap_or_default()).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
