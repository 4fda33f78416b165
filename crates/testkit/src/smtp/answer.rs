//! What the test mail server can be told to do, when, and to whom.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// The points of an SMTP conversation at which the server can be told what to answer, in the order they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Right after the connection was accepted.
    Greeting,
    /// `EHLO` or `HELO`.
    Hello,
    /// `STARTTLS`, before the handshake (what goes wrong in the handshake is a [`super::Tls`]).
    StartTls,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`.
    Mail,
    /// `RCPT TO`.
    Rcpt,
    /// The `DATA` command, before any content.
    Data,
    /// In the middle of the content: its first line was read, the rest was not.
    Content,
    /// After the final dot.
    Dot,
}

/// What the server does at a [`Phase`] instead of the usual. Whatever is said goes out at once, and a pipelined command that follows
/// is answered as the protocol wants it: after a refused recipient, `DATA` is 503.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Reply with this code and text; the step is refused (4xx, 5xx). A line end in the text makes a reply of several lines. At
    /// [`Phase::Content`] the connection is closed after it, for the rest of the content cannot be told from commands.
    Refuse(u16, String),
    /// Say exactly this, then a line end: garbage, a reply far too long, a code that belongs elsewhere. The step is not done.
    Say(String),
    /// Close the connection without a word. At [`Phase::Dot`] the mail is *not* kept.
    Drop,
    /// Only at [`Phase::Dot`]: keep the mail, then close the connection without a reply.
    KeepAndDrop,
    /// Only at [`Phase::Dot`]: keep the mail, then do this.
    Keep(Box<Answer>),
    /// Say nothing until the client has gone.
    Silence,
    /// Say nothing for this long, then close the connection.
    SilenceFor(Duration),
    /// Begin the usual reply and never end its line. At [`Phase::Dot`] the mail is not kept.
    Half,
    /// The usual, as a reply of this many lines.
    Lines(u32),
    /// Wait this long, then go on as usual.
    Late(Duration),
    /// Wait until the gate is opened, then go on as usual.
    Held(Gate),
}

/// Where conversations wait until a test lets them go on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    waiting: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner { waiting: watch::channel(0).0, open: watch::channel(false).0 }))
    }
}

/// One gate is itself and no other.
impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Gate {}

impl Gate {
    /// Ready when as many conversations have come to the gate.
    ///
    /// # Panics
    /// When they do not come within twenty seconds.
    pub async fn reached(&self, count: usize) {
        let mut waiting = self.0.waiting.subscribe();
        let reached = tokio::time::timeout(Duration::from_secs(20), waiting.wait_for(|waiting| *waiting >= count)).await;
        assert!(matches!(reached, Ok(Ok(_))), "only {} of {count} conversations came to the gate", *self.0.waiting.borrow());
    }

    /// Lets them go on, and all that come later.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        self.0.waiting.send_modify(|waiting| *waiting += 1);
        // The sender lives as long as the gate does.
        let _ = self.0.open.subscribe().wait_for(|open| *open).await;
    }
}

impl Answer {
    /// [`Answer::Refuse`].
    pub fn refuse(code: u16, text: &str) -> Self {
        Self::Refuse(code, text.to_owned())
    }

    /// [`Answer::Keep`]: at the dot, keep the mail and then do `then`.
    pub fn keep(then: Self) -> Self {
        Self::Keep(Box::new(then))
    }
}

/// Whom an order concerns.
#[derive(Debug)]
pub(super) enum Whom {
    Everybody,
    /// This address, lower-case.
    Recipient(String),
    /// All addresses of this domain, lower-case.
    Domain(String),
}

impl Whom {
    fn concerns(&self, recipients: &[String]) -> bool {
        match self {
            Self::Everybody => true,
            Self::Recipient(address) => recipients.contains(address),
            Self::Domain(domain) => recipients.iter().any(|to| to.rsplit_once('@').is_some_and(|(_, at)| at == domain)),
        }
    }
}

/// One standing order: at `phase`, for `whom`, `times` more times (or always).
#[derive(Debug)]
pub(super) struct Order {
    pub(super) phase: Phase,
    pub(super) whom: Whom,
    pub(super) times: Option<u32>,
    pub(super) answer: Answer,
}

impl Order {
    /// The answer, if this order is for this step; counts down.
    pub(super) fn take(&mut self, phase: Phase, recipients: &[String]) -> Option<Answer> {
        if self.phase != phase || self.times == Some(0) || !self.whom.concerns(recipients) {
            return None;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        Some(self.answer.clone())
    }
}

/// Who was seen how often, and since when: strangers are asked to come again.
#[derive(Debug)]
pub(super) struct Greylist {
    pub(super) times: u32,
    pub(super) wait: Duration,
    pub(super) seen: HashMap<String, (u32, Instant)>,
}

impl Greylist {
    /// Whether this recipient has to come again.
    pub(super) fn turns_away(&mut self, recipient: &str) -> bool {
        let (times, first) = self.seen.entry(recipient.to_owned()).or_insert((0, Instant::now()));
        *times += 1;
        *times <= self.times || first.elapsed() < self.wait
    }
}
