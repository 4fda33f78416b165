//! The connection's bytes: our own TCP stream with Nagle's algorithm off, encrypted from the start when the server wants that.
//!
//! lettre leaves Nagle on and sends a mail in two writes, which costs about 44 ms each time; so the stream is opened here and handed
//! over. STARTTLS is lettre's (it wraps what it was given); for `smtps://` lettre has no way in for an existing stream, so the
//! stream handed over is already encrypted.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_io::{AsyncRead as _, AsyncWrite as _};
// The type is marked as not meant for the public, and is the only way to lettre's own TLS on an existing stream.
#[allow(deprecated)]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::{AsyncTokioStream, TlsParameters};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// Opens a TCP connection to the first of the host's addresses that answers, each within `patience`.
pub(super) async fn open(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let addresses = match timeout(patience, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(format!("the host {host} was not found: {error}")),
        Err(_) => return Err(format!("the host {host} was not found within {} s", patience.as_secs())),
    };
    let mut last = format!("the host {host} has no address");
    for address in addresses {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                stay_in_touch(&stream).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("no answer within {} s", patience.as_secs()),
        }
    }
    Err(last)
}

/// Has the system ask a server that is silent between mails whether it is still there, and end a connection whose bytes are not taken. Every
/// step has its own time as well; this closes conversations that nobody waits on.
fn stay_in_touch(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let ask = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    let ask = ask.with_retries(3);
    socket.set_tcp_keepalive(&ask)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))?;
    Ok(())
}

/// Encrypts the stream before a word is said on it.
pub(super) async fn encrypt(stream: TcpStream, tls: TlsParameters) -> Result<Encrypted, lettre::transport::smtp::Error> {
    let peer = stream.peer_addr();
    #[allow(deprecated)]
    let mut inner = AsyncNetworkStream::use_existing_tokio1(Box::new(stream));
    inner.upgrade_tls(tls).await?;
    Ok(Encrypted { inner, peer: peer.ok() })
}

/// lettre's encrypted stream, as the tokio stream that lettre wants to be given.
#[derive(Debug)]
pub(super) struct Encrypted {
    #[allow(deprecated)]
    inner: AsyncNetworkStream,
    peer: Option<SocketAddr>,
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer.initialize_unfilled());
        read.map_ok(|count| buffer.advance(count))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
