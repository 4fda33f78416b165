//! `GET /notices`: the mail of the clinic or of one patient, and why a mail did or did not come. `POST /notices/{id}/resend`: another
//! attempt of one that failed or that nobody knows about. `POST /notices/refused`: addresses that were given up are written to again.
//! `POST /notices/held`: what becomes of mail that was queued before a restore.

mod view;
mod words;

use axum::extract::State;
use domain::{
    ids::{NoticeId, PatientId},
    reminder_story::{self, Address},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use render::{Crumb, Field, Flash, Nav, formats::day_and_year, pages::physio::notices as shown, words::Language};
use serde::Deserialize;
use store::{
    ClinicContext, account,
    audit::{AuditAction, AuditResource},
    notice::{self, Asked, Attempt, Counts, Filter, HeldMail, Notice, RefusedAddress, Resend, Sender},
    outbox::hold::Choice,
    patient::{self, Patient},
};

use self::view::{Kinds, States, View};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Id, Now, Pages, Query, Staff, go},
};

/// How many mails a page lists.
const PAGE: u16 = 50;
/// How many patients a search shows.
const FOUND: u32 = 20;
/// What the clinic's page looks back on.
const LOOK_BACK_DAYS: i64 = 30;

/// The query of the page, as typed: what is no state, kind or notice counts as not given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    state: String,
    kind: String,
    patient: String,
    date: String,
    q: String,
    before: String,
}

/// The page.
pub async fn page(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let who = wanted.who()?;
    let (date, date_error) = wanted.date();
    // Whoever asks about a patient without naming a day is told about today.
    let date = date.or_else(|| (who.is_some() && date_error.is_none()).then(|| staff.clinic.zone.date(now)));
    let day = date.unwrap_or_else(|| staff.clinic.zone.date(now));
    let search: String = wanted.q.trim().chars().take(120).collect();
    let filter = Filter {
        states: States::of(&wanted.state).states().to_vec(),
        kinds: Kinds::of(&wanted.kind).kinds().to_vec(),
        patient: who,
        since: who.is_none().then(|| since(now)),
        before: wanted.before.parse().ok(),
    };
    // Beside the whole list, not on every part of it.
    let everything = who.is_none() && [&wanted.state, &wanted.kind, &wanted.q, &wanted.before].iter().all(|part| part.is_empty());
    staff.scope.note(AuditAction::Read, AuditResource::Notices, who);
    let tx = app.store.begin(&staff.scope).await?;
    let found = async { if search.is_empty() { Ok(Vec::new()) } else { patient::named(&tx, &search, FOUND).await } };
    let counts = async { if who.is_none() { notice::counts(&tx, since(now)).await.map(Some) } else { Ok(None) } };
    let asked = async {
        match who {
            Some(id) => notice::story(&tx, id, day, day).await.map(Some),
            None => Ok(None),
        }
    };
    let refused = async { if everything { notice::refused(&tx).await } else { Ok(Vec::new()) } };
    let held = async { if everything { notice::held::held(&tx).await } else { Ok(Vec::new()) } };
    let (found, mut notices, counts, sender, asked, refused, held) =
        tokio::try_join!(found, notice::list(&tx, &filter, PAGE + 1), counts, notice::sender(&tx), asked, refused, held)?;
    let more = notices.len() > usize::from(PAGE);
    notices.truncate(usize::from(PAGE));
    let ids: Vec<NoticeId> = notices.iter().map(|notice| notice.id).collect();
    let attempts = tx.final_reads(notice::attempts(&tx, &ids)).await?;
    tx.commit().await?;
    let read = Read { found, attempts, notices, more, asked, counts, sender, refused, held };
    if let [one] = read.found.as_slice() {
        return Ok(go(&format!("/notices?patient={}", one.id)));
    }
    let view = View { zone: &staff.clinic.zone, now, wanted: &wanted, sender: &read.sender, refused: None };
    let wrong = date_error.is_some();
    let page = view.page(&read, &search, date, date_error);
    if wrong { pages.at(Nav::Notices).refuse(&page) } else { pages.at(Nav::Notices).show(&page) }
}

/// All that a page is made of.
struct Read {
    found: Vec<Patient>,
    notices: Vec<Notice>,
    attempts: Vec<Attempt>,
    more: bool,
    asked: Option<Asked>,
    counts: Option<Counts>,
    sender: Sender,
    refused: Vec<RefusedAddress>,
    held: Vec<HeldMail>,
}

fn since(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(24 * LOOK_BACK_DAYS)).unwrap_or(now)
}

impl Wanted {
    /// Whose mail; an id that is none is a page that is not there.
    fn who(&self) -> Result<Option<PatientId>, PageError> {
        match self.patient.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| PageError::NotFound),
        }
    }

    /// The day asked about, and what is wrong with it.
    fn date(&self) -> (Option<Date>, Option<String>) {
        match self.date.trim() {
            "" => (None, None),
            // Times of the years at the far ends cannot be told apart from no time at all.
            text => match text.parse::<Date>().ok().filter(|date| (1900..=9000).contains(&date.year())) {
                Some(date) => (Some(date), None),
                None => (None, Some("Give the day as year, month and day, such as 2026-12-24.".to_owned())),
            },
        }
    }
}

/// The wish for another attempt.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// How many attempts the page showed.
    seen: String,
    /// Ticked: the address was checked.
    checked: String,
    /// The patient whose mail was looked at, if it was one's.
    patient: String,
}

/// Sends it again, or says why not.
pub async fn resend(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    Id(id): Id<NoticeId>,
    pages: Pages,
    Form(wish): Form<Wish>,
) -> PageResult {
    let back = match wish.patient.parse::<PatientId>() {
        Ok(patient) => format!("/notices?patient={patient}"),
        Err(_) => "/notices".to_owned(),
    };
    let checked = !wish.checked.is_empty();
    let tx = app.store.begin(&staff.scope).await?;
    let before = notice::find(&tx, id).await?;
    tx.commit().await?;
    let seen = wish.seen.parse().map_err(|_| PageError::Refused(None))?;
    // An account's address is read where accounts are; the notice of a patient follows the patient's record.
    let account = match before.account.filter(|_| before.patient.is_none()) {
        Some(account) => {
            let tx = app.store.begin_sign_in().await?;
            let account = account::find(&tx, account).await?;
            tx.commit().await?;
            Some(account.email)
        }
        None => None,
    };
    let tx = app.store.begin(&staff.scope).await?;
    let came = notice::resend(&tx, id, account, seen, checked, now).await?;
    tx.commit().await?;
    let flash = match came {
        Resend::Queued(to) => Flash::good(format!("It is on its way to {to} again.")),
        Resend::Moved(now_is) => Flash::warn(words::moved(&now_is, &staff.clinic.zone)),
        Resend::TooLate => {
            Flash::warn("It is too late for this reminder, so it was not sent again. The next one comes at its time.")
        }
        Resend::Joined => Flash::warn("They have joined meanwhile, so the invitation is not needed any more."),
        Resend::Withdrawn => Flash::warn("This invitation was withdrawn, so it was not sent again."),
        Resend::NoAddress => Flash::warn("There is no email address to send it to. Nothing was sent."),
        Resend::Unsubscribed => Flash::warn("The patient has stopped reminders, so it was not sent again."),
        Resend::CameBack(..) => {
            return unchecked(&app, &staff.scope, &staff.clinic.zone, &pages, id, (now, wish)).await;
        }
    };
    Ok(pages.go_saying(&back, &flash))
}

/// The addresses that are to be written to again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Again {
    /// The ticked ones.
    address: Vec<String>,
    /// The one whose button was pressed, and nothing else.
    one: String,
    /// The day whose button was pressed: all that were given up on it.
    day: String,
}

/// Writes to addresses again that were given up.
pub async fn write_again(State(app): State<AppState>, staff: Staff, pages: Pages, Form(wish): Form<Again>) -> PageResult {
    let tx = app.store.begin(&staff.scope).await?;
    let addresses = match (wish.one.is_empty(), wish.day.parse::<Date>().ok()) {
        (false, _) => vec![wish.one],
        (true, Some(day)) => {
            let refused = notice::refused(&tx).await?;
            let of_day = refused.into_iter().filter(|one| staff.clinic.zone.date(one.since) == day);
            of_day.map(|one| one.address.as_str().to_owned()).collect()
        }
        (true, None) => wish.address,
    };
    let count = notice::write_again(&tx, &addresses).await?;
    tx.commit().await?;
    let flash = match count {
        0 => Flash::warn("No address was chosen, or it is written to already."),
        1 => Flash::good("1 address is written to again. Reminders come at their next time; what failed can be sent again below."),
        count => Flash::good(format!(
            "{count} addresses are written to again. Reminders come at their next time; what failed can be sent again below."
        )),
    };
    Ok(pages.go_saying("/notices", &flash))
}

/// What is to become of mail that was queued before a restore.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Decided {
    /// The ticked ones.
    notice: Vec<String>,
    /// `send` or `leave-out`.
    choice: String,
}

/// Sends mail that was queued before a restore, or leaves it out.
pub async fn decide_held(
    State(app): State<AppState>,
    Now(now): Now,
    staff: Staff,
    pages: Pages,
    Form(wish): Form<Decided>,
) -> PageResult {
    let choice = match wish.choice.as_str() {
        "send" => Choice::Send,
        "leave-out" => Choice::LeaveOut,
        _ => return Err(PageError::Refused(None)),
    };
    let ids: Vec<NoticeId> = wish.notice.iter().filter_map(|id| id.parse().ok()).collect();
    let tx = app.store.begin(&staff.scope).await?;
    let count = notice::held::decide(&tx, &ids, choice, now).await?;
    tx.commit().await?;
    let flash = match (count, choice) {
        (0, _) => Flash::warn("No mail was ticked, or it was decided upon already."),
        (1, Choice::Send) => Flash::good("1 mail is on its way."),
        (count, Choice::Send) => Flash::good(format!("{count} mails are on their way.")),
        (1, Choice::LeaveOut) => Flash::good("1 mail is left out."),
        (count, Choice::LeaveOut) => Flash::good(format!("{count} mails are left out.")),
    };
    Ok(pages.go_saying("/notices", &flash))
}

/// The notice alone, with the question that was left open.
async fn unchecked(
    app: &AppState,
    scope: &ClinicContext,
    zone: &domain::person::Zone,
    pages: &Pages,
    id: NoticeId,
    (now, wish): (Timestamp, Wish),
) -> PageResult {
    let tx = app.store.begin(scope).await?;
    let read = Read {
        found: Vec::new(),
        notices: vec![notice::find(&tx, id).await?],
        attempts: notice::attempts(&tx, &[id]).await?,
        more: false,
        asked: None,
        counts: None,
        sender: notice::sender(&tx).await?,
        refused: Vec::new(),
        held: Vec::new(),
    };
    tx.commit().await?;
    let wanted = Wanted { patient: wish.patient, ..Wanted::default() };
    let view = View { zone, now, wanted: &wanted, sender: &read.sender, refused: Some(id) };
    pages.clone().at(Nav::Notices).refuse(&view.page(&read, "", None, None))
}

impl View<'_> {
    fn page(&self, read: &Read, search: &str, date: Option<Date>, date_error: Option<String>) -> shown::Notices {
        let Read { found, notices, attempts, more, asked, counts, sender: _, refused, held } = read;
        let named = asked.as_ref().map(|asked| asked.patient.name.as_str().to_owned());
        let rows: Vec<shown::Row> = notices.iter().map(|notice| self.row(notice, attempts)).collect();
        let ask = asked.as_ref().map(|asked| shown::Ask {
            patient: asked.patient.id.to_string(),
            blocked: self.blocked(asked),
            change: match asked.address {
                Address::CameBack => Some(view::change(asked.patient.id, "Change the address")),
                Address::Missing => Some(view::change(asked.patient.id, "Add an address")),
                Address::Open | Address::Unsubscribed => None,
            },
            date: Field { value: date.map_or_else(|| self.wanted.date.clone(), |date| date.to_string()), error: date_error },
            told: date
                .map(|date| words::day(asked, &reminder_story::tell(&asked.case(self.now), date), &self.story_other(asked, date))),
        });
        shown::Notices {
            title: named.as_ref().map_or_else(|| "Mail".to_owned(), |name| format!("Mail to {name}")),
            crumbs: match (asked, &named) {
                (Some(asked), Some(name)) => vec![
                    Crumb::to("Patients", "/patients"),
                    Crumb::to(name, format!("/patients/{}", asked.patient.id)),
                    Crumb::here("Mail"),
                ],
                _ if self.refused.is_some() => vec![Crumb::to("Mail", "/notices"), Crumb::here("Send again")],
                _ => Vec::new(),
            },
            summary: self.summary(counts.as_ref(), asked.as_ref()),
            banners: self.banners(),
            refused: self.refused_addresses(refused),
            held: self.held(held),
            asked: ask,
            search: search.to_owned(),
            found: found
                .iter()
                .map(|one| shown::Found {
                    name: one.name.as_str().to_owned(),
                    email: one.email.as_ref().map(|email| email.as_str().to_owned()),
                    href: format!("/notices?patient={}", one.id),
                })
                .collect(),
            found_none: (!search.is_empty() && found.is_empty())
                .then(|| format!("Nobody found for “{search}”. Try a part of the name or of the email address.")),
            filters: self.filters(counts.as_ref()),
            kind: Field::holding(Kinds::of(&self.wanted.kind).tag()),
            kinds: Kinds::choices(),
            keep: self.keep(),
            reasons: counts.as_ref().map(words::reasons).unwrap_or_default(),
            empty: rows.is_empty().then(|| self.empty()),
            older: notices.last().filter(|_| *more).map(|last| self.href(States::of(&self.wanted.state), Some(last.id))),
            newest: (!self.wanted.before.is_empty()).then(|| self.href(States::of(&self.wanted.state), None)),
            rows,
        }
    }

    /// What keeps mail from a patient's address at present.
    fn blocked(&self, asked: &Asked) -> Option<shown::Banner> {
        let suppressed = asked.suppressed.as_ref();
        let since = || suppressed.map_or_else(String::new, |why| day_and_year(Language::En, self.zone.date(why.since)));
        let address = asked.patient.email.as_ref().map_or("", |email| email.as_str());
        let banner = |title: String, text: &str, words: Option<String>| Some(shown::Banner { title, text: text.to_owned(), words });
        match asked.address {
            Address::Open => None,
            Address::Missing => {
                banner("The clinic has no email address for this patient.".to_owned(), "So no mail can be sent.", None)
            }
            Address::Unsubscribed => banner(
                format!("Reminders to {address} are stopped since {}.", since()),
                "The patient did so, and can take it back on their own Reminders page. Other mail still comes.",
                None,
            ),
            Address::CameBack => banner(
                format!("Mail to {address} came back on {}.", since()),
                "No reminders are sent to it since. Check the address with the patient; sending a failed mail again writes to it again.",
                suppressed.map(|why| why.reason.clone()),
            ),
        }
    }
}
