//! Who may do what: one line for every route and method. Nobody else may.
//!
//! To add a route: its line here. `get` and `post` take the path, who may, and what its id names; `.form` a form that the route takes
//! as it stands, so that a refusal is about the person and not about the form; `.gives` what it answers, when that is not 200 to a GET
//! and 303 to a POST.

use crate::people::Person::{self, *};

/// What the id in an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Patient,
    /// A patient who has not joined yet.
    Newcomer,
    Program,
    Log,
    /// What a patient answered about how things are.
    Answer,
    Notice,
    Exercise,
    Template,
    /// A member of the team who has not joined yet.
    Invited,
    /// A member of the team who has.
    Colleague,
    /// A line of the register of breaches.
    Breach,
    /// One of the asker's own sessions.
    Session,
    /// The token of an invitation.
    Welcome,
    /// The token of a link to a new password.
    Reset,
    /// The token of a reminder's link.
    OneTap,
    /// The token of a reminder's other link.
    Unsubscribe,
    /// The token of a calendar's address.
    Calendar,
    /// A file of ours.
    Asset,
    /// A mail that the demo sent.
    DemoMail,
}

impl Takes {
    /// Whether having it is what lets somebody in.
    pub fn is_token(self) -> bool {
        matches!(self, Self::Welcome | Self::Reset | Self::OneTap | Self::Unsubscribe | Self::Calendar)
    }

    /// Whether it is of one patient's record.
    pub fn is_a_patients(self) -> bool {
        matches!(self, Self::Patient | Self::Newcomer | Self::Program | Self::Log | Self::Answer | Self::Notice)
    }

    /// Whether it is the clinic's, and not one patient's.
    pub fn is_the_clinics(self) -> bool {
        matches!(self, Self::Exercise | Self::Template | Self::Invited | Self::Colleague | Self::Breach)
    }

    /// Whether it is the same for everybody.
    pub fn is_public(self) -> bool {
        matches!(self, Self::Nothing | Self::Asset | Self::DemoMail)
    }
}

/// One route and method.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub method: &'static str,
    /// As the router has it, with a query behind it where an id stands there.
    pub path: &'static str,
    pub who: &'static [Person],
    pub takes: Takes,
    pub form: &'static str,
    pub gives: &'static [u16],
}

impl Entry {
    const fn form(self, form: &'static str) -> Self {
        Self { form, ..self }
    }

    const fn gives(self, gives: &'static [u16]) -> Self {
        Self { gives, ..self }
    }

    /// Whether it is about a patient's record: through its id, or because it is the patient's own.
    pub fn is_about_a_patient(&self) -> bool {
        self.takes.is_a_patients() || std::ptr::eq(self.who, TODAY) || std::ptr::eq(self.who, PATIENTS)
    }

    /// The path as the router has it.
    pub fn pattern(&self) -> &'static str {
        self.path.split('?').next().unwrap_or_default()
    }
}

const fn get(path: &'static str, who: &'static [Person], takes: Takes) -> Entry {
    Entry { method: "GET", path, who, takes, form: "", gives: &[200] }
}

const fn post(path: &'static str, who: &'static [Person], takes: Takes) -> Entry {
    Entry { method: "POST", path, who, takes, form: "", gives: &[303] }
}

const EVERYBODY: &[Person] = &Person::ALL;
const SIGNED_IN: &[Person] = &[PatientA1, PatientA2, PhysioA, SecondA, OwnerA, PhysioB, ElsewhereB, OwnerB];
const STAFF: &[Person] = &[PhysioA, SecondA, OwnerA, PhysioB, ElsewhereB, OwnerB];
const OWNERS: &[Person] = &[OwnerA, OwnerB];
const PATIENTS: &[Person] = &[PatientA1, PatientA2];
const TODAY: &[Person] = &[PatientA1, PatientA2, OneTapA1];

/// A program of one exercise, as the builder posts it.
macro_rules! program {
    ($more:literal) => {
        concat!(
            "name=Plan+{n}&starts={today}&weeks=4&from={today}&times_a_day=1&weekdays=0&weekdays=2&remind_at=&exercise={exercise}",
            "&sets=2&reps=10&unit=times&hold=&sides=&rest=&note=&action=save",
            $more
        )
    };
}
macro_rules! exercise {
    () => {
        "name=Bridge+{n}&region=lower_back&equipment=&steps=Lift.&figure=&sets=2&reps=10&unit=times&hold=&sides=&rest="
    };
}
const PERSON: &str = "name=New+Person&email=new{n}@home.test&zone=Asia/Kuala_Lumpur&language=en&region=neck";

/// The whole table. GETs come before what changes things; what undoes a change comes after it.
pub const TABLE: &[Entry] = &[
    // anyone
    get("/health/live", EVERYBODY, Takes::Nothing),
    get("/health/ready", EVERYBODY, Takes::Nothing),
    get("/assets/{hash}/{*name}", EVERYBODY, Takes::Asset),
    get("/favicon.ico", EVERYBODY, Takes::Nothing),
    get("/demo/mail", EVERYBODY, Takes::Nothing),
    get("/demo/mail/{name}", EVERYBODY, Takes::DemoMail),
    get("/demo/mail/{name}/html", EVERYBODY, Takes::DemoMail),
    get("/", EVERYBODY, Takes::Nothing).gives(&[200, 303]),
    get("/sign-in", EVERYBODY, Takes::Nothing).gives(&[200, 303]),
    post("/sign-in", EVERYBODY, Takes::Nothing).form("email=nobody&password=x").gives(&[422]),
    get("/sign-in/code", EVERYBODY, Takes::Nothing).gives(&[303]),
    post("/sign-in/code", EVERYBODY, Takes::Nothing).form("code=123456").gives(&[303]),
    post("/sign-out", EVERYBODY, Takes::Nothing),
    get("/password/forgot", EVERYBODY, Takes::Nothing),
    post("/password/forgot", EVERYBODY, Takes::Nothing).form("email=nobody@home.test").gives(&[200]),
    get("/password/reset/{token}", EVERYBODY, Takes::Reset),
    post("/password/reset/{token}", EVERYBODY, Takes::Reset).form("password=short").gives(&[422]),
    get("/welcome/{token}", EVERYBODY, Takes::Welcome),
    post("/welcome/{token}", EVERYBODY, Takes::Welcome).form("password=short").gives(&[422]),
    get("/go/{token}", EVERYBODY, Takes::OneTap).gives(&[200, 303]),
    post("/go/{token}", EVERYBODY, Takes::OneTap),
    get("/unsubscribe/{token}", EVERYBODY, Takes::Unsubscribe),
    post("/unsubscribe/{token}", EVERYBODY, Takes::Unsubscribe).form("List-Unsubscribe=One-Click").gives(&[200]),
    get("/calendar/{token}", EVERYBODY, Takes::Calendar),
    // whoever is signed in
    get("/places", SIGNED_IN, Takes::Nothing),
    post("/places", SIGNED_IN, Takes::Nothing).form("place={place}"),
    get("/account", SIGNED_IN, Takes::Nothing),
    post("/account", SIGNED_IN, Takes::Nothing).form("name=Another+Name&language=en"),
    post("/account/password", SIGNED_IN, Takes::Nothing).form("current=wrong&new=four+quiet+garden+chairs").gives(&[422]),
    get("/account/confirm", SIGNED_IN, Takes::Nothing),
    post("/account/confirm", SIGNED_IN, Takes::Nothing).form("password=wrong").gives(&[422]),
    get("/account/second-factor", STAFF, Takes::Nothing),
    post("/account/second-factor", STAFF, Takes::Nothing),
    post("/account/second-factor/confirm", STAFF, Takes::Nothing).form("code=12345").gives(&[422]),
    post("/account/second-factor/codes", STAFF, Takes::Nothing),
    post("/account/second-factor/off", STAFF, Takes::Nothing),
    post("/account/sessions/end-others", SIGNED_IN, Takes::Nothing),
    post("/account/sessions/{id}/end", SIGNED_IN, Takes::Session),
    get("/account/opened", PATIENTS, Takes::Nothing),
    get("/account/consent", PATIENTS, Takes::Nothing),
    // The wording that was shown is not the one of now.
    post("/account/consent", PATIENTS, Takes::Nothing).form("agree=yes&consent_version=old").gives(&[422]),
    get("/account/export.zip", PATIENTS, Takes::Nothing),
    get("/account/close", PATIENTS, Takes::Nothing),
    post("/account/close", PATIENTS, Takes::Nothing).form("current=wrong").gives(&[422]),
    // the owner
    get("/settings", OWNERS, Takes::Nothing),
    post("/settings", OWNERS, Takes::Nothing)
        .form("name=Other&zone=Asia/Kuala_Lumpur&phone=&whatsapp=&quiet_from=21:00&quiet_to=07:00&pain_high=7&missed_run=3"),
    get("/audit", OWNERS, Takes::Nothing),
    get("/audit?patient={id}", OWNERS, Takes::Patient),
    get("/audit?person={id}", OWNERS, Takes::Colleague),
    get("/audit.csv", OWNERS, Takes::Nothing),
    get("/audit.csv?patient={id}", OWNERS, Takes::Patient),
    get("/audit/breaches", OWNERS, Takes::Nothing),
    post("/audit/breaches", OWNERS, Takes::Nothing)
        .form("what=A+laptop+{n}&noticed={today}T07:00&from={today}&to={today}&person=&patient=&address="),
    get("/audit/breaches/new", OWNERS, Takes::Nothing),
    get("/audit/breaches/new?patient={id}", OWNERS, Takes::Patient),
    get("/audit/breaches/{id}", OWNERS, Takes::Breach),
    post("/audit/breaches/{id}", OWNERS, Takes::Breach).form("step=noted&text=Rang+everybody"),
    get("/audit/breaches/{id}/people.csv", OWNERS, Takes::Breach),
    get("/team", OWNERS, Takes::Nothing),
    post("/team", OWNERS, Takes::Nothing).form("name=New+Colleague&email=colleague{n}@team.test&role=physiotherapist"),
    post("/team/{id}/invite", OWNERS, Takes::Invited),
    post("/team/{id}/withdraw", OWNERS, Takes::Invited),
    post("/team/{id}/role", OWNERS, Takes::Colleague).form("role=physiotherapist"),
    post("/team/{id}/caseload", OWNERS, Takes::Colleague).form("to={colleague}"),
    post("/team/{id}/second-factor", OWNERS, Takes::Colleague),
    post("/team/{id}/disable", OWNERS, Takes::Colleague),
    post("/team/{id}/enable", OWNERS, Takes::Colleague),
    // patients
    get("/today", TODAY, Takes::Nothing),
    get("/session", TODAY, Takes::Nothing).gives(&[303]),
    get("/session/{id}", TODAY, Takes::Program),
    post("/session/{id}", TODAY, Takes::Program).form("log_id={new}&date={today}&{done}&pain_before=2&pain_after=1&effort=3"),
    get("/logs/{id}", PATIENTS, Takes::Log),
    post("/logs/{id}", PATIENTS, Takes::Log).form("{done}&pain_before=2&pain_after=1&note=Better"),
    post("/logs/{id}/replies/read", PATIENTS, Takes::Log),
    post("/logs/{id}/replies", STAFF, Takes::Log).form("text=Answer+{n}"),
    // Answered once, it is asked no more, and leads back to Today.
    get("/questions/{id}", TODAY, Takes::Program).gives(&[200, 303]),
    post("/questions/{id}", TODAY, Takes::Program).form("answer_id={new}&name-2=Sitting&new-2=3"),
    get("/answers/{id}", PATIENTS, Takes::Answer),
    post("/answers/{id}", PATIENTS, Takes::Answer).form("{scored}=4"),
    get("/handout", PATIENTS, Takes::Nothing),
    get("/progress", PATIENTS, Takes::Nothing),
    get("/reminders", PATIENTS, Takes::Nothing),
    post("/reminders", PATIENTS, Takes::Nothing).form("reminders=on&time=09:00&day=0&zone=Asia/Kuala_Lumpur&paused_until="),
    post("/reminders/test", PATIENTS, Takes::Nothing),
    post("/reminders/calendar", PATIENTS, Takes::Nothing),
    post("/reminders/calendar/end", PATIENTS, Takes::Nothing),
    // physiotherapists
    get("/patients", STAFF, Takes::Nothing),
    get("/patients?whose=clinic", STAFF, Takes::Nothing),
    post("/patients", STAFF, Takes::Nothing).form(PERSON),
    get("/patients/new", STAFF, Takes::Nothing),
    get("/patients/{id}", STAFF, Takes::Patient),
    get("/patients/{id}/report.csv", STAFF, Takes::Patient),
    get("/reports/adherence", STAFF, Takes::Nothing),
    get("/reports/adherence.csv", STAFF, Takes::Nothing),
    get("/patients/{id}/edit", STAFF, Takes::Patient),
    post("/patients/{id}/edit", STAFF, Takes::Patient).form(PERSON),
    get("/patients/{id}/record", STAFF, Takes::Patient),
    get("/patients/{id}/export.zip", STAFF, Takes::Patient),
    get("/patients/{id}/fhir.json", STAFF, Takes::Patient),
    post("/patients/{id}/invite", STAFF, Takes::Newcomer),
    get("/patients/{id}/programs/new", STAFF, Takes::Patient),
    post("/patients/{id}/programs", STAFF, Takes::Patient).form(program!("&program_id={new}")),
    post("/attention/{id}/acknowledge", STAFF, Takes::Patient).form("kind=pain_high&key={finding}&note=Spoke"),
    // The finding was set aside a line above.
    post("/attention/{id}/snooze", STAFF, Takes::Patient).form("kind=pain_high&key={finding}&until=2026-03-05").gives(&[422]),
    get("/programs/{id}", STAFF, Takes::Program),
    get("/programs/{id}/handout", STAFF, Takes::Program),
    get("/programs/{id}/revise", STAFF, Takes::Program),
    post("/programs/{id}/revise", STAFF, Takes::Program).form(program!("")),
    post("/programs/{id}/pause", STAFF, Takes::Program).form("from={today}&until=&reason=Away"),
    post("/programs/{id}/resume", STAFF, Takes::Program).form("reason=Back"),
    post("/programs/{id}/questions", STAFF, Takes::Program).form("every=4"),
    post("/programs/{id}/finish", STAFF, Takes::Program),
    get("/notices", STAFF, Takes::Nothing),
    get("/notices?patient={id}", STAFF, Takes::Patient),
    post("/notices/held", STAFF, Takes::Nothing).form("choice=send"),
    post("/notices/refused", STAFF, Takes::Nothing).form("address=nobody@nowhere.test"),
    post("/notices/{id}/resend", STAFF, Takes::Notice).form("seen=1&checked=yes"),
    get("/exercises", STAFF, Takes::Nothing),
    post("/exercises", STAFF, Takes::Nothing).form(exercise!()),
    get("/exercises/new", STAFF, Takes::Nothing),
    get("/exercises/new?copy={id}", STAFF, Takes::Exercise),
    post("/exercises/import", STAFF, Takes::Nothing).form("{file}"),
    get("/exercises/{id}", STAFF, Takes::Exercise),
    get("/exercises/{id}/edit", STAFF, Takes::Exercise),
    post("/exercises/{id}", STAFF, Takes::Exercise).form(exercise!()),
    post("/exercises/{id}/archive", STAFF, Takes::Exercise),
    post("/exercises/{id}/restore", STAFF, Takes::Exercise),
    get("/templates", STAFF, Takes::Nothing),
    post("/templates", STAFF, Takes::Nothing).form(program!("")),
    get("/templates/new", STAFF, Takes::Nothing),
    get("/templates/{id}", STAFF, Takes::Template),
    get("/templates/{id}/use", STAFF, Takes::Template),
    post("/templates/{id}", STAFF, Takes::Template).form(program!("")),
    post("/templates/{id}/archive", STAFF, Takes::Template),
    post("/templates/{id}/restore", STAFF, Takes::Template),
    // Last: a closed record is in nobody's hands any more.
    post("/patients/{id}/close", STAFF, Takes::Patient).form("sure=yes"),
    post("/patients/{id}/reopen", STAFF, Takes::Patient),
];
