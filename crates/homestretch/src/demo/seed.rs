//! The sample clinic, made by the same functions that real use goes through: accounts and consent, programs by the domain's verbs,
//! logs checked as a patient's own are, reminder rules that fire from now on.

use anyhow::{Context as _, Result, anyhow, bail};
use domain::{
    attention::{self, AttentionKind, Case, Mark, MarkState, Question},
    ids::{AccountId, ActivityId, AnswerId, ClinicId, LogId, MembershipId, PatientId, PrescriptionId, ProgramId},
    person::{Email, Language, PersonName, Role, Zone},
    program::{Plan, Prescription, Program, Weekdays},
    questionnaire::{Ability, Activity, ActivityName, Answer, Rating, Scored},
    reminder::ReminderRule,
};
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday, time},
};
use store::{
    Actor, ClinicContext, Store, StoreError, account, attention as marks, clinic, outbox, patient, program, questionnaire,
    reminder, reply, session_log, template::Template,
};

use super::{
    days,
    library::{Library, MONDAY_TO_SATURDAY},
    stories::{Asked, STORIES, Story, Turn, WEI_LING, Week, Whose},
};

/// The password of everybody in the demo clinic.
pub const PASSWORD: &str = "homestretch-demo";

/// Who can sign in: role, address, password.
pub const ACCOUNTS: [(&str, &str, &str); 3] = [
    ("owner", "owner@demo.test", PASSWORD),
    ("physiotherapist", "physio@demo.test", PASSWORD),
    ("patient", "patient@demo.test", PASSWORD),
];

/// The clinic's name.
pub const CLINIC: &str = "Riverside Physio";
/// The clinic's zone.
pub const ZONE: &str = "Asia/Kuala_Lumpur";

const OWNER: (&str, &str) = ("Dr Lim Siew Mei", "owner@demo.test");
const HANNAH: (&str, &str) = ("Hannah Lee", "physio@demo.test");
const ARJUN: (&str, &str) = ("Arjun Menon", "arjun@demo.test");

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// How many days ago the clinic was made; `None` when it was made just now.
    pub days_ago: Option<i32>,
}

/// Makes the clinic where it is not there yet. A clinic that is there is left as it is, whatever has been done in it.
///
/// # Errors
/// The store's own; a sentence for people when an earlier start was ended half-way.
pub async fn ensure(store: &Store, now: Timestamp, say: &dyn Fn(&str)) -> Result<Seeded> {
    let zone = Zone::parse(ZONE)?;
    if let Some(clinic) = existing(store).await? {
        return Ok(Seeded { days_ago: Some(age(store, clinic, zone.date(now)).await?) });
    }
    say("Making the sample clinic: fifteen patients, six weeks of sessions…");
    // Some 30 ms of a core, once: everybody shares the password.
    let hash = tokio::task::spawn_blocking(|| web::auth::password::hash(PASSWORD)).await?.map_err(|why| anyhow!(why))?;
    let maker = Maker::begin(store.clone(), zone, now, hash).await?;
    for story in &STORIES {
        maker.tell(story).await.with_context(|| format!("making the sample patient {}", story.name))?;
    }
    maker.finish().await?;
    Ok(Seeded { days_ago: None })
}

/// The clinic, if it is there and complete. The owner's password is set last of all, so it says that the rest is there.
pub(super) async fn existing(store: &Store) -> Result<Option<ClinicId>> {
    let owner = Email::parse(OWNER.1)?;
    let tx = store.begin_sign_in().await?;
    let (places, complete) = match account::by_email(&tx, &owner).await? {
        Some(account) => (account::places(&tx, account.id).await?, account.password_hash.is_some()),
        None => (Vec::new(), true),
    };
    tx.commit().await?;
    if !complete {
        bail!(
            "an earlier start was ended while it made the sample clinic. Start over: `bin/demo --fresh`, or with an empty database."
        );
    }
    Ok(places.first().map(|place| place.clinic))
}

/// How many days ago the clinic was made, read off the one program whose first day is known.
async fn age(store: &Store, clinic: ClinicId, today: Date) -> Result<i32> {
    let email = Email::parse(ACCOUNTS[2].1)?;
    let tx = store.begin(&ClinicContext::new(clinic, Actor::System)).await?;
    let programs = match patient::by_email(&tx, &email).await? {
        Some(patient) => program::of_patient(&tx, patient.id).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    let began = STORIES.iter().find(|story| story.name == WEI_LING).map_or(0, |story| story.began);
    Ok(programs.first().map_or(0, |program| ((today - program.start).get_days() - began).max(0)))
}

/// What every story needs.
struct Maker {
    store: Store,
    clinic: ClinicId,
    zone: Zone,
    now: Timestamp,
    today: Date,
    hash: String,
    owner: AccountId,
    hannah: MembershipId,
    arjun: MembershipId,
    templates: Vec<Template>,
}

impl Maker {
    /// The clinic with its staff and its library.
    async fn begin(store: Store, zone: Zone, now: Timestamp, hash: String) -> Result<Self> {
        let name = PersonName::parse(CLINIC)?;
        let staff = [(OWNER, Role::Owner), (HANNAH, Role::Physiotherapist), (ARJUN, Role::Physiotherapist)]
            .into_iter()
            .map(|((name, email), role)| Ok((PersonName::parse(name)?, Email::parse(email)?, role)))
            .collect::<Result<Vec<_>>>()?;
        let tx = store.begin_sign_in().await?;
        let clinic = clinic::create(&tx, &name, &zone, now).await?;
        let mut seats = Vec::new();
        for (name, email, role) in &staff {
            let account = account::find_or_create(&tx, email, now).await?.id;
            let member = account::add_member(&tx, clinic, account, *role, name, now).await?;
            account::join_staff(&tx, (clinic, member), account, name, now).await?;
            if *role != Role::Owner {
                account::set_password(&tx, account, &hash, now).await?;
            }
            seats.push((account, member));
        }
        tx.commit().await?;
        let &[(owner, _), (_, hannah), (_, arjun)] = seats.as_slice() else { bail!("the clinic has no staff") };
        let library = Library::new(now)?;
        let tx = store.begin(&ClinicContext::new(clinic, Actor::System)).await?;
        let mut settings = clinic::settings(&tx).await?;
        settings.phone = Some("+60 12-345 6789".to_owned());
        settings.whatsapp = Some("60123456789".to_owned());
        clinic::save(&tx, &settings, now).await?;
        let templates = library.install(&tx, now).await?;
        tx.commit().await?;
        Ok(Self { today: zone.date(now), store, clinic, zone, now, hash, owner, hannah, arjun, templates })
    }

    /// The last step: from here on the clinic counts as made.
    async fn finish(self) -> Result<()> {
        let tx = self.store.begin_sign_in().await?;
        account::set_password(&tx, self.owner, &self.hash, self.now).await?;
        Ok(tx.commit().await?)
    }

    fn physiotherapist(&self, story: &Story) -> MembershipId {
        match story.whose {
            Whose::Hannah => self.hannah,
            Whose::Arjun => self.arjun,
        }
    }

    fn scope(&self, actor: Actor) -> ClinicContext {
        ClinicContext::new(self.clinic, actor)
    }

    /// An hour of a day, but never one that is yet to come.
    fn on(&self, date: Date, hour: i8) -> Timestamp {
        self.zone.instant(date, time(hour, 15, 0, 0)).min(self.now - SignedDuration::from_mins(2))
    }

    fn ago(&self, days: i32) -> Date {
        self.today - days.days()
    }

    /// One patient from the invitation to today.
    async fn tell(&self, story: &Story) -> Result<()> {
        let invited = self.ago(story.invited.unwrap_or(story.began + 1));
        let id = self.record(story, invited).await?;
        let mut program = self.assign(story, id)?;
        let assigned = self.on(invited, 10);
        let staff = self.scope(Actor::Staff(self.physiotherapist(story)));
        let tx = self.store.begin(&staff).await?;
        program::insert(&tx, &program, assigned).await?;
        tx.commit().await?;

        // What changed the program while it ran comes before the sessions that were done by it.
        if let Turn::Revises { ago, to } = story.turn {
            let on = self.ago(ago);
            let plan = self.plan(story, to)?;
            let version = program.revise(plan, on, on)?.clone();
            let tx = self.store.begin(&staff).await?;
            program::add_version(&tx, &program, &version, self.on(on, 6)).await?;
            tx.commit().await?;
        }
        let asked = program.clone();
        let logs = self.lived(story, &mut program)?;
        if !matches!(story.turn, Turn::NotJoined | Turn::OnPaper) {
            self.join(story, id, invited).await?;
            self.remind(story, id).await?;
        }
        self.tell_how_things_are(story, &asked, &staff).await?;
        let by = if story.turn == Turn::OnPaper { staff.clone() } else { self.scope(Actor::Patient(id)) };
        let tx = self.store.begin(&by).await?;
        for days::Logged { log, correction } in &logs {
            session_log::insert(&tx, &program, log).await?;
            if let Some((corrected, at)) = correction {
                session_log::correct(&tx, &program, corrected, *at).await?;
            }
        }
        tx.commit().await?;
        self.close(story, &program, &logs, &staff).await
    }

    /// What the patient answered about how things are.
    async fn tell_how_things_are(&self, story: &Story, program: &Program, staff: &ClinicContext) -> Result<()> {
        let Some(Asked { every, activities, told }) = story.asked else { return Ok(()) };
        let tx = self.store.begin(staff).await?;
        questionnaire::ask(&tx, program, every, program.start, self.on(program.start, 6)).await?;
        tx.commit().await?;
        let name = |name: &&str| Ok(Activity { id: ActivityId::new(), name: ActivityName::parse(name)? });
        let activities = activities.iter().map(name).collect::<Result<Vec<Activity>>>()?;
        let mut answers = Vec::new();
        for (day, scores, rating) in told {
            let date = program.start + day.days();
            let scored = activities
                .iter()
                .zip(*scores)
                .map(|(activity, score)| Ok(Scored { activity: activity.clone(), score: score.map(Ability::new).transpose()? }));
            answers.push(Answer {
                id: AnswerId::new(),
                patient: program.patient,
                program: program.id,
                date,
                received_at: self.on(date, 6),
                corrected_at: None,
                activities: scored.collect::<Result<_>>()?,
                rating: rating.map(Rating::new).transpose()?,
            });
        }
        let tx = self.store.begin(&self.scope(Actor::Patient(program.patient))).await?;
        for answer in &answers {
            questionnaire::insert(&tx, answer).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The sessions, and the turn that came with them or after them.
    fn lived(&self, story: &Story, program: &mut Program) -> Result<Vec<days::Logged>> {
        match story.turn {
            Turn::NotJoined => Ok(Vec::new()),
            // A stop sign stops the program when its log is saved.
            Turn::None | Turn::OnPaper | Turn::Revises { .. } | Turn::Stops { .. } => {
                days::logs(story, program, &self.zone, self.now)
            }
            Turn::Pauses { ago, until, reason } => {
                let from = self.ago(ago);
                program.pause(from, Some(self.ago(-until)), reason, from)?;
                days::logs(story, program, &self.zone, self.now)
            }
            Turn::Finishes { ago } => {
                program.finish(self.ago(ago))?;
                days::logs(story, program, &self.zone, self.now)
            }
        }
    }

    /// The patient's record, and the invitation of the one who has not answered it.
    async fn record(&self, story: &Story, invited: Date) -> Result<PatientId> {
        let id = PatientId::new();
        let email = story.mailbox.map(|mailbox| Email::parse(&format!("{mailbox}@demo.test"))).transpose()?;
        let at = self.on(invited, 9);
        let record = patient::Patient {
            id,
            account: None,
            physiotherapist: Some(self.physiotherapist(story)),
            name: PersonName::parse(story.name)?,
            email: email.clone(),
            zone: self.zone.clone(),
            language: Language::En,
            region: story.region,
            invited_at: email.is_some().then_some(at),
            joined_at: None,
            closed: None,
            created_at: at,
        };
        let invite = email.filter(|_| story.turn == Turn::NotJoined);
        let tx = self.store.begin(&self.scope(Actor::Staff(self.physiotherapist(story)))).await?;
        patient::create(&tx, &record).await?;
        if let Some(email) = invite {
            outbox::enqueue(&tx, self.clinic, outbox::Owed::PatientInvitation(id), &email, self.now).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// The patient accepts in the evening of the day of the invitation, reads what happens with the data and agrees.
    async fn join(&self, story: &Story, id: PatientId, invited: Date) -> Result<()> {
        let Some(mailbox) = story.mailbox else { return Ok(()) };
        let email = Email::parse(&format!("{mailbox}@demo.test"))?;
        let say = |key, args: &[_]| render::words::say(Language::En, key, args);
        let wording = ["consent-1", "consent-2", "consent-3", "consent-4"].map(|key| say(key, &[("clinic", CLINIC.into())]));
        let consent = account::Consent { version: say("consent-version", &[]), wording: wording.join("\n\n") };
        let at = self.on(invited, 20);
        let tx = self.store.begin_sign_in().await?;
        let account = account::find_or_create(&tx, &email, at).await?.id;
        account::join_patient(&tx, (self.clinic, id), account, &consent, at).await?;
        account::set_password(&tx, account, &self.hash, at).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The patient's hours, counted from now: starting the demo sends nothing for the past.
    async fn remind(&self, story: &Story, id: PatientId) -> Result<()> {
        let mut times = story.remind.iter().map(|hour| hour.parse::<Time>()).collect::<Result<Vec<_>, _>>()?;
        if story.name == WEI_LING {
            times.extend(self.soon());
        }
        let tx = self.store.begin(&self.scope(Actor::Patient(id))).await?;
        let rule = reminder::rules_for(&tx, id).await?.rule;
        times.retain(|time| !rule.quiet.contains(*time));
        let rule = ReminderRule::new(times, rule.weekdays, rule.zone, rule.quiet, None)
            .map_err(|why| StoreError::Refused(why.to_string()))?;
        reminder::save_rules(&tx, id, &rule, self.now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The next full five minutes that are at least two away: whoever tries the demo sees a reminder come while they look around.
    fn soon(&self) -> Option<Time> {
        let at = self.zone.datetime(self.now + SignedDuration::from_mins(7));
        time(at.hour(), at.minute() / 5 * 5, 0, 0).into()
    }

    fn assign(&self, story: &Story, id: PatientId) -> Result<Program> {
        let start = self.ago(story.began);
        let end = Program::end_after_weeks(start, story.weeks).context("the program has no weeks")?;
        Ok(Program::assign(ProgramId::new(), id, story.template, start, end, self.plan(story, story.template)?)?)
    }

    fn plan(&self, story: &Story, template: &str) -> Result<Plan> {
        let template = self
            .templates
            .iter()
            .find(|known| known.name == template)
            .with_context(|| format!("there is no template “{template}”"))?;
        let prescriptions = template.items.iter().map(|item| Prescription {
            id: PrescriptionId::new(),
            exercise: item.exercise,
            dose: item.dose,
            note: item.note.clone(),
        });
        Ok(Plan { weekdays: self.weekdays(story), times_a_day: story.times_a_day, prescriptions: prescriptions.collect() })
    }

    fn weekdays(&self, story: &Story) -> Weekdays {
        match story.week {
            Week::ThreeDays => [Weekday::Monday, Weekday::Wednesday, Weekday::Friday].into_iter().collect(),
            Week::SixDays if self.today.weekday() == Weekday::Sunday => {
                Weekdays::all().iter().filter(|day| *day != Weekday::Saturday).collect()
            }
            Week::SixDays => Weekdays::from_bits(MONDAY_TO_SATURDAY).unwrap_or(Weekdays::all()),
        }
    }

    /// What comes after the sessions: the program's state, the mail about a new program, and the notes somebody answered.
    async fn close(&self, story: &Story, program: &Program, logs: &[days::Logged], staff: &ClinicContext) -> Result<()> {
        let changed = match story.turn {
            Turn::Pauses { ago, .. } | Turn::Finishes { ago } => Some(self.on(self.ago(ago), 6)),
            Turn::None | Turn::NotJoined | Turn::OnPaper | Turn::Revises { .. } | Turn::Stops { .. } => None,
        };
        let announced = match story.mailbox {
            Some(mailbox) if story.began < 0 => Some(Email::parse(&format!("{mailbox}@demo.test"))?),
            _ => None,
        };
        let replies: Vec<(LogId, &'static str, Timestamp)> = logs
            .iter()
            .filter_map(|logged| {
                let said = logged.log.note.as_deref()?;
                let answer = story.notes.iter().find(|note| note.text == said)?.answer?;
                let at = logged.log.received_at + SignedDuration::from_hours(3);
                Some((logged.log.id, answer, at.min(self.now - SignedDuration::from_mins(2))))
            })
            .collect();
        let answered = if story.answered { answered(program.patient, logs, self.today) } else { None };
        let tx = self.store.begin(staff).await?;
        if let Some(at) = changed {
            program::save_state(&tx, program, at).await?;
        }
        if let Some(email) = announced {
            let owed = outbox::Owed::ProgramAssigned(program.patient, program.id);
            outbox::enqueue(&tx, self.clinic, owed, &email, self.now).await?;
        }
        for &(log, answer, at) in &replies {
            reply::write(&tx, log, answer, at).await?;
        }
        if let Some((mark, at)) = answered {
            marks::decide(&tx, program.patient, &mark, Some("Spoken about on the phone."), at).await?;
        }
        tx.commit().await?;
        // All but the newest: that one waits on Today.
        let read = &replies[..replies.len().saturating_sub(1)];
        if read.is_empty() {
            return Ok(());
        }
        let tx = self.store.begin(&self.scope(Actor::Patient(program.patient))).await?;
        for &(log, _, at) in read {
            reply::mark_read(&tx, program.patient, log, at + SignedDuration::from_hours(9)).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The decision of a physiotherapist who has answered every note there is.
fn answered(patient: PatientId, logs: &[days::Logged], today: Date) -> Option<(Mark, Timestamp)> {
    let noted = || logs.iter().map(|logged| &logged.log).filter(|log| log.note.is_some());
    let questions: Vec<Question> =
        noted().map(|log| Question { id: log.id.0, date: log.date, at: log.received_at, answered: false }).collect();
    let case = Case {
        patient,
        invited_on: None,
        signed_in: true,
        programs: &[],
        logs: &[],
        scores: &[],
        flagged: &[],
        questions: &questions,
    };
    let asked = attention::attention(&case, &attention::Settings::default(), today)
        .into_iter()
        .find(|attention| attention.kind == AttentionKind::Asked)?;
    let at = noted().map(|log| log.received_at).max()? + SignedDuration::from_hours(3);
    Some((Mark { kind: asked.kind, key: asked.key, state: MarkState::Acknowledged }, at))
}
