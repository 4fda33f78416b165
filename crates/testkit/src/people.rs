//! People with stories, made by the store's own functions: a clinic, its staff, its patients, their programs and logs.
//!
//! ```no_run
//! # async fn story() {
//! let db = testkit::Db::new().await;
//! let now = testkit::clock::at("2026-03-02T08:00:00+08:00");
//! let clinic = testkit::people::clinic(&db, now).await;
//! let farah = clinic.patient("Farah Aziz", "farah@example.test").await;
//! let program = clinic.program_for(&farah, jiff::civil::date(2026, 3, 2), 6).await;
//! clinic.log(&farah, &program, jiff::civil::date(2026, 3, 2), Some(3)).await;
//! # }
//! ```

use domain::{
    ids::{AccountId, ClinicId, LogId, MembershipId, PatientId, PrescriptionId, ProgramId},
    pain::Region,
    person::{Email, Language, PersonName, Role, Zone},
    program::{Plan, Prescription, Program},
    reminder::ReminderRule,
    session_log::{Entry, Outcome, PainScore, SessionLog},
};
use jiff::{Timestamp, civil::Date};
use store::{
    Actor, ClinicContext, Store, StoreError, Tx, account, clinic as clinics, exercise,
    outbox::{self, Claim, Intent, Owed, SendPermit},
    patient, program, reminder, session_log, template,
};

use crate::Db;

/// A clinic in Kuala Lumpur with an owner, a physiotherapist and the first exercises and template in its library.
#[derive(Debug, Clone)]
pub struct Clinic {
    /// Its id.
    pub id: ClinicId,
    /// Its owner, `owner@…`.
    pub owner: Staff,
    /// Its physiotherapist, `physio@…`, on whose caseload the patients are.
    pub physio: Staff,
    /// When everything was made.
    pub now: Timestamp,
    store: Store,
}

/// A member of staff who has joined.
#[derive(Debug, Clone)]
pub struct Staff {
    /// The account.
    pub account: AccountId,
    /// The place in the clinic.
    pub membership: MembershipId,
    /// The address.
    pub email: Email,
}

/// A patient with a record; invited, but without an account until [`Clinic::join`].
#[derive(Debug, Clone)]
pub struct Somebody {
    /// The record.
    pub id: PatientId,
    /// The address.
    pub email: Email,
    /// The patient's zone.
    pub zone: Zone,
}

/// Makes a clinic called "Riverside Physio".
pub async fn clinic(db: &Db, now: Timestamp) -> Clinic {
    clinic_called(db, "Riverside Physio", "riverside.test", now).await
}

/// Makes a clinic of another name; its staff have addresses at `domain`.
///
/// # Panics
/// When the store refuses, as all factories here.
pub async fn clinic_called(db: &Db, name: &str, domain: &str, now: Timestamp) -> Clinic {
    let (named, zone) = (parsed(PersonName::parse(name)), parsed(Zone::parse("Asia/Kuala_Lumpur")));
    let owner = parsed(Email::parse(&format!("owner@{domain}")));
    let physio = parsed(Email::parse(&format!("physio@{domain}")));
    let tx = done(db.store.begin_sign_in().await);
    let id = done(clinics::create(&tx, &named, &zone, now).await);
    let owner = done(staff(&tx, id, Role::Owner, "Olivia Tan", owner, now).await);
    let physio = done(staff(&tx, id, Role::Physiotherapist, "Hannah Lim", physio, now).await);
    done(tx.commit().await);
    let clinic = Clinic { id, owner, physio, now, store: db.store.clone() };
    clinic.tenant(async |tx| exercise::install_starter(tx, now).await).await;
    clinic
}

async fn staff(tx: &Tx, clinic: ClinicId, role: Role, name: &str, email: Email, now: Timestamp) -> Result<Staff, StoreError> {
    let name = parsed(PersonName::parse(name));
    let account = account::find_or_create(tx, &email, now).await?.id;
    let membership = account::add_member(tx, clinic, account, role, &name, now).await?;
    account::join_staff(tx, (clinic, membership), account, &name, now).await?;
    Ok(Staff { account, membership, email })
}

impl Clinic {
    /// Works inside the clinic as its physiotherapist.
    ///
    /// # Panics
    /// When the work fails.
    pub async fn tenant<T>(&self, work: impl AsyncFnOnce(&Tx) -> Result<T, StoreError>) -> T {
        let scope = ClinicContext::new(self.id, Actor::Staff(self.physio.membership));
        let tx = done(self.store.begin(&scope).await);
        let outcome = done(work(&tx).await);
        done(tx.commit().await);
        outcome
    }

    /// A patient in Kuala Lumpur.
    pub async fn patient(&self, name: &str, email: &str) -> Somebody {
        self.patient_in(name, email, "Asia/Kuala_Lumpur").await
    }

    /// A patient in another zone.
    pub async fn patient_in(&self, name: &str, email: &str, zone: &str) -> Somebody {
        let (id, email, zone) = (PatientId::new(), parsed(Email::parse(email)), parsed(Zone::parse(zone)));
        let record = patient::Patient {
            id,
            account: None,
            physiotherapist: Some(self.physio.membership),
            name: parsed(PersonName::parse(name)),
            email: Some(email.clone()),
            zone: zone.clone(),
            language: Language::En,
            region: Region::UpperBack,
            invited_at: Some(self.now),
            joined_at: None,
            closed: None,
            created_at: self.now,
        };
        self.tenant(async |tx| patient::create(tx, &record).await).await;
        Somebody { id, email, zone }
    }

    /// The patient accepts the invitation; gives the account.
    pub async fn join(&self, who: &Somebody) -> AccountId {
        let consent = account::Consent { version: "test".to_owned(), wording: "I agree.".to_owned() };
        let tx = done(self.store.begin_sign_in().await);
        let account = done(account::find_or_create(&tx, &who.email, self.now).await).id;
        done(account::join_patient(&tx, (self.id, who.id), account, &consent, self.now).await);
        done(tx.commit().await);
        account
    }

    /// Assigns the clinic's first template for some weeks, every day, once a day.
    pub async fn program_for(&self, who: &Somebody, start: Date, weeks: u32) -> Program {
        self.program_with(who, start, weeks, |_| {}).await
    }

    /// As [`Clinic::program_for`], with a change to the plan.
    pub async fn program_with(&self, who: &Somebody, start: Date, weeks: u32, change: impl FnOnce(&mut Plan)) -> Program {
        let template = self.tenant(async |tx| template::list(tx).await).await.into_iter().next();
        let template = template.unwrap_or_else(|| panic!("the clinic has no template"));
        let prescriptions = template.items.into_iter().map(|item| Prescription {
            id: PrescriptionId::new(),
            exercise: item.exercise,
            dose: item.dose,
            note: item.note,
        });
        let mut plan = Plan { weekdays: domain::program::Weekdays::all(), times_a_day: 1, prescriptions: prescriptions.collect() };
        change(&mut plan);
        let end = Program::end_after_weeks(start, weeks).unwrap_or_else(|| panic!("{weeks} weeks are no program"));
        let program = parsed(Program::assign(ProgramId::new(), who.id, &template.name, start, end, plan));
        self.tenant(async |tx| program::insert(tx, &program, self.now).await).await;
        program
    }

    /// Saves what a domain verb did to a program (paused, resumed, finished).
    pub async fn save(&self, program: &Program) {
        self.tenant(async |tx| program::save_state(tx, program, self.now).await).await;
    }

    /// The patient does the whole session of a day, at noon, with this pain after it.
    pub async fn log(&self, who: &Somebody, program: &Program, date: Date, pain_after: Option<i64>) -> LogId {
        let version = program.version_on(date).unwrap_or_else(|| panic!("{date} is outside the program"));
        let noon = who.zone.instant(date, jiff::civil::time(12, 0, 0, 0));
        let entries = version.prescriptions.iter().map(|prescription| {
            let dose = prescription.dose;
            let outcome =
                Outcome::Did { sets: dose.sets().min(), reps: dose.reps().min(), hold: dose.hold().map(|hold| hold.min()) };
            Entry { prescription: prescription.id, outcome }
        });
        let log = SessionLog {
            id: LogId::new(),
            program: program.id,
            date,
            performed_at: noon,
            received_at: noon,
            entries: entries.collect(),
            pain_before: None,
            pain_after: pain_after.map(|score| parsed(PainScore::new(score))),
            effort: None,
            note: None,
            red_flags: Vec::new(),
        };
        self.tenant(async |tx| session_log::insert(tx, program, &log).await).await;
        log.id
    }

    /// A claimed notice and the permit to send its mail, as the worker comes by them.
    pub async fn permit(&self, who: &Somebody) -> (Claim, SendPermit) {
        let owed = Owed::PatientInvitation(who.id);
        self.tenant(async |tx| outbox::enqueue(tx, self.id, owed, &who.email, self.now).await).await;
        let claimed = done(outbox::claim(&self.store.autocommit(), 1, &[], self.now).await);
        let [notice] = claimed.as_slice() else { panic!("no notice could be claimed") };
        let granted = done(outbox::intend(&self.store, vec![Intent::of(notice, "<permit@clinic.test>")]).await);
        let permit = granted.into_iter().flatten().next().unwrap_or_else(|| panic!("no permit was granted"));
        (notice.claim(), permit)
    }

    /// The patient wants to be reminded every day at these times ("08:00"), counted from `now`.
    pub async fn remind(&self, who: &Somebody, times: &[&str], now: Timestamp) {
        let times = times.iter().map(|time| parsed(time.parse())).collect();
        self.tenant(async |tx| {
            let rule = reminder::rules_for(tx, who.id).await?.rule;
            let rule = parsed(ReminderRule::new(times, rule.weekdays, rule.zone, rule.quiet, rule.paused_until));
            reminder::save_rules(tx, who.id, &rule, now).await
        })
        .await;
    }
}

fn parsed<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn done<T>(result: Result<T, StoreError>) -> T {
    parsed(result)
}
