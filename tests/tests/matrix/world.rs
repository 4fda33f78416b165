//! Two clinics whose every text is a word that stands nowhere else, and a session for each kind of person.
//!
//! A word is `Zq{scope}x{field}`: `Zqa1xnote` is the note of the first patient of A. Scopes: `a` everybody of clinic A, `as` its
//! staff, `ateam` its owner, `a1` the patient and the staff, `a1h` of them all but a one-tap session, `a1s` the staff alone.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use axum::Router;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    ids::{AccountId, ClinicId, MembershipId, PatientId},
    person::{Email, PersonName, Role},
};
use jiff::civil::date;
use render::links::Links;
use store::{
    StoreError, account,
    link::{self, Purpose},
    outbox::{self, Owed},
    session::{self, Opening, Reach, SeatId},
};
use testkit::{
    Db,
    clock::Clock,
    db::Watcher,
    people::{self, Clinic, Somebody},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    people::{Id, Person, Whose},
    table::Takes,
};

const SECRET: [u8; 32] = [7; 32];
pub const URL: &str = "http://localhost:8080";
/// Monday morning in Kuala Lumpur.
const NOW: &str = "2026-03-02T08:00:00+08:00";
pub const TODAY: &str = "2026-03-02";
/// When everybody had an address for their calendar made.
const CALENDAR: &str = "2026-03-01T00:00:00Z";

/// Where somebody sits.
#[derive(Debug, Clone, Copy)]
struct Place {
    account: AccountId,
    clinic: ClinicId,
    seat: SeatId,
}

/// What belongs to one patient, and one of everything that belongs to the patient's clinic.
#[derive(Debug, Clone)]
struct Things {
    clinic: ClinicId,
    patient: Somebody,
    account: AccountId,
    program: Uuid,
    prescriptions: Vec<String>,
    log: Uuid,
    answer: Uuid,
    activity: Uuid,
    notice: Uuid,
    exercise: Uuid,
    template: Uuid,
    /// A member of the team who was invited and has not joined.
    invited: MembershipId,
    /// A member of the team who has joined.
    colleague: MembershipId,
    breach: Uuid,
    /// A patient who was invited and has not joined.
    newcomer: Somebody,
    /// What the open finding about the patient's pain rests on.
    finding: String,
}

pub struct World {
    pub db: Db,
    pub clock: Clock,
    pub app: Router,
    things: Vec<(Whose, Things)>,
    places: Vec<(Person, Place)>,
    folder: PathBuf,
    asked: AtomicU32,
    watcher: Mutex<Watcher>,
    /// The statement that makes a digest of every table.
    pub digests: String,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl World {
    pub async fn new() -> Self {
        let db = Db::new().await;
        let clock = Clock::at(NOW);
        let (a, mut places) = Self::clinic(&db, "a", &clock).await;
        let (b, others) = Self::clinic(&db, "b", &clock).await;
        places.extend(others);

        let config = web::Config { url: URL.to_owned(), secret: SECRET.to_vec().into(), demo: true, trusted_proxies: vec![] };
        let state = web::AppState::new(db.store.clone(), config, clock.reader()).unwrap();
        let folder = std::env::temp_dir().join(format!("homestretch-matrix-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("20260302T000000.000Z-1.eml"), "Subject: Hello\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>")
            .unwrap();
        let app = web::app_with(state, homestretch::demo::mail::routes(folder.clone()));

        let mut watcher = db.watcher().await;
        let digests = crate::ask::digests(&mut watcher).await;
        let (asked, watcher) = (AtomicU32::new(0), Mutex::new(watcher));
        let mut world = Self { db, clock, app, things: vec![], places, folder, asked, watcher, digests };
        for (whose, clinic, scope) in [(Whose::A1, &a, "a1"), (Whose::A2, &a, "a2"), (Whose::B1, &b, "b1")] {
            let things = world.patient(clinic, scope).await;
            let place = Place { account: things.account, clinic: clinic.id, seat: SeatId::Patient(things.patient.id) };
            for person in match whose {
                Whose::A1 => &[Person::PatientA1, Person::OneTapA1][..],
                Whose::A2 => &[Person::PatientA2],
                Whose::B1 => &[],
            } {
                world.places.push((*person, place));
            }
            world.things.push((whose, things));
        }
        world.db.execute(&format!("update patient set calendar_opened_at = '{CALENDAR}'")).await;
        world.find_findings().await;
        world
    }

    async fn clinic(db: &Db, key: &str, clock: &Clock) -> (Clinic, Vec<(Person, Place)>) {
        let now = clock.now();
        let clinic = people::clinic_called(db, &format!("Zq{key}xclinic"), &format!("{key}.test"), now).await;
        let member = async |name: &str, joins: bool| {
            let email = Email::parse(&format!("zq{key}{}xmail{name}@{key}.test", if joins { name } else { "team" })).unwrap();
            let (id, name) = (clinic.id, PersonName::parse(&format!("Zq{key}teamx{name} Person")).unwrap());
            let tx = db.store.begin_sign_in().await.unwrap();
            let account = account::find_or_create(&tx, &email, now).await.unwrap().id;
            let member = account::add_member(&tx, id, account, Role::Physiotherapist, &name, now).await.unwrap();
            if joins {
                account::join_staff(&tx, (id, member), account, &name, now).await.unwrap();
            }
            tx.commit().await.unwrap();
            Place { account, clinic: id, seat: SeatId::Staff(member) }
        };
        let (second, invited, disabled) =
            (member("second", true).await, member("invited", false).await, member("disabled", false).await);
        let SeatId::Staff(gone) = disabled.seat else { unreachable!() };
        let id = clinic.id;
        db.execute(&format!(
            "update membership set joined_at = now(), disabled_at = now() where id = '{gone}';
             update clinic set phone = 'Zq{key}xphone' where id = '{id}';
             update membership set name = 'Zq{key}xphysio Person' where id = '{physio}';
             update membership set name = 'Zq{key}sxsecond Person' where clinic_id = '{id}' and name like 'Zq{key}teamxsecond%';
             update membership set name = 'Zq{key}sxowner Person' where id = '{owner}';
             update account set email = 'zq{key}physioxmail@{key}.test' where id = '{physio_account}';
             update account set email = 'zq{key}ownerxmail@{key}.test' where id = '{owner_account}';
             update exercise set name = 'Zq{key}xexercise ' || name, instructions = 'Zq{key}xsteps ' || instructions where clinic_id = '{id}';
             insert into exercise (clinic_id, id, name, equipment, instructions, created_at)
               values ('{id}', gen_random_uuid(), 'Zq{key}sxown', 'Zq{key}sxequipment', 'Zq{key}sxhow', now());
             update template set name = 'Zq{key}sxtemplate' where clinic_id = '{id}';
             update template_item set note = 'Zq{key}sxitem' where clinic_id = '{id}';
             insert into suppression values ('{id}', 'zq{key}sxstopped@{key}.test', 'all', 'Zq{key}sxbounced', now())",
            physio = clinic.physio.membership,
            owner = clinic.owner.membership,
            physio_account = clinic.physio.account,
            owner_account = clinic.owner.account,
        ))
        .await;
        let staff = |of: &people::Staff| Place { account: of.account, clinic: id, seat: SeatId::Staff(of.membership) };
        let places = if key == "a" {
            vec![
                (Person::PhysioA, staff(&clinic.physio)),
                (Person::OwnerA, staff(&clinic.owner)),
                (Person::SecondA, second),
                (Person::InvitedA, invited),
                (Person::DisabledA, disabled),
            ]
        } else {
            db.execute(&format!("update clinic set own_caseload = true where id = '{id}'")).await;
            vec![(Person::PhysioB, staff(&clinic.physio)), (Person::OwnerB, staff(&clinic.owner)), (Person::ElsewhereB, second)]
        };
        (clinic, places)
    }

    /// A patient with a program that began a week ago, of which one day was logged with much pain.
    async fn patient(&self, clinic: &Clinic, scope: &str) -> Things {
        let now = self.clock.now();
        let patient = clinic.patient(&format!("Zq{scope}xname Person"), &format!("zq{scope}xmail@home.test")).await;
        let account = clinic.join(&patient).await;
        let program = clinic.program_for(&patient, date(2026, 2, 23), 6).await;
        let log = clinic.log(&patient, &program, date(2026, 2, 27), Some(9)).await;
        clinic.remind(&patient, &["08:00"], now).await;
        let newcomer = clinic.patient(&format!("Zq{scope}xnewcomer Person"), &format!("zq{scope}xnewmail@home.test")).await;
        let (id, program_id, of) = (patient.id, program.id, clinic.id);
        let owed = Owed::ProgramAssigned(id, program_id);
        clinic.tenant(async |tx| outbox::enqueue(tx, of, owed, &patient.email, now).await).await;
        self.db
            .execute(&format!(
                "update program set name = 'Zq{scope}xprogram' where id = '{program}';
                 update prescription set note = 'Zq{scope}xpnote' where program_id = '{program}';
                 insert into program_pause values ('{of}', gen_random_uuid(), '{program}', '{id}', '2026-02-24', '2026-02-24',
                   'Zq{scope}hxreason', false, 'Zq{scope}sxresumed', now());
                 update session_log set note = 'Zq{scope}hxnote' where id = '{log}';
                 insert into reply values ('{of}', gen_random_uuid(), '{id}', '{log}', 'Zq{scope}hxasked', 'Zq{scope}hxanswer', '{by}', now());
                 insert into questionnaire_plan values ('{of}', gen_random_uuid(), '{id}', '{program}', 4, '{TODAY}', null, '{by}', now());
                 with answer as (insert into questionnaire_answer
                     values ('{of}', gen_random_uuid(), '{id}', '{program}', '2026-02-27', 'psfs-1995', 'groc-11', null, now()) returning id),
                   activity as (insert into questionnaire_activity
                     select '{of}', gen_random_uuid(), '{id}', '{program}', 1, 'Zq{scope}xactivity', id from answer returning id)
                   insert into questionnaire_score select '{of}', answer.id, activity.id, '{id}', 3 from answer, activity;
                 update consent set wording = 'Zq{scope}xconsent' where patient_id = '{id}';
                 insert into attention_mark values ('{of}', gen_random_uuid(), '{id}', 'not_started', 'old', 'Zq{scope}sxmark', null, '{by}', now());
                 update notice set state = 'dead', attempts = 1, reply = 'Zq{scope}sxreply', settled_at = now() where patient_id = '{id}';
                 insert into delivery_attempt select clinic_id, gen_random_uuid(), id, now(), 'rcpt', 'rejected', 'Zq{scope}sxattempt'
                   from notice where patient_id = '{id}'",
                program = program.id,
                by = clinic.physio.membership,
            ))
            .await;
        let one = async |sql: &str| -> Uuid { self.db.row(sql).await.parse().unwrap() };
        let member = async |joined: &str| {
            let sql = format!(
                "select id from membership where clinic_id = '{of}' and role = 'physiotherapist' and disabled_at is null
                 and joined_at is {joined} order by id desc limit 1"
            );
            MembershipId(one(&sql).await)
        };
        Things {
            clinic: of,
            account,
            program: program.id.0,
            prescriptions: program.versions[0].prescriptions.iter().map(|row| row.id.to_string()).collect(),
            log: log.0,
            answer: one(&format!("select id from questionnaire_answer where patient_id = '{id}'")).await,
            activity: one(&format!("select id from questionnaire_activity where patient_id = '{id}'")).await,
            notice: one(&format!("select id from notice where patient_id = '{id}'")).await,
            exercise: one(&format!("select id from exercise where clinic_id = '{of}' and source = 'own'")).await,
            template: one(&format!("select id from template where clinic_id = '{of}' limit 1")).await,
            invited: member("null").await,
            colleague: member("not null").await,
            breach: one(&format!(
                "insert into breach (clinic_id, id, noticed_at, period_from, period_to, patient_id, what, created_by, created_at)
                 values ('{of}', gen_random_uuid(), now(), '2026-03-01', '2026-03-03', '{id}', 'Zq{scope}sxbreach', '{}', now()) returning id",
                clinic.owner.membership
            ))
            .await,
            newcomer,
            finding: String::new(),
            patient,
        }
    }

    /// The physiotherapist's page says by which key the finding about the pain is set aside.
    async fn find_findings(&mut self) {
        for at in 0..self.things.len() {
            let (whose, things) = &self.things[at];
            let person = if *whose == Whose::B1 { Person::PhysioB } else { Person::PhysioA };
            let page = self.ask(person, "GET", &format!("/patients/{}", things.patient.id), None).await;
            let (_, rest) = page.text.split_once("name=\"kind\" value=\"pain_high\"").expect("the pain is a finding");
            let (_, rest) = rest.split_once("name=\"key\" value=\"").unwrap();
            self.things[at].1.finding = rest.split('"').next().unwrap().to_owned();
        }
    }

    fn things(&self, whose: Whose) -> &Things {
        &self.things.iter().find(|(of, _)| *of == whose).unwrap().1
    }

    /// Whose record it is that an id of this kind leads to.
    pub fn record(&self, takes: Takes, whose: Whose) -> PatientId {
        let things = self.things(whose);
        if takes == Takes::Newcomer { things.newcomer.id } else { things.patient.id }
    }

    /// The patient.
    pub fn patient_id(&self, whose: Whose) -> PatientId {
        self.things(whose).patient.id
    }

    /// The patient's clinic.
    pub fn clinic_id(&self, whose: Whose) -> ClinicId {
        self.things(whose).clinic
    }

    /// Fields that no form has, about what is this patient's.
    pub fn overposted(&self, whose: Whose) -> String {
        let Things { clinic, patient, account, program, log, colleague, .. } = self.things(whose);
        let Somebody { id, .. } = patient;
        format!(
            "role=owner&reach=full&clinic_id={clinic}&clinic={clinic}&patient_id={id}&patient={id}&id={id}&account_id={account}\
             &membership_id={colleague}&physiotherapist_id={colleague}&physiotherapist={colleague}&created_by={colleague}\
             &program={program}&log={log}&logged_by={colleague}&joined_at=2026-01-01T00:00:00Z&disabled_at=&closed_at=&password_hash=x\
             &state=sent&recipient=thief@evil.test&email=thief@evil.test&token=x&completion=1"
        )
    }

    /// What requests told the audit since they had told it so much: the deed, whose record it was, what was refused. A request's id
    /// begins with its time.
    pub async fn told(&self, since: usize) -> Vec<String> {
        self.rows(&format!(
            "select concat_ws(' ', deed, patient_id, detail) from audit_entry where request_id is not null
                 order by request_id, seq offset {since}"
        ))
        .await
    }

    /// Reads behind the program's back.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        self.watcher.lock().await.rows(sql).await
    }

    /// A fresh session; `None` for nobody.
    pub async fn session(&self, person: Person) -> Option<String> {
        let (_, place) = self.places.iter().find(|(of, _)| *of == person)?;
        let reach = if person == Person::OneTapA1 { Reach::Today } else { Reach::Full };
        Some(BASE64_URL_SAFE_NO_PAD.encode(self.open(*place, reach).await))
    }

    async fn open(&self, place: Place, reach: Reach) -> [u8; 32] {
        let Place { account, clinic, seat } = place;
        let opening = Opening { account, clinic, seat, reach, until: None, user_agent: None, address: None, mailed_to: None };
        let tx = self.db.store.begin_sign_in().await.unwrap();
        match session::open(&tx, opening, self.clock.now()).await {
            Err(StoreError::NotFound) => {
                tx.roll_back().await.unwrap();
                self.left_over(place).await
            }
            opened => {
                let token = opened.unwrap();
                tx.commit().await.unwrap();
                token
            }
        }
    }

    /// A session of a place that is not open, as no session is opened any more.
    async fn left_over(&self, Place { account, clinic, seat }: Place) -> [u8; 32] {
        let (column, seat) = match seat {
            SeatId::Staff(id) => ("membership_id", id.0),
            SeatId::Patient(id) => ("patient_id", id.0),
        };
        let (token, now) = (session::fresh_token().unwrap(), self.clock.now());
        let hash: String = session::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
        self.db
            .execute(&format!(
                "insert into session (id, token_hash, account_id, clinic_id, {column}, reach, created_at, seen_at, expires_at, confirmed_at)
                 values (gen_random_uuid(), '\\x{hash}', '{account}', '{clinic}', '{seat}', 'full', '{now}', '{now}', '{now}'::timestamptz + interval '7 days', '{now}')"
            ))
            .await;
        token
    }

    /// The id of a session of theirs, made for this.
    async fn session_id(&self, place: Place) -> String {
        let token = self.open(place, Reach::Full).await;
        let hash: String = session::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
        self.rows(&format!("select id from session where token_hash = '\\x{hash}'")).await.remove(0)
    }

    async fn link(&self, purpose: Purpose, email: &Email) -> String {
        let now = self.clock.now();
        let tx = self.db.store.begin_sign_in().await.unwrap();
        let token = link::issue(&tx, purpose, email, now).await.unwrap();
        tx.commit().await.unwrap();
        token
    }

    /// The text that stands for an id in an address; `None` when there is none of the kind.
    pub async fn id(&self, takes: Takes, person: Person, id: Id) -> Option<String> {
        let whose = match id {
            Id::Malformed => return Some("not-an-id".to_owned()),
            Id::Random if takes.is_token() => return Some(BASE64_URL_SAFE_NO_PAD.encode([9; 61])),
            Id::Random => return Some(Uuid::now_v7().to_string()),
            known => person.names(known)?,
        };
        let things = self.things(whose);
        let signed = |address: String| address.rsplit('/').next().unwrap().to_owned();
        let links = Links::new(URL, &SECRET).unwrap();
        Some(match takes {
            Takes::Nothing => String::new(),
            Takes::Patient => things.patient.id.to_string(),
            Takes::Newcomer => things.newcomer.id.to_string(),
            Takes::Program => things.program.to_string(),
            Takes::Log => things.log.to_string(),
            Takes::Answer => things.answer.to_string(),
            Takes::Notice => things.notice.to_string(),
            Takes::Exercise => things.exercise.to_string(),
            Takes::Template => things.template.to_string(),
            Takes::Invited => things.invited.to_string(),
            Takes::Colleague => things.colleague.to_string(),
            Takes::Breach => things.breach.to_string(),
            Takes::Session => {
                let patient = Place { account: things.account, clinic: things.clinic, seat: SeatId::Patient(things.patient.id) };
                let own = self.places.iter().find(|(of, _)| *of == person).map(|(_, place)| *place);
                self.session_id(if id == Id::Own { own.unwrap_or(patient) } else { patient }).await
            }
            Takes::Welcome => self.link(Purpose::InvitePatient(things.clinic, things.newcomer.id), &things.newcomer.email).await,
            Takes::Reset => self.link(Purpose::ResetPassword(things.account), &things.patient.email).await,
            Takes::OneTap => signed(links.one_tap(things.clinic, things.patient.id, &things.patient.email, self.clock.now())),
            Takes::Unsubscribe => {
                signed(links.unsubscribe(things.clinic, things.patient.id, &things.patient.email, self.clock.now()))
            }
            Takes::Calendar => signed(links.calendar(things.clinic, things.patient.id, CALENDAR.parse().unwrap())),
            Takes::Asset => "css/base.css".to_owned(),
            Takes::DemoMail => "20260302T000000.000Z-1.eml".to_owned(),
        })
    }

    /// A form with its blanks filled in, so that nothing but the question who may can refuse it. A thing that is nobody's is spoken of
    /// as one's own would be.
    pub fn fill(&self, form: &str, person: Person, id: Id) -> String {
        let things = self.things(person.names(id).or_else(|| person.names(Id::Own)).unwrap());
        let own = self.things(person.names(Id::Own).unwrap());
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let done: Vec<String> = things.prescriptions.iter().map(|id| format!("outcome-{id}=done")).collect();
        form.replace("{today}", TODAY)
            .replace("{new}", &Uuid::now_v7().to_string())
            .replace("{exercise}", &own.exercise.to_string())
            .replace("{colleague}", &own.colleague.0.to_string())
            .replace("{finding}", &things.finding.replace(' ', "+").replace(':', "%3A"))
            .replace("{done}", &done.join("&"))
            .replace("{scored}", &format!("score-{}", things.activity))
            .replace("{n}", &number.to_string())
    }

    /// The address of another seat of theirs, as the form of `/places` has it.
    pub fn place(&self, person: Person) -> String {
        match self.places.iter().find(|(of, _)| *of == person).map(|(_, place)| place.seat) {
            Some(SeatId::Staff(id)) => format!("staff-{id}"),
            Some(SeatId::Patient(id)) => format!("patient-{id}"),
            None => "staff-nobody".to_owned(),
        }
    }

    /// An address of the network that nobody has asked from yet.
    pub fn next_address(&self) -> [u8; 4] {
        let [_, a, b, c] = self.asked.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        [10, a, b, c]
    }
}
