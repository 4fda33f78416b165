//! Codes of an app on the phone (TOTP, RFC 6238), and the box that their secrets are kept in.
//!
//! Six digits, thirty seconds, SHA-1: what every app understands. The secrets lie in the database encrypted under a key made of
//! HOMESTRETCH_SECRET, bound to their account, so that neither a copy of the database nor a row moved to another account makes a code.

use std::sync::Arc;

use domain::{ids::AccountId, person::Email};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use totp_rs::{Builder, Secret, Totp};

use crate::PageError;

/// Keeps this key apart from anything else that is made of the same secret.
const CONTEXT: &[u8] = b"homestretch second factor 1\0";
/// What RFC 4226 recommends, and what HMAC-SHA-1 uses whole.
const SECRET_LENGTH: usize = 20;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters of a recovery code: 80 bits.
const RECOVERY_LENGTH: usize = 16;

/// Seals and opens the secrets of second factors.
#[derive(Clone)]
pub(crate) struct Keys(Option<Arc<LessSafeKey>>);

impl Keys {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let derived = Hmac::<Sha256>::new_from_slice(secret).map(|mac| mac.chain_update(CONTEXT).finalize().into_bytes());
        // Both take these lengths; without a key nothing is sealed or opened.
        let key = derived.ok().and_then(|bytes| UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok());
        Self(key.map(|key| Arc::new(LessSafeKey::new(key))))
    }

    /// A fresh secret and its sealed form.
    pub(crate) fn fresh(&self, account: AccountId) -> Result<Vec<u8>, PageError> {
        let mut secret = [0; SECRET_LENGTH];
        getrandom::fill(&mut secret).map_err(PageError::internal)?;
        self.seal(account, &secret)
    }

    fn seal(&self, account: AccountId, secret: &[u8]) -> Result<Vec<u8>, PageError> {
        let key = self.0.as_ref().ok_or_else(|| PageError::internal("no key for second factors"))?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(PageError::internal)?;
        let mut sealed = secret.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(account.0.as_bytes()), &mut sealed)
            .map_err(|_| PageError::internal("a second factor could not be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The secret; `None` when it was sealed under another key (HOMESTRETCH_SECRET was changed) or for another account.
    pub(crate) fn open(&self, account: AccountId, sealed: &[u8]) -> Option<[u8; SECRET_LENGTH]> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.0.as_ref()?.open_in_place(nonce, Aad::from(account.0.as_bytes()), &mut rest).ok()?;
        opened.try_into().ok()
    }
}

fn totp(secret: &[u8; SECRET_LENGTH]) -> Totp {
    // Six digits, thirty seconds, one step of skew either way, SHA-1: the defaults are named in the address of the QR code.
    Builder::new().with_digits(6).with_step_duration(30).with_skew(1).with_secret(Secret::new_stack(*secret)).build_noncompliant()
}

/// The step whose code this is, of now, the one before and the one after: clocks of phones go wrong.
pub(crate) fn step(secret: &[u8; SECRET_LENGTH], code: &str, now: Timestamp) -> Option<i64> {
    let seconds = u64::try_from(now.as_second()).ok()?;
    totp(secret).check(code, seconds).and_then(|step| i64::try_from(step).ok())
}

/// What the QR code says: the address that authenticator apps read.
pub(crate) fn address(secret: &[u8; SECRET_LENGTH], email: &Email) -> String {
    let whose: String = form_urlencoded::byte_serialize(email.as_str().as_bytes()).collect();
    format!("otpauth://totp/Homestretch:{whose}?secret={}&issuer=Homestretch&algorithm=SHA1&digits=6&period=30", base32(secret))
}

/// The secret for typing, in groups of four.
pub(crate) fn spelled(secret: &[u8; SECRET_LENGTH]) -> String {
    grouped(&base32(secret), ' ')
}

/// New recovery codes as they are kept: without dashes.
pub(crate) fn recovery_codes() -> Result<Vec<String>, PageError> {
    (0..store::second_factor::RECOVERY_CODES)
        .map(|_| {
            let mut bytes = [0; RECOVERY_LENGTH * 5 / 8];
            getrandom::fill(&mut bytes).map_err(PageError::internal)?;
            Ok(base32(&bytes))
        })
        .collect()
}

/// A recovery code as it is shown.
pub(crate) fn grouped(code: &str, between: char) -> String {
    let mut out = String::with_capacity(code.len() * 5 / 4);
    for (at, c) in code.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            out.push(between);
        }
        out.push(c);
    }
    out
}

/// What somebody typed where a code was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Six digits of the app.
    Code(String),
    /// A recovery code, as it is kept.
    Recovery(String),
    /// Neither.
    Other,
}

/// Spaces and dashes, and small letters, are as good as none.
pub(crate) fn read(typed: &str) -> Typed {
    let text: String =
        typed.chars().take(100).filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    match text.len() {
        6 if text.bytes().all(|b| b.is_ascii_digit()) => Typed::Code(text),
        RECOVERY_LENGTH if text.bytes().all(|b| BASE32.contains(&b)) => Typed::Recovery(text),
        _ => Typed::Other,
    }
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(BASE32[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(BASE32[(held << (5 - bits)) as usize & 31]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, SHA-1, the last six of eight digits.
        let secret = b"12345678901234567890";
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            let now = Timestamp::from_second(at).unwrap();
            assert_eq!(step(secret, code, now), Some(at / 30), "{at}");
            let skewed = |seconds| step(secret, code, Timestamp::from_second(at + seconds).unwrap());
            assert_eq!((skewed(30), skewed(-30)), (Some(at / 30), Some(at / 30)), "a step of skew");
            assert_eq!((skewed(90), skewed(-60)), (None, None), "and no more");
        }
        assert_eq!(step(secret, "287083", Timestamp::from_second(59).unwrap()), None);
    }

    #[test]
    fn base32_is_that_of_the_standard() {
        // RFC 4648, section 10, without the padding, which apps do not want.
        for (text, spelled) in
            [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(text.as_bytes()), spelled);
        }
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_and_for_its_account_alone() {
        let (mine, other) = (AccountId::new(), AccountId::new());
        let keys = Keys::new(&[7; 32]);
        let sealed = keys.seal(mine, b"12345678901234567890").unwrap();
        assert!(!sealed.windows(8).any(|part| b"12345678901234567890".windows(8).any(|clear| clear == part)));
        assert_eq!(keys.open(mine, &sealed).as_ref(), Some(b"12345678901234567890"));
        assert_eq!(keys.open(other, &sealed), None);
        assert_eq!(Keys::new(&[8; 32]).open(mine, &sealed), None);
        assert_ne!(keys.seal(mine, b"12345678901234567890").unwrap(), sealed, "no two are sealed alike");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(keys.open(mine, &bad), None, "byte {at}");
        }
        assert_eq!(keys.open(mine, &sealed[..5]), None);
    }

    #[test]
    fn what_is_typed_is_read_as_people_type_it() {
        assert_eq!(read(" 123 456 "), Typed::Code("123456".into()));
        assert_eq!(read("123-456"), Typed::Code("123456".into()));
        assert_eq!(read("abcd-efgh-ijkl-2345"), Typed::Recovery("ABCDEFGHIJKL2345".into()));
        for bad in ["", "12345", "1234567", "abcd-efgh-ijkl-2340", "１２３４５６", &"1".repeat(5000)] {
            assert_eq!(read(bad), Typed::Other, "{bad}");
        }
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.len(), 10);
        for code in codes {
            assert_eq!(read(&grouped(&code, '-')), Typed::Recovery(code));
        }
    }
}
