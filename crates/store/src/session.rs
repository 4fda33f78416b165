//! Signed-in browsers: opened at sign-in, looked up at every request, ended by the person, a new password or the clock.
//!
//! A session is a seat: one account in one clinic as one member of staff or one patient. Everything here runs in
//! [`Store::begin_sign_in`](crate::Store::begin_sign_in), before a clinic is known, but the look-up itself: see
//! [`Store::authenticate`](crate::Store::authenticate) and the function `open_session` in migrations/0006.

use std::{fmt::Write as _, net::IpAddr};

use domain::{
    ids::{AccountId, ClinicId, MembershipId, PatientId},
    person::{Email, Language, Role, Zone},
};
use jiff::{SignedDuration, Timestamp};
use sea_orm::{FromQueryResult, QueryResult};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Actor, ClinicContext, SessionRequest, StoreError, Tx,
    convert::{At, from_instant, to_instant},
    db::{
        context::{Admitted, RequestContext},
        transaction::Transaction,
    },
};

/// How long a member of staff may be away before the session ends.
pub const STAFF_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// How long a patient may be away before the session ends.
pub const PATIENT_IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a session of staff lasts at most.
pub const STAFF_ABSOLUTE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a session of a patient lasts at most.
pub const PATIENT_ABSOLUTE: SignedDuration = SignedDuration::from_hours(180 * 24);
/// For how long somebody who gave their password need not give it again before a sensitive change.
pub const CONFIRMED_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// How old `seen_at` may be before a request writes it again: a write for every request would cost more than it tells.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// How far a session reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything the person may do.
    Full,
    /// Opened by a one-tap link: today's session and nothing else.
    Today,
}

impl Reach {
    fn tag(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Today => "today",
        }
    }
}

/// The clinic of a session, as every page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClinicCard {
    /// Which.
    pub id: ClinicId,
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: Zone,
    /// Its telephone number as people write it.
    pub phone: Option<String>,
    /// Its WhatsApp number, digits only, with the country's code.
    pub whatsapp: Option<String>,
}

/// As whom somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// On the clinic's staff.
    Staff {
        /// Their place on the staff.
        membership: MembershipId,
        /// Owner or physiotherapist.
        role: Role,
        /// Their name in this clinic.
        name: String,
    },
    /// As a patient of the clinic.
    Patient {
        /// Their record.
        patient: PatientId,
        /// Their name in this clinic's record.
        name: String,
        /// Where their days begin and end.
        zone: Zone,
        /// Their language.
        language: Language,
    },
}

impl Seat {
    /// The person's name as this clinic has it.
    pub fn name(&self) -> &str {
        match self {
            Self::Staff { name, .. } | Self::Patient { name, .. } => name,
        }
    }
}

/// A live session and everything a request needs to know about who is there.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The key to the clinic's rows, for this request.
    pub scope: ClinicContext,
    /// The session's own id (not its token).
    pub session: Uuid,
    /// Whose account.
    pub account: AccountId,
    /// The account's address.
    pub email: Email,
    /// The account's language.
    pub language: Language,
    /// Which clinic.
    pub clinic: ClinicCard,
    /// As whom.
    pub seat: Seat,
    /// How far it reaches.
    pub reach: Reach,
    /// Whether the account has another seat to change to.
    pub can_switch: bool,
    /// When the person last gave their password, and the code if they have a second factor; never for a session by a one-tap link.
    pub confirmed_at: Option<Timestamp>,
    /// Whether the account has a second factor.
    pub second_factor: bool,
    /// Whether the clinic wants its staff to have one, for somebody on the staff.
    pub second_factor_wanted: bool,
}

impl SignedIn {
    /// Whether a second factor is to be set up before anything else.
    pub fn must_set_up(&self) -> bool {
        self.second_factor_wanted && !self.second_factor
    }

    /// Whether the person proved within the last [`CONFIRMED_LASTS`] who they are.
    pub fn is_confirmed(&self, now: Timestamp) -> bool {
        self.confirmed_at.is_some_and(|at| now.duration_since(at) < CONFIRMED_LASTS)
    }
}

impl SeatId {
    /// Who that is at work.
    pub fn actor(self) -> Actor {
        match self {
            Self::Staff(id) => Actor::Staff(id),
            Self::Patient(id) => Actor::Patient(id),
        }
    }
}

/// A seat to open a session for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatId {
    /// A member of staff.
    Staff(MembershipId),
    /// A patient.
    Patient(PatientId),
}

/// One of an account's sessions, as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The session's id.
    pub id: Uuid,
    /// The browser as it named itself.
    pub user_agent: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to a few minutes.
    pub seen_at: Timestamp,
    /// The clinic it is bound to.
    pub clinic: String,
    /// From where it was opened; `None` for those from before this was kept.
    pub address: Option<String>,
    /// How far it reaches.
    pub reach: Reach,
}

/// A new session to open.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// Whose.
    pub account: AccountId,
    /// In which clinic.
    pub clinic: ClinicId,
    /// As whom.
    pub seat: SeatId,
    /// How far it reaches.
    pub reach: Reach,
    /// When it ends whatever happens; earlier than the usual end for a one-tap session.
    pub until: Option<Timestamp>,
    /// The browser as it names itself; cut to what is kept.
    pub user_agent: Option<&'a str>,
    /// From where it is opened, so that its owner can tell it from a stranger's.
    pub address: Option<IpAddr>,
    /// For a one-tap link: the address that it was mailed to. The session is opened only while that is the record's, and ends with it.
    pub mailed_to: Option<&'a Email>,
}

/// SHA-256 of a token: all that is ever stored of one.
pub fn digest(token: &[u8]) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// 256 bits from the operating system: a new token.
///
/// # Errors
/// [`StoreError::Other`] when the system has no randomness to give.
pub fn fresh_token() -> Result<[u8; 32], StoreError> {
    let mut token = [0; 32];
    getrandom::fill(&mut token).map_err(|error| StoreError::Other(format!("no randomness from the system: {error}")))?;
    Ok(token)
}

/// Opens a session and gives its token, which exists nowhere else. One with [`Reach::Full`] counts as confirmed just now: it is opened by
/// a password ([`keep_confirmed`] where it is not).
///
/// The membership or record is checked here (this account's, open, joined) and locked until the transaction ends: closing it is committed before this,
/// or finds the session and ends it.
///
/// # Errors
/// [`StoreError::NotFound`] when it is not, or when the record has another address than the one the link was mailed to.
pub async fn open(tx: &Tx, opening: Opening<'_>, now: Timestamp) -> Result<[u8; 32], StoreError> {
    let Opening { account, clinic, seat, reach, until, user_agent, address, mailed_to } = opening;
    let token = fresh_token()?;
    let (membership, patient, longest) = match seat {
        SeatId::Staff(id) => (Some(id.0), None, STAFF_ABSOLUTE),
        SeatId::Patient(id) => (None, Some(id.0), PATIENT_ABSOLUTE),
    };
    let end = until.map_or(now + longest, |until| until.min(now + longest));
    let agent: Option<String> = user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect());
    // Nobody else clears these away; an account has a handful at most.
    tx.run(
        "delete from session where id in (
           select id from session where account_id = $1
             and (expires_at <= $2 or seen_at <= case when membership_id is null then $3 else $4 end) for update skip locked)",
        [
            account.0.into(),
            from_instant(now).into(),
            from_instant(now - PATIENT_IDLE).into(),
            from_instant(now - STAFF_IDLE).into(),
        ],
    )
    .await?;
    let place = match seat {
        SeatId::Staff(_) => {
            "select 1 from membership
             where clinic_id = $4 and id = $5 and account_id = $3 and joined_at is not null and disabled_at is null for share"
        }
        SeatId::Patient(_) => {
            "select 1 from patient where clinic_id = $4 and id = $6 and account_id = $3 and ($12 is null or email = $12) for share"
        }
    };
    let opened = tx.run(
        &format!(
            "with place as materialized ({place})
             insert into session (id, token_hash, account_id, clinic_id, membership_id, patient_id, reach, created_at, seen_at, expires_at,
               user_agent, confirmed_at, address, mailed_to)
             select $1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, case $7 when 'full' then $8 end, $11, $12 from place"
        ),
        [
            Uuid::now_v7().into(),
            digest(&token).into(),
            account.0.into(),
            clinic.0.into(),
            membership.into(),
            patient.into(),
            reach.tag().into(),
            from_instant(now).into(),
            from_instant(end).into(),
            agent.into(),
            address.map(|address| address.to_string()).into(),
            mailed_to.map(|email| email.as_str().to_owned()).into(),
        ],
    )
    .await?;
    if opened == 0 { Err(StoreError::NotFound) } else { Ok(token) }
}

#[derive(FromQueryResult)]
pub(crate) struct Row {
    id: Uuid,
    account_id: Uuid,
    email: String,
    language: String,
    reach: String,
    clinic_id: Uuid,
    clinic_name: String,
    clinic_zone: String,
    phone: Option<String>,
    whatsapp: Option<String>,
    membership_id: Option<Uuid>,
    role: Option<String>,
    staff_name: Option<String>,
    patient_id: Option<Uuid>,
    patient_name: Option<String>,
    patient_zone: Option<String>,
    patient_language: Option<String>,
    seats: i64,
    caseload: Option<Uuid>,
    confirmed_at: Option<At>,
    second_factor: bool,
    second_factor_wanted: bool,
}

/// The question who comes with a token. It goes without parameters, together with BEGIN: a digest in hexadecimal and instants.
pub(crate) fn opening_words(arrival: &SessionRequest) -> String {
    let digest = digest(&arrival.token).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    let now = arrival.now;
    let (staff, patient, seen) = (now - STAFF_IDLE, now - PATIENT_IDLE, now - SEEN_EVERY);
    format!("select * from open_session('\\x{digest}', '{now}', '{staff}', '{patient}', '{seen}')")
}

/// What a transaction locks against revocation of the request's session while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nothing: the work only reads.
    Nothing,
    /// The session.
    Session,
    /// The account too: the work is about accounts and sessions.
    Account,
}

/// The question whether a session that was admitted earlier in the request still lives, and as what; see `resume_session` in
/// migrations/0035. Like [`opening_words`] it goes without parameters.
pub(crate) fn resuming_words(request: &RequestContext, hold: Hold, ends: Option<Uuid>) -> String {
    let (session, now) = (request.admitted.session, request.at);
    let (staff, patient) = (now - STAFF_IDLE, now - PATIENT_IDLE);
    let hold = match hold {
        Hold::Nothing => "nothing",
        Hold::Session => "session",
        Hold::Account => "account",
    };
    let ends = ends.map_or("null".to_owned(), |ends| format!("'{ends}'"));
    format!("select * from resume_session('{session}', '{now}', '{staff}', '{patient}', '{hold}', {ends})")
}

/// The answer: the role of a member of staff, and whether a second factor must be set up first; `None` when the session is over.
pub(crate) fn resumed(rows: &[QueryResult]) -> Result<Option<(Option<Role>, bool)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        role: Option<String>,
        must_set_up: bool,
    }
    let Some(row) = rows.first() else { return Ok(None) };
    let Row { role, must_set_up } = Row::from_query_result(row, "")?;
    let role = role.map(|role| role.parse()).transpose();
    Ok(Some((role.map_err(|why| StoreError::corrupt("membership", "role", "of a session", why))?, must_set_up)))
}

/// The answer.
pub(crate) fn admitted(rows: &[QueryResult]) -> Result<Option<Row>, StoreError> {
    Ok(rows.first().map(|row| Row::from_query_result(row, "")).transpose()?)
}

pub(crate) fn signed_in(row: Row, arrival: &SessionRequest, line: Option<Transaction>) -> Result<SignedIn, StoreError> {
    let Row {
        id,
        account_id,
        email,
        language,
        reach,
        clinic_id,
        clinic_name,
        clinic_zone,
        phone,
        whatsapp,
        membership_id,
        role,
        staff_name,
        patient_id,
        patient_name,
        patient_zone,
        patient_language,
        seats,
        caseload,
        confirmed_at,
        second_factor,
        second_factor_wanted,
    } = row;
    let seat = match (membership_id, role, staff_name, patient_id, patient_name, patient_zone, patient_language) {
        (Some(membership), Some(role), Some(name), ..) => Seat::Staff {
            membership: membership.into(),
            role: role.parse().map_err(|why| StoreError::corrupt("membership", "role", membership, why))?,
            name,
        },
        (_, _, _, Some(patient), Some(name), Some(zone), Some(language)) => Seat::Patient {
            patient: patient.into(),
            name,
            zone: zone.parse().map_err(|why| StoreError::corrupt("patient", "zone", patient, why))?,
            language: language.parse().map_err(|why| StoreError::corrupt("patient", "language", patient, why))?,
        },
        _ => return Err(StoreError::corrupt("session", "membership_id", id, "neither a member of staff nor a patient")),
    };
    let actor = match &seat {
        Seat::Staff { membership, .. } => Actor::Staff(*membership),
        Seat::Patient { patient, .. } => Actor::Patient(*patient),
    };
    let role = match &seat {
        Seat::Staff { role, .. } => Some(*role),
        Seat::Patient { .. } => None,
    };
    let as_what = Admitted { session: id, role, must_set_up: second_factor_wanted && !second_factor };
    let request = RequestContext::new(arrival, account_id.into(), as_what, line);
    Ok(SignedIn {
        scope: ClinicContext::within(clinic_id.into(), actor, caseload.map(MembershipId), request),
        session: id,
        account: account_id.into(),
        email: Email::parse(&email).map_err(|why| StoreError::corrupt("account", "email", account_id, why))?,
        language: language.parse().map_err(|why| StoreError::corrupt("account", "language", account_id, why))?,
        clinic: ClinicCard {
            id: clinic_id.into(),
            name: clinic_name,
            zone: clinic_zone.parse().map_err(|why| StoreError::corrupt("clinic", "zone", clinic_id, why))?,
            phone,
            whatsapp,
        },
        seat,
        reach: if reach == "full" { Reach::Full } else { Reach::Today },
        can_switch: seats > 1,
        confirmed_at: confirmed_at.and_then(to_instant),
        second_factor,
        second_factor_wanted,
    })
}

/// Whose session it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The account.
    pub account: AccountId,
    /// The clinic.
    pub clinic: ClinicId,
    /// As whom.
    pub seat: SeatId,
}

/// Ends the session of this token, if there is one, and says whose it was.
///
/// # Errors
/// Those of the database.
pub async fn end_by_token(tx: &Tx, token: &[u8]) -> Result<Option<Ended>, StoreError> {
    #[derive(FromQueryResult)]
    struct Gone {
        account_id: Uuid,
        clinic_id: Uuid,
        membership_id: Option<Uuid>,
        patient_id: Option<Uuid>,
    }
    let gate = "select pg_advisory_xact_lock(session_gate(account_id)) from session where token_hash = $1";
    tx.run(gate, [digest(token).into()]).await?;
    let sql = "delete from session where token_hash = $1 returning account_id, clinic_id, membership_id, patient_id";
    let gone: Option<Gone> = tx.one(sql, [digest(token).into()]).await?;
    Ok(gone.and_then(|Gone { account_id, clinic_id, membership_id, patient_id }| {
        let seat = match (membership_id, patient_id) {
            (Some(id), _) => SeatId::Staff(id.into()),
            (None, id) => SeatId::Patient(id?.into()),
        };
        Some(Ended { account: account_id.into(), clinic: clinic_id.into(), seat })
    }))
}

/// The person at a session has just proved who they are.
///
/// # Errors
/// Those of the database.
pub async fn confirm(tx: &Tx, session: Uuid, now: Timestamp) -> Result<(), StoreError> {
    tx.run("update session set confirmed_at = $2 where id = $1", [session.into(), from_instant(now).into()]).await?;
    Ok(())
}

/// When the session with this token ends whatever happens; `None` when there is none.
///
/// # Errors
/// Those of the database.
pub async fn end_of(tx: &Tx, token: &[u8]) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Ends {
        expires_at: At,
    }
    let ends: Option<Ends> = tx.one("select expires_at from session where token_hash = $1", [digest(token).into()]).await?;
    Ok(ends.and_then(|ends| to_instant(ends.expires_at)))
}

/// For a session that followed another without a password: it is as confirmed as that one was.
///
/// # Errors
/// Those of the database.
pub async fn keep_confirmed(tx: &Tx, token: &[u8], at: Option<Timestamp>) -> Result<(), StoreError> {
    tx.run("update session set confirmed_at = $2 where token_hash = $1", [digest(token).into(), at.map(from_instant).into()])
        .await?;
    Ok(())
}

/// Waits for the work that is in progress in the account's sessions, and lets no more begin until the transaction ends (migration 0041).
async fn close_gate(tx: &Tx, account: AccountId) -> Result<(), StoreError> {
    tx.run("select pg_advisory_xact_lock(session_gate($1))", [account.0.into()]).await?;
    Ok(())
}

/// Ends one of the account's own sessions.
///
/// # Errors
/// [`StoreError::NotFound`] when the account has no such session.
pub async fn end(tx: &Tx, account: AccountId, session: Uuid) -> Result<(), StoreError> {
    close_gate(tx, account).await?;
    match tx.run("delete from session where id = $1 and account_id = $2", [session.into(), account.0.into()]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Ends all of an account's sessions but `keep`. Says how many there were.
///
/// # Errors
/// Those of the database.
pub async fn end_others(tx: &Tx, account: AccountId, keep: Option<Uuid>) -> Result<u64, StoreError> {
    close_gate(tx, account).await?;
    tx.run(
        // In the order of the ids, as all who lock several.
        "delete from session where id in (
           select id from session where account_id = $1 and id is distinct from $2 order by id for update)",
        [account.0.into(), keep.into()],
    )
    .await
}

#[derive(FromQueryResult)]
struct ListedRow {
    id: Uuid,
    user_agent: Option<String>,
    created_at: At,
    seen_at: At,
    clinic: String,
    reach: String,
    address: Option<String>,
}

/// An account's living sessions, the last used first.
///
/// # Errors
/// Those of the database.
pub async fn of_account(tx: &Tx, account: AccountId, now: Timestamp) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<ListedRow> = tx
        .all(
            "select s.id, s.user_agent, s.created_at, s.seen_at, c.name as clinic, s.reach, s.address
             from session s join clinic c on c.id = s.clinic_id
             where s.account_id = $1 and s.expires_at > $2 and s.seen_at > case when s.membership_id is null then $3 else $4 end
             order by s.seen_at desc, s.id limit 100",
            [
                account.0.into(),
                from_instant(now).into(),
                from_instant(now - PATIENT_IDLE).into(),
                from_instant(now - STAFF_IDLE).into(),
            ],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let ListedRow { id, user_agent, created_at, seen_at, clinic, reach, address } = row;
            let at = |at, column| to_instant(at).ok_or_else(|| StoreError::corrupt("session", column, id, "out of range"));
            Ok(Listed {
                id,
                user_agent,
                created_at: at(created_at, "created_at")?,
                seen_at: at(seen_at, "seen_at")?,
                clinic,
                address,
                reach: if reach == "full" { Reach::Full } else { Reach::Today },
            })
        })
        .collect()
}
