//! Passwords: what is accepted as one, and how they are kept (argon2id), off the threads that answer requests.

use std::{num::NonZeroUsize, sync::Arc};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::PageError;

/// 19 MiB, two passes, one lane: the OWASP minimum.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What an unknown address is compared with, so that it takes as long as a known one. It is the hash of no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$aG9tZXN0cmV0Y2gtbm9ib2R5$mR2n1C7Z3G5u8wqv0bYkTz4Jx6sLhPf9EdAoVcXiQyU";

/// Why a password is not accepted. Each is a sentence in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    /// Nothing was typed.
    Missing,
    /// Fewer than 8 characters.
    Short,
    /// More than 128 characters.
    Long,
    /// Among the first that anybody would guess.
    Common,
}

impl PasswordFault {
    /// The sentence's key in the catalogue.
    pub fn key(self) -> &'static str {
        match self {
            Self::Missing => "password-missing",
            Self::Short => "password-short",
            Self::Long => "password-long",
            Self::Common => "password-common",
        }
    }
}

/// What comparing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Right,
    /// It is the password, kept under older parameters; here is its hash under today's.
    RightButOld(String),
    /// It is not, or there is none.
    Wrong,
}

/// Hashes and compares, never more at once than there are cores: each takes 19 MiB and some 30 ms.
#[derive(Clone)]
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))))
    }
}

impl Passwords {
    /// The hash of a password that a person chose, if it may be chosen. `about` are words that others would try first: the person's
    /// name and address.
    ///
    /// # Errors
    /// [`PageError::Internal`] when hashing fails.
    pub async fn choose(&self, typed: String, about: Vec<String>) -> Result<Result<String, PasswordFault>, PageError> {
        match typed.chars().count() {
            0 => return Ok(Err(PasswordFault::Missing)),
            1..=7 => return Ok(Err(PasswordFault::Short)),
            8..=128 => {}
            _ => return Ok(Err(PasswordFault::Long)),
        }
        self.blocking(move || {
            let about: Vec<&str> = about.iter().map(String::as_str).collect();
            // Two of four: safe against somebody who tries it on our sign-in page, which is throttled.
            if zxcvbn::zxcvbn(&typed, &about).score() < zxcvbn::Score::Two {
                return Ok(Err(PasswordFault::Common));
            }
            hash(&typed).map(Ok)
        })
        .await
    }

    /// Compares what was typed with what is kept; `None` (an unknown address, an account without a password) takes as long.
    ///
    /// # Errors
    /// [`PageError::Internal`] when what is kept cannot be read.
    pub async fn compare(&self, typed: String, kept: Option<String>) -> Result<Verdict, PageError> {
        // No password is longer; hashing a book for a stranger would be work for nothing.
        let typed: String = typed.chars().take(129).collect();
        self.blocking(move || {
            let known = kept.is_some();
            let kept = kept.as_deref().unwrap_or(NOBODY);
            let parsed = PasswordHash::new(kept).map_err(|error| format!("a kept password cannot be read: {error}"))?;
            let right = Argon2::default().verify_password(typed.as_bytes(), &parsed).is_ok();
            match (known && right, is_current(&parsed)) {
                (false, _) => Ok(Verdict::Wrong),
                (true, true) => Ok(Verdict::Right),
                (true, false) => hash(&typed).map(Verdict::RightButOld),
            }
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, PageError> {
        let permit = self.0.clone().acquire_owned().await.map_err(PageError::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(PageError::internal)?.map_err(PageError::Internal)
    }
}

/// The hash of a password, as PHC text; for the demo's accounts. Takes some 30 ms of a core.
///
/// # Errors
/// What argon2 says.
pub fn hash(password: &str) -> Result<String, String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

fn is_current(hash: &PasswordHash) -> bool {
    let at_least = |name, least| hash.params.get_decimal(name).is_some_and(|value| value >= least);
    hash.algorithm.as_str() == "argon2id" && at_least("m", MEMORY_KIB) && at_least("t", PASSES) && at_least("p", LANES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_recognised() {
        let passwords = Passwords::default();
        let kept = passwords.choose("four quiet garden chairs".into(), vec![]).await.unwrap().unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        let compare = |typed: &str| passwords.compare(typed.into(), Some(kept.clone()));
        assert_eq!(compare("four quiet garden chairs").await.unwrap(), Verdict::Right);
        assert_eq!(compare("four quiet garden chair").await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.compare("anything".into(), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn an_old_hash_is_renewed() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let kept = weak.hash_password(b"four quiet garden chairs").unwrap().to_string();
        let verdict = Passwords::default().compare("four quiet garden chairs".into(), Some(kept)).await.unwrap();
        assert!(matches!(verdict, Verdict::RightButOld(new) if new.contains("m=19456,t=2,p=1")));
    }

    #[tokio::test]
    async fn passwords_that_others_would_try_first_are_refused() {
        let passwords = Passwords::default();
        for (typed, fault) in [
            ("", PasswordFault::Missing),
            ("short", PasswordFault::Short),
            ("四個字不夠", PasswordFault::Short),
            ("password1", PasswordFault::Common),
            ("12345678", PasswordFault::Common),
            ("hannahtan", PasswordFault::Common),
            (&"x1Y".repeat(43), PasswordFault::Long),
        ] {
            let chosen = passwords.choose(typed.into(), vec!["hannah".into(), "tan".into()]).await.unwrap();
            assert_eq!(chosen.err(), Some(fault), "{typed}");
        }
        assert!(passwords.choose("homestretch-demo".into(), vec![]).await.unwrap().is_ok());
        assert!(passwords.choose("我每天早上喝一杯茶".into(), vec![]).await.unwrap().is_ok());
    }

    #[test]
    fn nobody_has_a_hash_that_costs_as_much() {
        let parsed = PasswordHash::new(NOBODY).unwrap();
        assert!(is_current(&parsed));
        assert_eq!(parsed.hash.unwrap().as_bytes().len(), 32);
    }
}
