//! `GET /audit`: who did what with whose record, when and from where. `GET /audit.csv`: the same as a file.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use domain::{
    ids::{MembershipId, PatientId},
    person::{Language, Zone},
};
use jiff::Timestamp;
use render::{
    Choice, Field, Nav, formats,
    pages::physio::audit::{Audit, Chain, Found, Row, Subject as Chosen},
};
use store::{
    StoreError, Tx,
    audit::{self, AuditAction, AuditResource, Entry},
    patient::{self, Patient},
};

use super::{
    filter::{PATIENTS, Wanted},
    words,
};
use crate::{
    AppState, PageError, PageResult,
    account::download,
    csv,
    extract::{Lately, Owner, Pages, Query, go},
};

const EN: Language = Language::En;
/// How many entries a page shows.
const PAGE: u32 = 50;
/// How many are read at a time for the file.
const BATCH: u32 = 1000;
/// How many a file holds at most.
const FILE: usize = 50_000;
/// How many patients a search shows.
const FOUND: u32 = 20;

/// All that a page is made of.
struct Read {
    entries: Vec<Entry>,
    more: bool,
    chain: Option<audit::Chain>,
    staff: Vec<(MembershipId, String)>,
    patient: Option<Patient>,
    found: Vec<Patient>,
}

/// The page.
pub(crate) async fn page(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let zone = owner.clinic.zone.clone();
    let filter = wanted.filter(&zone)?;
    let search: String = wanted.q.trim().chars().take(120).collect();
    let (member, whose) = (wanted.member()?, wanted.patient()?);
    let tx = app.store.begin(&owner.scope).await?;
    let (patient, staff) = tokio::try_join!(patient_of(&tx, whose), audit::staff(&tx))?;
    if member.is_some_and(|member| !staff.iter().any(|(id, _)| *id == member)) {
        return Err(PageError::NotFound);
    }
    tx.note(AuditAction::Read, AuditResource::Audit, whose);
    if !search.is_empty() {
        tx.note(AuditAction::Read, AuditResource::Caseload, None);
    }
    let found = async { if search.is_empty() { Ok(Vec::new()) } else { patient::named(&tx, &search, FOUND).await } };
    let entries = audit::list(&tx, &filter, PAGE + 1);
    let (found, mut entries, chain) = tx.final_reads(async { tokio::try_join!(found, entries, audit::chain(&tx)) }).await?;
    tx.commit().await?;
    let more = entries.len() > PAGE as usize;
    entries.truncate(PAGE as usize);
    let read = Read { entries, more, chain, staff, patient, found };
    if let [one] = read.found.as_slice() {
        let with = Wanted { patient: one.id.to_string(), q: String::new(), before: String::new(), ..wanted };
        return Ok(go(&with.href("/audit", &[])));
    }
    let page = view(&wanted, &search, &read, &zone);
    let pages = pages.at(Nav::Clinic);
    if page.from.error.is_some() || page.to.error.is_some() { pages.refuse(&page) } else { pages.show(&page) }
}

/// The patient a page is narrowed to. One of another clinic is not there, as one that does not exist.
pub(super) async fn patient_of(tx: &Tx, whose: Option<PatientId>) -> Result<Option<Patient>, StoreError> {
    match whose {
        Some(id) => patient::find(tx, id).await.map(Some),
        None => Ok(None),
    }
}

fn view(wanted: &Wanted, search: &str, read: &Read, zone: &Zone) -> Audit {
    let (from, to) = wanted.days();
    let mut people = vec![Choice::new("", "Everybody"), Choice::new(PATIENTS, "The patients themselves")];
    people.extend(read.staff.iter().map(|(id, name)| Choice::new(id.to_string(), name.clone())));
    let mut deeds = vec![Choice::new("", "Everything")];
    deeds.extend(AuditAction::ALL.map(|deed| Choice::new(deed.tag(), words::deed(deed))));
    let last = read.entries.last().map(|entry| entry.seq.to_string());
    let narrowed = !wanted.query(&[]).is_empty();
    Audit {
        people,
        person: Field::holding(wanted.person.clone()),
        deeds,
        what: Field::holding(wanted.deed().map_or("", AuditAction::tag)),
        from,
        to,
        search: search.to_owned(),
        patient: read.patient.as_ref().map(|patient| Chosen {
            id: patient.id.to_string(),
            name: patient.name.as_str().to_owned(),
            href: format!("/patients/{}", patient.id),
            clear: Wanted { patient: String::new(), ..wanted.clone() }.href("/audit", &[]),
        }),
        found: read
            .found
            .iter()
            .map(|one| Found {
                name: one.name.as_str().to_owned(),
                email: one.email.as_ref().map(|email| email.as_str().to_owned()),
                href: Wanted { patient: one.id.to_string(), ..wanted.clone() }.href("/audit", &[]),
            })
            .collect(),
        found_none: (!search.is_empty() && read.found.is_empty())
            .then(|| format!("Nobody found for “{search}”. Try a part of the name or of the email address.")),
        rows: read.entries.iter().map(|entry| row(entry, zone, &read.staff)).collect(),
        narrowed,
        csv: wanted.href("/audit.csv", &[]),
        breach: wanted.href("/audit/breaches/new", &[]),
        older: last.filter(|_| read.more).map(|last| wanted.href("/audit", &[("before", &last)])),
        newest: (!wanted.before.is_empty()).then(|| wanted.href("/audit", &[])),
        chain: read.chain.as_ref().map(|chain| Chain {
            length: chain.length,
            first: moment(zone, chain.first),
            last: moment(zone, chain.last),
            digest: chain.digest.clone(),
        }),
    }
}

/// "Monday 2 March 2026, 08:00": in the clinic's zone.
pub(super) fn moment(zone: &Zone, at: Timestamp) -> String {
    let here = zone.datetime(at);
    format!("{}, {}", formats::day_and_year(EN, here.date()), formats::hour(EN, here.time()))
}

/// "2026-03-02 00:00:00 UTC".
pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn row(entry: &Entry, zone: &Zone, staff: &[(MembershipId, String)]) -> Row {
    let here = zone.datetime(entry.at);
    Row {
        day: formats::day_and_year(EN, here.date()),
        time: here.time().strftime("%H:%M:%S").to_string(),
        utc: utc(entry.at),
        who: words::who(entry),
        what: words::sentence(entry),
        detail: entry.detail.as_deref().map(|detail| named(detail, staff)),
        tone: match entry.deed {
            AuditAction::Denied | AuditAction::SignInFailed => "pain",
            AuditAction::Exported => "warn",
            AuditAction::Read | AuditAction::Wrote | AuditAction::SignedIn | AuditAction::SignedOut => "",
        },
        patient: entry.patient.as_ref().map(|(id, name)| (name.clone(), format!("/audit?patient={id}"))),
        address: entry.address.clone(),
    }
}

/// The chain keeps ids, which outlast names; people read names.
fn named(detail: &str, staff: &[(MembershipId, String)]) -> String {
    let name = |word: &str| {
        let id: Option<MembershipId> = word.parse().ok();
        staff.iter().find(|(member, _)| Some(*member) == id).map(|(_, name)| name.clone())
    };
    detail.split(' ').map(|word| name(word).unwrap_or_else(|| word.to_owned())).collect::<Vec<_>>().join(" ")
}

const COLUMNS: [&str; 11] =
    ["entry", "at_utc", "at_clinic", "who", "who_id", "did", "what", "in_words", "patient", "patient_id", "address"];

/// The file: UTF-8 with a byte order mark, RFC 4180, newest first. Columns: the place in the chain · the instant in UTC and in the
/// clinic's zone · who, by name and id · the kind of deed and of thing · the page's words · the patient, by name and id · the address.
pub(crate) async fn file(
    State(app): State<AppState>,
    Owner(owner): Owner,
    lately: Lately,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    lately.or_back_to(wanted.href("/audit", &[]))?;
    let zone = owner.clinic.zone.clone();
    let (from, to) = wanted.days();
    if let Some(sentence) = from.error.or(to.error) {
        return Err(PageError::Refused(Some(sentence)));
    }
    let mut filter = wanted.filter(&zone)?;
    filter.before = None;
    let (member, whose) = (wanted.member()?, wanted.patient()?);
    let turn = app.downloads.turn(&app.store, &owner.scope, owner.account).await?;
    let tx = app.store.begin(&owner.scope).await?;
    tx.note(AuditAction::Exported, AuditResource::Audit, whose);
    let staff = async { if member.is_some() { audit::staff(&tx).await } else { Ok(Vec::new()) } };
    let (_, staff) = tokio::try_join!(patient_of(&tx, whose), staff)?;
    if member.is_some_and(|member| !staff.iter().any(|(id, _)| *id == member)) {
        return Err(PageError::NotFound);
    }
    let mut text = csv::BYTE_ORDER_MARK.to_owned() + &csv::line(COLUMNS);
    let mut count = 0;
    loop {
        let entries = audit::list(&tx, &filter, BATCH).await?;
        for entry in &entries {
            text.push_str(&csv::line(cells(entry, &zone)));
        }
        count += entries.len();
        filter.before = entries.last().map(|entry| entry.seq);
        if entries.len() < BATCH as usize {
            break;
        }
        if count >= FILE {
            let sentence = format!("These are more than {FILE} entries. Choose fewer days, and take the others in another file.");
            return Err(PageError::Refused(Some(sentence)));
        }
    }
    tx.commit().await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, download::text(turn, text)).into_response())
}

fn cells(entry: &Entry, zone: &Zone) -> [String; 11] {
    let (id, name) = entry.patient.as_ref().map(|(id, name)| (id.to_string(), name.clone())).unwrap_or_default();
    let by = match &entry.who {
        audit::Who::Staff(id, _) => id.to_string(),
        audit::Who::Patient(id, _) => id.to_string(),
        audit::Who::Nobody => String::new(),
    };
    [
        entry.seq.to_string(),
        entry.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        zone.datetime(entry.at).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        words::who(entry),
        by,
        entry.deed.tag().to_owned(),
        entry.subject.map_or("", AuditResource::tag).to_owned(),
        match &entry.detail {
            Some(detail) => format!("{} ({detail})", words::sentence(entry)),
            None => words::sentence(entry),
        },
        name,
        id,
        entry.address.clone().unwrap_or_default(),
    ]
}
