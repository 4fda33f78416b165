//! `/audit/breaches…`: the register of breaches. Whose data was touched is read from the audit; the clocks run from the moment the owner
//! noticed, as the PDPA has it: 72 hours to the Commissioner, 7 days to the people.

use std::net::IpAddr;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use domain::{
    ids::{MembershipId, PatientId},
    person::{Language, Zone},
};
use jiff::{SignedDuration, Timestamp, civil::DateTime};
use render::{
    Choice, Crumb, Field, Flash, Nav,
    formats::day_and_year,
    pages::physio::breaches::{AffectedRow, BreachForm, BreachRow, BreachShown, Breaches, ClockCard, Written},
};
use serde::Deserialize;
use store::{
    ClinicContext, StoreError,
    audit::{self, AuditAction, AuditResource},
    breach::{self, Affected, Breach, COMMISSIONER, Extent, New, Note, PEOPLE, Reach, Step},
    patient,
};
use uuid::Uuid;

use super::{
    filter::{self, Wanted},
    page::{moment, patient_of},
};
use crate::{
    AppState, PageError, PageResult,
    account::download,
    csv,
    extract::{Form, Id, Lately, Now, Owner, Pages, Query},
};

const EN: Language = Language::En;
/// How many lines a page shows.
const PAGE: u32 = 50;
/// From how many people on a breach is of significant scale.
const SIGNIFICANT: i64 = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Before {
    before: String,
}

/// `GET /audit/breaches`
pub(crate) async fn list(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Now(now): Now,
    Query(Before { before }): Query<Before>,
    pages: Pages,
) -> PageResult {
    let zone = owner.clinic.zone.clone();
    let before: Option<Uuid> = before.parse().ok();
    let tx = app.store.begin(&owner.scope).await?;
    tx.note(AuditAction::Read, AuditResource::Breach, None);
    let mut found = breach::list(&tx, before, PAGE + 1).await?;
    tx.commit().await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let older = found.last().filter(|_| more).map(|last| format!("/audit/breaches?before={}", last.id));
    let rows = found.iter().map(|breach| row(breach, &zone, now)).collect();
    pages.at(Nav::Clinic).show(&Breaches { rows, older })
}

fn row(breach: &Breach, zone: &Zone, now: Timestamp) -> BreachRow {
    let what = &breach.breach.what;
    let short: String = what.chars().take(120).collect();
    let (state, tone) = match (breach.closed_at, breach.commissioner_told_at, breach.people_told_at) {
        (Some(_), ..) => ("Closed".to_owned(), "quiet"),
        (None, Some(_), Some(_)) => ("All were told".to_owned(), ""),
        (None, None, _) => named("Commissioner", left(breach.breach.noticed_at, COMMISSIONER, now)),
        (None, Some(_), None) => named("People", left(breach.breach.noticed_at, PEOPLE, now)),
    };
    BreachRow {
        href: format!("/audit/breaches/{}", breach.id),
        noticed: moment(zone, breach.breach.noticed_at),
        what: if short.len() < what.len() { format!("{short}…") } else { short },
        state,
        tone,
    }
}

fn named(who: &str, (words, tone): (String, &'static str)) -> (String, &'static str) {
    (format!("{who}: {words}"), tone)
}

/// "61 hours left", "6 days and 13 hours left", "over since 4 hours": what is left of a time that began at `since`.
fn left(since: Timestamp, lasts: SignedDuration, now: Timestamp) -> (String, &'static str) {
    let left = (since + lasts).duration_since(now);
    let words = |span: SignedDuration| {
        let (hours, minutes) = (span.as_hours(), span.as_mins() % 60);
        let several = |count: i64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        match hours {
            0 => several(minutes, "minute"),
            1..=72 => several(hours, "hour"),
            _ => format!("{} and {}", several(hours / 24, "day"), several(hours % 24, "hour")),
        }
    };
    if left.is_negative() {
        (format!("over since {}", words(left.abs())), "pain")
    } else {
        (format!("{} left", words(left)), if left < lasts / 3 { "pain" } else { "warn" })
    }
}

/// A breach as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    what: String,
    noticed: String,
    from: String,
    to: String,
    person: String,
    patient: String,
    q: String,
    address: String,
}

/// `GET /audit/breaches/new`, with what the audit was asked for.
pub(crate) async fn new(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let zone = owner.clinic.zone.clone();
    let here = zone.datetime(now);
    let (member, whose) = (wanted.member()?, wanted.patient()?);
    let tx = app.store.begin(&owner.scope).await?;
    if whose.is_some() {
        tx.note(AuditAction::Read, AuditResource::Breach, whose);
    }
    let staff = audit::staff(&tx).await?;
    if member.is_some_and(|member| !staff.iter().any(|(id, _)| *id == member)) {
        return Err(PageError::NotFound);
    }
    let patient = patient_of(&tx, whose).await?;
    tx.commit().await?;
    let or_today = |typed: &str| match filter::day(typed) {
        Ok(Some(day)) => day.to_string(),
        _ => here.date().to_string(),
    };
    let typed = Typed {
        noticed: here.strftime("%Y-%m-%dT%H:%M").to_string(),
        from: or_today(&wanted.from),
        to: or_today(&wanted.to),
        person: member.map(|id| id.to_string()).unwrap_or_default(),
        ..Typed::default()
    };
    let patient = patient.map(|patient| (patient.id.to_string(), patient.name.as_str().to_owned()));
    pages.at(Nav::Clinic).show(&form(typed, Faults::default(), &staff, patient, &zone))
}

#[derive(Debug, Default)]
struct Faults {
    what: Option<String>,
    noticed: Option<String>,
    from: Option<String>,
    to: Option<String>,
    person: Option<String>,
    q: Option<String>,
    address: Option<String>,
}

impl Faults {
    fn any(&self) -> bool {
        [&self.what, &self.noticed, &self.from, &self.to, &self.person, &self.q, &self.address].iter().any(|fault| fault.is_some())
    }
}

fn form(
    typed: Typed,
    faults: Faults,
    staff: &[(MembershipId, String)],
    patient: Option<(String, String)>,
    zone: &Zone,
) -> BreachForm {
    let mut people = vec![Choice::new("", "Anybody’s")];
    people.extend(staff.iter().map(|(id, name)| Choice::new(id.to_string(), name.clone())));
    let problem = faults.any().then(|| "Nothing was written down yet. Please look at what is marked below.".to_owned());
    BreachForm {
        crumbs: vec![Crumb::to("Audit", "/audit"), Crumb::to("Breaches", "/audit/breaches"), Crumb::here("New")],
        problem,
        what: Field { value: typed.what, error: faults.what },
        noticed: Field { value: typed.noticed, error: faults.noticed },
        from: Field { value: typed.from, error: faults.from },
        to: Field { value: typed.to, error: faults.to },
        person: Field { value: typed.person, error: faults.person },
        people,
        q: Field { value: typed.q, error: faults.q },
        patient,
        address: Field { value: typed.address, error: faults.address },
        zone: zone.name().to_owned(),
    }
}

/// `POST /audit/breaches`
pub(crate) async fn create(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let zone = owner.clinic.zone.clone();
    let mut faults = Faults::default();
    let what = typed.what.trim().to_owned();
    if what.is_empty() || what.chars().count() > 2000 {
        faults.what = Some("Say what happened, in at most 2,000 characters.".to_owned());
    }
    let noticed = typed.noticed.trim().parse::<DateTime>().ok().filter(|at| (1900..=9000).contains(&at.year()));
    let noticed = noticed.map(|at| zone.instant(at.date(), at.time()));
    match noticed {
        None => faults.noticed = Some("Give day and hour, such as 2026-12-24T08:30.".to_owned()),
        Some(at) if at > now => faults.noticed = Some("That is still to come.".to_owned()),
        Some(_) => {}
    }
    let day = |typed: &str| match filter::day(typed) {
        Ok(Some(day)) => Ok(day),
        Ok(None) => Err("Give the day.".to_owned()),
        Err(fault) => Err(fault),
    };
    let (from, to) = (day(&typed.from), day(&typed.to));
    faults.from = from.clone().err();
    faults.to = to.clone().err();
    if let (Ok(from), Ok(to)) = (&from, &to)
        && to < from
    {
        faults.to = Some("The last day is before the first.".to_owned());
    }
    let address = match typed.address.trim() {
        "" => None,
        text => match text.parse::<IpAddr>() {
            Ok(address) => Some(address.to_string()),
            Err(_) => {
                faults.address = Some("Give an address such as 203.0.113.7.".to_owned());
                None
            }
        },
    };
    let known = Wanted { person: typed.person.clone(), patient: typed.patient.clone(), ..Wanted::default() };
    let (member, whose) = (known.member().ok().flatten(), known.patient()?);
    let sought = typed.q.trim();
    let tx = app.store.begin(&owner.scope).await?;
    let found = if sought.is_empty() || whose.is_some() { Vec::new() } else { patient::named(&tx, sought, 5).await? };
    let (staff, patient) = (audit::staff(&tx).await?, patient_of(&tx, whose).await?);
    tx.commit().await?;
    if !typed.person.is_empty() && !member.is_some_and(|member| staff.iter().any(|(id, _)| *id == member)) {
        faults.person = Some("Choose somebody of your team.".to_owned());
    }
    let patient = match (patient, found.as_slice()) {
        (Some(patient), _) => Some(patient),
        (None, [one]) => Some(one.clone()),
        (None, []) if sought.is_empty() => None,
        (None, []) => {
            faults.q = Some("Nobody of your clinic is called so.".to_owned());
            None
        }
        (None, _) => {
            faults.q = Some("Several patients are called so. Write more of the name, or the email address.".to_owned());
            None
        }
    };
    let (Ok(from), Ok(to), Some(noticed_at), false) = (from, to, noticed, faults.any()) else {
        // The form says who was found.
        if let Some(patient) = &patient {
            owner.scope.note(AuditAction::Read, AuditResource::Breach, Some(patient.id));
        }
        let shown = patient.map(|patient| (patient.id.to_string(), patient.name.as_str().to_owned()));
        return pages.at(Nav::Clinic).refuse(&form(typed, faults, &staff, shown, &zone));
    };
    let reach = Reach {
        from: filter::bounds(&zone, from).0,
        to: filter::bounds(&zone, to).1,
        member,
        patient: patient.map(|patient| patient.id),
        address,
    };
    let new = New { noticed_at, reach, what };
    let tx = app.store.begin(&owner.scope).await?;
    let id = breach::open(&tx, &new, now).await?;
    tx.commit().await?;
    Ok(pages.go_saying(&format!("/audit/breaches/{id}"), &Flash::good("It is written down. The clocks are running.")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    after: String,
}

/// `GET /audit/breaches/{id}`
pub(crate) async fn show(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Id(id): Id<Uuid>,
    Now(now): Now,
    Query(After { after }): Query<After>,
    pages: Pages,
) -> PageResult {
    let zone = owner.clinic.zone.clone();
    let page = shown(&app, &owner.scope, id, after.parse().ok(), (String::new(), None)).await?;
    pages.at(Nav::Clinic).show(&page.view(&zone, now))
}

/// What is typed about it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    step: String,
    text: String,
}

/// `POST /audit/breaches/{id}`
pub(crate) async fn write(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Id(id): Id<Uuid>,
    Now(now): Now,
    pages: Pages,
    Form(Done { step: typed, text }): Form<Done>,
) -> PageResult {
    let zone = owner.clinic.zone.clone();
    let step = Step::of_tag(&typed);
    let words = text.trim();
    let fault = match step {
        None => Some("Choose what it is about.".to_owned()),
        Some(Step::Noted) if words.is_empty() => Some("Write down what was done.".to_owned()),
        Some(_) if words.chars().count() > 2000 => Some("At most 2,000 characters, please.".to_owned()),
        Some(_) => None,
    };
    let (Some(step), None) = (step, &fault) else {
        let page = shown(&app, &owner.scope, id, None, (text, fault)).await?;
        return pages.at(Nav::Clinic).refuse(&page.view(&zone, now));
    };
    let tx = app.store.begin(&owner.scope).await?;
    breach::note(&tx, id, step, words, now).await?;
    tx.commit().await?;
    Ok(pages.go_saying(&format!("/audit/breaches/{id}"), &Flash::good("Written down.")))
}

/// All that a breach's page is made of.
struct Shown {
    breach: Breach,
    extent: Extent,
    affected: Vec<Affected>,
    after: Option<PatientId>,
    notes: Vec<Note>,
    typed: (String, Option<String>),
}

async fn shown(
    app: &AppState,
    scope: &ClinicContext,
    id: Uuid,
    after: Option<PatientId>,
    typed: (String, Option<String>),
) -> Result<Shown, StoreError> {
    let tx = app.store.begin(scope).await?;
    tx.note(AuditAction::Read, AuditResource::Breach, None);
    let breach = breach::find(&tx, id).await?;
    let reach = &breach.breach.reach;
    let extent = breach::extent(&tx, reach).await?;
    let affected = breach::affected(&tx, reach, after, PAGE + 1).await?;
    let notes = breach::notes(&tx, id).await?;
    tx.commit().await?;
    Ok(Shown { breach, extent, affected, after, notes, typed })
}

impl Shown {
    fn view(&self, zone: &Zone, now: Timestamp) -> BreachShown {
        let Self { breach, extent, affected, after, notes, typed } = self;
        let page = format!("/audit/breaches/{}", breach.id);
        let more = affected.len() > PAGE as usize;
        let shown = &affected[..affected.len().min(PAGE as usize)];
        let day = |at: Timestamp| day_and_year(EN, zone.date(at));
        let New { noticed_at, what, .. } = &breach.breach;
        BreachShown {
            crumbs: vec![Crumb::to("Audit", "/audit"), Crumb::to("Breaches", "/audit/breaches"), Crumb::here(day(*noticed_at))],
            what: what.clone(),
            noticed: format!("Noticed on {}. Written down by {}.", moment(zone, *noticed_at), breach.by),
            reach: reach_in_words(breach, zone),
            clocks: clocks(breach, zone, now),
            count: match extent.patients {
                0 => "nobody".to_owned(),
                1 => "1 patient".to_owned(),
                many => format!("{many} patients"),
            },
            lists: (extent.lists > 0).then(|| {
                let times = if extent.lists == 1 { "once".to_owned() } else { format!("{} times", extent.lists) };
                format!("Pages that show many patients at once (the caseload, the mail) were opened {times} in it: everybody on them may be affected too.")
            }),
            scale: (extent.patients > SIGNIFICANT)
                .then(|| "More than 1,000 people: the law calls that a significant scale. Say so to the Commissioner.".to_owned()),
            people: shown
                .iter()
                .map(|one| AffectedRow {
                    name: one.name.clone(),
                    href: format!("/patients/{}", one.patient),
                    email: one.email.as_ref().map(|email| email.as_str().to_owned()),
                    times: match one.times {
                        1 => format!("once, on {}", moment(zone, one.last)),
                        times => format!("{times} times, the last on {}", moment(zone, one.last)),
                    },
                    exported: one.exported,
                })
                .collect(),
            more: shown.last().filter(|_| more).map(|last| format!("{page}?after={}", last.patient)),
            first: after.map(|_| page.clone()),
            csv: format!("{page}/people.csv"),
            written: notes
                .iter()
                .map(|note| Written {
                    step: step(note.step).to_owned(),
                    at: moment(zone, note.at),
                    by: note.by.clone(),
                    text: note.text.clone(),
                })
                .collect(),
            action: page,
            text: Field { value: typed.0.clone(), error: typed.1.clone() },
            step: Field::holding(Step::Noted.tag()),
            steps: Step::ALL.map(|one| Choice::new(one.tag(), step(one))).into(),
            closed: breach.closed_at.map(|at| format!("Dealt with on {}", moment(zone, at))),
        }
    }
}

fn step(step: Step) -> &'static str {
    match step {
        Step::Noted => "A note",
        Step::CommissionerTold => "The Commissioner was told",
        Step::PeopleTold => "The people were told",
        Step::Closed => "It is dealt with",
    }
}

fn reach_in_words(breach: &Breach, zone: &Zone) -> String {
    let Reach { from, to, address, .. } = &breach.breach.reach;
    let day = |at: Timestamp| day_and_year(EN, zone.date(at));
    // The end is the beginning of the day after.
    let last = to.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(*to);
    let when = if zone.date(*from) == zone.date(last) {
        format!("on {}", day(*from))
    } else {
        format!("from {} to {}", day(*from), day(last))
    };
    let mut words = match &breach.patient {
        Some(name) => format!("It is about the record of {name}, opened {when}"),
        None => format!("It is about what was opened {when}"),
    };
    if let Some(name) = &breach.member {
        words.push_str(&format!(" with the access of {name}"));
    }
    if let Some(address) = address {
        words.push_str(&format!(" from the address {address}"));
    }
    words + "."
}

fn clocks(breach: &Breach, zone: &Zone, now: Timestamp) -> Vec<ClockCard> {
    let since = breach.breach.noticed_at;
    let card = |title: &str, lasts: SignedDuration, how_long: &str, told: Option<Timestamp>, tell: &[&str]| {
        let (state, tone) = match told {
            Some(at) if at > since + lasts => (format!("Told late, on {}", moment(zone, at)), "warn"),
            Some(at) => (format!("Told on {}", moment(zone, at)), ""),
            None => left(since, lasts, now),
        };
        ClockCard {
            title: title.to_owned(),
            state,
            tone,
            by: format!("By {}: {how_long} after it was noticed", moment(zone, since + lasts)),
            tell: tell.iter().map(|sentence| (*sentence).to_owned()).collect(),
        }
    };
    vec![
        card(
            "Tell the Commissioner",
            COMMISSIONER,
            "72 hours",
            breach.commissioner_told_at,
            &[
                "What happened, when, and how you noticed.",
                "Which data: names, email addresses, programs, and health data (pain, sessions, notes), which the law calls sensitive.",
                "How many people: see below. More than 1,000 is of significant scale.",
                "What may follow for them, and what you have done and will do about it.",
                "Whom to ask: your data protection officer, or you.",
                "If you do not know everything yet, tell what you know and follow up.",
            ],
        ),
        card(
            "Tell the people",
            PEOPLE,
            "7 days",
            breach.people_told_at,
            &[
                "It is health data, so harm may follow and they have to be told.",
                "In plain words: what happened, which of their data, and what may follow.",
                "What you have done, and what they can do themselves, such as a new password.",
                "Whom to ask, with a telephone number.",
                "Each of them, by email, letter or telephone; not on a notice board.",
            ],
        ),
    ]
}

const COLUMNS: [&str; 7] = ["name", "email", "times", "taken_away_as_a_file", "first_at_utc", "last_at_utc", "patient_id"];

/// `GET /audit/breaches/{id}/people.csv`: the affected people with their addresses.
pub(crate) async fn people(
    State(app): State<AppState>,
    Owner(owner): Owner,
    lately: Lately,
    Id(id): Id<Uuid>,
) -> Result<Response, PageError> {
    lately.or_back_to(format!("/audit/breaches/{id}"))?;
    let turn = app.downloads.turn(&app.store, &owner.scope, owner.account).await?;
    let tx = app.store.begin(&owner.scope).await?;
    tx.note(AuditAction::Exported, AuditResource::Breach, None);
    let breach = breach::find(&tx, id).await?;
    let mut text = csv::BYTE_ORDER_MARK.to_owned() + &csv::line(COLUMNS);
    let mut after = None;
    loop {
        let affected = breach::affected(&tx, &breach.breach.reach, after, 1000).await?;
        for one in &affected {
            text.push_str(&csv::line([
                one.name.clone(),
                one.email.as_ref().map(|email| email.as_str().to_owned()).unwrap_or_default(),
                one.times.to_string(),
                if one.exported { "yes" } else { "no" }.to_owned(),
                one.first.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                one.last.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                one.patient.to_string(),
            ]));
        }
        after = affected.last().map(|one| one.patient);
        if affected.len() < 1000 {
            break;
        }
    }
    tx.commit().await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"affected.csv\""),
    ];
    Ok((headers, download::text(turn, text)).into_response())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{COMMISSIONER, PEOPLE, left};

    #[test]
    fn what_is_left_is_said_in_hours_and_days() {
        let since: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap_or_default();
        let told = |lasts, minutes| left(since, lasts, since + SignedDuration::from_mins(minutes));
        assert_eq!(told(COMMISSIONER, 0), ("72 hours left".to_owned(), "warn"));
        assert_eq!(told(COMMISSIONER, 11 * 60), ("61 hours left".to_owned(), "warn"));
        assert_eq!(told(COMMISSIONER, 71 * 60 + 1), ("59 minutes left".to_owned(), "pain"));
        assert_eq!(told(COMMISSIONER, 76 * 60), ("over since 4 hours".to_owned(), "pain"));
        assert_eq!(told(PEOPLE, 11 * 60), ("6 days and 13 hours left".to_owned(), "warn"));
    }
}
