//! The audit: who did what with whose record, when and from where. Each entry is written in the transaction of the work itself and
//! carries a digest of everything before it (see migrations/0006), so an edit, a deletion and a cut tail can be found.
//!
//! A handler or a store function says `tx.note(AuditAction::Wrote, AuditResource::Program, Some(patient))`; the entry is written when the
//! transaction commits, and not at all when it does not. To add a kind of thing: a [`AuditResource`], and words for it on the audit's page.

mod list;

use std::{fmt::Write as _, net::IpAddr};

use domain::ids::{AccountId, ClinicId, MembershipId, PatientId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Actor, StoreError, Tx, convert::from_instant, db::context::RequestContext};
pub use list::{Chain, Entry, Filter, Who, chain, list, staff};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditAction {
    /// Looked at.
    Read,
    /// Made, changed or ended.
    Wrote,
    /// Taken away as a file.
    Exported,
    /// Asked for what is not theirs, and was refused.
    Denied,
    /// Signed in.
    SignedIn,
    /// Tried to sign in, and was refused.
    SignInFailed,
    /// Signed out, or was.
    SignedOut,
}

impl AuditAction {
    /// Every deed there is.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Wrote, Self::Exported, Self::Denied, Self::SignedIn, Self::SignInFailed, Self::SignedOut];

    /// As it is kept and as addresses spell it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Wrote => "wrote",
            Self::Exported => "exported",
            Self::Denied => "denied",
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::SignedOut => "signed_out",
        }
    }

    /// The deed of this tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.tag() == tag)
    }
}

/// What kind of thing it was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditResource {
    /// The list of patients with how they do.
    Caseload,
    /// A patient's record: details, programs, logs, figures.
    Record,
    /// A program.
    Program,
    /// A session log.
    Log,
    /// What a patient answered about how things are.
    Answers,
    /// A reason why a patient needs the physiotherapist.
    Attention,
    /// What was answered to a patient's note.
    Reply,
    /// Reminder rules.
    Reminders,
    /// The address under which a calendar program fetches the sessions ahead, and what it fetched.
    Calendar,
    /// The mails owed and sent.
    Notices,
    /// An invitation to sign in.
    Invitation,
    /// What a patient agreed to.
    Consent,
    /// An account: password, address, second factor, sessions.
    Account,
    /// The clinic's settings.
    Settings,
    /// The clinic's staff.
    Team,
    /// The exercise library and templates.
    Library,
    /// Closing a record, or opening it again.
    Closure,
    /// The register of breaches.
    Breach,
    /// The audit itself, and what is made of it.
    Audit,
    /// A page of the program, for what was refused.
    Page,
}

impl AuditResource {
    /// Every subject there is.
    pub const ALL: [Self; 20] = [
        Self::Caseload,
        Self::Record,
        Self::Program,
        Self::Log,
        Self::Answers,
        Self::Attention,
        Self::Reply,
        Self::Reminders,
        Self::Calendar,
        Self::Notices,
        Self::Invitation,
        Self::Consent,
        Self::Account,
        Self::Settings,
        Self::Team,
        Self::Library,
        Self::Closure,
        Self::Breach,
        Self::Audit,
        Self::Page,
    ];

    /// As it is kept and as addresses spell it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Caseload => "caseload",
            Self::Record => "record",
            Self::Program => "program",
            Self::Log => "log",
            Self::Answers => "answers",
            Self::Attention => "attention",
            Self::Reply => "reply",
            Self::Reminders => "reminders",
            Self::Calendar => "calendar",
            Self::Notices => "notices",
            Self::Invitation => "invitation",
            Self::Consent => "consent",
            Self::Account => "account",
            Self::Settings => "settings",
            Self::Team => "team",
            Self::Library => "library",
            Self::Closure => "closure",
            Self::Breach => "breach",
            Self::Audit => "audit",
            Self::Page => "page",
        }
    }

    /// The subject of this tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.tag() == tag)
    }
}

/// An entry to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingEntry {
    pub(crate) deed: AuditAction,
    pub(crate) subject: AuditResource,
    pub(crate) patient: Option<PatientId>,
    pub(crate) detail: Option<String>,
}

/// The statement that writes the entries, to be sent with the COMMIT. It has no parameters, so nothing in it is anything but an id, an
/// instant, a word of this program, or hexadecimal digits.
pub(crate) fn words(actor: Actor, trail: Option<&RequestContext>, notes: &[PendingEntry]) -> String {
    let (member, own) = match actor {
        Actor::Staff(id) => (Some(id.0), None),
        Actor::Patient(id) => (None, Some(id.0)),
        // The program itself is nobody who looks at records.
        Actor::System => return String::new(),
    };
    let Some(mut sql) = rows_first(own, notes) else { return String::new() };
    for (_, note) in notes.iter().enumerate().filter(|(place, note)| !notes[..*place].contains(note)) {
        sql.push_str(", ");
        let at = trail.map_or("null".to_owned(), |trail| format!("'{}'", trail.at));
        let address = trail.and_then(|trail| trail.address).map_or("null".to_owned(), |address| format!("'{address}'"));
        // Writing to a String cannot fail.
        let _ = write!(
            sql,
            "audit_append({at}, {}, {}, {}, '{}', '{}', {}, {}, {address}, {})",
            id(trail.map(|trail| trail.account.0)),
            id(member),
            id(own),
            note.deed.tag(),
            note.subject.tag(),
            id(note.patient.map(|patient| patient.0)),
            id(trail.map(|trail| trail.request)),
            note.detail.as_deref().map_or("null".to_owned(), hex),
        );
    }
    sql
}

/// The beginning of the statement: holds the rows of the records that the entries are about, as their foreign keys will. Whoever changes
/// a record has its row first and a place in the chain last; somebody who only looked at it and had the place first would wait for the
/// row, and each for the other. Nothing when there is nothing to write.
fn rows_first(own: Option<Uuid>, notes: &[PendingEntry]) -> Option<String> {
    let mut rows: Vec<Uuid> = notes.iter().filter_map(|note| note.patient).map(|patient| patient.0).chain(own).collect();
    rows.sort_unstable();
    rows.dedup();
    let rows: Vec<String> = rows.iter().map(|row| format!("'{row}'")).collect();
    match rows.as_slice() {
        _ if notes.is_empty() => None,
        [] => Some("select null".to_owned()),
        _ => Some(format!(
            "select (select count(*) from (select from patient where clinic_id = current_clinic() and id in ({}) order by id for key share) held)",
            rows.join(", ")
        )),
    }
}

fn id(id: Option<Uuid>) -> String {
    id.map_or("null".to_owned(), |id| format!("'{id}'"))
}

fn hex(text: &str) -> String {
    let digits = text.bytes().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    format!("convert_from('\\x{digits}', 'UTF8')")
}

/// Somebody at the door: before, while or after they are signed in.
#[derive(Debug, Clone)]
pub struct AuthEvent {
    /// Which clinic's audit tells of it.
    pub clinic: ClinicId,
    /// When.
    pub at: Timestamp,
    /// Whose account.
    pub account: AccountId,
    /// As whom; [`Actor::System`] when that is not known.
    pub actor: Actor,
    /// The request.
    pub request: Uuid,
    /// From where.
    pub address: Option<IpAddr>,
    /// More, in words of this program's own and ids: never anything a person typed.
    pub detail: Option<String>,
}

/// Notes a sign-in, a sign-out or a change of an account, in [`Store::begin_sign_in`](crate::Store::begin_sign_in).
///
/// # Errors
/// Those of the database.
pub async fn auth_event(tx: &Tx, who: AuthEvent, deed: AuditAction, subject: AuditResource) -> Result<(), StoreError> {
    let AuthEvent { clinic, at, account, actor, request, address, detail } = who;
    let (member, own) = match actor {
        Actor::Staff(MembershipId(id)) => (Some(id), None),
        Actor::Patient(PatientId(id)) => (None, Some(id)),
        Actor::System => (None, None),
    };
    tx.run(
        // The record first, as in `rows_first`.
        "select (select count(*) from (select from patient where clinic_id = $1 and id = $5 for key share) held),
           audit_append_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            clinic.0.into(),
            from_instant(at).into(),
            account.0.into(),
            member.into(),
            own.into(),
            deed.tag().into(),
            subject.tag().into(),
            own.into(),
            request.into(),
            address.map(|address| address.to_string()).into(),
            detail.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Notes something about an account in the audit of every clinic where it has taken a place that is open, in one statement: a clinic that
/// only invited somebody is told nothing of them.
///
/// # Errors
/// Those of the database.
pub async fn auth_event_everywhere(
    tx: &Tx,
    account: Option<AccountId>,
    deed: AuditAction,
    at: Timestamp,
    (request, address): (Uuid, Option<IpAddr>),
) -> Result<(), StoreError> {
    // In the order of the clinics, so that two such requests cannot wait for each other. The same statement for an address nobody
    // has: what is refused takes as long either way.
    tx.run(
        // The account's records first, as in `rows_first`.
        "select (select count(*) from (select from patient where account_id = $1 order by clinic_id, id for key share) held),
           audit_append_in(place.clinic_id, $2, $1, place.membership_id, place.patient_id, $5, 'account', place.patient_id, $3, $4, null)
         from (select m.clinic_id, m.id as membership_id, null::uuid as patient_id from membership m
               where m.account_id = $1 and m.joined_at is not null and m.disabled_at is null
               union all select p.clinic_id, null, p.id from patient p where p.account_id = $1 and p.closed_at is null
               order by 1) place",
        [
            account.map(|account| account.0).into(),
            from_instant(at).into(),
            request.into(),
            address.map(|address| address.to_string()).into(),
            deed.tag().into(),
        ],
    )
    .await?;
    Ok(())
}
