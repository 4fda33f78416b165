//! What became of one attempt to hand a mail over, and how a server's reply is read.

use std::{error::Error as _, fmt};

use lettre::transport::smtp::{Error, response::Response};

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
    /// Never: a 5xx for this mail.
    Rejected {
        /// Where it stopped.
        phase: Phase,
        /// The server's words.
        reply: String,
        /// Whether the address itself is what the server will not have, so that nothing should be sent to it again.
        address: bool,
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
                Blame::Address => Outcome::Rejected { phase, reply, address: true },
                Blame::Mail => Outcome::Rejected { phase, reply, address: false },
                Blame::Moment => Outcome::Postponed { phase, reply },
                Blame::Us => Outcome::Refused { phase, reply },
            },
            (Phase::Data | Phase::Dot, Kind::Permanent(code)) if blame(code, &reply) == Blame::Moment && code == 552 => {
                Outcome::Postponed { phase, reply }
            }
            (Phase::Data | Phase::Dot, Kind::Permanent(_)) => Outcome::Rejected { phase, reply, address: false },
        }
    }
}

/// What a 5xx after RCPT is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The address: gone, misspelt, disabled. Nothing should be sent to it again.
    Address,
    /// This mail to this address.
    Mail,
    /// What may be otherwise later, for this recipient only: a full mailbox, a policy that does not say whom it is about.
    Moment,
    /// Us: every other recipient would meet it as well.
    Us,
}

/// The enhanced code (RFC 3463) decides; without one, RFC 5321's own codes for mailboxes do.
///
/// A policy (5.7.1, 554, 571) may be about one recipient, whose refusal must not hold up everybody, or about us, and then nobody's address is
/// to blame: so neither is concluded, and that notice alone is tried again while it is wanted. That we may not relay is said in so many
/// words.
fn blame(code: u16, reply: &str) -> Blame {
    let lower = reply.to_ascii_lowercase();
    if lower.contains("relay") || lower.contains("rcpthosts") {
        return Blame::Us;
    }
    let enhanced = reply.split_whitespace().nth(1).and_then(|word| word.strip_prefix("5."));
    let enhanced = enhanced.and_then(|rest| rest.split_once('.')).and_then(|(subject, detail)| {
        let detail = detail.trim_end_matches(|c: char| !c.is_ascii_digit());
        Some((subject.parse::<u16>().ok()?, detail.parse::<u16>().ok()?))
    });
    match (enhanced, code) {
        // The sender's address.
        (Some((1, 7 | 8)), _) => Blame::Us,
        (Some((1, _) | (2, 1)), _) => Blame::Address,
        (Some((2, 2)), _) => Blame::Moment,
        (Some((2, _)), _) => Blame::Mail,
        // Exchange says 550 5.4.1 of a recipient that its directory does not know, and of a domain not set up yet.
        (Some((4, _)), _) => Blame::Mail,
        // Sign in first, wrong password, encrypt first: about the conversation.
        (_, 530 | 535 | 538) | (Some((7, 0 | 8 | 9 | 10 | 11)), _) => Blame::Us,
        (Some((7, _)), _) => Blame::Moment,
        (Some(_), _) => Blame::Us,
        // RFC 5321 4.5.3.1.10: at RCPT, 552 is 452.
        (None, 552) => Blame::Moment,
        (None, 550 | 551 | 553) => Blame::Address,
        // RFC 7504: the host or the domain takes no mail.
        (None, 521 | 556) => Blame::Mail,
        (None, 554 | 571) => Blame::Moment,
        (None, _) => Blame::Us,
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
    fn a_refused_recipient_is_told_from_a_refused_sender() {
        let table = [
            (550, "550 5.1.1 no such user", Blame::Address),
            (550, "550 5.1.10 RESOLVER.ADR.RecipientNotFound", Blame::Address),
            (556, "556 5.1.10 the domain takes no mail", Blame::Address),
            (550, "550 5.2.1 the account is disabled", Blame::Address),
            (550, "550 no such user here", Blame::Address),
            (553, "553 what is that", Blame::Address),
            (552, "552 5.2.2 mailbox full", Blame::Moment),
            (550, "550 5.2.2 over quota", Blame::Moment),
            (552, "552 over quota", Blame::Moment),
            (552, "552 5.2.3 too long for this mailbox", Blame::Mail),
            (550, "550 5.4.1 Recipient address rejected: Access denied", Blame::Mail),
            (521, "521 this host takes no mail", Blame::Mail),
            (550, "550 5.7.1 rejected by policy", Blame::Moment),
            (554, "554 5.7.1 your address is blocked", Blame::Moment),
            (571, "571 delivery not authorized", Blame::Moment),
            (554, "554 go away", Blame::Moment),
            (554, "554 5.7.1 <x@y.test>: Relay access denied", Blame::Us),
            (550, "550 5.7.64 TenantAttribution; Relay Access Denied", Blame::Us),
            (553, "553 sorry, that domain isn't in my list of allowed rcpthosts", Blame::Us),
            (550, "550 5.1.8 sender's domain does not exist", Blame::Us),
            (530, "530 5.7.0 sign in first", Blame::Us),
            (530, "530 5.7.57 client not authenticated", Blame::Us),
            (503, "503 bad sequence", Blame::Us),
        ];
        for (code, reply, expected) in table {
            assert_eq!(blame(code, reply), expected, "{reply}");
        }
    }

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
        assert!(matches!(outcome(Phase::Rcpt, Kind::Permanent(550)), Outcome::Rejected { address: true, .. }));
        assert!(matches!(outcome(Phase::Dot, Kind::Permanent(554)), Outcome::Rejected { address: false, .. }));
        assert!(matches!(outcome(Phase::Dot, Kind::Transient), Outcome::Postponed { .. }));
        assert!(matches!(outcome(Phase::Dot, Kind::Broken), Outcome::Unanswered { .. }));
    }

    #[test]
    fn a_reply_stays_on_one_line() {
        assert_eq!(printable("550 no\r\nX-Forged: yes\u{7}"), "550 no X-Forged: yes");
    }
}
