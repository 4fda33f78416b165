//! A real mail server for tests: it listens on a port of its own, speaks SMTP, keeps what it accepted, counts what it accepted of
//! each notice, and can be told to answer badly, or be given a [`Temper`] and do so at random.
//!
//! To add one more way of misbehaving, add an [`Answer`] (what it does), a [`Phase`] (when it does it) or a [`Tls`] (how it encrypts), and
//! a line in `Temper` to have it happen in the long runs.

mod answer;
mod conversation;
mod mail;
mod temper;
mod tls;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

pub use answer::{Answer, Gate, Phase};
use answer::{Greylist, Order, Whom};
pub use mail::Mail;
use temper::Mood;
pub use temper::Temper;
use tls::Handshake;
pub use tls::Tls;

/// How a server is to be from its start.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// Count accepted mails ([`Server::accepted`]) and keep none, so that hundreds of thousands fit.
    pub counting_only: bool,
    /// Whether several commands may come at once (RFC 2920).
    pub pipelining: bool,
    /// Encrypted from the first byte (`smtps://`).
    pub smtps: Option<Tls>,
    /// Offer `STARTTLS`.
    pub starttls: Option<Tls>,
}

impl Default for Setup {
    /// A free port, everything kept, pipelining, no encryption.
    fn default() -> Self {
        Self { port: 0, counting_only: false, pipelining: true, smtps: None, starttls: None }
    }
}

/// What the server and its conversations share.
#[derive(Default)]
struct State {
    setup: Setup,
    smtps: Option<Handshake>,
    starttls: Option<Handshake>,
    mails: Mutex<Vec<Mail>>,
    counted: Mutex<Counted>,
    orders: Mutex<Vec<Order>>,
    greylist: Mutex<Option<Greylist>>,
    mood: Mutex<Option<Mood>>,
    tally: Mutex<BTreeMap<&'static str, u32>>,
    commands: Mutex<BTreeMap<Phase, u32>>,
    login: Mutex<Option<(String, String)>>,
    pipelining: AtomicBool,
    arrived: Notify,
}

/// By Message-ID, without its brackets and domain.
#[derive(Default)]
struct Counted {
    accepted: HashMap<String, u32>,
    promised: HashMap<String, u32>,
    mails: usize,
}

impl State {
    /// The answer for this step, counting it. Orders win over the greylist and that over the temper, later orders over earlier ones.
    fn answer(&self, phase: Phase, recipients: &[String]) -> Option<Answer> {
        *lock(&self.commands).entry(phase).or_default() += 1;
        if let Some(answer) = lock(&self.orders).iter_mut().rev().find_map(|order| order.take(phase, recipients)) {
            return Some(answer);
        }
        if phase == Phase::Rcpt
            && let (Some(greylist), Some(recipient)) = (lock(&self.greylist).as_mut(), recipients.last())
            && greylist.turns_away(recipient)
        {
            return Some(Answer::refuse(450, "4.7.1 Greylisted, please come again"));
        }
        let (name, answer) = lock(&self.mood).as_mut()?.answer(phase, recipients)?;
        *lock(&self.tally).entry(name).or_default() += 1;
        Some(answer)
    }

    /// Takes responsibility for a mail; gives what it is counted under.
    fn keep(&self, from: &str, to: &[String], raw: &[u8]) -> String {
        let id = mail::id(raw).unwrap_or_default();
        if !self.setup.counting_only {
            lock(&self.mails).push(Mail { from: from.to_owned(), to: to.to_vec(), raw: raw.to_vec() });
        }
        {
            let mut counted = lock(&self.counted);
            *counted.accepted.entry(id.clone()).or_default() += 1;
            counted.mails += 1;
        }
        self.arrived.notify_waiters();
        id
    }
}

/// A mail server that listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    authority: Option<String>,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts listening on a free port of 127.0.0.1, accepting everything.
    pub async fn start() -> Result<Self> {
        Self::start_with(Setup::default()).await
    }

    /// As [`Server::start`], counting accepted mails ([`Server::accepted`]) and keeping none.
    pub async fn counting_only() -> Result<Self> {
        Self::start_with(Setup { counting_only: true, ..Setup::default() }).await
    }

    /// Starts listening on this port of 127.0.0.1.
    pub async fn on_port(port: u16) -> Result<Self> {
        Self::start_with(Setup { port, ..Setup::default() }).await
    }

    /// Starts a server that is as told.
    pub async fn start_with(setup: Setup) -> Result<Self> {
        let mut state = State { setup, pipelining: AtomicBool::new(setup.pipelining), ..State::default() };
        let mut authority = None;
        for (wanted, place) in [(setup.smtps, &mut state.smtps), (setup.starttls, &mut state.starttls)] {
            if let Some(tls) = wanted {
                let (handshake, pem) = tls::handshake(tls)?;
                *place = Some(handshake);
                authority = Some(pem);
            }
        }
        let state = Arc::new(state);
        let listener = TcpListener::bind(("127.0.0.1", setup.port)).await.context("the test mail server cannot have its port")?;
        let address = listener.local_addr()?;
        let listening = Some(conversation::listen(listener, state.clone()));
        Ok(Self { address, authority, state, listening })
    }

    /// The authority that a client has to trust for [`Tls::Good`], as PEM; empty without encryption.
    pub fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or_default()
    }

    /// Its address as `SMTP_URL` wants it.
    pub fn url(&self) -> String {
        let scheme = if self.state.setup.smtps.is_some() { "smtps" } else { "smtp" };
        match &*lock(&self.state.login) {
            Some((user, password)) => format!("{scheme}://{user}:{password}@{}", self.address),
            None => format!("{scheme}://{}", self.address),
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

    /// Whether several commands may come at once; holds for conversations that begin from now on.
    pub fn pipelining(&self, offered: bool) {
        self.state.pipelining.store(offered, Ordering::Relaxed);
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
        self.order(phase, Whom::Everybody, None, answer);
    }

    /// Give this answer at this phase the next `times` times, then behave.
    pub fn answer_times(&self, times: u32, phase: Phase, answer: Answer) {
        self.order(phase, Whom::Everybody, Some(times), answer);
    }

    /// From now on, give this answer at this phase when this recipient is concerned ([`Phase::Rcpt`] and later).
    pub fn answer_for(&self, recipient: &str, phase: Phase, answer: Answer) {
        self.order(phase, Whom::Recipient(recipient.to_lowercase()), None, answer);
    }

    /// From now on, give this answer at this phase when a recipient of this domain is concerned ([`Phase::Rcpt`] and later).
    pub fn answer_for_domain(&self, domain: &str, phase: Phase, answer: Answer) {
        self.order(phase, Whom::Domain(domain.to_lowercase()), None, answer);
    }

    /// From now on every conversation waits here until the gate is opened.
    pub fn hold(&self, phase: Phase) -> Gate {
        let gate = Gate::default();
        self.answer(phase, Answer::Held(gate.clone()));
        gate
    }

    /// As [`Server::hold`], when this recipient is concerned.
    pub fn hold_for(&self, recipient: &str, phase: Phase) -> Gate {
        let gate = Gate::default();
        self.answer_for(recipient, phase, Answer::Held(gate.clone()));
        gate
    }

    /// Ask every recipient to come again (450 4.7.1) the first `times` times.
    pub fn greylist(&self, times: u32) {
        *lock(&self.state.greylist) = Some(Greylist { times, wait: Duration::ZERO, seen: HashMap::new() });
    }

    /// Ask every recipient to come again (450 4.7.1) until this long after the first time.
    pub fn greylist_for(&self, wait: Duration) {
        *lock(&self.state.greylist) = Some(Greylist { times: 1, wait, seen: HashMap::new() });
    }

    /// From now on misbehave at random, in every way there is.
    pub fn temper(&self, temper: Temper) {
        *lock(&self.state.mood) = Some(Mood::new(temper));
    }

    /// Refuse this recipient for good, as a mail server does for an address that does not exist.
    pub fn reject(&self, recipient: &str) {
        self.answer_for(recipient, Phase::Rcpt, Answer::Refuse(550, "5.1.1 No such user here".to_owned()));
    }

    /// Forget every order; the greylist and the temper stay.
    pub fn withdraw_orders(&self) {
        lock(&self.state.orders).clear();
    }

    /// Forget every order, the greylist and the temper: accept everything again.
    pub fn behave(&self) {
        lock(&self.state.orders).clear();
        *lock(&self.state.greylist) = None;
        *lock(&self.state.mood) = None;
    }

    fn order(&self, phase: Phase, whom: Whom, times: Option<u32>, answer: Answer) {
        lock(&self.state.orders).push(Order { phase, whom, times, answer });
    }

    /// How often each mail was accepted, by its Message-ID without brackets and domain, which is the notice's id: the server had all
    /// of it up to the dot and took responsibility, whether or not a reply got out.
    pub fn accepted(&self) -> BTreeMap<String, u32> {
        lock(&self.state.counted).accepted.iter().map(|(id, times)| (id.clone(), *times)).collect()
    }

    /// How often the reply that accepts a mail was written, by Message-ID as in [`Server::accepted`]. Whether the client was still
    /// there to read it is another matter.
    pub fn promised(&self) -> BTreeMap<String, u32> {
        let counted = lock(&self.state.counted);
        counted.promised.iter().filter(|(_, times)| **times > 0).map(|(id, times)| (id.clone(), *times)).collect()
    }

    /// How many mails were accepted, repeated ones included.
    pub fn accepted_in_all(&self) -> usize {
        lock(&self.state.counted).mails
    }

    /// What the temper did, and how often.
    pub fn tally(&self) -> BTreeMap<&'static str, u32> {
        lock(&self.state.tally).clone()
    }

    /// Everything accepted so far, oldest first; nothing when the server only counts.
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

    /// Waits until at least `count` mails were accepted; fails after a minute.
    pub async fn wait_for(&self, count: usize) -> Result<Vec<Mail>> {
        let deadline = tokio::time::sleep(Duration::from_secs(60));
        tokio::pin!(deadline);
        loop {
            // Registered before looking, so that a mail between the look and the wait is not missed.
            let arrived = self.state.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if self.accepted_in_all() >= count {
                return Ok(self.messages());
            }
            tokio::select! {
                () = arrived => {}
                () = &mut deadline => bail!("only {} of {count} mails arrived", self.accepted_in_all()),
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
