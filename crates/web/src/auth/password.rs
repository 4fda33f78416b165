//! Passwords: what is accepted as one, and how they are kept (argon2id), off the threads that answer requests.
//!
//! A password is compared in the form NFKC, as NIST SP 800-63B asks: "é" is one character on one keyboard and two on another, and a
//! Chinese keyboard writes digits that look like ours. Who can type their password must get in.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Semaphore, oneshot};
use unicode_normalization::UnicodeNormalization;

use super::{
    argon::{self, Compared, Memory},
    hands::Hands,
};
use crate::PageError;

/// The longest password, in characters.
const LONGEST: usize = 128;
/// More bytes than the longest password can have in any form: four a character, and up to four characters that become one.
const MOST_BYTES: usize = LONGEST * 16;
/// How many may wait for their turn. At some 30 ms a hash and one hash a core these wait a few seconds; whoever comes next is asked to
/// come back, since most people would have gone before their turn.
const MOST_WAITING: usize = 256;

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
    /// It is the password, kept under older parameters or as it was typed then; here is its hash as it is made today.
    RightButOld(String),
    /// It is not, or there is none.
    Wrong,
}

/// Hashes and compares, never more at once than there are cores: each takes 19 MiB and some 30 ms. Those who wait get their turn in the
/// order they came, and no more than a few hundred wait. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Shared>);

struct Shared {
    cores: usize,
    /// Two for each core: one hashes, and the next is at hand when it is done. Tokio's is fair: first come, first served.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Made when the first password comes.
    hands: OnceLock<Result<Hands, String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self(Arc::new(Shared {
            cores,
            turns: Arc::new(Semaphore::new(cores * 2)),
            waiting: AtomicUsize::new(0),
            hands: OnceLock::new(),
        }))
    }
}

impl Passwords {
    /// The hash of a password that a person chose, if it may be chosen. `about` are words that others would try first: the person's
    /// name and address.
    ///
    /// # Errors
    /// [`PageError::Unavailable`] when too many wait already; [`PageError::Internal`] when hashing fails.
    pub async fn choose(&self, typed: String, about: Vec<String>) -> Result<Result<String, PasswordFault>, PageError> {
        if typed.len() > MOST_BYTES {
            return Ok(Err(PasswordFault::Long));
        }
        let typed = normal(&typed);
        match typed.chars().count() {
            0 => return Ok(Err(PasswordFault::Missing)),
            1..=7 => return Ok(Err(PasswordFault::Short)),
            8..=LONGEST => {}
            _ => return Ok(Err(PasswordFault::Long)),
        }
        self.in_turn(move |memory| {
            let about: Vec<&str> = about.iter().map(String::as_str).collect();
            // Two of four: safe against somebody who tries it on our sign-in page, which is throttled.
            if zxcvbn::zxcvbn(&typed, &about).score() < zxcvbn::Score::Two {
                return Ok(Err(PasswordFault::Common));
            }
            argon::hash(memory, &typed).map(Ok)
        })
        .await
    }

    /// Compares what was typed with what is kept; `None` (an unknown address, an account without a password) takes as long. What is
    /// longer than any password is wrong without being hashed, whoever it is for.
    ///
    /// # Errors
    /// [`PageError::Unavailable`] when too many wait already; [`PageError::Internal`] when what is kept cannot be read.
    pub async fn compare(&self, typed: String, kept: Option<String>) -> Result<Verdict, PageError> {
        if typed.len() > MOST_BYTES {
            return Ok(Verdict::Wrong);
        }
        let usual = normal(&typed);
        if usual.chars().count() > LONGEST && typed.chars().count() > LONGEST {
            return Ok(Verdict::Wrong);
        }
        self.in_turn(move |memory| match argon::compare(memory, &usual, kept.as_deref())? {
            Compared::Right => Ok(Verdict::Right),
            Compared::RightButOld => argon::hash(memory, &usual).map(Verdict::RightButOld),
            // Hashes of the first days were made of what was typed, whatever its form.
            Compared::Wrong if usual != typed => match argon::compare(memory, &typed, kept.as_deref())? {
                Compared::Wrong => Ok(Verdict::Wrong),
                Compared::Right | Compared::RightButOld => argon::hash(memory, &usual).map(Verdict::RightButOld),
            },
            Compared::Wrong => Ok(Verdict::Wrong),
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, String> + Send + 'static,
    ) -> Result<T, PageError> {
        let place = self.queue()?;
        let turn = self.0.turns.clone().acquire_owned().await.map_err(PageError::internal)?;
        drop(place);
        let shared = self.0.clone();
        let (done, outcome) = oneshot::channel();
        let job = move |memory: &mut Memory| {
            let _turn = turn;
            let made = work(memory);
            // Under load the next hash writes over all of it within milliseconds; before a rest it is wiped.
            if shared.waiting.load(Ordering::Relaxed) == 0 {
                memory.wipe();
            }
            // Whoever asked may have gone.
            let _ = done.send(made);
        };
        let hands = self.0.hands.get_or_init(|| Hands::new(self.0.cores).map_err(|error| error.to_string()));
        hands.as_ref().map_err(|error| PageError::Internal(format!("no threads to hash on: {error}")))?.take(Box::new(job));
        outcome.await.map_err(PageError::internal)?.map_err(PageError::Internal)
    }

    /// A place among those who wait, given up when it is dropped: by getting a turn, or by a browser that goes away.
    fn queue(&self) -> Result<Place, PageError> {
        let place = Place(self.0.clone());
        if place.0.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            tracing::warn!("too many sign-ins wait for their turn");
            return Err(PageError::Unavailable);
        }
        Ok(place)
    }
}

struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The form in which passwords are kept.
fn normal(typed: &str) -> String {
    typed.nfkc().collect()
}

/// The hash of a password, as PHC text; for the demo's accounts. Takes some 30 ms of a core.
///
/// # Errors
/// What argon2 says.
pub fn hash(password: &str) -> Result<String, String> {
    argon::hash(&mut Memory::default(), &normal(password))
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};

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
    async fn a_password_gets_in_from_every_keyboard() {
        let passwords = Passwords::default();
        // Composed and decomposed; the digits of a Chinese keyboard; the space of a Mac with a finger on the option key.
        for (one, other) in [
            ("caf\u{e9} au lait noir", "cafe\u{301} au lait noir"),
            ("我的茶杯有四十二個", "我的茶杯有四十二個"),
            ("green bicycles 2741", "green\u{a0}bicycles \u{ff12}\u{ff17}\u{ff14}\u{ff11}"),
        ] {
            for (chosen, typed) in [(one, other), (other, one)] {
                let kept = passwords.choose(chosen.into(), vec![]).await.unwrap().unwrap();
                assert_eq!(passwords.compare(typed.into(), Some(kept)).await.unwrap(), Verdict::Right, "{chosen} {typed}");
            }
        }
        // Kept before the form was settled: it still gets in, and is kept in the settled form from then on.
        let odd = "cafe\u{301} au lait noir";
        let kept = argon::hash(&mut Memory::default(), odd).unwrap();
        let Verdict::RightButOld(new) = passwords.compare(odd.into(), Some(kept)).await.unwrap() else { panic!("not renewed") };
        assert_eq!(passwords.compare("caf\u{e9} au lait noir".into(), Some(new)).await.unwrap(), Verdict::Right);
    }

    #[tokio::test]
    async fn passwords_that_others_would_try_first_are_refused() {
        let passwords = Passwords::default();
        for (typed, fault) in [
            ("", PasswordFault::Missing),
            ("short", PasswordFault::Short),
            ("四個字不夠", PasswordFault::Short),
            // Seven characters, however many a keyboard makes of them.
            ("e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}", PasswordFault::Short),
            ("password1", PasswordFault::Common),
            ("12345678", PasswordFault::Common),
            ("\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}\u{ff17}\u{ff18}", PasswordFault::Common),
            ("hannahtan", PasswordFault::Common),
            (&"x1Y".repeat(43), PasswordFault::Long),
            (&"x".repeat(1 << 20), PasswordFault::Long),
        ] {
            let chosen = passwords.choose(typed.into(), vec!["hannah".into(), "tan".into()]).await.unwrap();
            assert_eq!(chosen.err(), Some(fault), "{}", typed.chars().take(200).collect::<String>());
        }
        assert!(passwords.choose("homestretch-demo".into(), vec![]).await.unwrap().is_ok());
        assert!(passwords.choose("我每天早上喝一杯茶".into(), vec![]).await.unwrap().is_ok());
        let longest = "四個安靜的花園椅子".repeat(15).chars().take(128).collect::<String>();
        assert!(passwords.choose(longest, vec![]).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_is_longer_than_any_password_is_never_hashed() {
        let passwords = Passwords::default();
        // Nobody gets a turn, so whoever needs one would wait for ever.
        let _all =
            passwords.0.turns.clone().acquire_many_owned(u32::try_from(passwords.0.turns.available_permits()).unwrap()).await;
        for length in [129, 4000, 1 << 20] {
            assert_eq!(passwords.compare("a".repeat(length), None).await.unwrap(), Verdict::Wrong, "{length}");
        }
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_asked_to_come_back() {
        let passwords = Passwords::default();
        let turns = u32::try_from(passwords.0.turns.available_permits()).unwrap();
        let all = passwords.0.turns.clone().acquire_many_owned(turns).await.unwrap();
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.in_turn(|_| Ok(())).await.is_ok() })
            })
            .collect();
        while passwords.0.waiting.load(Ordering::Relaxed) < MOST_WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.in_turn(|_| Ok(())).await, Err(PageError::Unavailable)));
        // A browser that goes away makes room.
        waiting[0].abort();
        while passwords.0.waiting.load(Ordering::Relaxed) == MOST_WAITING {
            tokio::task::yield_now().await;
        }
        let late = {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.in_turn(|_| Ok(())).await.is_ok() })
        };
        while passwords.0.waiting.load(Ordering::Relaxed) < MOST_WAITING {
            tokio::task::yield_now().await;
        }
        drop(all);
        let mut through = 0;
        for one in waiting.into_iter().chain([late]) {
            through += usize::from(one.await.unwrap_or(false));
        }
        assert_eq!(through, MOST_WAITING, "everybody who waited got in");
        assert_eq!(passwords.0.waiting.load(Ordering::Relaxed), 0);
        assert!(passwords.in_turn(|_| Ok(())).await.is_ok());
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_nobody_else_a_turn() {
        let passwords = Passwords::default();
        for _ in 0..passwords.0.turns.available_permits() * 2 {
            assert!(passwords.in_turn::<()>(|_| panic!("on purpose")).await.is_err());
        }
        assert_eq!(passwords.compare("four quiet garden chairs".into(), None).await.unwrap(), Verdict::Wrong);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_everything_else() {
        let nice = |stat: String| stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(16)?.parse::<i32>().ok()).unwrap();
        let own = || std::fs::read_to_string("/proc/thread-self/stat").map_err(|error| error.to_string());
        let hashing = nice(Passwords::default().in_turn(move |_| own()).await.unwrap());
        let here = nice(own().unwrap());
        assert!(hashing > here, "{hashing} beside {here}");
    }
}
