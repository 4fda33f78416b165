//! A server that misbehaves at random, the same way for the same seed.

use std::{collections::HashMap, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{Answer, Phase};

/// How likely the server is to misbehave at each phase, from 0 to 1, and how long it keeps a client waiting.
///
/// What happens depends only on the seed, the phase, whom it concerns and how often that came before, not on which of many
/// connections comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct Temper {
    /// Chooses what happens.
    pub seed: u64,
    /// Each of greeting, `EHLO`, `STARTTLS` and `AUTH`: what goes wrong there would go wrong for everybody, and pauses a sender.
    pub connection: f64,
    /// `MAIL FROM`: refused for a while, for good, or met with silence.
    pub sender: f64,
    /// `RCPT TO`: greylisted, full, or met with silence.
    pub recipient: f64,
    /// The part of all recipients that do not exist: always refused, for good.
    pub gone: f64,
    /// `DATA`.
    pub data: f64,
    /// In the middle of the content.
    pub content: f64,
    /// After the final dot; about half of it keeps the mail and hides that.
    pub dot: f64,
    /// How long a silence lasts, and by how much late replies are late. Longer than the client's patience, or nothing is tried.
    pub silence: Duration,
    /// A wait that the client has the patience for.
    pub slow: Duration,
}

impl Temper {
    /// Every misbehaviour there is, often, with silences of two seconds. What stops everybody is rare, or nobody would come further.
    pub fn hostile(seed: u64) -> Self {
        Self {
            seed,
            connection: 0.01,
            sender: 0.02,
            recipient: 0.12,
            gone: 0.01,
            data: 0.06,
            content: 0.05,
            dot: 0.3,
            silence: Duration::from_secs(2),
            slow: Duration::from_millis(20),
        }
    }

    /// As [`Temper::hostile`], without what makes a sender pause: no bad connections, no refused sender.
    pub fn hostile_to_mails(seed: u64) -> Self {
        Self { connection: 0.0, sender: 0.0, ..Self::hostile(seed) }
    }

    /// Whether this recipient does not exist: it is refused for good each time.
    pub fn is_gone(&self, recipient: &str) -> bool {
        self.dice(None, recipient, 0).random_bool(self.gone)
    }

    fn dice(&self, phase: Option<Phase>, whom: &str, times: u64) -> StdRng {
        let phase = phase.map_or(0, |phase| phase as u64 + 1);
        let parts = [self.seed, phase, times].map(u64::to_le_bytes);
        // FNV-1a: the standard library's hash may change with its version, and the seed would mean something else.
        let hash = parts
            .iter()
            .flatten()
            .chain(whom.as_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        StdRng::seed_from_u64(hash)
    }

    fn likelihood(&self, phase: Phase) -> f64 {
        match phase {
            Phase::Greeting | Phase::Hello | Phase::StartTls | Phase::Auth => self.connection,
            Phase::Mail => self.sender,
            Phase::Rcpt => self.recipient,
            Phase::Data => self.data,
            Phase::Content => self.content,
            Phase::Dot => self.dot,
        }
    }

    /// Everything that can go wrong at this phase, each with its name in the tally.
    fn choices(&self, phase: Phase) -> Vec<(&'static str, Answer)> {
        let Self { silence, slow, .. } = *self;
        let refuse = Answer::refuse;
        let silent = Answer::SilenceFor(silence);
        let late = Answer::Late(silence);
        match phase {
            Phase::Greeting => vec![
                ("greeting: 421", refuse(421, "4.3.2 too many connections")),
                ("greeting: 554", refuse(554, "5.7.1 no service for you")),
                ("greeting: drop", Answer::Drop),
                ("greeting: silence", silent),
                ("greeting: garbage", Answer::Say("HTTP/1.1 400 Bad Request".to_owned())),
                ("greeting: slow", Answer::Late(slow)),
            ],
            Phase::Hello => vec![
                ("ehlo: 421", refuse(421, "4.3.2 closing")),
                ("ehlo: 550", refuse(550, "5.7.1 your name is on a list")),
                ("ehlo: drop", Answer::Drop),
                ("ehlo: silence", silent),
                ("ehlo: half a reply", Answer::Half),
            ],
            Phase::StartTls => vec![
                ("starttls: 454", refuse(454, "4.7.0 TLS not available")),
                ("starttls: drop", Answer::Drop),
                ("starttls: silence", silent),
            ],
            Phase::Auth => vec![
                ("auth: 454", refuse(454, "4.7.0 temporary authentication failure")),
                ("auth: 535", refuse(535, "5.7.8 wrong user or password")),
                ("auth: drop", Answer::Drop),
                ("auth: silence", silent),
            ],
            Phase::Mail => vec![
                ("mail: 451", refuse(451, "4.3.0 not now")),
                ("mail: 452", refuse(452, "4.3.1 no space left")),
                ("mail: 550", refuse(550, "5.7.1 sender refused")),
                ("mail: drop", Answer::Drop),
                ("mail: silence", silent),
            ],
            Phase::Rcpt => vec![
                ("rcpt: 450 greylisted", refuse(450, "4.7.1 greylisted, come again")),
                ("rcpt: 450 greylisted", refuse(450, "4.7.1 greylisted, come again")),
                ("rcpt: 452 mailbox full", refuse(452, "4.2.2 mailbox full")),
                ("rcpt: 421", refuse(421, "4.7.0 too much at once")),
                ("rcpt: drop", Answer::Drop),
                ("rcpt: silence", silent),
                ("rcpt: half a reply", Answer::Half),
                ("rcpt: garbage", Answer::Say("\u{1}ok?".to_owned())),
                ("rcpt: slow", Answer::Late(slow)),
            ],
            Phase::Data => vec![
                ("data: 451", refuse(451, "4.3.0 not now")),
                ("data: 554", refuse(554, "5.3.0 no")),
                ("data: drop", Answer::Drop),
                ("data: silence", silent),
                ("data: 250 for 354", Answer::Say("250 2.0.0 well".to_owned())),
            ],
            Phase::Content => vec![
                ("content: drop", Answer::Drop),
                ("content: silence", silent),
                ("content: 552", refuse(552, "5.3.4 too big")),
                ("content: 421", refuse(421, "4.3.0 going down")),
            ],
            Phase::Dot => vec![
                ("dot: accepted and dropped", Answer::KeepAndDrop),
                ("dot: accepted and dropped", Answer::KeepAndDrop),
                ("dot: accepted, reply late", Answer::keep(late.clone())),
                ("dot: accepted, reply late", Answer::keep(late)),
                ("dot: accepted, half a reply", Answer::keep(Answer::Half)),
                ("dot: accepted, garbage", Answer::keep(Answer::Say("\u{fffd}\u{2}".to_owned()))),
                ("dot: accepted, several lines", Answer::Lines(5)),
                ("dot: accepted, slow", Answer::Late(slow)),
                ("dot: drop", Answer::Drop),
                ("dot: silence", silent),
                ("dot: 451", refuse(451, "4.3.0 not now")),
                ("dot: 452", refuse(452, "4.3.1 no space left")),
                ("dot: 421", refuse(421, "4.3.0 going down")),
                ("dot: 550", refuse(550, "5.7.1 smells of spam")),
                ("dot: 554", refuse(554, "5.6.0 not like this")),
            ],
        }
    }
}

/// A temper at work.
#[derive(Debug)]
pub(super) struct Mood {
    temper: Temper,
    before: HashMap<(Phase, String), u64>,
}

impl Mood {
    pub(super) fn new(temper: Temper) -> Self {
        Self { temper, before: HashMap::new() }
    }

    /// What to do at this step, with its name in the tally; nothing when it goes as usual.
    pub(super) fn answer(&mut self, phase: Phase, recipients: &[String]) -> Option<(&'static str, Answer)> {
        let whom = recipients.first().cloned().unwrap_or_default();
        if phase == Phase::Rcpt && self.temper.is_gone(&whom) {
            return Some(("rcpt: 550 no such user", Answer::refuse(550, "5.1.1 no such user here")));
        }
        let times = self.before.entry((phase, whom.clone())).or_default();
        *times += 1;
        let times = *times;
        let mut dice = self.temper.dice(Some(phase), &whom, times);
        if !dice.random_bool(self.temper.likelihood(phase)) {
            return None;
        }
        let mut choices = self.temper.choices(phase);
        let chosen = dice.random_range(0..choices.len());
        Some(choices.swap_remove(chosen))
    }
}
