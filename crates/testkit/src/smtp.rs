//! A real mail server for tests: it listens on a port of its own, speaks SMTP, keeps what it accepted, and can be told to
//! answer badly. To add one more way of misbehaving, add an [`Answer`] (what it does) or a [`Phase`] (when it does it).

mod conversation;
mod mail;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

pub use mail::Mail;

/// The points of an SMTP conversation at which the server can be told what to answer, in the order they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Right after the connection was accepted.
    Greeting,
    /// `EHLO` or `HELO`.
    Hello,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`.
    Mail,
    /// `RCPT TO`.
    Rcpt,
    /// The `DATA` command, before any content.
    Data,
    /// After the final dot.
    Dot,
}

/// What the server does at a [`Phase`] instead of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Reply with this code and text; the step is refused (4xx, 5xx).
    Refuse(u16, String),
    /// Close the connection without a word. At [`Phase::Dot`] the mail is *not* kept.
    Drop,
    /// Only at [`Phase::Dot`]: keep the mail, then close the connection without a reply.
    KeepAndDrop,
    /// Say nothing for ever, and keep the connection open.
    Silence,
    /// Wait this long, then go on as usual.
    Late(Duration),
}

/// One standing order: at `phase`, for `recipient` (or everybody), `times` more times (or always).
#[derive(Debug)]
struct Order {
    phase: Phase,
    recipient: Option<String>,
    times: Option<u32>,
    answer: Answer,
}

/// What the server and its conversations share.
#[derive(Debug, Default)]
struct State {
    mails: Mutex<Vec<Mail>>,
    orders: Mutex<Vec<Order>>,
    commands: Mutex<BTreeMap<Phase, u32>>,
    login: Mutex<Option<(String, String)>>,
    arrived: Notify,
}

impl State {
    /// The answer ordered for this step, counting it. Later orders win over earlier ones.
    fn answer(&self, phase: Phase, recipients: &[String]) -> Option<Answer> {
        *lock(&self.commands).entry(phase).or_default() += 1;
        let mut orders = lock(&self.orders);
        let order = orders.iter_mut().rev().find(|order| {
            order.phase == phase && order.times != Some(0) && order.recipient.as_ref().is_none_or(|r| recipients.contains(r))
        })?;
        if let Some(times) = &mut order.times {
            *times -= 1;
        }
        Some(order.answer.clone())
    }

    fn keep(&self, mail: Mail) {
        lock(&self.mails).push(mail);
        self.arrived.notify_waiters();
    }
}

/// A mail server that listens until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts listening on a free port of 127.0.0.1, accepting everything.
    pub async fn start() -> Result<Self> {
        let state = Arc::<State>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the test mail server finds no free port")?;
        let address = listener.local_addr()?;
        let listening = Some(conversation::listen(listener, state.clone()));
        Ok(Self { address, state, listening })
    }

    /// Its address as `SMTP_URL` wants it.
    pub fn url(&self) -> String {
        match &*lock(&self.state.login) {
            Some((user, password)) => format!("smtp://{user}:{password}@{}", self.address),
            None => format!("smtp://{}", self.address),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on only these credentials may send; [`Server::url`] carries them.
    pub fn require_login(&self, user: &str, password: &str) {
        *lock(&self.state.login) = Some((user.to_owned(), password.to_owned()));
    }

    /// Closes the port: connections are refused, running ones are cut.
    pub async fn stop(&mut self) {
        if let Some(task) = self.listening.take() {
            task.abort();
            // Waiting for the task is what makes sure that the port is closed when this returns.
            let _ = task.await;
        }
    }

    /// Opens the same port again after [`Server::stop`].
    pub async fn resume(&mut self) -> Result<()> {
        if self.listening.is_none() {
            let listener = TcpListener::bind(self.address).await.context("the test mail server's port was taken")?;
            self.listening = Some(conversation::listen(listener, self.state.clone()));
        }
        Ok(())
    }

    /// From now on, give this answer at this phase, to everybody.
    pub fn answer(&self, phase: Phase, answer: Answer) {
        self.order(phase, None, None, answer);
    }

    /// Give this answer at this phase the next `times` times, then behave.
    pub fn answer_times(&self, times: u32, phase: Phase, answer: Answer) {
        self.order(phase, None, Some(times), answer);
    }

    /// From now on, give this answer at this phase when this recipient is concerned ([`Phase::Rcpt`] and later).
    pub fn answer_for(&self, recipient: &str, phase: Phase, answer: Answer) {
        self.order(phase, Some(recipient.to_lowercase()), None, answer);
    }

    /// Refuse this recipient for good, as a mail server does for an address that does not exist.
    pub fn reject(&self, recipient: &str) {
        self.answer_for(recipient, Phase::Rcpt, Answer::Refuse(550, "5.1.1 No such user here".to_owned()));
    }

    /// Forget every order: accept everything again.
    pub fn behave(&self) {
        lock(&self.state.orders).clear();
    }

    fn order(&self, phase: Phase, recipient: Option<String>, times: Option<u32>, answer: Answer) {
        lock(&self.state.orders).push(Order { phase, recipient, times, answer });
    }

    /// Everything accepted so far, oldest first.
    pub fn messages(&self) -> Vec<Mail> {
        lock(&self.state.mails).clone()
    }

    /// What was accepted for this address, oldest first.
    pub fn to(&self, address: &str) -> Vec<Mail> {
        let address = address.to_lowercase();
        self.messages().into_iter().filter(|mail| mail.to.contains(&address)).collect()
    }

    /// How often a phase was reached: connections are `Phase::Greeting`.
    pub fn count(&self, phase: Phase) -> u32 {
        lock(&self.state.commands).get(&phase).copied().unwrap_or_default()
    }

    /// Waits until at least `count` mails were accepted; fails after ten seconds.
    pub async fn wait_for(&self, count: usize) -> Result<Vec<Mail>> {
        let deadline = tokio::time::sleep(Duration::from_secs(10));
        tokio::pin!(deadline);
        loop {
            // Registered before looking, so that a mail between the look and the wait is not missed.
            let arrived = self.state.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let mails = self.messages();
            if mails.len() >= count {
                return Ok(mails);
            }
            tokio::select! {
                () = arrived => {}
                () = &mut deadline => bail!("only {} of {count} mails arrived", mails.len()),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.listening {
            task.abort();
        }
    }
}

/// A panicking test must not hide its own message behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
