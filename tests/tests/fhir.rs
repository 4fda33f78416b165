//! Stories of a patient's record as a FHIR bundle: what stands in it, that a validator of others accepts it, and that nothing is lost,
//! made up or turned into something else on the way. The validator is shown to refuse what is broken.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::{collections::HashMap, io::Write as _, path::Path, process::Stdio};

use axum::http::{Method, StatusCode};
use domain::{
    ids::{ActivityId, AnswerId, LogId, PrescriptionId},
    program::{Plan, Program},
    questionnaire::{Ability, Activity, ActivityName, Answer, Rating, Scored},
    session_log::{Effort, Entry, Outcome, PainScore, RedFlag, SessionLog, SkipReason},
};
use jiff::{Timestamp, civil::date};
use serde_json::{Value, json};
use store::{Actor, ClinicContext};
use testkit::people::Somebody;
use visitor::{Browser, PASSWORD, Site};

/// A name that a person's name may be.
const NAME: &str = "=1+1, \"Mei\" O’Brien </script> שלום (முதுகு)";
/// A text that other fields may be.
const AWKWARD: &str = "@SUM(A1), \"it\"\r\n\t= 'better' </script><!-- שלום 🧘 \u{a0}\u{200f}";

/// What Medplum's validator with HL7's definitions finds wrong in each.
fn judged(bundles: &[&Value]) -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    assert!(
        folder.join("node_modules/@medplum").exists(),
        "the packages of these tests are not there; bin/test fetches them (npm ci in tests/browser)"
    );
    let mut node = std::process::Command::new("node")
        .arg("fhir.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node cannot be started; bin/test installs it");
    node.stdin.take().unwrap().write_all(json!(bundles).to_string().as_bytes()).unwrap();
    let done = node.wait_with_output().unwrap();
    assert!(done.status.success(), "fhir.mjs failed; what it said stands above");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// By another program than ours.
fn unpacked(bytes: &[u8]) -> String {
    let packed = std::env::temp_dir().join(format!("homestretch-{}.gz", LogId::new()));
    std::fs::write(&packed, bytes).unwrap();
    let done = std::process::Command::new("gzip").arg("-dc").arg(&packed).output().expect("gzip is installed");
    std::fs::remove_file(&packed).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn accepted(bundle: &Value) {
    assert_eq!(judged(&[bundle]), [Vec::<String>::new()]);
}

/// The resources of a type that fit.
fn all<'a>(bundle: &'a Value, kind: &str, fits: impl Fn(&Value) -> bool) -> Vec<&'a Value> {
    let resources = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    resources.filter(|resource| resource["resourceType"] == kind && fits(resource)).collect()
}

fn the<'a>(bundle: &'a Value, kind: &str, fits: impl Fn(&Value) -> bool) -> &'a Value {
    let found = all(bundle, kind, fits);
    let [one] = found.as_slice() else { panic!("{} of {kind}, not one", found.len()) };
    one
}

/// Whether one of the codes of a CodeableConcept is this one.
fn coded(concept: &Value, system: &str, code: &str) -> bool {
    concept["coding"].as_array().is_some_and(|all| all.iter().any(|coding| coding["system"] == system && coding["code"] == code))
}

const OURS: &str = "urn:homestretch:codes:observation";

fn is_session(procedure: &Value) -> bool {
    coded(&procedure["code"], "urn:homestretch:codes:procedure", "home-session")
}

/// Every reference. Every period begins before it ends, which the validator lets pass.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("reference").and_then(Value::as_str).map(str::to_owned));
            if let (Some(start), Some(end)) = (object.get("start"), object.get("end")) {
                assert!(start.as_str() <= end.as_str(), "{start} to {end}");
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

struct Story {
    site: Site,
    mei: Somebody,
    physio: Browser,
}

impl Story {
    /// A patient of that zone, and her physiotherapist, who just gave the password.
    async fn begin(zone: &str) -> Self {
        let site = Site::open().await;
        let mei = site.clinic.patient_in(NAME, "mei@example.test", zone).await;
        site.give_password(site.clinic.physio.account).await;
        let mut physio = site.browser();
        assert_eq!(physio.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await.status, StatusCode::SEE_OTHER);
        Self { site, mei, physio }
    }

    fn path(&self) -> String {
        format!("/patients/{}/fhir.json", self.mei.id)
    }

    async fn bundle(&mut self) -> Value {
        let file = self.physio.get(&self.path()).await;
        assert_eq!(file.status, StatusCode::OK, "{}", file.text);
        serde_json::from_str(&file.text).unwrap()
    }

    /// What the patient logs, as `change` makes it of a session that was wholly skipped at noon.
    async fn logs(&self, program: &Program, day: i8, change: impl FnOnce(&mut SessionLog)) -> LogId {
        let date = date(2026, 2, day);
        let noon = self.mei.zone.instant(date, jiff::civil::time(12, 0, 0, 0));
        let version = program.version_on(date).unwrap();
        let skipped = |id: PrescriptionId| Entry { prescription: id, outcome: Outcome::Skipped(SkipReason::NoTime) };
        let mut log = SessionLog {
            id: LogId::new(),
            program: program.id,
            date,
            performed_at: noon,
            received_at: noon,
            entries: version.prescriptions.iter().map(|prescription| skipped(prescription.id)).collect(),
            pain_before: None,
            pain_after: None,
            effort: None,
            note: None,
            red_flags: Vec::new(),
        };
        change(&mut log);
        let tx = self.site.db.store.begin(&self.scope()).await.unwrap();
        store::session_log::insert(&tx, program, &log).await.unwrap();
        tx.commit().await.unwrap();
        log.id
    }

    async fn answers(&self, program: &Program, scores: &[Option<i64>], rating: Option<i64>) -> AnswerId {
        let activities = scores.iter().enumerate().map(|(at, score)| Scored {
            activity: Activity {
                id: ActivityId::new(),
                name: ActivityName::parse(&format!("{at}: “Lifting”, </script> =2+2")).unwrap(),
            },
            score: score.map(|score| Ability::new(score).unwrap()),
        });
        let answer = Answer {
            id: AnswerId::new(),
            patient: self.mei.id,
            program: program.id,
            date: date(2026, 2, 20),
            received_at: "2026-02-20T02:00:00Z".parse().unwrap(),
            corrected_at: None,
            activities: activities.collect(),
            rating: rating.map(|rating| Rating::new(rating).unwrap()),
        };
        let tx = self.site.db.store.begin(&self.scope()).await.unwrap();
        store::questionnaire::insert(&tx, &answer).await.unwrap();
        tx.commit().await.unwrap();
        answer.id
    }

    fn scope(&self) -> ClinicContext {
        ClinicContext::new(self.site.clinic.id, Actor::Patient(self.mei.id))
    }

    async fn count(&self, sql: &str) -> usize {
        self.site.db.row(&sql.replace("{id}", &self.mei.id.to_string())).await.parse().unwrap()
    }

    /// What the rows say, counted by statements of their own.
    async fn agrees_with_the_rows(&self, bundle: &Value) {
        let exercise = |status: &'static str| move |one: &Value| !is_session(one) && one["status"] == status;
        let observed = |code: &'static str| move |one: &Value| coded(&one["code"], OURS, code);
        for (what, found, sql) in [
            ("programs", all(bundle, "CarePlan", |_| true), "select count(*) from program where patient_id = '{id}'"),
            ("orders", all(bundle, "ServiceRequest", |_| true), "select count(*) from prescription where patient_id = '{id}'"),
            ("sessions", all(bundle, "Procedure", is_session), "select count(*) from session_log where patient_id = '{id}'"),
            (
                "exercises done",
                all(bundle, "Procedure", exercise("completed")),
                "select count(*) from log_entry where patient_id = '{id}' and skipped is null and sets * reps > 0",
            ),
            (
                "exercises not done",
                all(bundle, "Procedure", exercise("not-done")),
                "select count(*) from log_entry where patient_id = '{id}' and (skipped is not null or sets * reps = 0)",
            ),
            (
                "reasons",
                all(bundle, "Procedure", |one| one["statusReason"].is_object()),
                "select count(*) from log_entry where patient_id = '{id}' and skipped is not null",
            ),
            ("pain", all(bundle, "Observation", |one| coded(&one["code"], "http://loinc.org", "72514-3")),
                "select count(pain_before) + count(pain_after) from session_log where patient_id = '{id}'"),
            ("pain before", all(bundle, "Observation", observed("pain-before-session")), "select count(pain_before) from session_log where patient_id = '{id}'"),
            ("pain after", all(bundle, "Observation", observed("pain-after-session")), "select count(pain_after) from session_log where patient_id = '{id}'"),
            ("effort", all(bundle, "Observation", observed("effort-cr10")), "select count(effort) from session_log where patient_id = '{id}'"),
            ("stop signs", all(bundle, "Observation", observed("stop-signs")), "select count(*) from session_log where patient_id = '{id}' and red_flags <> '{}'"),
            ("notes", all(bundle, "Procedure", |one| is_session(one) && one["note"].is_array()), "select count(note) from session_log where patient_id = '{id}'"),
            ("replies", all(bundle, "Communication", |_| true), "select count(*) from reply where patient_id = '{id}'"),
            (
                "answers",
                all(bundle, "QuestionnaireResponse", |_| true),
                "select count(*) filter (where rating is not null) + count(*) filter (where exists (
                   select from questionnaire_score s where s.answer_id = a.id)) from questionnaire_answer a where patient_id = '{id}'",
            ),
        ] {
            assert_eq!(found.len(), self.count(sql).await, "{what}");
        }
        // What was scored, not only how often.
        for (code, column) in
            [("pain-before-session", "pain_before"), ("pain-after-session", "pain_after"), ("effort-cr10", "effort")]
        {
            let sum: i64 = all(bundle, "Observation", observed(code)).iter().map(|one| one["valueInteger"].as_i64().unwrap()).sum();
            let sql = format!("select coalesce(sum({column}), 0) from session_log where patient_id = '{{id}}'");
            assert_eq!(usize::try_from(sum).unwrap(), self.count(&sql).await, "{column}");
        }
        let entries = bundle["entry"].as_array().unwrap();
        let known: HashMap<&str, &Value> =
            entries.iter().map(|entry| (entry["fullUrl"].as_str().unwrap(), &entry["resource"])).collect();
        assert_eq!(known.len(), entries.len(), "no two of one name");
        let mut referred = Vec::new();
        references(bundle, &mut referred);
        assert!(
            referred.iter().all(|reference| known.contains_key(reference.as_str())),
            "every reference leads somewhere in the bundle"
        );
        // The patient said it, of everything that was logged or answered.
        let patient = all(bundle, "Patient", |_| true)[0]["id"].as_str().unwrap();
        let patient = json!({ "reference": format!("urn:uuid:{patient}") });
        assert!(all(bundle, "Procedure", |_| true).iter().all(|one| one["asserter"] == patient && one["subject"] == patient));
        assert!(all(bundle, "Observation", |_| true).iter().all(|one| one["performer"] == json!([patient])));
        assert!(
            all(bundle, "QuestionnaireResponse", |_| true).iter().all(|one| one["source"] == patient && one["author"] == patient)
        );
    }
}

fn did(program: &Program, at: usize, sets: u16, reps: u16) -> Entry {
    Entry { prescription: program.versions[0].prescriptions[at].id, outcome: Outcome::Did { sets, reps, hold: None } }
}

fn skipped(program: &Program, at: usize, reason: SkipReason) -> Entry {
    Entry { prescription: program.versions[0].prescriptions[at].id, outcome: Outcome::Skipped(reason) }
}

/// A record with everything that can be in one; gives the program that runs.
async fn everything(story: &Story) -> Program {
    let Story { site, mei, .. } = story;
    let clinic = &site.clinic;
    let today = date(2026, 3, 2);
    // Over, withdrawn half-way, withdrawn before it began, paused, still to come.
    clinic.program_for(mei, date(2026, 1, 1), 1).await;
    let mut withdrawn = clinic.program_for(mei, date(2026, 2, 1), 12).await;
    withdrawn.finish(date(2026, 2, 20)).unwrap();
    clinic.save(&withdrawn).await;
    let mut never = clinic.program_for(mei, date(2026, 4, 1), 2).await;
    never.finish(today).unwrap();
    clinic.save(&never).await;
    let mut paused = clinic.program_for(mei, date(2026, 2, 1), 12).await;
    paused.pause(today, None, AWKWARD, today).unwrap();
    clinic.save(&paused).await;
    clinic.program_for(mei, date(2026, 5, 1), 2).await;

    // The one that runs, three times in the week, revised twice: from today on, and for later.
    let days = |plan: &mut Plan| {
        plan.weekdays = [jiff::civil::Weekday::Monday, jiff::civil::Weekday::Friday].into_iter().collect();
        plan.times_a_day = 2;
        plan.prescriptions[0].note = Some(AWKWARD.to_owned());
    };
    let mut runs = clinic.program_with(mei, date(2026, 2, 2), 12, days).await;
    for from in [today, date(2026, 3, 20)] {
        let first = &runs.versions[0];
        let mut prescriptions = first.prescriptions.clone();
        prescriptions.truncate(3);
        prescriptions.iter_mut().for_each(|one| one.id = PrescriptionId::new());
        let plan = Plan { weekdays: domain::program::Weekdays::all(), times_a_day: 1, prescriptions };
        let version = runs.revise(plan, from, today).unwrap().clone();
        clinic.tenant(async |tx| store::program::add_version(tx, &runs, &version, site.clock.now()).await).await;
    }
    site.db
        .execute(&format!(
            "update exercise set name = name || E' \"A\", =1\\n</script>' where id = '{}';
             update program set name = E'=HYPERLINK(\"x\"),\\n\\u202e Rücken' where id = '{}'",
            runs.versions[0].prescriptions[0].exercise, runs.id
        ))
        .await;

    // Somebody of the clinic logs for her once.
    clinic.log(mei, &runs, date(2026, 2, 6), Some(4)).await;
    story
        .logs(&runs, 9, |log| {
            let reasons = SkipReason::ALL;
            log.entries = reasons.iter().enumerate().map(|(at, reason)| skipped(&runs, at, *reason)).collect();
            log.pain_before = Some(PainScore::new(0).unwrap());
            log.pain_after = Some(PainScore::new(10).unwrap());
            log.effort = Some(Effort::new(0).unwrap());
        })
        .await;
    let answered = story
        .logs(&runs, 13, |log| {
            // All of it, a part of it, nothing of it though ticked, and three of which nothing is said.
            let all = runs.versions[0].prescriptions[0].dose;
            log.entries = vec![did(&runs, 0, all.sets().min(), all.reps().min()), did(&runs, 1, 1, 1), did(&runs, 2, 0, 0)];
            log.pain_after = Some(PainScore::new(3).unwrap());
            log.note = Some(AWKWARD.to_owned());
            log.red_flags = RedFlag::ALL.to_vec();
        })
        .await;
    // The stop signs stopped her programs. This record is about programs in every state, so they stand as they did before.
    site.db.execute(&format!("delete from program_pause where patient_id = '{}' and needs_physiotherapist", mei.id)).await;
    // Pain and nothing else.
    story
        .logs(&runs, 16, |log| {
            log.entries.clear();
            log.pain_before = Some(PainScore::new(7).unwrap());
        })
        .await;
    for (at, note) in include_str!("naughty/corpus.txt").lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let of = if at % 2 == 0 { &runs } else { &withdrawn };
        story.logs(of, 16 + i8::try_from(at % 3).unwrap(), |log| log.note = Some(format!("{note}\n{at}"))).await;
    }
    story.answers(&runs, &[Some(0), Some(10), None], Some(-5)).await;
    story.answers(&withdrawn, &[], Some(0)).await;
    site.db
        .execute(&format!(
            "update session_log set corrected_at = received_at + interval '1 hour' where id = '{answered}';
             update questionnaire_answer set corrected_at = received_at + interval '1 hour' where rating = -5;
             insert into reply (clinic_id, id, patient_id, log_id, note, text, written_by, written_at, read_at)
               select clinic_id, gen_random_uuid(), patient_id, id, note, E'=Stop, and \"call\"\\nus </script>', '{by}', received_at, received_at
               from session_log where id = '{answered}'",
            by = clinic.physio.membership
        ))
        .await;
    runs
}

#[tokio::test]
async fn a_whole_record_is_a_bundle_that_others_accept() {
    let mut story = Story::begin("Asia/Kuala_Lumpur").await;
    let runs = everything(&story).await;
    let file = story.physio.get(&story.path()).await;
    assert_eq!(file.header("content-type"), "application/fhir+json");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"patient-record-2026-03-02.fhir.json\"");
    assert_eq!((file.header("cache-control"), file.header("x-content-type-options")), ("no-store", "nosniff"));
    let bundle: Value = serde_json::from_str(&file.text).unwrap();
    accepted(&bundle);
    story.agrees_with_the_rows(&bundle).await;
    assert_eq!((&bundle["type"], &bundle["timestamp"]), (&json!("collection"), &json!("2026-03-02T08:00:00+08:00")));

    // What was typed comes out as it was typed.
    assert_eq!(the(&bundle, "Patient", |_| true)["name"], json!([{ "text": NAME }]));
    let plan = the(&bundle, "CarePlan", |one| one["identifier"][0]["value"] == format!("urn:uuid:{}", runs.id));
    assert_eq!(plan["title"], "=HYPERLINK(\"x\"),\n\u{202e} Rücken");
    let noted = |text: &str| all(&bundle, "Procedure", |one| one["note"][0]["text"] == text).len();
    assert_eq!(noted(AWKWARD), 1);
    for (at, note) in include_str!("naughty/corpus.txt").lines().filter(|line| !line.trim().is_empty()).enumerate() {
        assert_eq!(noted(&format!("{note}\n{at}")), 1, "{note}");
    }
    assert_eq!(
        the(&bundle, "Communication", |_| true)["payload"],
        json!([{ "contentString": "=Stop, and \"call\"\nus </script>" }])
    );
    let order = all(&bundle, "ServiceRequest", |one| one["note"][0]["text"] == AWKWARD);
    assert!(order[0]["code"]["text"].as_str().unwrap().ends_with(" \"A\", =1\n</script>"), "{}", order[0]["code"]);
    let items = the(&bundle, "QuestionnaireResponse", |one| one["questionnaire"].as_str().unwrap().contains("psfs"));
    assert_eq!(items["item"][1]["text"], "1: “Lifting”, </script> =2+2");

    // Where the programs stand.
    let mut stands: Vec<(&str, Option<&str>)> = all(&bundle, "CarePlan", |_| true)
        .iter()
        .map(|one| (one["status"].as_str().unwrap(), one["period"]["end"].as_str()))
        .collect();
    stands.sort_unstable();
    let expected = [
        ("active", Some("2026-04-26")),
        ("active", Some("2026-05-14")),
        ("completed", Some("2026-01-07")),
        ("on-hold", Some("2026-04-25")),
        // Withdrawn before its first day, it was never in effect.
        ("revoked", None),
        ("revoked", Some("2026-02-19")),
    ];
    assert_eq!(stands, expected);
    // Three versions: one whose time is over, the one of today, one that is still to come; each replaces what came before.
    let orders = all(&bundle, "ServiceRequest", |one| {
        one["basedOn"][0]["reference"] == format!("urn:uuid:{}", plan["id"].as_str().unwrap())
    });
    let stands = |from: &str| -> Vec<(&str, usize)> {
        let of = orders.iter().filter(|one| one["occurrenceTiming"]["repeat"]["boundsPeriod"]["start"] == from);
        of.map(|one| (one["status"].as_str().unwrap(), one["replaces"].as_array().map_or(0, Vec::len))).collect()
    };
    assert_eq!(stands("2026-02-02"), [("revoked", 0); 5]);
    assert_eq!(stands("2026-03-02"), [("active", 1); 3]);
    assert_eq!(stands("2026-03-20"), [("active", 1); 3]);
    assert_eq!(plan["activity"].as_array().unwrap().len(), 11);
    let repeat = &order[0]["occurrenceTiming"]["repeat"];
    let twice = json!({ "boundsPeriod": { "start": "2026-02-02", "end": "2026-03-01" }, "frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "fri"] });
    assert_eq!(repeat, &twice);
    assert_eq!(order[0]["patientInstruction"], runs.versions[0].prescriptions[0].dose.to_string());

    // Each reason, in its own code and in words.
    for reason in SkipReason::ALL {
        let of = all(&bundle, "Procedure", |one| coded(&one["statusReason"], "urn:homestretch:codes:skip-reason", reason.tag()));
        assert!(
            !of.is_empty() && of.iter().all(|one| one["status"] == "not-done" && one["statusReason"]["text"].is_string()),
            "{reason}"
        );
    }
    // A part is done, and says which part; what was ticked and nothing of it done was not done, for a reason nobody gave.
    let words =
        |text: &str| the(&bundle, "Procedure", |one| one["note"][0]["text"].as_str().is_some_and(|words| words.starts_with(text)));
    assert_eq!(words("1 × 1 ")["status"], "completed");
    assert!(words("1 × 1 ")["note"][0]["text"].as_str().unwrap().ends_with(" % of the least that was prescribed"));
    assert_eq!((&words("0 × 0 ")["status"], &words("0 × 0 ")["statusReason"]), (&json!("not-done"), &Value::Null));
    // A real nought, a correction, the hour there.
    let ours = |code: &'static str, value: u8| {
        the(&bundle, "Observation", |one| coded(&one["code"], OURS, code) && one["valueInteger"] == value)
    };
    assert_eq!(ours("pain-before-session", 0)["effectiveDateTime"], "2026-02-09T12:00:00+08:00");
    assert_eq!(ours("effort-cr10", 0)["status"], "final");
    assert_eq!(
        (&ours("pain-after-session", 3)["status"], &ours("pain-after-session", 3)["issued"]),
        (&json!("corrected"), &json!("2026-02-13T13:00:00+08:00"))
    );
    let signs = the(&bundle, "Observation", |one| coded(&one["code"], OURS, "stop-signs"));
    assert_eq!(signs["component"].as_array().unwrap().len(), RedFlag::ALL.len());
    // Entered by the clinic, still what the patient said.
    let staff = format!("urn:uuid:{}", the(&bundle, "Practitioner", |_| true)["id"].as_str().unwrap());
    assert_eq!(all(&bundle, "Procedure", |one| one["recorder"]["reference"] == staff).len(), 1);
    // Asked and not given is an item without an answer; 0 and -5 are answers.
    let scores: Vec<&Value> = items["item"].as_array().unwrap().iter().map(|item| &item["answer"][0]["valueInteger"]).collect();
    assert_eq!((scores, &items["status"]), (vec![&json!(0), &json!(10), &Value::Null], &json!("amended")));
    assert!(items["item"][2].get("answer").is_none());

    // Packed on its way, as browsers want it, it is the same file.
    let headers = [("sec-fetch-site", "same-origin"), ("accept-encoding", "br, gzip, zstd")];
    let (answer, packed) = story.physio.exchange(Method::GET, &story.path(), None, &headers).await;
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("gzip", "accept-encoding"));
    assert_eq!(unpacked(&packed), file.text);

    // Another time it is the same but for the hour, and it is noted each time.
    story.site.clock.advance(jiff::SignedDuration::from_mins(1));
    let mut again = story.bundle().await;
    assert_eq!(again["timestamp"], "2026-03-02T08:01:00+08:00");
    again["timestamp"] = bundle["timestamp"].clone();
    assert_eq!(again, bundle);
    let noted = "select count(*) from audit_entry where deed = 'exported' and subject = 'record' and patient_id = '{id}'";
    assert_eq!(story.count(noted).await, 3);
}

#[tokio::test]
async fn the_validator_refuses_what_is_broken() {
    let mut story = Story::begin("Asia/Kuala_Lumpur").await;
    everything(&story).await;
    let bundle = story.bundle().await;
    let at = |kind: &str, fits: &dyn Fn(&Value) -> bool| {
        let entries = bundle["entry"].as_array().unwrap();
        entries.iter().position(|entry| entry["resource"]["resourceType"] == kind && fits(&entry["resource"])).unwrap()
    };
    let pain = at("Observation", &|one| one["valueInteger"].is_number());
    let skip = at("Procedure", &|one| one["statusReason"].is_object());
    let order = at("ServiceRequest", &|_| true);
    let (plan, response, reply) =
        (at("CarePlan", &|_| true), at("QuestionnaireResponse", &|_| true), at("Communication", &|_| true));
    let clinic = bundle["entry"][at("Organization", &|_| true)]["fullUrl"].clone();
    let broken: &[(&str, usize, &str, Value)] = &[
        ("a status that is none", skip, "/status", json!("skipped")),
        ("a status of another type", plan, "/status", json!("not-done")),
        ("a score as a text", pain, "/valueInteger", json!("3")),
        ("half a score", pain, "/valueInteger", json!(3.5)),
        ("no code", pain, "/code", Value::Null),
        ("a code that is a text", pain, "/code", json!("72514-3")),
        ("a reference to what is not there", pain, "/subject/reference", json!("urn:uuid:0193a6c2-0000-7000-8000-000000000000")),
        ("a pain of the clinic", skip, "/asserter/reference", clinic.clone()),
        ("an order on the clinic", order, "/basedOn/0/reference", clinic),
        ("a date that is none", skip, "/performedDateTime", json!("9 February 2026")),
        ("a date of thirteen months", plan, "/period/end", json!("2026-13-01")),
        ("an hour without a zone", skip, "/performedDateTime", json!("2026-02-09T12:00:00")),
        ("a day of the week that is none", order, "/occurrenceTiming/repeat/dayOfWeek", json!(["someday"])),
        ("a unit that is none", order, "/occurrenceTiming/repeat/periodUnit", json!("day")),
        ("a period of time without its unit", order, "/occurrenceTiming/repeat/periodUnit", Value::Null),
        ("a score that is said to be absent", pain, "/dataAbsentReason", json!({ "text": "not asked" })),
        ("no intent", order, "/intent", Value::Null),
        ("an answer that is a text", response, "/item/0/answer/0/valueInteger", json!("0")),
        ("an empty text", reply, "/payload/0/contentString", json!(" ")),
        ("a type that does not exist", skip, "/resourceType", json!("Exercise")),
        ("a word that R4 does not know", skip, "/sets", json!(3)),
    ];
    let mut bundles = vec![bundle.clone()];
    for (_, at, pointer, value) in broken {
        let mut copy = bundle.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let resource = &mut copy["entry"][*at]["resource"];
        let parent = resource.pointer_mut(parent).unwrap();
        match (parent, value) {
            (Value::Object(object), Value::Null) => drop(object.remove(key)),
            (Value::Object(object), value) => drop(object.insert(key.to_owned(), value.clone())),
            (other, value) => other[key.parse::<usize>().unwrap()] = value.clone(),
        }
        bundles.push(copy);
    }
    let said = judged(&bundles.iter().collect::<Vec<_>>());
    assert_eq!(said[0], Vec::<String>::new(), "whole, it is accepted");
    for ((what, ..), said) in broken.iter().zip(&said[1..]) {
        assert!(!said.is_empty(), "{what} was let through");
    }
}

#[tokio::test]
async fn an_empty_record_and_one_with_a_single_session_are_bundles_too() {
    let mut story = Story::begin("Asia/Kathmandu").await;
    let nothing = story.bundle().await;
    let kinds = |bundle: &Value| -> Vec<String> {
        let entries = bundle["entry"].as_array().unwrap();
        entries.iter().map(|entry| entry["resource"]["resourceType"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&nothing), ["Organization", "Patient"]);
    let program = story.site.clinic.program_for(&story.mei, date(2026, 2, 23), 6).await;
    let assigned = story.bundle().await;
    assert_eq!(all(&assigned, "ServiceRequest", |_| true).len(), program.versions[0].prescriptions.len());
    story.logs(&program, 24, |log| log.entries.truncate(1)).await;
    let one = story.bundle().await;
    assert_eq!(kinds(&one).iter().filter(|kind| *kind == "Procedure").count(), 2, "the session and what was said of one exercise");
    assert_eq!(the(&one, "Procedure", is_session)["performedDateTime"], "2026-02-24T12:00:00+05:45");
    assert_eq!(judged(&[&nothing, &assigned, &one]), [const { Vec::<String>::new() }; 3]);
    story.agrees_with_the_rows(&one).await;
}

#[tokio::test]
async fn a_session_stays_on_its_day_when_the_patient_moves() {
    let mut story = Story::begin("Asia/Kuala_Lumpur").await;
    let program = story.site.clinic.program_for(&story.mei, date(2026, 2, 23), 6).await;
    let at = |hour: &str| format!("2026-02-24T{hour}:00+08:00").parse::<Timestamp>().unwrap();
    story.logs(&program, 24, |log| log.performed_at = at("02:00")).await;
    story.logs(&program, 24, |log| log.performed_at = at("20:00")).await;
    story.site.db.execute(&format!("update patient set zone = 'Europe/London' where id = '{}'", story.mei.id)).await;
    let bundle = story.bundle().await;
    accepted(&bundle);
    let mut days: Vec<&str> =
        all(&bundle, "Procedure", is_session).iter().map(|one| one["performedDateTime"].as_str().unwrap()).collect();
    days.sort_unstable();
    assert_eq!(days, ["2026-02-24", "2026-02-24T12:00:00+00:00"], "02:00 in Kuala Lumpur is the evening before in London");
}

#[tokio::test]
async fn what_fhir_has_no_text_for_is_left_out_or_marked() {
    let mut story = Story::begin("Asia/Kuala_Lumpur").await;
    let program = story.site.clinic.program_for(&story.mei, date(2026, 2, 23), 6).await;
    let mut paused = program.clone();
    paused.pause(date(2026, 3, 2), None, "Away\u{1f}", date(2026, 3, 2)).unwrap();
    story.site.clinic.save(&paused).await;
    story.logs(&program, 24, |log| log.note = Some(" \u{a0}\n".to_owned())).await;
    story.logs(&program, 25, |log| log.note = Some("a\u{b}b\u{1}c\td".to_owned())).await;
    let bundle = story.bundle().await;
    accepted(&bundle);
    assert_eq!(the(&bundle, "CarePlan", |_| true)["note"], json!([{ "text": "Paused from 2026-03-02: Away\u{fffd}" }]));
    let notes: Vec<&Value> = all(&bundle, "Procedure", is_session).iter().map(|one| &one["note"][0]["text"]).collect();
    assert_eq!(notes, [&Value::Null, &json!("a\u{fffd}b\u{fffd}c\td")]);
}

#[tokio::test]
async fn ten_thousand_sessions_are_one_bundle() {
    let mut story = Story::begin("Asia/Kuala_Lumpur").await;
    let program = story.site.clinic.program_for(&story.mei, date(2026, 2, 23), 6).await;
    story.site.clinic.log(&story.mei, &program, date(2026, 2, 24), Some(3)).await;
    story
        .site
        .db
        .execute(
            "insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_before, pain_after,
               effort, note, completion)
               select clinic_id, gen_random_uuid(), patient_id, program_id, version_id, date - n % 3000, performed_at - (n % 3000) * interval '1 day',
                 received_at, nullif(n % 12, 11), n % 11, n % 10, 'Note ' || n, (n % 5) / 4.0 from session_log, generate_series(1, 9999) n;
             insert into log_entry (clinic_id, log_id, prescription_id, patient_id, sets, reps, skipped, completion)
               select l.clinic_id, l.id, s.id, l.patient_id, case when l.effort > 2 then 1 end, case when l.effort > 2 then 10 end,
                 case when l.effort <= 2 then 'no_time' end, 1
               from session_log l join prescription s on s.version_id = l.version_id where l.note is not null",
        )
        .await;
    let began = std::time::Instant::now();
    let (answer, bytes) = story.physio.download(&story.path()).await;
    assert_eq!(answer.status, StatusCode::OK);
    println!("10,000 sessions: {} bytes in {:?}", bytes.len(), began.elapsed());
    let bundle: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(all(&bundle, "Procedure", is_session).len(), 10_000);
    story.agrees_with_the_rows(&bundle).await;
}
