//! The second factor of an account, its recovery codes, and sign-ins that wait for a code.
//!
//! Runs in [`Store::begin_sign_in`](crate::Store::begin_sign_in). What makes and opens the sealed secrets lives with the web server, which has the key.

use domain::{
    ids::{AccountId, ClinicId, MembershipId},
    person::Email,
};
use jiff::{SignedDuration, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Actor, StoreError, Tx, account,
    audit::{self, AuditAction, AuditResource, AuthEvent},
    convert::{At, from_instant, to_instant},
    session::{self, digest, fresh_token},
};

/// How long a sign-in waits for its code.
pub const HALF_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// How long setting up may take before it starts over.
pub const SET_UP_LASTS: SignedDuration = SignedDuration::from_mins(30);
/// How many recovery codes are given out at once.
pub const RECOVERY_CODES: usize = 10;
/// For how long tried codes are counted together.
const WINDOW: SignedDuration = SignedDuration::from_mins(30);
/// Tried codes in that time, from anywhere; one that is right counts none.
const MOST_TRIES: i32 = 10;

/// Where an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has none.
    Off,
    /// One is being set up: the sealed secret.
    Pending(Vec<u8>),
    /// It is asked for at every sign-in.
    On {
        /// The sealed secret.
        sealed: Vec<u8>,
        /// Since when.
        since: Timestamp,
        /// How many recovery codes are left.
        codes_left: u32,
    },
}

/// How an account stands.
///
/// # Errors
/// The store's own.
pub async fn standing(tx: &Tx, account: AccountId, now: Timestamp) -> Result<Standing, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        sealed: Vec<u8>,
        confirmed_at: Option<At>,
        codes: i64,
    }
    let row: Option<Row> = tx
        .one(
            "select f.sealed, f.confirmed_at, (select count(*) from recovery_code r where r.account_id = f.account_id) as codes
             from second_factor f where f.account_id = $1 and (f.confirmed_at is not null or f.created_at > $2)",
            [account.0.into(), from_instant(now - SET_UP_LASTS).into()],
        )
        .await?;
    Ok(match row {
        None => Standing::Off,
        Some(Row { sealed, confirmed_at: None, .. }) => Standing::Pending(sealed),
        Some(Row { sealed, confirmed_at: Some(since), codes }) => Standing::On {
            sealed,
            since: to_instant(since)
                .ok_or_else(|| StoreError::corrupt("second_factor", "confirmed_at", account, "out of range"))?,
            codes_left: u32::try_from(codes).unwrap_or(u32::MAX),
        },
    })
}

/// Begins setting up with a fresh secret; one that was begun before is forgotten.
///
/// # Errors
/// [`StoreError::Refused`] when it is on already.
pub async fn begin(tx: &Tx, account: AccountId, sealed: Vec<u8>, now: Timestamp) -> Result<(), StoreError> {
    let begun = tx
        .run(
            "insert into second_factor (account_id, sealed, created_at) values ($1, $2, $3)
             on conflict (account_id) do update set sealed = $2, created_at = $3, last_step = 0
             where second_factor.confirmed_at is null",
            [account.0.into(), sealed.into(), from_instant(now).into()],
        )
        .await?;
    if begun == 0 { Err(StoreError::Refused("Your second factor is on already.".into())) } else { Ok(()) }
}

/// Counts a code before it is compared, so that a thousand at once are a thousand. `Some` is when to come back: that one is not compared.
///
/// # Errors
/// The store's own.
pub async fn count_try(tx: &Tx, account: AccountId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        tries: i32,
        tried_from: At,
    }
    let row: Option<Row> = tx
        .one(
            "update second_factor set
               tries = case when tried_from > $3 then least(tries + 1, 1000000) else 1 end,
               tried_from = case when tried_from > $3 then tried_from else $2 end
             where account_id = $1 returning tries, tried_from",
            [account.0.into(), from_instant(now).into(), from_instant(now - WINDOW).into()],
        )
        .await?;
    Ok(row.filter(|row| row.tries > MOST_TRIES).and_then(|row| Some(to_instant(row.tried_from)? + WINDOW)))
}

/// Takes the code of a step, if neither it nor a later one was taken before; says whether it did. Of two who send the same code at the
/// same moment one is refused: the second waits for the first, and then finds its step.
///
/// # Errors
/// The store's own.
pub async fn take_step(tx: &Tx, account: AccountId, step: i64) -> Result<bool, StoreError> {
    let taken = tx
        .run(
            "update second_factor set last_step = $2, tries = 0, tried_from = null where account_id = $1 and last_step < $2",
            [account.0.into(), step.into()],
        )
        .await?;
    Ok(taken == 1)
}

/// Turns on what was set up.
///
/// # Errors
/// [`StoreError::NotFound`] when nothing is being set up.
pub async fn turn_on(tx: &Tx, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
    let found = tx
        .run(
            "update second_factor set confirmed_at = $2 where account_id = $1 and confirmed_at is null",
            [account.0.into(), from_instant(now).into()],
        )
        .await?;
    if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Turns it off, or forgets what was being set up; its recovery codes and sign-ins that wait for a code go too. Says whether there was one.
///
/// # Errors
/// The store's own.
pub async fn turn_off(tx: &Tx, account: AccountId) -> Result<bool, StoreError> {
    tx.run("delete from recovery_code where account_id = $1", [account.0.into()]).await?;
    tx.run("delete from half_sign_in where account_id = $1", [account.0.into()]).await?;
    Ok(tx.run("delete from second_factor where account_id = $1", [account.0.into()]).await? > 0)
}

/// Keeps the digests of new recovery codes; the old ones work no more.
///
/// # Errors
/// The store's own.
pub async fn keep_codes(tx: &Tx, account: AccountId, codes: &[String]) -> Result<(), StoreError> {
    // Two requests for new codes at once must not leave both sets: the second waits here.
    tx.run("update second_factor set created_at = created_at where account_id = $1", [account.0.into()]).await?;
    tx.run("delete from recovery_code where account_id = $1", [account.0.into()]).await?;
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| digest(code.as_bytes())).collect();
    tx.run("insert into recovery_code (account_id, hash) select $1, unnest($2::bytea[])", [account.0.into(), hashes.into()])
        .await?;
    Ok(())
}

/// Uses a recovery code up; says whether it was one.
///
/// # Errors
/// The store's own.
pub async fn use_code(tx: &Tx, account: AccountId, code: &str) -> Result<bool, StoreError> {
    let used = tx
        .run("delete from recovery_code where account_id = $1 and hash = $2", [account.0.into(), digest(code.as_bytes()).into()])
        .await?;
    Ok(used == 1)
}

/// Begins a sign-in that waits for its code, and gives its token, which exists nowhere else.
///
/// # Errors
/// The store's own.
pub async fn half_open(tx: &Tx, account: AccountId, now: Timestamp) -> Result<[u8; 32], StoreError> {
    // Nobody else clears these away.
    tx.run("delete from half_sign_in where expires_at <= $1", [from_instant(now).into()]).await?;
    let token = fresh_token()?;
    tx.run(
        "insert into half_sign_in (token_hash, account_id, created_at, expires_at) values ($1, $2, $3, $4)",
        [digest(&token).into(), account.0.into(), from_instant(now).into(), from_instant(now + HALF_LASTS).into()],
    )
    .await?;
    Ok(token)
}

/// Whose sign-in waits for a code under this token.
///
/// # Errors
/// The store's own.
pub async fn waiting(tx: &Tx, token: &[u8], now: Timestamp) -> Result<Option<AccountId>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: Uuid,
    }
    let row: Option<Row> = tx
        .one(
            "select account_id from half_sign_in where token_hash = $1 and expires_at > $2",
            [digest(token).into(), from_instant(now).into()],
        )
        .await?;
    Ok(row.map(|row| row.account_id.into()))
}

/// Ends a sign-in that waited for its code; says whether it was still there.
///
/// # Errors
/// The store's own.
pub async fn end_waiting(tx: &Tx, token: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.run("delete from half_sign_in where token_hash = $1", [digest(token).into()]).await? == 1)
}

/// An owner turns a colleague's second factor off, whose phone is lost: all of the colleague's sessions end, too. Says whether there was
/// one; without one nothing changes. The caller has checked that the reader is the clinic's owner.
///
/// # Errors
/// [`StoreError::NotFound`] when nobody of that id has joined the clinic's staff; [`StoreError::Refused`] when they work in another clinic
/// as well, whose owner has not asked for that.
pub async fn reset_member(tx: &Tx, clinic: ClinicId, member: MembershipId) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: Uuid,
        elsewhere: bool,
    }
    let Row { account_id, elsewhere } = tx
        .one(
            "select m.account_id, exists (select from membership o where o.account_id = m.account_id and o.clinic_id <> m.clinic_id
               and o.joined_at is not null and o.disabled_at is null) as elsewhere
             from membership m where m.clinic_id = $1 and m.id = $2 and m.joined_at is not null and m.disabled_at is null",
            [clinic.0.into(), member.0.into()],
        )
        .await?
        .ok_or(StoreError::NotFound)?;
    if elsewhere {
        let sentence = "They work at another clinic too, so only whoever runs this installation can turn their second factor off.";
        return Err(StoreError::Refused(sentence.into()));
    }
    let account = AccountId::from(account_id);
    let was_on = turn_off(tx, account).await?;
    if was_on {
        session::end_others(tx, account, None).await?;
    }
    Ok(was_on)
}

/// Whoever runs the installation turns an account's second factor off, whom no owner can help: all of its sessions end, and the audit of
/// every clinic that it has a place in tells of it, as done by nobody of the clinic. Says whether there was one.
///
/// # Errors
/// [`StoreError::NotFound`] when nobody has this address; the store's own.
pub async fn reset_by_operator(tx: &Tx, email: &Email, now: Timestamp) -> Result<bool, StoreError> {
    let account = account::by_email(tx, email).await?.ok_or(StoreError::NotFound)?.id;
    if !turn_off(tx, account).await? {
        return Ok(false);
    }
    session::end_others(tx, account, None).await?;
    let mut clinics: Vec<ClinicId> = account::places(tx, account).await?.into_iter().map(|place| place.clinic).collect();
    // In the order of the clinics, as all who write into several of them, so that no two wait for each other.
    clinics.sort_unstable_by_key(|clinic| clinic.0);
    clinics.dedup();
    let request = Uuid::now_v7();
    for clinic in clinics {
        let who = AuthEvent {
            clinic,
            at: now,
            account,
            actor: Actor::System,
            request,
            address: None,
            detail: Some("by the operator".to_owned()),
        };
        audit::auth_event(tx, who, AuditAction::Wrote, AuditResource::Account).await?;
    }
    Ok(true)
}
