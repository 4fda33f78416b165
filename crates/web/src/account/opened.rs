//! `/account/opened`: who at the clinic opened the patient's record, and what they did. The patient's own visits are folded away.

use axum::extract::State;
use domain::person::{Language, Zone};
use jiff::{Timestamp, civil::Date};
use render::{
    Nav, formats,
    pages::patient::{Opened, OpenedDay, OpenedLine},
    words::say,
};
use serde::Deserialize;
use store::audit::{self, AuditAction, AuditResource, Entry, Filter, Who};
use store::opened;

use crate::{
    AppState, PageResult,
    extract::{Pages, Patient, Query},
};

/// How many deeds of the staff a page shows.
const PAGE: u32 = 50;
/// How many of their own visits are counted by day.
const OWN: u32 = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    /// Where the page before ended; whatever is no place shows the newest.
    before: String,
}

/// The page.
pub(crate) async fn page(
    State(app): State<AppState>,
    me: Patient,
    Query(Which { before }): Query<Which>,
    pages: Pages,
) -> PageResult {
    let before: Option<i64> = before.parse().ok();
    let of = Filter { patient: Some(me.id), ..Filter::default() };
    let by_staff = Filter { by_patients: Some(false), before, ..of.clone() };
    let by_patients = Filter { by_patients: Some(true), ..of };
    let tx = app.store.begin(&me.scope).await?;
    let staff = audit::list(&tx, &by_staff, PAGE + 1);
    let own = async { if before.is_none() { audit::list(&tx, &by_patients, OWN).await } else { Ok(Vec::new()) } };
    let (mut staff, own, since) = tx.final_reads(async { tokio::try_join!(staff, own, opened::since(&tx, me.id)) }).await?;
    tx.commit().await?;
    let more = staff.len() > PAGE as usize;
    staff.truncate(PAGE as usize);
    let reader = Reader { language: me.language, zone: &me.zone };
    pages.at(Nav::Account).show(&Opened {
        clinic: me.clinic.name.clone(),
        since: since.map(|at| formats::day_and_year(me.language, reader.date(at))),
        older: staff.last().filter(|_| more).map(|last| format!("/account/opened?before={}", last.seq)),
        newest: before.map(|_| "/account/opened".to_owned()),
        days: reader.days(&staff),
        own_more: own.len() == OWN as usize,
        own: reader.own(&own),
    })
}

/// In whose words and days.
struct Reader<'a> {
    language: Language,
    zone: &'a Zone,
}

impl Reader<'_> {
    fn date(&self, at: Timestamp) -> Date {
        self.zone.date(at)
    }

    fn hour(&self, at: Timestamp) -> String {
        formats::hour(self.language, self.zone.time(at))
    }

    fn days(&self, entries: &[Entry]) -> Vec<OpenedDay> {
        entries
            .chunk_by(|one, next| self.date(one.at) == self.date(next.at))
            .map(|day| OpenedDay {
                day: formats::day_and_year(self.language, self.date(day[0].at)),
                lines: day
                    .chunk_by(|one, next| (&one.who, one.deed, one.subject) == (&next.who, next.deed, next.subject))
                    .map(|same| self.line(same))
                    .collect(),
            })
            .collect()
    }

    /// What somebody did several times in a row is one line.
    fn line(&self, same: &[Entry]) -> OpenedLine {
        let newest = &same[0];
        let time = self.hour(newest.at);
        OpenedLine {
            who: match &newest.who {
                Who::Staff(_, name) | Who::Patient(_, name) => name.clone(),
                Who::Nobody => say(self.language, "opened-somebody", &[]),
            },
            what: say(self.language, what(newest), &[]),
            when: match same.len() {
                1 => say(self.language, "opened-at", &[("time", time.into())]),
                times => say(self.language, "opened-times", &[("times", times.into()), ("time", time.into())]),
            },
        }
    }

    fn own(&self, entries: &[Entry]) -> Vec<String> {
        entries
            .chunk_by(|one, next| self.date(one.at) == self.date(next.at))
            .map(|day| {
                let args = [
                    ("day", formats::day_and_year(self.language, self.date(day[0].at)).into()),
                    ("times", day.len().into()),
                    ("time", self.hour(day[0].at).into()),
                ];
                say(self.language, "opened-own-day", &args)
            })
            .collect()
    }
}

fn what(entry: &Entry) -> &'static str {
    match (entry.deed, entry.subject) {
        (AuditAction::Read, Some(AuditResource::Record)) => "opened-read-record",
        (AuditAction::Read, Some(AuditResource::Program)) => "opened-read-program",
        (AuditAction::Read, Some(AuditResource::Log)) => "opened-read-log",
        (AuditAction::Read, Some(AuditResource::Notices)) => "opened-read-notices",
        (AuditAction::Read | AuditAction::Exported, Some(AuditResource::Audit)) => "opened-read-audit",
        (AuditAction::Read, _) => "opened-read-other",
        (AuditAction::Wrote, Some(AuditResource::Record)) => "opened-wrote-record",
        (AuditAction::Wrote, Some(AuditResource::Program)) => "opened-wrote-program",
        (AuditAction::Wrote, Some(AuditResource::Log)) => "opened-wrote-log",
        (AuditAction::Wrote, Some(AuditResource::Answers)) => "opened-wrote-answers",
        (AuditAction::Wrote, Some(AuditResource::Attention)) => "opened-wrote-attention",
        (AuditAction::Wrote, Some(AuditResource::Reply)) => "opened-wrote-reply",
        (AuditAction::Wrote, Some(AuditResource::Reminders)) => "opened-wrote-reminders",
        (AuditAction::Wrote, Some(AuditResource::Notices)) => "opened-wrote-notices",
        (AuditAction::Wrote, Some(AuditResource::Invitation)) => "opened-wrote-invitation",
        (AuditAction::Wrote, Some(AuditResource::Closure)) => "opened-wrote-closure",
        (AuditAction::Wrote, _) => "opened-wrote-other",
        (AuditAction::Exported, _) => "opened-exported",
        (AuditAction::Denied | AuditAction::SignedIn | AuditAction::SignInFailed | AuditAction::SignedOut, _) => "opened-other",
    }
}
