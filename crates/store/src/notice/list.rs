//! Reading the queue.

use domain::{
    ids::{AccountId, MembershipId, NoticeId, PatientId},
    person::{Email, Zone},
    reminder::NoticeSkip,
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_date, to_instant, to_time},
    outbox::Kind,
};

/// The states of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It waits for its turn, or to be tried again.
    Pending,
    /// A worker has taken it up; nothing is sent yet.
    Claimed,
    /// A worker is handing it over.
    Sending,
    /// The mail server took it.
    Sent,
    /// It was not wanted any more.
    Skipped,
    /// It can never be sent.
    Dead,
    /// Nobody knows whether it arrived.
    Unknown,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [Self::Pending, Self::Claimed, Self::Sending, Self::Sent, Self::Skipped, Self::Dead, Self::Unknown];

    /// As the schema spells it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn read(tag: &str, id: Uuid) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.tag() == tag)
            .ok_or_else(|| StoreError::corrupt("notice", "state", id, format!("{tag} is no state")))
    }
}

/// What holds all mail back, if anything does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// Since when reminders wait after a restore.
    pub held_since: Option<Timestamp>,
    /// Since when the mail server refuses or is away, and in which words.
    pub paused: Option<(Timestamp, String)>,
    /// Whether that is because it refuses one recipient after another.
    pub refuses_everybody: bool,
    /// Whether account mail of before the restore waits to be decided upon, as far as this clinic's mail goes.
    pub account_mail_waits: bool,
}

/// What holds all mail of the installation back.
///
/// # Errors
/// The store's own.
pub async fn sender(tx: &Tx) -> Result<Sender, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        held_since: Option<At>,
        paused_since: Option<At>,
        paused_reason: Option<String>,
        refuses_everybody: bool,
        account_mail_waits: bool,
    }
    let row: Option<Row> = tx
        .one(
            "select held_since, paused_since, paused_reason, refusals_since is not null as refuses_everybody,
               account_mail_held_since is not null and exists (select from notice n where n.kind <> 'session_reminder' and n.state in ('pending', 'claimed')
                 and coalesce(n.resent_at, n.created_at) < account_mail_held_since) as account_mail_waits
             from mail_sender",
            [],
        )
        .await?;
    Ok(row.map_or_else(Sender::default, |row| Sender {
        held_since: row.held_since.and_then(to_instant),
        paused: row.paused_since.and_then(to_instant).map(|since| (since, row.paused_reason.unwrap_or_default())),
        refuses_everybody: row.refuses_everybody,
        account_mail_waits: row.account_mail_waits,
    }))
}

/// How many notices are in which state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// By state; a state without notices is left out.
    pub states: Vec<(State, u64)>,
    /// The skipped ones by reason, the most frequent first.
    pub reasons: Vec<(NoticeSkip, u64)>,
}

impl Counts {
    /// How many are in any of these states.
    pub fn of(&self, states: &[State]) -> u64 {
        self.states.iter().filter(|(state, _)| states.contains(state)).map(|(_, count)| count).sum()
    }
}

/// Counts the clinic's notices that were due since an instant; two statements, each along one index.
///
/// # Errors
/// The store's own.
pub async fn counts(tx: &Tx, since: Timestamp) -> Result<Counts, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        tag: String,
        count: i64,
    }
    let clinic = tx.clinic().0;
    let (states, reasons) = tokio::try_join!(
        tx.all::<Row>(
            "select state as tag, count(*) as count from notice where clinic_id = $1 and state = any($3) and due_at >= $2 group by state",
            [clinic.into(), from_instant(since).into(), State::ALL.map(|state| state.tag().to_owned()).to_vec().into()],
        ),
        tx.all::<Row>(
            "select reason as tag, count(*) as count from notice where clinic_id = $1 and state = 'skipped' and due_at >= $2
             group by reason order by count desc, reason",
            [clinic.into(), from_instant(since).into()],
        ),
    )?;
    let count = |row: &Row| u64::try_from(row.count).unwrap_or_default();
    Ok(Counts {
        states: states.iter().map(|row| Ok((State::read(&row.tag, clinic)?, count(row)))).collect::<Result<_, StoreError>>()?,
        // A reason of a later version is counted with its state and named by nobody.
        reasons: reasons.iter().filter_map(|row| Some((row.tag.parse().ok()?, count(row)))).collect(),
    })
}

/// Which notices to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In these states; all when empty.
    pub states: Vec<State>,
    /// Of these kinds; all when empty.
    pub kinds: Vec<Kind>,
    /// To or about this patient alone.
    pub patient: Option<PatientId>,
    /// Due since then; counted from ever when `None`.
    pub since: Option<Timestamp>,
    /// Those older than this one: how a list goes on.
    pub before: Option<NoticeId>,
}

/// A notice as its clinic sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// What it is.
    pub kind: Kind,
    /// The patient it is for or about, with name and zone.
    pub patient: Option<(PatientId, String, Zone)>,
    /// The member of staff it is for, with name.
    pub member: Option<(MembershipId, String)>,
    /// The account it is for, where it is for an account or a member of staff.
    pub account: Option<AccountId>,
    /// Where it goes, or went.
    pub recipient: Email,
    /// The patient's present address; `None` for mail to others, and where the clinic has none.
    pub present: Option<Email>,
    /// For reminders: the patient's civil date and time.
    pub civil: Option<(Date, Time)>,
    /// Where it stands.
    pub state: State,
    /// Why it was skipped.
    pub reason: Option<NoticeSkip>,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it is looked at next.
    pub next_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What the server said last, or what was there instead.
    pub reply: Option<String>,
    /// When its state became final.
    pub settled_at: Option<Timestamp>,
    /// Who asked for another attempt last, and when.
    pub resent: Option<(String, Timestamp)>,
    /// Why the clinic sends nothing at all to the address it would go to now, if it does not.
    pub blocked: Option<String>,
    /// Whether that address wants no reminders.
    pub unsubscribed: bool,
    /// For reminders: whether a later one of the same patient has taken its place.
    pub superseded: bool,
    /// For invitations: whether the person has joined meanwhile.
    pub joined: bool,
    /// For an invitation to the staff: whether it was withdrawn.
    pub withdrawn: bool,
}

#[derive(FromQueryResult)]
pub(super) struct Row {
    id: Uuid,
    kind: String,
    patient_id: Option<Uuid>,
    patient_name: Option<String>,
    patient_zone: Option<String>,
    patient_email: Option<String>,
    membership_id: Option<Uuid>,
    member_name: Option<String>,
    account_id: Option<Uuid>,
    recipient: String,
    civil_date: Option<time::Date>,
    civil_time: Option<time::Time>,
    state: String,
    reason: Option<String>,
    due_at: At,
    next_at: At,
    attempts: i32,
    reply: Option<String>,
    settled_at: Option<At>,
    resent_name: Option<String>,
    resent_at: Option<At>,
    blocked: Option<String>,
    unsubscribed: bool,
    superseded: bool,
    joined: bool,
    withdrawn: bool,
}

/// What a [`Notice`] is read from: `n` is the notice. An account's mail is named after the patient or the member whose account it is.
pub(super) const SELECT: &str = "select n.id, n.kind, p.id as patient_id, p.name as patient_name, p.zone as patient_zone,
     p.email as patient_email, m.id as membership_id, m.name as member_name, coalesce(n.account_id, m.account_id) as account_id,
     n.recipient, n.civil_date, n.civil_time, n.state, n.reason, n.due_at, n.next_at, n.attempts, n.reply, n.settled_at,
     r.name as resent_name, n.resent_at,
     (select s.reason from suppression s where s.clinic_id = n.clinic_id and s.scope = 'all'
        and s.email = coalesce(p.email, n.recipient)) as blocked,
     exists (select 1 from suppression s where s.clinic_id = n.clinic_id and s.scope = 'reminders'
        and s.email = coalesce(p.email, n.recipient)) as unsubscribed,
     n.state in ('dead', 'unknown') and n.kind = 'session_reminder' and exists (
       select 1 from notice l where l.clinic_id = n.clinic_id and l.patient_id = n.patient_id and l.kind = 'session_reminder'
         and l.due_at > n.due_at) as superseded,
     n.kind = 'invitation' and coalesce(p.joined_at, m.joined_at) is not null as joined,
     n.kind = 'invitation' and n.membership_id is not null and m.joined_at is null and m.disabled_at is not null as withdrawn
   from notice n
   left join patient p on p.clinic_id = n.clinic_id and (p.id = n.patient_id or (n.patient_id is null and p.account_id = n.account_id))
   left join membership m on m.clinic_id = n.clinic_id
     and (m.id = n.membership_id or (n.membership_id is null and n.patient_id is null and m.account_id = n.account_id and p.id is null))
   left join membership r on r.clinic_id = n.clinic_id and r.id = n.resent_by";

impl TryFrom<Row> for Notice {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = row.id;
        let corrupt = |column: &'static str, why: String| StoreError::corrupt("notice", column, id, why);
        let instant = |column, at| to_instant(at).ok_or_else(|| corrupt(column, "out of range".to_owned()));
        let email = |column, text: &str| Email::parse(text).map_err(|why| corrupt(column, why.to_string()));
        let patient = match (row.patient_id, row.patient_name, row.patient_zone) {
            (Some(patient), Some(name), Some(zone)) => {
                let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", patient, why))?;
                Some((PatientId(patient), name, zone))
            }
            _ => None,
        };
        Ok(Self {
            id: NoticeId(id),
            kind: Kind::ALL
                .into_iter()
                .find(|kind| kind.tag() == row.kind)
                .ok_or_else(|| corrupt("kind", format!("{} is not a kind this program sends", row.kind)))?,
            patient,
            member: row.membership_id.map(MembershipId).zip(row.member_name),
            account: row.account_id.map(AccountId),
            recipient: email("recipient", &row.recipient)?,
            present: row.patient_email.map(|text| email("patient.email", &text)).transpose()?,
            civil: row.civil_date.and_then(to_date).zip(row.civil_time.map(to_time)),
            state: State::read(&row.state, id)?,
            reason: row.reason.and_then(|reason| reason.parse().ok()),
            due_at: instant("due_at", row.due_at)?,
            next_at: instant("next_at", row.next_at)?,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
            reply: row.reply,
            settled_at: row.settled_at.and_then(to_instant),
            resent: row.resent_name.zip(row.resent_at.and_then(to_instant)),
            blocked: row.blocked,
            unsubscribed: row.unsubscribed,
            superseded: row.superseded,
            joined: row.joined,
            withdrawn: row.withdrawn,
        })
    }
}

/// The clinic's notices, newest first, at most `limit`. One statement, which reads at most `limit` rows of each state along its index
/// however many there are; the rarer kinds and one patient's notices have indexes of their own.
///
/// # Errors
/// The store's own.
pub async fn list(tx: &Tx, filter: &Filter, limit: u16) -> Result<Vec<Notice>, StoreError> {
    let Filter { states, kinds, patient, since, before } = filter;
    let states = if states.is_empty() { &State::ALL[..] } else { states };
    let kinds = if kinds.is_empty() { &Kind::ALL[..] } else { kinds };
    let page = "(select due_at, id from notice where clinic_id = $1 and id = $5)";
    let narrow = format!(
        "f.clinic_id = $1 and f.kind = any($3) and ($4::timestamptz is null or f.due_at >= $4)
           and ($5::uuid is null or (f.due_at, f.id) < {page})"
    );
    let found = match patient {
        // Mail to the patient's account (a new password) counts as the patient's.
        Some(_) => format!(
            "(select f.clinic_id, f.id, f.due_at from notice f where {narrow} and f.state = any($2) and f.patient_id = $7
              union all
              select f.clinic_id, f.id, f.due_at from notice f join patient p on p.clinic_id = f.clinic_id and p.account_id = f.account_id
              where {narrow} and f.state = any($2) and f.kind <> 'session_reminder' and f.patient_id is null and p.id = $7)"
        ),
        None if !kinds.contains(&Kind::SessionReminder) => {
            format!("(select f.clinic_id, f.id, f.due_at from notice f where {narrow} and f.kind <> 'session_reminder' and f.state = any($2))")
        }
        None => format!(
            "(select f.* from unnest($2) as s (state) cross join lateral (
                select f.clinic_id, f.id, f.due_at from notice f where {narrow} and f.state = s.state
                order by f.due_at desc, f.id desc limit $6) f)"
        ),
    };
    let mut values = vec![
        tx.clinic().0.into(),
        states.iter().map(|state| state.tag().to_owned()).collect::<Vec<_>>().into(),
        kinds.iter().map(|kind| kind.tag().to_owned()).collect::<Vec<_>>().into(),
        since.map(from_instant).into(),
        before.map(|id| id.0).into(),
        i64::from(limit).into(),
    ];
    values.extend(patient.map(|id| id.0.into()));
    tx.all::<Row>(
        &format!(
            "{SELECT} join (select * from {found} f order by f.due_at desc, f.id desc limit $6) f
               on f.clinic_id = n.clinic_id and f.id = n.id
             where n.clinic_id = $1 order by n.due_at desc, n.id desc"
        ),
        values,
    )
    .await?
    .into_iter()
    .map(Notice::try_from)
    .collect()
}

/// One attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of which notice.
    pub notice: NoticeId,
    /// When it ended.
    pub at: Timestamp,
    /// How far it came, in the engine's word ("rcpt").
    pub phase: String,
    /// How it ended: "retry", or the state it led to.
    pub outcome: String,
    /// What was said.
    pub reply: Option<String>,
}

/// The attempts of some notices, oldest first. One statement.
///
/// # Errors
/// The store's own.
pub async fn attempts(tx: &Tx, notices: &[NoticeId]) -> Result<Vec<Attempt>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        notice_id: Uuid,
        at: At,
        phase: String,
        outcome: String,
        reply: Option<String>,
    }
    let rows: Vec<Row> = tx
        .all(
            "select id, notice_id, at, phase, outcome, reply from delivery_attempt
             where clinic_id = $1 and notice_id = any($2) order by at, id",
            [tx.clinic().0.into(), notices.iter().map(|id| id.0).collect::<Vec<_>>().into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, notice_id, at, phase, outcome, reply }| {
            let at = to_instant(at).ok_or_else(|| StoreError::corrupt("delivery_attempt", "at", id, "out of range"))?;
            Ok(Attempt { notice: NoticeId(notice_id), at, phase, outcome, reply })
        })
        .collect()
}
