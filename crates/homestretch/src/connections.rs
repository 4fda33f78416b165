//! The connections to the web server: how many there may be, and how long each may take for what it has to say.
//!
//! `axum::serve` waits for ever for a client's headers and takes as many connections as come. Here a client that dawdles is hung up
//! on, and no number of clients makes the process grow beyond what it can hold.

use std::{
    future::Future,
    io,
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
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Sleep,
};
use tower::{Layer as _, ServiceExt as _};

/// The most connections there are at a time, when the process may open that many files.
const MOST: u64 = 4096;

/// Files that are no connections of clients: the database's, the log, the mail, what is being read.
const OTHER_FILES: u64 = 96;

/// The most that is kept of a request's headers, in bytes; 431 beyond. Twice what browsers send with full cookie jars.
const HEADERS: usize = 32 << 10;

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

/// Serves the pages until `shutdown`, at most `most` connections at a time (further ones wait to be accepted), then finishes what is
/// being answered.
pub async fn serve(listener: TcpListener, app: Router, patience: Patience, most: usize, shutdown: impl Future<Output = ()> + Send) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.headers).max_buf_size(HEADERS).max_headers(100);
    let open = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(most));
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
        let pages = Extension(ConnectInfo(peer)).layer(app.clone());
        let pages = TowerToHyperService::new(pages.map_request(|request: Request<Incoming>| request.map(Body::new)));
        let connection = http.serve_connection(TokioIo::new(Taking::new(stream, patience.taking)), pages);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                // A client that left, dawdled or does not speak HTTP: nothing that an operator can mend.
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
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
