//! The addresses that stand in mail, and the signed ones among them.
//!
//! A signed token says whose it is, what it is for and until when, followed by an HMAC-SHA256 of that under the installation's
//! secret. It opens nothing by itself: who follows it must still find the patient there and the account alive. A token that was mailed says to which
//! address as well, by a digest of it, and is about that address alone.
//!
//! To add a purpose: a variant of [`Purpose`] with a number never used before, and a method here that makes its address.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ids::{ClinicId, PatientId},
    person::Email,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use uuid::Uuid;

/// How long the link of a reminder opens the session.
pub const ONE_TAP_LASTS: SignedDuration = SignedDuration::from_hours(48);
/// How long the link that ends reminders works. Long: somebody who finds an old mail must still be able to say stop.
pub const UNSUBSCRIBE_LASTS: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How long a calendar's address works at most; its patient ends it when they like.
pub const CALENDAR_LASTS: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// The fewest bytes a secret may have.
pub const SHORTEST_SECRET: usize = 32;

/// Keeps these signatures apart from anything else the same secret may ever sign.
const CONTEXT: &[u8] = b"homestretch link 1\0";
/// Begins what is digested of an address. No purpose has this number, so no digest is a signature.
const ADDRESS: u8 = 0;

/// What a signed link is for; a link for one purpose is refused for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `/go/{token}`: opens today's session of the patient, and nothing else.
    OneTap,
    /// `/unsubscribe/{token}`: ends the patient's reminders.
    Unsubscribe,
    /// `/calendar/{token}`: the sessions ahead, for a calendar program.
    Calendar,
}

impl Purpose {
    fn number(self) -> u8 {
        match self {
            Self::OneTap => 4,
            Self::Unsubscribe => 5,
            Self::Calendar => 3,
        }
    }

    /// The number that the purpose had in mails before tokens named the address.
    fn number_without_address(self) -> Option<u8> {
        match self {
            Self::OneTap => Some(1),
            Self::Unsubscribe => Some(2),
            Self::Calendar => None,
        }
    }

    fn is_mailed(self) -> bool {
        self.number_without_address().is_some()
    }
}

/// A digest of an email address, under the installation's secret: tells one from another and does not tell which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressDigest([u8; DIGEST]);

/// What a signed token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// The clinic.
    pub clinic: ClinicId,
    /// Whose it is.
    pub patient: PatientId,
    /// The instant from which it opens nothing any more, to the second.
    pub until: Timestamp,
    /// The address that it was mailed to; `None` for one that is not mailed, and for a link to unsubscribe from a mail that was sent before tokens
    /// named the address.
    pub mailed_to: Option<AddressDigest>,
}

/// Why a signed link is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not made by this installation for this purpose, or cut off on its way.
    #[error("this link is not complete or not ours")]
    Forged,
    /// Its time is over.
    #[error("this link has expired")]
    Expired,
    /// A one-tap link from a mail that was sent before links named their address: nothing tells whether that still is the patient's.
    #[error("this link is of an older form")]
    OlderForm,
}

/// Why links cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The secret is shorter than [`SHORTEST_SECRET`] bytes.
    #[error("HOMESTRETCH_SECRET must be at least 32 bytes long")]
    ShortSecret,
    /// The origin is not `http(s)://host[:port]`.
    #[error("HOMESTRETCH_URL must be http:// or https:// and a host, with nothing after it")]
    NoOrigin,
}

/// Makes and checks the addresses of one installation.
#[derive(Clone)]
pub struct Links {
    origin: String,
    mac: Hmac<Sha256>,
}

/// The secret stays out of logs.
impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Links {
    /// Links under the public origin (`HOMESTRETCH_URL`), signed with the secret (`HOMESTRETCH_SECRET`).
    ///
    /// # Errors
    /// [`SettingsError`] when one of them cannot be used.
    pub fn new(origin: &str, secret: &[u8]) -> Result<Self, SettingsError> {
        if secret.len() < SHORTEST_SECRET {
            return Err(SettingsError::ShortSecret);
        }
        let origin = origin.trim_end_matches('/');
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
        if host.is_empty()
            || host.contains(|c: char| c == '/' || c == '?' || c == '#' || c == '@' || c.is_whitespace() || c.is_control())
        {
            return Err(SettingsError::NoOrigin);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| SettingsError::ShortSecret)?;
        mac.update(CONTEXT);
        Ok(Self { origin: origin.to_owned(), mac })
    }

    /// The public origin, without a slash at its end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// An address of this installation; `path` begins with a slash.
    pub fn to(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// `/welcome/{token}`: accepts an invitation.
    pub fn welcome(&self, token: &str) -> String {
        self.to(&format!("/welcome/{token}"))
    }

    /// `/password/reset/{token}`: chooses a new password.
    pub fn password_reset(&self, token: &str) -> String {
        self.to(&format!("/password/reset/{token}"))
    }

    /// `/go/{token}`: opens today's session of this patient for [`ONE_TAP_LASTS`], in a mail to this address and for as long as it is the
    /// patient's.
    pub fn one_tap(&self, clinic: ClinicId, patient: PatientId, to: &Email, now: Timestamp) -> String {
        self.to(&format!("/go/{}", self.sign(Purpose::OneTap, clinic, patient, now + ONE_TAP_LASTS, Some(to))))
    }

    /// `/unsubscribe/{token}`: ends this patient's reminders to this address, for [`UNSUBSCRIBE_LASTS`].
    pub fn unsubscribe(&self, clinic: ClinicId, patient: PatientId, to: &Email, now: Timestamp) -> String {
        let token = self.sign(Purpose::Unsubscribe, clinic, patient, now + UNSUBSCRIBE_LASTS, Some(to));
        self.to(&format!("/unsubscribe/{token}"))
    }

    /// The digest of an address, to be compared with [`Signed::mailed_to`].
    pub fn digest(&self, address: &Email) -> AddressDigest {
        let whole = self.mac.clone().chain_update([ADDRESS]).chain_update(address.as_str()).finalize().into_bytes();
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&whole[..DIGEST]);
        AddressDigest(digest)
    }

    /// `/calendar/{token}.ics`: the sessions ahead of this patient, from an address that was opened at this instant (to the second), for
    /// [`CALENDAR_LASTS`] or until the patient ends it. Made from what the record keeps, it can be shown again at any time.
    pub fn calendar(&self, clinic: ClinicId, patient: PatientId, opened: Timestamp) -> String {
        self.to(&format!("/calendar/{}.ics", self.sign(Purpose::Calendar, clinic, patient, opened + CALENDAR_LASTS, None)))
    }

    fn sign(&self, purpose: Purpose, clinic: ClinicId, patient: PatientId, expires: Timestamp, to: Option<&Email>) -> String {
        let mut token = Vec::with_capacity(SIGNED + DIGEST + MAC);
        token.push(purpose.number());
        token.extend_from_slice(clinic.0.as_bytes());
        token.extend_from_slice(patient.0.as_bytes());
        token.extend_from_slice(&expires.as_second().to_be_bytes());
        if let Some(to) = to {
            token.extend_from_slice(&self.digest(to).0);
        }
        self.seal(token)
    }

    /// The bytes and their signature, as text.
    fn seal(&self, mut token: Vec<u8>) -> String {
        let signature = self.mac.clone().chain_update(&token).finalize().into_bytes();
        token.extend_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whose a token is, when it was made here for this purpose and its time is not over.
    ///
    /// # Errors
    /// As [`Links::read`].
    pub fn verify(&self, purpose: Purpose, token: &str, now: Timestamp) -> Result<(ClinicId, PatientId), LinkError> {
        self.read(purpose, token, now).map(|signed| (signed.clinic, signed.patient))
    }

    /// What a token says, when it was made here for this purpose and its time is not over.
    ///
    /// # Errors
    /// [`LinkError`]; a forged token is never told whether it would have expired.
    pub fn read(&self, purpose: Purpose, token: &str, now: Timestamp) -> Result<Signed, LinkError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Forged)?;
        let (signed, signature) =
            bytes.len().checked_sub(MAC).and_then(|length| bytes.split_at_checked(length)).ok_or(LinkError::Forged)?;
        // Compares in constant time.
        self.mac.clone().chain_update(signed).verify_slice(signature).map_err(|_| LinkError::Forged)?;
        let (head, digest) = signed.split_at_checked(SIGNED).ok_or(LinkError::Forged)?;
        let (number, rest) = head.split_at(1);
        let (clinic, rest) = rest.split_at(16);
        let (patient, expires) = rest.split_at(16);
        let mailed_to = match number {
            [number] if *number == purpose.number() && purpose.is_mailed() => {
                Some(AddressDigest(digest.try_into().map_err(|_| LinkError::Forged)?))
            }
            [number] if *number == purpose.number() && digest.is_empty() => None,
            [number] if Some(*number) == purpose.number_without_address() && digest.is_empty() => {
                if purpose == Purpose::OneTap {
                    return Err(LinkError::OlderForm);
                }
                None
            }
            _ => return Err(LinkError::Forged),
        };
        let id = |bytes: &[u8]| Uuid::from_slice(bytes).map_err(|_| LinkError::Forged);
        let expires = i64::from_be_bytes(expires.try_into().map_err(|_| LinkError::Forged)?);
        if now.as_second() >= expires {
            return Err(LinkError::Expired);
        }
        let until = Timestamp::from_second(expires).map_err(|_| LinkError::Forged)?;
        Ok(Signed { clinic: ClinicId(id(clinic)?), patient: PatientId(id(patient)?), until, mailed_to })
    }
}

/// Purpose, clinic, patient, end.
const SIGNED: usize = 1 + 16 + 16 + 8;
/// The digest of an address.
const DIGEST: usize = 16;
/// An HMAC-SHA256.
const MAC: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::new("https://clinic.test/", &[7; 32]).unwrap()
    }

    fn now() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    fn wei() -> Email {
        Email::parse("wei@home.test").unwrap()
    }

    fn token(address: &str) -> &str {
        address.rsplit('/').next().unwrap()
    }

    #[test]
    fn a_link_says_whose_it_is_until_it_expires() {
        let (clinic, patient) = (ClinicId::new(), PatientId::new());
        let address = links().one_tap(clinic, patient, &wei(), now());
        assert!(address.starts_with("https://clinic.test/go/"), "{address}");
        let verify = |at| links().verify(Purpose::OneTap, token(&address), at);
        assert_eq!(verify(now()), Ok((clinic, patient)));
        assert_eq!(verify(now() + SignedDuration::from_secs(48 * 3600 - 1)), Ok((clinic, patient)));
        assert_eq!(verify(now() + SignedDuration::from_hours(48)), Err(LinkError::Expired));
        let stop = links().unsubscribe(clinic, patient, &wei(), now());
        assert_eq!(
            links().verify(Purpose::Unsubscribe, token(&stop), now() + SignedDuration::from_hours(90 * 24)),
            Ok((clinic, patient))
        );
    }

    #[test]
    fn no_link_opens_what_it_was_not_made_for() {
        let address = links().unsubscribe(ClinicId::new(), PatientId::new(), &wei(), now());
        assert_eq!(links().verify(Purpose::OneTap, token(&address), now()), Err(LinkError::Forged));
        let other = Links::new("https://clinic.test", &[8; 32]).unwrap();
        assert_eq!(other.verify(Purpose::Unsubscribe, token(&address), now()), Err(LinkError::Forged));
    }

    #[test]
    fn a_mailed_link_names_its_address_and_does_not_tell_it() {
        let (clinic, patient, links) = (ClinicId::new(), PatientId::new(), links());
        let address = links.unsubscribe(clinic, patient, &wei(), now());
        let signed = links.read(Purpose::Unsubscribe, token(&address), now()).unwrap();
        assert_eq!(signed.mailed_to, Some(links.digest(&wei())));
        assert_ne!(signed.mailed_to, Some(links.digest(&Email::parse("wei@work.test").unwrap())));
        let other = Links::new("https://clinic.test", &[8; 32]).unwrap();
        assert_ne!(signed.mailed_to, Some(other.digest(&wei())), "without the secret no address can be tried");
        let calendar = links.calendar(clinic, patient, now());
        let calendar = token(&calendar).strip_suffix(".ics").unwrap();
        assert_eq!(links.read(Purpose::Calendar, calendar, now()).unwrap().mailed_to, None);
    }

    #[test]
    fn a_link_of_a_mail_that_names_no_address_stops_reminders_and_opens_nothing() {
        let (clinic, patient, links) = (ClinicId::new(), PatientId::new(), links());
        let old = |number: u8| {
            let expires = (now() + SignedDuration::from_hours(24)).as_second().to_be_bytes();
            links.seal([&[number][..], clinic.0.as_bytes(), patient.0.as_bytes(), &expires].concat())
        };
        assert_eq!(links.read(Purpose::OneTap, &old(1), now()), Err(LinkError::OlderForm));
        let signed = links.read(Purpose::Unsubscribe, &old(2), now()).unwrap();
        assert_eq!((signed.clinic, signed.patient, signed.mailed_to), (clinic, patient, None));
        // What names an address cannot be cut to what names none, nor the other way about.
        for number in [4, 5] {
            assert_eq!(links.read(Purpose::OneTap, &old(number), now()), Err(LinkError::Forged));
            assert_eq!(links.read(Purpose::Unsubscribe, &old(number), now()), Err(LinkError::Forged));
        }
    }

    #[test]
    fn a_changed_or_cut_token_is_forged() {
        let address = links().one_tap(ClinicId::new(), PatientId::new(), &wei(), now());
        let good = URL_SAFE_NO_PAD.decode(token(&address)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(links().verify(Purpose::OneTap, &URL_SAFE_NO_PAD.encode(bad), now()), Err(LinkError::Forged), "byte {at}");
            assert_eq!(
                links().verify(Purpose::OneTap, &URL_SAFE_NO_PAD.encode(&good[..at]), now()),
                Err(LinkError::Forged),
                "{at} bytes"
            );
        }
        for text in ["", "x", "../../etc", "%00", "ü"] {
            assert_eq!(links().verify(Purpose::OneTap, text, now()), Err(LinkError::Forged), "{text}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(Links::new("https://x.test", &[7; 31]).err(), Some(SettingsError::ShortSecret));
        for origin in ["", "x.test", "ftp://x.test", "https://", "https://x.test/app", "https://x.test?a", "https://me@x.test"] {
            assert_eq!(Links::new(origin, &[7; 32]).err(), Some(SettingsError::NoOrigin), "{origin}");
        }
        assert_eq!(Links::new("http://localhost:8080", &[7; 32]).unwrap().to("/today"), "http://localhost:8080/today");
    }
}
