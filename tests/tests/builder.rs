//! The physiotherapist's writing side over real Postgres: inviting, building, changing, pausing, templates, the library.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::program::ProgramStatus;
use http_body_util::BodyExt;
use jiff::civil::date;
use store::{
    program, reminder,
    session::{Opening, Reach, SeatId},
};
use testkit::{
    Db,
    clock::Clock,
    people::{self, Clinic, Somebody, Staff},
};
use tower::ServiceExt;

/// Monday 23 November 2026, 09:00 in Kuala Lumpur.
const NOW: &str = "2026-11-23T01:00:00Z";

type Fields = Vec<(String, String)>;

/// A clinic whose physiotherapist is signed in.
struct House {
    db: Db,
    clinic: Clinic,
    clock: Clock,
    web: Router,
    cookie: String,
}

struct Answer {
    status: StatusCode,
    to: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{} {}", self.to, words(&self.body));
        self
    }

    #[track_caller]
    fn has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not on the page ({}):\n{}", self.status, words(&self.body));
        self
    }

    #[track_caller]
    fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is on the page:\n{}", words(&self.body));
        self
    }

    /// The id at the end of the address it leads to.
    fn id<T: std::str::FromStr>(&self) -> T {
        self.to.rsplit('/').next().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id in {:?}", self.to))
    }

    /// The fields of the page's form that posts to `action`, as a browser without a script would send them, but for its buttons.
    #[track_caller]
    fn form(&self, action: &str) -> Fields {
        let from = self.body.find(&format!("action=\"{action}\"")).unwrap_or_else(|| panic!("no form posts to {action}"));
        let form = &self.body[from..];
        let form = &form[..form.find("</form>").unwrap()];
        let mut fields = Fields::new();
        let mut rest = form;
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let tag = &rest[..rest.find('>').unwrap_or(rest.len())];
            let Some(name) = attribute(tag, "name") else { continue };
            if tag.starts_with("input") {
                let kind = attribute(tag, "type").unwrap_or_default();
                if !matches!(kind.as_str(), "checkbox" | "radio") || tag.ends_with(" checked") {
                    fields.push((name, attribute(tag, "value").unwrap_or_default()));
                }
            } else if tag.starts_with("select") {
                let options = &rest[..rest.find("</select>").unwrap()];
                let chosen =
                    options.split("<option").skip(1).find(|option| option.split('>').next().unwrap().ends_with(" selected"));
                let first = options.split("<option").nth(1);
                fields.push((name, chosen.or(first).and_then(|option| attribute(option, "value")).unwrap_or_default()));
            } else if tag.starts_with("textarea") {
                let text = &rest[tag.len() + 1..];
                fields.push((name, unescaped(text[..text.find("</textarea>").unwrap()].trim_start_matches('\n'))));
            }
        }
        fields
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(&rest[..rest.find('"')?]))
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

/// A page without its markup, for messages.
fn words(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn coded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn set(fields: &mut Fields, name: &str, value: &str) {
    set_nth(fields, name, 0, value);
}

/// Changes the n-th of the repeated fields.
fn set_nth(fields: &mut Fields, name: &str, n: usize, value: &str) {
    let field = fields.iter_mut().filter(|(field, _)| field == name).nth(n);
    field.unwrap_or_else(|| panic!("the form has no {n}th {name}")).1 = value.to_owned();
}

fn all<'a>(fields: &'a Fields, name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
}

impl House {
    async fn new() -> Self {
        let db = Db::new().await;
        let clock = Clock::at(NOW);
        let clinic = people::clinic(&db, clock.now()).await;
        let config = web::Config {
            url: "http://localhost:8080".into(),
            secret: vec![7; 32].into(),
            demo: false,
            trusted_proxies: Vec::new(),
        };
        let web = web::app(web::AppState::new(db.store.clone(), config, clock.reader()).unwrap());
        let mut house = Self { db, clinic, clock, web, cookie: String::new() };
        house.cookie = house.sign_in(&house.clinic, &house.clinic.physio).await;
        house
    }

    async fn sign_in(&self, clinic: &Clinic, who: &Staff) -> String {
        let (account, clinic, seat, now) = (who.account, clinic.id, SeatId::Staff(who.membership), self.clock.now());
        let opening =
            Opening { account, clinic, seat, reach: Reach::Full, until: None, user_agent: None, address: None, mailed_to: None };
        let tx = self.db.store.begin_sign_in().await.unwrap();
        let token = store::session::open(&tx, opening, now).await.unwrap();
        tx.commit().await.unwrap();
        format!("homestretch={}", BASE64_URL_SAFE_NO_PAD.encode(token))
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &Fields) -> Answer {
        let body = fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect::<Vec<_>>().join("&");
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, "http://localhost:8080")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// Posts a form with one of its buttons.
    async fn press(&self, path: &str, fields: &Fields, button: &str) -> Answer {
        let mut fields = fields.clone();
        fields.push(("action".into(), button.into()));
        self.post(path, &fields).await
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        if !self.cookie.is_empty() {
            request.headers_mut().insert(header::COOKIE, self.cookie.parse().unwrap());
        }
        let response = self.web.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, to, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn farah(&self) -> Somebody {
        self.clinic.patient("Farah Aziz", "farah@example.test").await
    }

    async fn relief(&self) -> String {
        let list = self.clinic.tenant(async |tx| store::template::list(tx).await).await;
        list[0].id.to_string()
    }

    async fn programs(&self, of: &Somebody) -> Vec<domain::program::Program> {
        self.clinic.tenant(async |tx| program::of_patient(tx, of.id).await).await
    }

    async fn notices(&self) -> Vec<String> {
        self.db.rows("select kind, recipient from notice order by id").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_becomes_a_program_in_one_press_with_mail_and_reminder() {
    let house = House::new().await;
    let farah = house.farah().await;
    let new = format!("/patients/{}/programs/new", farah.id);
    let programs = format!("/patients/{}/programs", farah.id);

    let empty = house.get(&new).await;
    empty.is(200).has("Start from a template").has("Upper back relief").has("No exercises yet");
    let page = house.get(&format!("{new}?template={}", house.relief().await)).await;
    page.is(200)
        .has("5 exercises · about")
        .has("6 sessions a week for 6 weeks")
        .has("Assign and email Farah")
        .has("two to four are kept up best")
        .has("15–30");
    let assigned = house.post(&programs, &page.form(&programs)).await;
    assigned.is(303);

    let [program] = house.programs(&farah).await.try_into().unwrap();
    assert_eq!(assigned.to, format!("/programs/{}", program.id));
    assert_eq!(program.name, "Upper back relief");
    assert_eq!((program.start, program.end), (date(2026, 11, 23), date(2027, 1, 3)));
    let version = &program.versions[0];
    assert_eq!((version.weekdays.bits(), version.times_a_day, version.prescriptions.len()), (0b011_1111, 1, 5));
    assert_eq!(version.prescriptions[4].dose.to_string(), "Hold 20 s each side · 2–3 times");
    assert_eq!(house.notices().await.len(), 1);
    assert!(house.notices().await[0].contains("program_assigned"));
    let reminders = house.clinic.tenant(async |tx| reminder::rules_for(tx, farah.id).await).await;
    assert_eq!(reminders.rule.times, [jiff::civil::time(8, 0, 0, 0)]);
    house.get(&assigned.to).await.is(200).has("On its way").has("week 1 of 6").has("Monday to Saturday, once a day");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_form_a_second_time_is_still_one_program_and_one_mail() {
    let house = House::new().await;
    let farah = house.farah().await;
    let programs = format!("/patients/{}/programs", farah.id);
    let page = house.get(&format!("/patients/{}/programs/new?template={}", farah.id, house.relief().await)).await;
    let first = house.post(&programs, &page.form(&programs)).await;
    let second = house.post(&programs, &page.form(&programs)).await;
    first.is(303);
    second.is(303);
    assert_eq!(first.to, second.to);
    assert_eq!(house.programs(&farah).await.len(), 1);
    assert_eq!(house.notices().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_works_by_its_buttons_alone_and_loses_nothing_on_the_way() {
    let house = House::new().await;
    let farah = house.farah().await;
    let programs = format!("/patients/{}/programs", farah.id);
    let page = house.get(&format!("{programs}/new?template={}", house.relief().await)).await;
    let mut fields = page.form(&programs);
    let order: Vec<String> = all(&fields, "exercise").into_iter().map(str::to_owned).collect();
    set(&mut fields, "name", "Farah’s own <b>program</b>");
    set_nth(&mut fields, "reps", 1, "10-");
    set_nth(&mut fields, "note", 2, "Slowly & calmly");

    let moved = house.press(&programs, &fields, "up-2").await;
    moved.is(200).lacks("<b>program</b>");
    let fields = moved.form(&programs);
    assert_eq!(all(&fields, "exercise"), [&order[0], &order[2], &order[1], &order[3], &order[4]]);
    assert_eq!(all(&fields, "reps")[2], "10-");
    assert_eq!(all(&fields, "note")[1], "Slowly & calmly");
    assert_eq!(all(&fields, "name"), ["Farah’s own <b>program</b>"]);

    let removed = house.press(&programs, &fields, "remove-2").await;
    let fields = removed.form(&programs);
    assert_eq!(all(&fields, "exercise"), [&order[0], &order[2], &order[3], &order[4]]);
    removed.lacks("kept up best");

    let added = house.press(&programs, &fields, &format!("add-{}", order[1])).await;
    let fields = added.form(&programs);
    assert_eq!(all(&fields, "exercise").last().unwrap(), &order[1]);
    assert_eq!(all(&fields, "reps").last().unwrap(), &"10–15");

    let mut searching = fields.clone();
    set(&mut searching, "q", "tightrope");
    let searched = house.press(&programs, &searching, "look").await;
    searched.is(200).has("No exercise matches");
    assert_eq!(all(&searched.form(&programs), "exercise").len(), 5);

    house.press(&programs, &fields, "preview").await.is(200).has("Slowly &amp; calmly").has("Nothing has been assigned");
    let kept = house.press(&programs, &fields, "save-template").await;
    kept.is(200).has("Saved as the template");
    house.press(&programs, &fields, "save-template").await.is(422).has("There is a template of this name already");
    assert!(house.programs(&farah).await.is_empty());
    house.get("/templates").await.is(200).has("Farah’s own &lt;b&gt;program");
    house.press(&programs, &kept.form(&programs), "save").await.is(303);
    assert_eq!(house.programs(&farah).await[0].versions[0].prescriptions[1].note.as_deref(), Some("Slowly & calmly"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_where_it_was_typed_and_nothing_is_changed() {
    let house = House::new().await;
    let farah = house.farah().await;
    let programs = format!("/patients/{}/programs", farah.id);
    let good = house.get(&format!("{programs}/new?template={}", house.relief().await)).await.form(&programs);
    let long = "x".repeat(500);
    let cases: [(&str, usize, &str, &str); 9] = [
        ("reps", 1, "10-", "The range is not finished"),
        ("hold", 0, "0 s", "A hold lasts from 1 to 600 seconds"),
        ("sets", 0, "99", "Sets must be from 1 to 20"),
        ("name", 0, &long, "120 characters at most"),
        ("name", 0, " ", "Give the program a name"),
        ("ends", 0, "2026-11-01", "The program ends before it starts"),
        ("weeks", 0, "many", "Give a whole number of weeks"),
        ("starts", 0, "yesterday", "Choose the first day"),
        ("remind_at", 0, "23:30", "The clinic sends nothing between 21:00 and 07:00"),
    ];
    for (name, n, typed, sentence) in cases {
        let mut bad = good.clone();
        set_nth(&mut bad, name, n, typed);
        let refused = house.post(&programs, &bad).await;
        refused.is(422).has(sentence).has("Nothing was assigned yet");
        assert_eq!(all(&refused.form(&programs), name)[n], typed, "{name} is kept");
        assert_eq!(refused.body.matches("aria-invalid=\"true\"").count(), 1, "only {name} is marked");
    }
    let nothing: Fields =
        good.iter().filter(|(name, _)| !matches!(name.as_str(), "exercise" | "sets" | "reps" | "weekdays")).cloned().collect();
    house.post(&programs, &nothing).await.is(422).has("has no exercises yet").has("Choose at least one day of the week");
    house.post(&programs, &Fields::new()).await.is(422);
    let mut stranger = good.clone();
    set_nth(&mut stranger, "exercise", 0, "00000000-0000-7000-8000-000000000000");
    house.post(&programs, &stranger).await.is(422).has("not in your library");
    assert!(house.programs(&farah).await.is_empty());
    assert!(house.notices().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_from_its_day_on_and_never_before() {
    let house = House::new().await;
    let farah = house.farah().await;
    let made = house.clinic.program_for(&farah, date(2026, 11, 9), 6).await;
    let revise = format!("/programs/{}/revise", made.id);
    let page = house.get(&revise).await;
    let mut fields = page.form(&revise);
    assert_eq!(all(&fields, "from"), ["2026-11-23"]);
    set_nth(&mut fields, "reps", 0, "5");

    set(&mut fields, "from", "2026-11-22");
    house.post(&revise, &fields).await.is(422).has("A change takes effect today or later");
    set(&mut fields, "from", "2027-11-22");
    house.post(&revise, &fields).await.is(422).has("The program is over by then");
    set(&mut fields, "from", "2026-11-25");
    let saved = house.post(&revise, &fields).await;
    saved.is(303);
    house.get(&saved.to).await.is(200).has("From 25 November 2026").has("planned").has("in effect");
    let [program] = house.programs(&farah).await.try_into().unwrap();
    let reps = |on| program.version_on(on).unwrap().prescriptions[0].dose.reps().to_string();
    assert_eq!((reps(date(2026, 11, 24)), reps(date(2026, 11, 25))), ("3".to_owned(), "5".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_paused_resumed_and_finished_and_a_stop_sign_asks_for_a_reason() {
    let house = House::new().await;
    let farah = house.farah().await;
    let made = house.clinic.program_for(&farah, date(2026, 11, 9), 6).await;
    let here = format!("/programs/{}", made.id);
    let post = |path: &str, fields: &[(&str, &str)]| {
        let fields: Fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let path = format!("{here}/{path}");
        let house = &house;
        async move { house.post(&path, &fields).await }
    };
    let holiday = [("from", "2026-11-24"), ("until", "2026-11-20"), ("reason", "Holiday")];
    post("pause", &holiday).await.is(422).has("The pause ends before it starts").has("Holiday");
    post("pause", &[("from", "2026-11-20"), ("until", ""), ("reason", "Holiday")])
        .await
        .is(422)
        .has("A pause starts today or later");
    post("pause", &[("from", "2026-11-23"), ("until", ""), ("reason", " ")]).await.is(422).has("Please say why");
    let long = "x".repeat(501);
    post("pause", &[("from", "2026-11-23"), ("until", ""), ("reason", &long)]).await.is(422).has("500 characters at most");
    assert!(house.programs(&farah).await[0].pauses.is_empty());
    post("pause", &[("from", "2026-11-23"), ("until", ""), ("reason", "Holiday")]).await.is(303);
    house.get(&here).await.is(200).has("Paused").has("Holiday").has("Resume from today");
    post("resume", &[("reason", "")]).await.is(303);
    assert_eq!(house.programs(&farah).await[0].status(date(2026, 11, 23)), ProgramStatus::Active);

    house
        .clinic
        .tenant(async |tx| {
            let mut program = program::find_for_update(tx, made.id).await?;
            assert!(program.stop(date(2026, 11, 23)));
            program::save_state(tx, &program, house.clock.now()).await
        })
        .await;
    house.get(&here).await.has("Stopped").has("reported a stop sign");
    post("resume", &[("reason", "")]).await.is(422).has("Please say why");
    post("resume", &[("reason", "Spoke on the phone; numbness was from the chair.")]).await.is(303);
    house.get(&here).await.has("numbness was from the chair");

    post("finish", &[]).await.is(303);
    house.get(&here).await.has("Finished").lacks("Change the program");
    post("finish", &[]).await.is(303);
    house.get(&format!("{here}/revise")).await.is(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn inviting_makes_a_record_once_and_owes_the_mail() {
    let house = House::new().await;
    let form = house.get("/patients/new").await;
    let mut fields = form.is(200).form("/patients");
    assert_eq!(all(&fields, "zone"), ["Asia/Kuala_Lumpur"]);
    set(&mut fields, "name", &"x".repeat(500));
    set(&mut fields, "email", "farah@");
    set(&mut fields, "zone", "Mars/Olympus");
    let refused = house.post("/patients", &fields).await;
    refused.is(422).has("120 characters at most").has("name@example.com").has("is not a time zone we know").has("farah@");
    set(&mut fields, "name", "Farah Aziz");
    set(&mut fields, "email", " Farah@Example.Test ");
    set(&mut fields, "zone", "Asia/Singapore");
    let invited = house.post("/patients", &fields).await;
    invited.is(303);
    assert!(house.notices().await[0].contains("invitation"));
    let id: domain::ids::PatientId = invited.id();
    let farah = house.clinic.tenant(async |tx| store::patient::find(tx, id).await).await;
    assert_eq!((farah.email.unwrap().as_str(), farah.zone.name()), ("farah@example.test", "Asia/Singapore"));
    assert_eq!(farah.physiotherapist, Some(house.clinic.physio.membership));

    let twice = house.post("/patients", &fields).await;
    assert_eq!(twice.is(303).id::<domain::ids::PatientId>(), id, "the same form is the same patient");
    let fresh = house.get("/patients/new").await.form("/patients");
    set(&mut fields, "form_id", all(&fresh, "form_id")[0]);
    let another = house.post("/patients", &fields).await;
    another.is(422).has("has this address in your clinic already").has(&format!("href=\"/patients/{id}\""));
    assert_eq!(house.notices().await.len(), 1);
    house.clock.advance(jiff::SignedDuration::from_mins(5));
    house.post(&format!("/patients/{id}/invite"), &Fields::new()).await.is(303);
    assert_eq!(house.notices().await.len(), 2);

    set(&mut fields, "name", "Paper Patient");
    set(&mut fields, "email", "");
    let paper = house.post("/patients", &fields).await;
    paper.is(303);
    assert_eq!(house.notices().await.len(), 2);
    house.get(&format!("{}/programs/new", paper.to)).await.is(200).has("Assign to Paper").has("no email and no reminders");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_pressed_twice_makes_one_patient_also_without_an_email() {
    let house = House::new().await;
    let count = async || house.db.row("select count(*) from patient").await.parse::<u32>().unwrap();
    let form = async |name: &str| {
        let mut fields = house.get("/patients/new").await.form("/patients");
        set(&mut fields, "name", name);
        fields
    };
    let before = count().await;
    let paper = form("Paper Patient").await;
    let (one, other) = tokio::join!(house.post("/patients", &paper), house.post("/patients", &paper));
    let id: domain::ids::PatientId = one.is(303).id();
    assert_eq!(other.is(303).id::<domain::ids::PatientId>(), id, "at the same moment");
    assert_eq!(house.post("/patients", &paper).await.is(303).id::<domain::ids::PatientId>(), id, "and later");
    assert_eq!(count().await, before + 1);
    // Back, another name into the same form: that is somebody else. So is the same name on another form.
    let mut back = paper.clone();
    set(&mut back, "name", "Second Patient");
    let second: domain::ids::PatientId = house.post("/patients", &back).await.is(303).id();
    let namesake: domain::ids::PatientId = house.post("/patients", &form("Paper Patient").await).await.is(303).id();
    assert!(second != id && namesake != id && namesake != second);
    assert_eq!(count().await, before + 3);

    // The id of a record that is there, sent in as the form's: nothing happens to that record, and nobody lands on it.
    let other = testkit::people::clinic_called(&house.db, "Hill Clinic", "hill.test", house.clock.now()).await;
    let strange = other.patient("Strange Person", "strange@home.test").await;
    let state = "select md5(string_agg(p::text, '|' order by id)) from patient p where created_at is not null and name in ('Paper Patient', 'Strange Person')";
    let untouched = house.db.row(state).await;
    for taken in [id, strange.id] {
        let mut posted = form("Over Poster").await;
        set(&mut posted, "form_id", &taken.to_string());
        let made: domain::ids::PatientId = house.post("/patients", &posted).await.is(303).id();
        assert!(made != taken && made != id);
    }
    assert_eq!(house.db.row(state).await, untouched);
    for nonsense in ["", "x", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"] {
        let mut posted = form(&format!("Somebody {nonsense}")).await;
        set(&mut posted, "form_id", nonsense);
        house.post("/patients", &posted).await.is(303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_is_written_copied_and_filled_from_a_file() {
    let house = House::new().await;
    house.get("/exercises").await.is(200).has("5 exercises").has("Cat–cow stretch");
    house.get("/exercises?q=angels").await.has("1 exercise of 5").lacks("Cat–cow");
    house.get("/exercises?region=neck").await.has("No exercise matches");
    let mut fields = house.get("/exercises/new").await.form("/exercises");
    set(&mut fields, "name", &"x".repeat(500));
    set(&mut fields, "hold", "0 s");
    let refused = house.post("/exercises", &fields).await;
    refused.is(422).has("120 characters at most").has("1 to 600 seconds").has("Choose a part of the body").has(&"x".repeat(500));
    set(&mut fields, "name", "Band pull-apart");
    set(&mut fields, "region", "upper_back");
    set(&mut fields, "steps", "Hold the band.\r\n\r\nPull it apart.");
    set(&mut fields, "sets", "2-3");
    set(&mut fields, "hold", "");
    let saved = house.post("/exercises", &fields).await;
    saved.is(303);
    house.get(&saved.to).await.is(200).has("2–3 × 10").has("<li>Pull it apart.</li>").has("Made in this clinic");
    let mut fields = house.get(&format!("{}/edit", saved.to)).await.form(&saved.to);
    set(&mut fields, "name", "Band pull-aparts");
    house.post(&saved.to, &fields).await.is(303);
    house.get("/exercises?q=aparts").await.has("Band pull-aparts").has("Yours");
    house.post(&format!("{}/archive", saved.to), &Fields::new()).await.is(303);
    house.get("/exercises?q=aparts").await.has("No exercise matches");

    let upload = |file: String| {
        let house = &house;
        async move {
            let body = format!(
                "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"list.json\"\r\nContent-Type: application/json\r\n\r\n{file}\r\n--XX--\r\n"
            );
            let request = Request::post("/exercises/import")
                .header(header::CONTENT_TYPE, "multipart/form-data; boundary=XX")
                .header(header::ORIGIN, "http://localhost:8080")
                .body(Body::from(body))
                .unwrap();
            house.send(request).await
        }
    };
    upload("name,email".into()).await.is(422).has("This file is no exercise list");
    upload(String::new()).await.is(422).has("Choose a file first");
    house.get("/exercises").await.has("5 exercises");
    let list: Vec<String> = (0..3)
        .map(|n| format!("{{\"id\":\"e{n}\",\"name\":\"Listed {n}\",\"instructions\":[\"{}\"]}}", "Do. ".repeat(400)))
        .collect();
    upload(format!("[{}]", list.join(","))).await.is(303);
    upload(format!("[{}]", list.join(","))).await.is(303);
    house.get("/exercises").await.has("8 exercises").has("Imported");
    upload("x".repeat(9 << 20)).await.is(413);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_built_changed_archived_and_used_for_a_patient() {
    let house = House::new().await;
    let farah = house.farah().await;
    let relief = house.relief().await;
    let page = format!("/templates/{relief}");
    let mut fields = house.get(&page).await.is(200).form(&page);
    assert!(all(&fields, "starts").is_empty());
    set(&mut fields, "weeks", "60");
    house.post(&page, &fields).await.is(422).has("from 1 to 52");
    set(&mut fields, "weeks", "8");
    house.post(&page, &fields).await.is(303);
    house.get(&format!("{page}/use?q=farah")).await.has(&format!("/patients/{}/programs/new?template={relief}", farah.id));
    house.get(&format!("{page}/use?q=nobody")).await.has("Nobody found");

    let empty = house.get("/templates/new").await.form("/templates");
    house.post("/templates", &empty).await.is(422).has("has no exercises yet").has("Give the program a name");
    house.post(&format!("{page}/archive"), &Fields::new()).await.is(303);
    house.get("/templates").await.has("No templates yet");
    house.get("/templates?show=archived").await.has("Upper back relief").has("8 weeks");
    house.post(&format!("{page}/restore"), &Fields::new()).await.is(303);
    house.get("/templates").await.has("Upper back relief");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clinics_things_are_not_found_whatever_is_asked_of_them() {
    let mut house = House::new().await;
    let farah = house.farah().await;
    let made = house.clinic.program_for(&farah, date(2026, 11, 23), 6).await;
    let relief = house.relief().await;
    let exercise = made.versions[0].prescriptions[0].exercise;
    let other = people::clinic_called(&house.db, "Hilltop", "hilltop.test", house.clock.now()).await;
    house.cookie = house.sign_in(&other, &other.physio).await;
    for path in [
        format!("/patients/{}/programs/new", farah.id),
        format!("/programs/{}", made.id),
        format!("/programs/{}/revise", made.id),
        format!("/exercises/{exercise}"),
        format!("/exercises/new?copy={exercise}"),
        format!("/templates/{relief}"),
        format!("/templates/{relief}/use"),
        "/programs/nonsense".to_owned(),
    ] {
        house.get(&path).await.is(404);
    }
    for path in [
        format!("/patients/{}/programs", farah.id),
        format!("/patients/{}/invite", farah.id),
        format!("/programs/{}/revise", made.id),
        format!("/programs/{}/pause", made.id),
        format!("/programs/{}/resume", made.id),
        format!("/programs/{}/finish", made.id),
        format!("/exercises/{exercise}"),
        format!("/exercises/{exercise}/archive"),
        format!("/templates/{relief}"),
        format!("/templates/{relief}/archive"),
    ] {
        house.post(&path, &Fields::new()).await.is(404);
    }
    house.cookie = String::new();
    let out = house.get("/exercises").await;
    assert_eq!((out.status.as_u16(), out.to.as_str()), (303, "/sign-in?next=/exercises"));
    assert_eq!(house.programs(&farah).await[0].finished_on, None);
}
