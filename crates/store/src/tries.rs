//! How often somebody tried in vain, by subject: a digest of an address, of an account, or of both. Kept in the database, so that a
//! restart forgets nothing. Runs in [`Store::begin_sign_in`](crate::Store::begin_sign_in).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sea_orm::FromQueryResult;

use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_instant},
};

/// What is counted, and for how long together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    name: String,
    window: Window,
}

/// For how long tries are counted together, from the first one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// A quarter of an hour.
    Short,
    /// Six hours.
    Long,
}

impl Window {
    /// How long that is.
    pub fn length(self) -> SignedDuration {
        match self {
            Self::Short => SignedDuration::from_mins(15),
            Self::Long => SignedDuration::from_hours(6),
        }
    }
}

impl Subject {
    /// `kind` says what the digest is of; the same kind always has the same window.
    pub fn new(kind: &str, digest: &str, window: Window) -> Self {
        Self { name: format!("{kind}:{digest}"), window }
    }
}

/// How often, and until when that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How many times, this one included.
    pub times: i32,
    /// When they are forgotten.
    pub until: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    subject: String,
    failures: i32,
    first_at: At,
}

/// Counts one try against each of the subjects, before it is known whether it is one in vain: of many at the same moment each sees those
/// before it. The subjects' rows are held until the transaction ends, so name them in the same order everywhere, the narrowest first;
/// rolling back takes the try back.
///
/// # Errors
/// The store's own.
pub async fn count(tx: &Tx, subjects: &[Subject], now: Timestamp) -> Result<HashMap<Subject, Count>, StoreError> {
    let names: Vec<String> = subjects.iter().map(|subject| subject.name.clone()).collect();
    let long: Vec<String> = subjects.iter().filter(|one| one.window == Window::Long).map(|one| one.name.clone()).collect();
    let rows: Vec<Row> = tx
        .all(
            "insert into sign_in_failure as f (subject, failures, first_at, last_at) select unnest($1::text[]), 1, $2, $2
             on conflict (subject) do update set
               failures = case when f.first_at > case when f.subject = any($5) then $4 else $3 end then f.failures + 1 else 1 end,
               first_at = case when f.first_at > case when f.subject = any($5) then $4 else $3 end then f.first_at else $2 end,
               last_at = $2
             returning subject, failures, first_at",
            [
                names.into(),
                from_instant(now).into(),
                from_instant(now - Window::Short.length()).into(),
                from_instant(now - Window::Long.length()).into(),
                long.into(),
            ],
        )
        .await?;
    // What nobody counts any more goes; the table holds a day of failures at most.
    tx.run("delete from sign_in_failure where last_at < $1", [from_instant(now - SignedDuration::from_hours(24)).into()]).await?;
    rows.into_iter()
        .map(|Row { subject, failures, first_at }| {
            let begun =
                to_instant(first_at).ok_or_else(|| StoreError::corrupt("sign_in_failure", "first_at", &subject, "out of range"))?;
            let of = subjects.iter().find(|one| one.name == subject).ok_or(StoreError::NotFound)?;
            Ok((of.clone(), Count { times: failures, until: begun + of.window.length() }))
        })
        .collect()
}

/// The person got in: `theirs` are forgotten, and this try is taken back from `shared`, which others fail against, too.
///
/// # Errors
/// The store's own.
pub async fn forget(tx: &Tx, theirs: &[Subject], shared: &[Subject]) -> Result<(), StoreError> {
    let names = |subjects: &[Subject]| subjects.iter().map(|subject| subject.name.clone()).collect::<Vec<_>>();
    tx.run("delete from sign_in_failure where subject = any($1)", [names(theirs).into()]).await?;
    // One at a time and in this order, as they are counted.
    tx.run(
        "update sign_in_failure f set failures = greatest(f.failures - 1, 0)
         from (select subject from sign_in_failure where subject = any($1) order by array_position($1, subject) for update) held
         where held.subject = f.subject",
        [names(shared).into()],
    )
    .await?;
    Ok(())
}
