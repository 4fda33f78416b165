//! Files that are made while they are taken: how many at a time, what carries them, and what the log says of them.
//!
//! Memory is what lies between the maker and the client: a few pieces of 64 KiB. A client that takes nothing is hung up on (see the
//! binary's `connections`), its body is dropped, the maker's next piece finds nobody, and the transaction behind it is rolled back.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes};
use domain::ids::AccountId;
use futures_util::stream;
use store::{ClinicContext, Store, StoreError, Tx};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};
use uuid::Uuid;

use crate::{
    PageError,
    counts::{Counted, Counts},
    error::Limit,
};

/// Files of a process that are on their way at a time. Each holds a connection to the database, of which there are eight.
const AT_A_TIME: usize = 4;

/// Of one account.
const OF_ONE: usize = 2;

/// How long to wait for a turn.
const WAIT: Duration = Duration::from_secs(10);

/// How long to wait for a file of the same account to end, and how often to look.
const WAIT_FOR_OWN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How much goes to the client in a piece, in bytes.
const PIECE: usize = 64 << 10;

/// How many pieces may wait for the client.
const PIECES: usize = 4;

/// How often the log says how far a file is.
const EVERY: Duration = Duration::from_secs(10);

/// Who takes files away now. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Downloads {
    turns: Arc<Semaphore>,
    accounts: Counts<AccountId>,
}

impl Default for Downloads {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_A_TIME)), accounts: Counts::default() }
    }
}

/// A turn to take one file away; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _process: OwnedSemaphorePermit,
    _account: Counted<AccountId>,
}

impl Downloads {
    /// A turn for this account. The request's transaction ends before it waits for one: nobody holds a connection meanwhile.
    ///
    /// # Errors
    /// [`PageError::Busy`] when the account has two on their way, or the process too many for 10 seconds; the store's own.
    pub(crate) async fn turn(&self, store: &Store, scope: &ClinicContext, account: AccountId) -> Result<Turn, PageError> {
        let counted = match self.place_of(account) {
            Some(counted) => counted,
            None => {
                // A file that its client took or gave up a moment ago ends when its maker notices.
                store.finish_request(scope).await?;
                let freed = async {
                    loop {
                        tokio::time::sleep(LOOK_AGAIN).await;
                        if let Some(counted) = self.place_of(account) {
                            return counted;
                        }
                    }
                };
                timeout(WAIT_FOR_OWN, freed).await.map_err(|_| PageError::Busy(Limit::OwnExport))?
            }
        };
        let permit = match self.turns.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                store.finish_request(scope).await?;
                let waited = timeout(WAIT, self.turns.clone().acquire_owned()).await;
                waited.ok().and_then(Result::ok).ok_or(PageError::Busy(Limit::Exports))?
            }
        };
        Ok(Turn { _process: permit, _account: counted })
    }

    /// One of the account's places, when one is free.
    fn place_of(&self, account: AccountId) -> Option<Counted<AccountId>> {
        let (counted, count) = self.accounts.enter(account);
        (count <= OF_ONE).then_some(counted)
    }
}

/// Makes a file while it is taken: `read` hands on what the database holds, `make` writes it down (it blocks, on a thread where that is
/// allowed) and calls [`Whole::check`] before its last words. Should either fail, the answer ends without its end, which no client takes for a
/// whole file.
pub(crate) fn stream<R, F, M, E>(store: Store, scope: ClinicContext, (turn, request): (Turn, Uuid), read: R, make: M) -> Body
where
    R: FnOnce(Tx) -> F + Send + 'static,
    F: Future<Output = Result<(), StoreError>> + Send + 'static,
    M: FnOnce(BufWriter<Pieces>, Whole) -> Result<(), E> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let (to, mut pieces) = mpsc::channel::<io::Result<Bytes>>(PIECES);
    let (done, whole) = oneshot::channel();
    let sent = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let broken = Arc::new(AtomicBool::new(false));
    let writer = Pieces { to: to.clone(), sent: sent.clone(), broken: broken.clone(), request, said: begun };
    tokio::spawn(async move {
        let made = tokio::task::spawn_blocking(move || {
            make(BufWriter::with_capacity(PIECE, writer), Whole(whole)).map_err(|error| error.to_string())
        });
        let read = async {
            let tx = store.begin(&scope).await?;
            read(tx.clone()).await?;
            tx.commit().await
        }
        .await;
        if read.is_ok() {
            let _ = done.send(());
        } else {
            // An archive that is dropped writes its directory down all the same.
            broken.store(true, Ordering::Relaxed);
            drop(done);
        }
        let made = made.await.unwrap_or_else(|error| Err(error.to_string()));
        let (bytes, ms) = (sent.load(Ordering::Relaxed), begun.elapsed().as_millis());
        match (read, made) {
            (Ok(()), Ok(())) => tracing::info!(target: "web", id = %request, bytes, ms, "a file was made whole"),
            _ if to.is_closed() => tracing::info!(target: "web", id = %request, bytes, ms, "a file was given up by its client"),
            (read, made) => {
                let (read, made) = (read.err().map(|error| error.to_string()), made.err());
                tracing::error!(id = %request, bytes, ms, read, made, "a file broke off");
                let _ = to.send(Err(io::Error::other("the file broke off"))).await;
            }
        }
        drop(turn);
    });
    Body::from_stream(stream::poll_fn(move |context| pieces.poll_recv(context)))
}

/// A text as an answer that keeps its turn until it is taken.
pub(crate) fn text(turn: Turn, text: String) -> Body {
    let mut rest = Bytes::from(text);
    Body::from_stream(stream::iter(std::iter::from_fn(move || {
        let _ = &turn;
        (!rest.is_empty()).then(|| Ok::<_, io::Error>(rest.split_to(PIECE.min(rest.len()))))
    })))
}

/// Whether all there is was read.
pub(crate) struct Whole(oneshot::Receiver<()>);

impl Whole {
    /// # Errors
    /// When reading failed: what was handed on is a part.
    pub(crate) fn check(self) -> io::Result<()> {
        self.0.blocking_recv().map_err(|_| io::Error::other("it was not read to its end"))
    }
}

/// What a maker writes into: each write is a piece on its way to the client, and waits while enough of them are.
pub(crate) struct Pieces {
    to: mpsc::Sender<io::Result<Bytes>>,
    sent: Arc<AtomicU64>,
    /// Reading failed: nothing more is sent.
    broken: Arc<AtomicBool>,
    request: Uuid,
    said: Instant,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was not read to its end"));
        }
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.to.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        let sent = self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64;
        if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            tracing::info!(target: "web", id = %self.request, bytes = sent, "a file is on its way");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
