//! What a 5xx is about, read from its codes and words.
//!
//! Servers refuse for the sender's sake, for a policy's or for a relay's with the same 550 as for a mailbox that does not exist. In doubt a
//! reply is never about the mailbox: only the enhanced codes (RFC 3463) and phrasings that say so are, and only when nothing else in the
//! reply speaks of the sender or a policy.

/// What a 5xx is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// There is no such mailbox.
    Mailbox,
    /// This mail to this recipient, for a reason that is not clear or not the mailbox.
    Mail,
    /// The sender, its host, a policy or a limit; it may be one recipient's policy.
    Policy,
    /// A full mailbox, which is 4xx in disguise.
    Full,
    /// Us: every other recipient would meet it as well.
    Us,
}

/// Words that speak of the sender, of a policy or of a limit. As whole words, and as beginnings of words.
const SUSPECT: &[&str] = &[
    "rbl",
    "dnsbl",
    "spf",
    "dkim",
    "dmarc",
    "ptr",
    "rdns",
    "helo",
    "ehlo",
    "ip",
    "rate",
    "limit",
    "limits",
    "limited",
    "listed",
    "tls",
    "size",
    "large",
    "many",
    "much",
    "fast",
    "excessive",
    "exceeded",
    "exceeds",
    "exceeding",
    "dns",
    "relay",
    "relaying",
    "relayed",
    "permitted",
    "allowed",
    "closed",
    "from",
];
const SUSPECT_BEGINNINGS: &[&str] = &[
    "sender",
    "blacklist",
    "blocklist",
    "block",
    "denylist",
    "denied",
    "deny",
    "spam",
    "polic",
    "prohibit",
    "reputation",
    "auth",
    "quota",
    "greylist",
    "graylist",
    "ban",
    "virus",
    "malware",
    "phish",
    "restrict",
    "content",
    "suspicious",
    "unsolicited",
    "bulk",
    "abuse",
    "spoof",
    "impersonat",
    "encrypt",
    "access",
    "temporar",
    "verification",
    "callout",
    "callback",
];

/// Phrasings of servers that say nothing but that the mailbox does not exist, without the address they name.
const NO_MAILBOX: &[&str] = &[
    "user unknown",
    "unknown user",
    "recipient unknown",
    "unknown recipient",
    "mailbox unknown",
    "unknown mailbox",
    "unknown or illegal alias",
    "address unknown",
    "unknown address",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such account",
    "no such address",
    "no such person",
    "no mailbox here by that name",
    "no user by that name",
    "user not found",
    "recipient not found",
    "mailbox not found",
    "account not found",
    "address not found",
    "user doesn't exist",
    "user does not exist",
    "recipient does not exist",
    "mailbox does not exist",
    "account does not exist",
    "address does not exist",
    "account that you tried to reach does not exist",
    "this user doesn't have a",
    "mailbox unavailable",
    "mailbox is unavailable",
    "invalid mailbox",
    "invalid recipient",
    "invalid user",
    "not a valid recipient",
    "not a valid mailbox",
    "not our customer",
    "recipientnotfound",
    "recipnotfound",
];

/// Reads a 5xx.
///
/// A policy (5.7.1, 554, 571) may be about one recipient, whose refusal must not hold up everybody, or about us: neither is concluded here.
/// That we may not relay, or have to sign in first, is said in so many words.
pub(super) fn blame(code: u16, reply: &str) -> Blame {
    let words = Words::of(reply);
    match (enhanced(reply), code) {
        // The sender's address.
        (Some((1, 7 | 8)), _) => Blame::Us,
        (Some((1, 1 | 10)), _) => {
            if words.suspect() {
                Blame::Policy
            } else {
                Blame::Mailbox
            }
        }
        _ if words.relay_denied() => Blame::Us,
        (Some((2, 2)), _) => Blame::Full,
        // Sign in first, wrong password, encrypt first: about the conversation.
        (_, 530 | 535 | 538) | (Some((7, 8..=11)), _) => Blame::Us,
        (Some((7, 0)), _) if words.says("authentication") || words.says("starttls") => Blame::Us,
        (Some((7, _)), _) => Blame::Policy,
        // What the protocol has no finer word for (x.0), and what has no enhanced code at all, is read from the words.
        (None | Some((_, 0)), _) => match code {
            _ if words.full() => Blame::Full,
            _ if words.suspect() => Blame::Policy,
            _ if words.no_mailbox() => Blame::Mailbox,
            // RFC 5321 4.5.3.1.10: at RCPT, 552 is 452.
            552 => Blame::Full,
            // 521 and 556 (RFC 7504): the host or the domain takes no mail.
            521 | 550 | 551 | 553 | 556 => Blame::Mail,
            554 | 571 => Blame::Policy,
            // Commands in the wrong order, or ones it does not know.
            _ => Blame::Us,
        },
        // Exchange says 550 5.4.1 "Access denied" of a recipient that its directory does not know, and of a domain not set up yet.
        (Some((4, 1)), _) => Blame::Mail,
        (Some((1 | 2 | 4 | 6, _)), _) => {
            if words.suspect() {
                Blame::Policy
            } else {
                Blame::Mail
            }
        }
        (Some((3, _)), _) => Blame::Policy,
        (Some(_), _) => Blame::Us,
    }
}

/// The enhanced code's subject and detail, where the reply begins with one.
fn enhanced(reply: &str) -> Option<(u16, u16)> {
    let word = reply.split_whitespace().nth(1)?.trim_start_matches(['#', '(', '[']);
    let (subject, detail) = word.strip_prefix("5.")?.split_once('.')?;
    let digits = detail.find(|c: char| !c.is_ascii_digit()).map_or(detail, |end| &detail[..end]);
    Some((subject.parse().ok()?, digits.parse().ok()?))
}

/// A reply's words in lower case, without addresses and links: a person's or a host's name says nothing about why.
struct Words(String);

impl Words {
    fn of(reply: &str) -> Self {
        let lower = reply.to_lowercase().replace('’', "'");
        let plain = |word: &&str| !word.contains('@') && !word.contains("://");
        let joined = lower.split_whitespace().filter(plain).collect::<Vec<_>>().join(" ");
        // Postfix's name for the list of its recipients; the only one to speak of a relay.
        Self(joined.replace("relay recipient table", "recipient table").replace("unknown in relay", "unknown in"))
    }

    fn says(&self, phrase: &str) -> bool {
        self.0.contains(phrase)
    }

    fn each(&self) -> impl Iterator<Item = &str> {
        // A host's name is one word, so that "relay.example" is no word of ours; the end of a sentence is not part of one.
        self.0
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_'))
            .map(|word| word.trim_matches(['.', '-', '_']))
            .filter(|word| !word.contains('.'))
            .flat_map(|word| word.split(['-', '_']))
    }

    fn suspect(&self) -> bool {
        self.each().any(|word| SUSPECT.contains(&word) || SUSPECT_BEGINNINGS.iter().any(|begin| word.starts_with(begin)))
    }

    fn no_mailbox(&self) -> bool {
        NO_MAILBOX.iter().any(|phrase| self.says(phrase))
    }

    fn full(&self) -> bool {
        ["quota", "mailbox full", "mailbox is full", "storage allocation"].iter().any(|phrase| self.says(phrase))
    }

    fn relay_denied(&self) -> bool {
        self.says("rcpthosts") || self.each().any(|word| matches!(word, "relay" | "relaying" | "relayed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies as servers say them, each with what it is about.
    const REPLIES: &[(u16, &str, Blame)] = &[
        // There is no such mailbox: Postfix, Exim, Sendmail, qmail, Exchange and 365, Gmail, Yahoo, Outlook.com, iCloud, GMX, Mail.ru, QQ,
        // Mimecast, Proofpoint, Zoho, Amazon.
        (550, "550 5.1.1 no such user", Blame::Mailbox),
        (550, "550 5.1.1 <wei@x.test>: Recipient address rejected: User unknown in local recipient table", Blame::Mailbox),
        (550, "550 5.1.1 <wei@x.test>: Recipient address rejected: User unknown in virtual mailbox table", Blame::Mailbox),
        (550, "550 5.1.1 <wei@x.test>: Recipient address rejected: User unknown in relay recipient table", Blame::Mailbox),
        (550, "550 5.1.1 <spam.relay@x.test>: Recipient address rejected: User unknown in virtual alias table", Blame::Mailbox),
        (550, "550 <wei@x.test>: User unknown", Blame::Mailbox),
        (550, "550 unknown user", Blame::Mailbox),
        (550, "550 No such user here", Blame::Mailbox),
        (550, "550 No Such User Here\"", Blame::Mailbox),
        (550, "550 5.1.1 <wei@x.test>... User unknown", Blame::Mailbox),
        (553, "553 5.3.0 <wei@x.test>... No such user here", Blame::Mailbox),
        (550, "550 sorry, no mailbox here by that name (#5.1.1)", Blame::Mailbox),
        (550, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient wei@x.test not found by SMTP address lookup", Blame::Mailbox),
        (550, "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", Blame::Mailbox),
        (
            550,
            "550 5.1.1 The email account that you tried to reach does not exist. Please try 5.1.1 double-checking the recipient's email address for typos or 5.1.1 unnecessary spaces. For more information, go to 5.1.1 https://support.google.com/mail/?p=NoSuchUser d9443c01a7336-1 - gsmtp",
            Blame::Mailbox,
        ),
        (
            554,
            "554 delivery error: dd This user doesn't have a yahoo.com account (wei@x.test) [0] - mta4212.mail.test",
            Blame::Mailbox,
        ),
        (554, "554 delivery error: dd Not a valid recipient - atlas216.mail.test", Blame::Mailbox),
        (552, "552 1 Requested mail action aborted, mailbox not found", Blame::Mailbox),
        (
            550,
            "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [VI1EUR04FT055.eop-eur04.prod.protection.outlook.com]",
            Blame::Mailbox,
        ),
        (550, "550 Requested action not taken: mailbox unavailable", Blame::Mailbox),
        (550, "550 5.1.1 <wei@x.test>: user does not exist", Blame::Mailbox),
        (550, "550 5.1.1 unknown or illegal alias: wei@x.test", Blame::Mailbox),
        (
            550,
            "550 Message was not accepted -- invalid mailbox. Local mailbox wei@x.test is unavailable: user not found",
            Blame::Mailbox,
        ),
        (550, "550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help", Blame::Mailbox),
        (550, "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [abc.eu1]", Blame::Mailbox),
        (550, "550 5.1.1 User Unknown", Blame::Mailbox),
        (550, "550 5.1.1 Address does not exist", Blame::Mailbox),
        (550, "550 5.1.1 Not our Customer", Blame::Mailbox),
        (556, "556 5.1.10 the domain takes no mail", Blame::Mailbox),
        // The sender.
        (550, "550 Sender verify failed", Blame::Policy),
        (550, "550 Verification failed for <reminders@clinic.test> No Such User Here Sender verify failed", Blame::Policy),
        (550, "550 5.1.0 <reminders@clinic.test>: Sender address rejected: User unknown in local recipient table", Blame::Policy),
        (550, "550 5.1.1 <reminders@clinic.test>: Sender address rejected: User unknown in virtual mailbox table", Blame::Policy),
        (550, "550 5.1.8 <reminders@clinic.test>: Sender address rejected: Domain not found", Blame::Us),
        (550, "550 5.1.8 sender's domain does not exist", Blame::Us),
        (553, "553 5.1.7 Sender address does not exist", Blame::Us),
        (
            550,
            "550 Requested action not taken: mailbox unavailable Sender address has invalid DNS MX or A/AAAA resource record",
            Blame::Policy,
        ),
        (553, "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", Blame::Policy),
        (550, "550 5.7.23 The message was rejected because of Sender Policy Framework violation", Blame::Policy),
        (
            550,
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.",
            Blame::Policy,
        ),
        (550, "550 5.7.509 Access denied, sending domain clinic.test does not pass DMARC verification", Blame::Policy),
        (550, "550 Email rejected per DMARC policy", Blame::Policy),
        (550, "550 SPF check failed", Blame::Policy),
        // The host and its name.
        (550, "550 Blocked by RBL", Blame::Policy),
        (553, "553 5.3.0 your host is in our blacklist", Blame::Policy),
        (553, "553 rejected: IP found in blacklist", Blame::Policy),
        (553, "553 Mail from 192.0.2.1 rejected, see blacklist", Blame::Policy),
        (
            554,
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
            Blame::Policy,
        ),
        (
            550,
            "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/lookup.lasso (AS3130)",
            Blame::Policy,
        ),
        (550, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", Blame::Policy),
        (
            550,
            "550 SC-001 (BAY004-MC1F18) Unfortunately, messages from 192.0.2.1 weren't sent. Please contact your Internet service provider since part of their network is on our block list",
            Blame::Policy,
        ),
        (
            550,
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. part of their network is on our block list (S3150).",
            Blame::Policy,
        ),
        (
            553,
            "553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.",
            Blame::Policy,
        ),
        (
            550,
            "550 5.7.1 The IP you're using to send mail is not authorized to send email directly to our servers. Please use the SMTP relay at your service provider instead.",
            Blame::Us,
        ),
        (550, "550 permanent failure for one or more recipients (wei@x.test:blocked)", Blame::Mail),
        (550, "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", Blame::Policy),
        (554, "554 5.7.1 your address is blocked", Blame::Policy),
        // A policy, or a limit.
        (550, "550 Administrative prohibition", Blame::Policy),
        (
            550,
            "550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550",
            Blame::Policy,
        ),
        (
            550,
            "550 Rejected by header based Anti-Spoofing policy: reminders@clinic.test - https://community.mimecast.com/docs/DOC-1369#550",
            Blame::Policy,
        ),
        (550, "550 5.7.1 rejected by policy", Blame::Policy),
        (550, "550 5.7.1 No such user!", Blame::Policy),
        (550, "550 5.7.0 Local Policy Violation", Blame::Policy),
        (571, "571 delivery not authorized", Blame::Policy),
        (554, "554 go away", Blame::Policy),
        (550, "550 rejected because of spam content", Blame::Policy),
        (550, "550 5.1.1 recipient rejected by policy", Blame::Policy),
        (550, "550 Too many invalid recipients", Blame::Policy),
        (550, "550 5.4.5 Daily user sending quota exceeded.", Blame::Policy),
        (
            550,
            "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email",
            Blame::Policy,
        ),
        (550, "550 Sending rate limit exceeded, no such user may send more", Blame::Policy),
        (550, "550 5.3.4 message size exceeds limit", Blame::Policy),
        // A relay, or the conversation.
        (554, "554 5.7.1 <x@y.test>: Relay access denied", Blame::Us),
        (550, "550 relay not permitted", Blame::Us),
        (550, "550 relaying denied", Blame::Us),
        (550, "550 5.7.64 TenantAttribution; Relay Access Denied", Blame::Us),
        (553, "553 sorry, that domain isn't in my list of allowed rcpthosts", Blame::Us),
        (530, "530 5.7.0 sign in first", Blame::Us),
        (530, "530 5.7.57 client not authenticated", Blame::Us),
        (530, "530 Authentication required", Blame::Us),
        (550, "550 5.7.0 authentication required", Blame::Us),
        (503, "503 bad sequence", Blame::Us),
        (503, "503 5.5.1 RCPT first", Blame::Us),
        // A mailbox that exists and takes nothing now.
        (552, "552 5.2.2 mailbox full", Blame::Full),
        (550, "550 5.2.2 over quota", Blame::Full),
        (552, "552 over quota", Blame::Full),
        (552, "552 Requested mail action aborted: exceeded storage allocation", Blame::Full),
        (550, "550 mailbox unavailable: quota exceeded", Blame::Full),
        // Neither clear nor about the mailbox being there: this mail alone.
        (550, "550", Blame::Mail),
        (550, "550 no", Blame::Mail),
        (550, "550 Unrouteable address", Blame::Mail),
        (551, "551 user not local; please try elsewhere", Blame::Mail),
        (553, "553 what is that", Blame::Mail),
        (550, "550 5.1.2 bad destination system", Blame::Mail),
        (550, "550 5.2.1 the account is disabled", Blame::Mail),
        (
            550,
            "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
            Blame::Policy,
        ),
        (552, "552 5.2.3 too long for this mailbox", Blame::Mail),
        (550, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", Blame::Mail),
        (521, "521 this host takes no mail", Blame::Mail),
    ];

    #[test]
    fn only_a_reply_that_clearly_says_so_is_about_the_mailbox() {
        let wrong: Vec<String> = REPLIES
            .iter()
            .filter_map(|(code, reply, expected)| {
                let read = blame(*code, reply);
                (read != *expected).then(|| format!("{reply}: {read:?}, not {expected:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_speaks_of_the_sender_or_a_policy_is_never_about_the_mailbox() {
        // Whatever it says beside it, and with whatever code.
        for suspicion in [
            "Sender verify failed",
            "Administrative prohibition",
            "Blocked by RBL",
            "listed in blacklist",
            "SPF",
            "spam",
            "relay denied",
        ] {
            for mailbox in ["User unknown", "No such user here", "mailbox unavailable"] {
                for begin in ["550", "550 5.1.1", "550 5.1.10", "550 5.0.0", "553", "554 5.7.1"] {
                    let reply = format!("{begin} {suspicion}: {mailbox}");
                    assert_ne!(blame(550, &reply), Blame::Mailbox, "{reply}");
                    let reply = format!("{begin} {mailbox} ({suspicion})");
                    assert_ne!(blame(550, &reply), Blame::Mailbox, "{reply}");
                }
            }
        }
    }
}
