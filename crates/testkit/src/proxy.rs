//! A line to the database on which bytes can be held: a database that is slow at exactly the moment a test asks for.
//!
//! ```no_run
//! # async fn story() {
//! use testkit::proxy::{Proxy, Side};
//! let db = testkit::Db::new().await;
//! let line = Proxy::to(db.url()).await;
//! let store = store::Store::connect_with(line.url(), 1).await.unwrap();
//! let held = line.hold(b"COMMIT", Side::Answer, 1);
//! let request = tokio::spawn(async move { /* … store.begin(…) … */ });
//! held.reached().await; // the server has committed; nobody knows yet
//! request.abort();
//! held.release();
//! # }
//! ```

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// How long a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which way bytes are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The question: the server does not get it until it is let go.
    Question,
    /// The answer: the server has done what was asked, and whoever asked does not hear.
    Answer,
}

/// The line.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    holds: Arc<Mutex<Vec<Arc<Hold>>>>,
    answered: Arc<AtomicUsize>,
    /// How many connections there were so far.
    opened: Arc<AtomicUsize>,
    /// So many of the first of them say nothing any more.
    silent: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Hold {
    texts: Vec<Vec<u8>>,
    side: Side,
    /// How many messages are still to be held.
    left: Mutex<usize>,
    reached: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

/// Messages that are held, or will be. Dropping it lets them go.
#[derive(Debug)]
pub struct Held {
    hold: Arc<Hold>,
    count: usize,
}

impl Proxy {
    /// A line to the server of a `postgres://user@host:port/…` address.
    ///
    /// # Panics
    /// When the address has no host and port, or no port is free here.
    pub async fn to(url: &str) -> Self {
        let server = url.split_once('@').and_then(|(_, rest)| rest.split(['/', '?']).next()).unwrap_or_default().to_owned();
        assert!(server.contains(':'), "{url} does not name its host and port");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("no port for the line: {error}"));
        let here = listener.local_addr().unwrap_or_else(|error| panic!("no port for the line: {error}"));
        let holds = Arc::<Mutex<Vec<Arc<Hold>>>>::default();
        let shared = holds.clone();
        let url = url.replace(&server, &here.to_string());
        let answered = Arc::<AtomicUsize>::default();
        let tally = answered.clone();
        let (opened, silent) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (count, hushed) = (opened.clone(), silent.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let path = Path { number: count.fetch_add(1, Ordering::SeqCst), silent: hushed.clone() };
                let Ok(far) = TcpStream::connect(&server).await else { continue };
                // As both ends do: a message that is passed on in two pieces would otherwise wait 40 ms for the first to be acknowledged.
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                // An answer is held by whoever saw the question pass.
                let (gate, open) = watch::channel(None);
                tokio::spawn(questions(near_in, far_out, shared.clone(), gate, path.clone()));
                tokio::spawn(answers(far_in, near_out, open, tally.clone(), path));
            }
        });
        Self { url, holds, answered, opened, silent }
    }

    /// From now on every connection that is open is silent: what is said on it arrives nowhere, in neither direction, and neither end
    /// hears that the other closes it. New ones work. So it is when a machine freezes or a path is dropped.
    pub fn silence(&self) {
        self.silent.store(self.opened(), Ordering::SeqCst);
    }

    /// How many connections there were so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// How many round trips there were so far, on all connections: how often the server said that it is ready for more.
    pub fn round_trips(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// The address of the near end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Holds the next `count` messages to the server that contain `text` in whatever case, each on the connection it comes by, or the
    /// answers to them.
    pub fn hold(&self, text: &[u8], side: Side, count: usize) -> Held {
        self.hold_either(&[text], side, count)
    }

    /// As [`Proxy::hold`], for messages with one of several texts: an id travels as its bytes or written out.
    pub fn hold_either(&self, texts: &[&[u8]], side: Side, count: usize) -> Held {
        let hold = Arc::new(Hold {
            texts: texts.iter().map(|text| text.to_ascii_lowercase()).collect(),
            side,
            left: Mutex::new(count),
            reached: watch::channel(0).0,
            released: watch::channel(false).0,
        });
        locked(&self.holds).push(hold.clone());
        Held { hold, count }
    }
}

impl Held {
    /// Ready when all of them are held.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn reached(&self) {
        let mut reached = self.hold.reached.subscribe();
        within("a message to be held", async { reached.wait_for(|reached| *reached >= self.count).await.map(|_| ()) }).await;
    }

    /// Lets them go, and all that follow.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *locked(&self.hold.left) = 0;
        self.hold.released.send_replace(true);
    }
}

/// The way of one connection's bytes.
#[derive(Debug, Clone)]
struct Path {
    number: usize,
    silent: Arc<AtomicUsize>,
}

impl Path {
    fn is_silent(&self) -> bool {
        self.number < self.silent.load(Ordering::SeqCst)
    }
}

type Gate = Option<Arc<Hold>>;

async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    holds: Arc<Mutex<Vec<Arc<Hold>>>>,
    gate: watch::Sender<Gate>,
    path: Path,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or_default();
        if path.is_silent() {
            continue;
        }
        let hold = caught(&holds, bytes);
        if let Some(hold) = &hold
            && hold.side == Side::Answer
        {
            gate.send_replace(Some(hold.clone()));
        }
        if let Some(hold) = hold.filter(|hold| hold.side == Side::Question) {
            hold.reached.send_modify(|reached| *reached += 1);
            // The sender lives as long as the hold does.
            let _ = hold.released.subscribe().wait_for(|released| *released).await;
        }
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    if path.is_silent() {
        // The server hears nothing of it, and its end stays open for as long as the server keeps it.
        return to.forget();
    }
    // Whoever asked has gone: the server hears of it as it would by the connection's end.
    let _ = to.shutdown().await;
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    gate: watch::Receiver<Gate>,
    tally: Arc<AtomicUsize>,
    path: Path,
) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if path.is_silent() {
            continue;
        }
        let hold = gate.borrow().clone();
        if let Some(hold) = hold.filter(|hold| !*hold.released.borrow()) {
            hold.reached.send_modify(|reached| *reached += 1);
            let _ = hold.released.subscribe().wait_for(|released| *released).await;
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        // Counted before they arrive, so that whoever waited for the answer finds it counted.
        tally.fetch_add(frames.ready(bytes), Ordering::SeqCst);
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    if path.is_silent() {
        return to.forget();
    }
    let _ = to.shutdown().await;
}

/// Follows the server's messages (a letter, a length, the rest) through pieces of any size.
#[derive(Debug, Default)]
struct Frames {
    head: Vec<u8>,
    rest: usize,
    begun: bool,
}

impl Frames {
    /// How many of the messages that begin in these bytes say "ready for query".
    fn ready(&mut self, mut bytes: &[u8]) -> usize {
        let mut count = 0;
        if !self.begun
            && let Some((b'N', rest)) = bytes.split_first()
        {
            // No encryption, says the server before anything else, in one bare letter.
            bytes = rest;
        }
        self.begun = true;
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            while self.rest == 0
                && self.head.len() < 5
                && let Some((byte, rest)) = bytes.split_first()
            {
                self.head.push(*byte);
                bytes = rest;
            }
            if let [kind, length @ ..] = self.head.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                count += usize::from(*kind == b'Z');
                self.rest = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                self.head.clear();
            }
        }
        count
    }
}

fn caught(holds: &Mutex<Vec<Arc<Hold>>>, bytes: &[u8]) -> Option<Arc<Hold>> {
    let mut holds = locked(holds);
    holds.retain(|hold| !*hold.released.borrow());
    let bytes = bytes.to_ascii_lowercase();
    let holds_it = |text: &Vec<u8>| bytes.windows(text.len()).any(|window| window == text);
    let hold = holds.iter().find(|hold| hold.texts.iter().any(holds_it))?;
    let mut left = locked(&hold.left);
    *left = left.checked_sub(1)?;
    Some(hold.clone())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn within<E: std::fmt::Debug>(what: &str, done: impl Future<Output = Result<(), E>>) {
    match tokio::time::timeout(PATIENCE, done).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("waited for {what}: {error:?}"),
        Err(_) => panic!("waited for {what} in vain"),
    }
}
