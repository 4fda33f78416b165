//! What became of one attempt to hand a mail over, and how a server's reply is read.

use std::{error::Error as _, fmt};

use domain::refusal::Cause;
use lettre::transport::smtp::{Error, response::Response};

use super::reading::{Blame, blame};

/// How far a conversation with the mail server had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Finding the host and opening the connection.
    Connect,
    /// The greeting and `EHLO`.
    Hello,
    /// Encrypting the connection.
    Encrypt,
    /// Signing in.
    Auth,
    /// `MAIL FROM`.
    Mail,
    /// `RCPT TO`.
    Rcpt,
    /// The `DATA` command: nothing of the mail has been sent.
    Data,
    /// The content and the final dot: from here on the server may have the mail.
    Dot,
}

impl Phase {
    /// One word, as it stands in the log and in the record of attempts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hello => "hello",
            Self::Encrypt => "encrypt",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Dot => "dot",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of one attempt. Only [`Outcome::Accepted`] means that the mail is on its way, and only [`Outcome::Unanswered`] leaves
/// that open; after all others it is certain that the server does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server took it, in these words.
    Accepted {
        /// The server's reply.
        reply: String,
    },
    /// The caller did not let the content go out: the notice is no longer its own.
    Withheld,
    /// Not now: a 4xx, or the connection broke before the content was sent. Trying again may work.
    Postponed {
        /// Where it stopped.
        phase: Phase,
        /// The server's words, or ours when it said nothing.
        reply: String,
    },
    /// A 5xx for this mail. What follows depends on what the server says to others (`domain::refusal`).
    Rejected {
        /// Where it stopped.
        phase: Phase,
        /// The server's words.
        reply: String,
        /// What they are about.
        cause: Cause,
    },
    /// Nobody's mail would get through: the server is away, or refuses the sender. Nothing is wrong with this recipient.
    Refused {
        /// Where it stopped.
        phase: Phase,
        /// The server's words, or ours when it said nothing.
        reply: String,
    },
    /// The content was sent and no reply came.
    Unanswered {
        /// What happened instead of a reply.
        reply: String,
    },
}

/// A step of the conversation that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) phase: Phase,
    pub(super) kind: Kind,
    pub(super) reply: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server said 4xx.
    Transient,
    /// The server said 5xx with this code.
    Permanent(u16),
    /// No reply, or none that can be understood: too late, cut, garbage.
    Broken,
}

impl Failure {
    pub(super) fn new(phase: Phase, error: &Error) -> Self {
        let kind = match error.status().map(u16::from) {
            Some(code) if error.is_permanent() => Kind::Permanent(code),
            Some(_) => Kind::Transient,
            None => Kind::Broken,
        };
        // For a reply, the source is the server's own text; otherwise the innermost cause says best what broke.
        let text = match (error.status(), error.source()) {
            (Some(code), Some(text)) => format!("{code} {text}"),
            (Some(code), None) => code.to_string(),
            (None, None) => error.to_string(),
            (None, Some(mut cause)) => {
                while let Some(inner) = cause.source() {
                    cause = inner;
                }
                format!("the connection failed: {cause}")
            }
        };
        Self { phase, kind, reply: printable(&text) }
    }

    pub(super) fn broken(phase: Phase, reply: impl Into<String>) -> Self {
        Self { phase, kind: Kind::Broken, reply: printable(&reply.into()) }
    }

    /// Whether the server dropped the line or fell silent, so that another connection may do better.
    pub(super) fn is_broken(&self) -> bool {
        self.kind == Kind::Broken
    }

    /// Whether the server is closing the line (421), as it does with one that was silent for long or has carried many mails.
    pub(super) fn is_goodbye(&self) -> bool {
        self.kind == Kind::Transient && self.reply.starts_with("421")
    }

    /// Who is hit, read from where it stopped and what the server said.
    pub(super) fn outcome(self) -> Outcome {
        let Self { phase, kind, reply } = self;
        match (phase, kind) {
            // Before MAIL nothing is about this notice: whatever went wrong would go wrong for all.
            (Phase::Connect | Phase::Hello | Phase::Encrypt | Phase::Auth, _) | (Phase::Mail, Kind::Permanent(_)) => {
                Outcome::Refused { phase, reply }
            }
            (Phase::Dot, Kind::Broken) => Outcome::Unanswered { reply },
            (_, Kind::Broken | Kind::Transient) => Outcome::Postponed { phase, reply },
            (Phase::Rcpt, Kind::Permanent(code)) => match blame(code, &reply) {
                Blame::Mailbox => Outcome::Rejected { phase, reply, cause: Cause::Mailbox },
                Blame::Mail => Outcome::Rejected { phase, reply, cause: Cause::Mail },
                Blame::Policy => Outcome::Rejected { phase, reply, cause: Cause::Policy },
                Blame::Full => Outcome::Postponed { phase, reply },
                Blame::Us => Outcome::Refused { phase, reply },
            },
            (Phase::Data | Phase::Dot, Kind::Permanent(code)) => match blame(code, &reply) {
                Blame::Full => Outcome::Postponed { phase, reply },
                Blame::Policy => Outcome::Rejected { phase, reply, cause: Cause::Policy },
                // The recipient was taken before: whatever is said now is about the mail.
                Blame::Mailbox | Blame::Mail | Blame::Us => Outcome::Rejected { phase, reply, cause: Cause::Mail },
            },
        }
    }
}

/// A reply on one line, without control characters, at most 500 characters: it goes to the log and to the clinic's page.
pub(super) fn printable(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A good reply as the server said it.
pub(super) fn words(response: &Response) -> String {
    printable(&format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_hit_follows_from_the_phase() {
        let outcome = |phase, kind| Failure { phase, kind, reply: "550 5.1.1 no".to_owned() }.outcome();
        for phase in [Phase::Connect, Phase::Hello, Phase::Encrypt, Phase::Auth] {
            for kind in [Kind::Broken, Kind::Transient, Kind::Permanent(550)] {
                assert!(matches!(outcome(phase, kind), Outcome::Refused { .. }), "{phase} {kind:?}");
            }
        }
        for phase in [Phase::Mail, Phase::Rcpt, Phase::Data] {
            assert!(matches!(outcome(phase, Kind::Broken), Outcome::Postponed { .. }), "{phase}");
            assert!(matches!(outcome(phase, Kind::Transient), Outcome::Postponed { .. }), "{phase}");
        }
        assert!(matches!(outcome(Phase::Mail, Kind::Permanent(550)), Outcome::Refused { .. }));
        assert!(matches!(outcome(Phase::Rcpt, Kind::Permanent(550)), Outcome::Rejected { cause: Cause::Mailbox, .. }));
        assert!(matches!(outcome(Phase::Dot, Kind::Permanent(554)), Outcome::Rejected { cause: Cause::Mail, .. }));
        assert!(matches!(outcome(Phase::Dot, Kind::Transient), Outcome::Postponed { .. }));
        assert!(matches!(outcome(Phase::Dot, Kind::Broken), Outcome::Unanswered { .. }));
    }

    #[test]
    fn a_reply_stays_on_one_line() {
        assert_eq!(printable("550 no\r\nX-Forged: yes\u{7}"), "550 no X-Forged: yes");
    }
}
