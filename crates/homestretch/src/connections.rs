//! The connections to the web server: how many there may be, and how long each may take for what it has to say.
//!
//! `axum::serve` waits for ever for a client's headers and takes as many connections as come. Here a client that dawdles is hung up
//! on, and no number of clients makes the process grow beyond what it can hold.

use std::{
    future::Future,
    io::{self, Write as _},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Extension, Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use rustix::net::sockopt;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Sleep,
};
use tower::{Layer as _, ServiceExt as _};
use web::{
    auth::address::{Network, client_group},
    counts::Counts,
};

/// The most connections there are at a time, when the process may open that many files.
const MOST: u64 = 4096;

/// Files that are no connections of clients: the database's, the log, the mail, what is being read.
const OTHER_FILES: u64 = 96;

/// The most that is kept of a request's headers, in bytes; 431 beyond. Twice what browsers send with full cookie jars.
const HEADERS: usize = 32 << 10;

/// What the system may hold of an answer that its client does not take yet, in bytes. More of it is made when that has gone; on a
/// distance of 100 ms it still lets a megabyte through in a second.
const SEND_BUFFER: usize = 128 << 10;

/// How long a client with many connections has for the headers on one more.
const HURRY: Duration = Duration::from_secs(1);

/// How long what is being answered may take when the process ends.
const FINISH: Duration = Duration::from_secs(30);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a request's headers, from the first moment the connection is free for one: an idle connection is closed after it too.
    pub headers: Duration,
    /// For taking any part of an answer.
    pub taking: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { headers: Duration::from_secs(10), taking: Duration::from_secs(30) }
    }
}

/// How many connections may be open: as many as the process may have files, up to 4096.
pub fn most() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(MOST);
    usize::try_from(files.saturating_sub(OTHER_FILES).clamp(64, MOST)).unwrap_or(64)
}

/// How many connections there may be, and how long each may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a client may take.
    pub patience: Patience,
    /// Connections at a time; further ones wait to be accepted.
    pub most: usize,
    /// Connections of one client address at a time; further ones are answered 429 and closed. From half of them on, a new one has a second for
    /// its headers and is closed after one answer, so an address that many people share does not stay full of idle connections.
    pub per_client: usize,
    /// Proxies, for which `per_client` does not hold: whose request it is they say in each.
    pub proxies: Vec<Network>,
}

impl Limits {
    /// At most `most` connections, all of which may be one client's.
    pub fn of(patience: Patience, most: usize) -> Self {
        Self { patience, most, per_client: 2 * most, proxies: vec![] }
    }
}

/// Serves the pages until `shutdown`, then finishes what is being answered, for up to 30 seconds.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, shutdown: impl Future<Output = ()> + Send) {
    let Limits { patience, most, per_client, proxies } = limits;
    // Connections take it over from the listener.
    if let Err(error) = sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER) {
        tracing::warn!(%error, "the send buffers keep the system's size");
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.headers).max_buf_size(HEADERS).max_headers(100);
    let mut hurried = http.clone();
    hurried.header_read_timeout(patience.headers.min(HURRY)).keep_alive(false);
    let open = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(most));
    let clients = Counts::default();
    let mut shutdown = pin!(shutdown);

    loop {
        let next = async {
            // The semaphore is never closed.
            let place = room.clone().acquire_owned().await.ok();
            (place, accept(&listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        let is_proxy = proxies.iter().any(|network| network.contains(peer.ip()));
        let counted = (!is_proxy).then(|| clients.enter(client_group(peer.ip())));
        let count = counted.as_ref().map_or(0, |(_, count)| *count);
        if count > per_client {
            refuse(stream);
            continue;
        }
        let http = if count > per_client / 2 { &hurried } else { &http };
        let pages = Extension(ConnectInfo(peer)).layer(app.clone());
        let pages = TowerToHyperService::new(pages.map_request(|request: Request<Incoming>| request.map(Body::new)));
        let connection = http.serve_connection(TokioIo::new(Taking::new(stream, patience.taking)), pages);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                // A client that left, dawdled or does not speak HTTP: nothing that an operator can mend.
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, counted));
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH, open.shutdown()).await.is_err() {
        tracing::warn!("connections were still in use after {} s; they are closed", FINISH.as_secs());
    }
}

/// Says that this client has too many connections, as far as that can be said without waiting.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        // Whatever keeps it from being said, the connection ends.
        let _ =
            stream.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // An answer leaves in one piece; there is nothing to be gathered.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                // No file is left for another connection. That passes, and must not spin until it does.
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// A connection that ends when the client takes nothing of what it is sent for too long.
struct Taking {
    stream: TcpStream,
    patience: Duration,
    // Only while the client keeps us waiting.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Taking {
    fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    fn within<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Taking {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Taking {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.within(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.within(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.within(context, polled)
    }
}
