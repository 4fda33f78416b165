//! What somebody may write behind a question mark, or twice into a form: the page answers with something sensible, and never with a
//! fault of ours.

use crate::{
    Due,
    ask::Answer,
    body, due, path,
    people::{Id, Person},
    table::{Entry, TABLE},
    world::World,
};

/// Every name that a page reads, and some that pages elsewhere read.
const NAMES: [&str; 26] = [
    "q",
    "show",
    "whose",
    "page",
    "from",
    "to",
    "date",
    "state",
    "kind",
    "patient",
    "before",
    "after",
    "region",
    "equipment",
    "copy",
    "template",
    "saved",
    "next",
    "who",
    "deed",
    "member",
    "sort",
    "order",
    "limit",
    "offset",
    "clinic_id",
];

/// Junk, as it stands in an address.
const JUNK: [&str; 17] = [
    "",
    "nonsense",
    "-1",
    "0",
    "99999999999999999999999999",
    "1e309",
    "%27%20or%201%3D1%20--",
    "name;drop%20table%20patient",
    "case%20when%20(select%201)=1%20then%20name%20end",
    "0001-01-01",
    "9999-12-31",
    "-9999-01-01",
    "2026-13-45",
    "%FF%FE%C0",
    "%E2%80%AE%F0%9F%92%A9",
    "%25%5C_%25",
    "00000000-0000-0000-0000-000000000000",
];

fn assert_sane(answer: &Answer, what: &str) {
    assert!(matches!(answer.status, 200 | 303 | 400 | 404 | 410 | 413 | 414 | 422), "{what}: {} {}", answer.status, answer.plain());
    for word in ["returned from database", "sqlx", "syntax error", "panicked", "Failed to deserialize"] {
        assert!(!answer.text.contains(word), "{what} tells of {word}: {}", answer.plain());
    }
}

/// The pages of a person, with an address each.
async fn pages(world: &World, person: Person, method: &str) -> Vec<(&'static Entry, String)> {
    let mut pages = Vec::new();
    for entry in TABLE.iter().filter(|entry| entry.method == method && !entry.path.contains('?')) {
        if due(entry, person, Id::Own) == Due::In {
            pages.push((entry, path(entry, &world.id(entry.takes, person, Id::Own).await.unwrap())));
        }
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_takes_any_question() {
    let world = World::new().await;
    let before = world.state().await;
    for person in [Person::OwnerA, Person::PatientA1] {
        let session = world.session(person).await;
        for (_, page) in pages(&world, person, "GET").await {
            if page.starts_with("/health") || page.starts_with("/assets") {
                continue;
            }
            let long = "a".repeat(6000);
            let every = |value: &str| NAMES.map(|name| format!("{name}={value}")).join("&");
            let mut questions: Vec<String> = JUNK.iter().map(|junk| every(junk)).collect();
            questions.push(NAMES.map(|name| format!("{name}[]=a&{name}[0]=b")).join("&"));
            questions.push(NAMES.map(|name| format!("{name}=all&{name}=all")).join("&"));
            questions.extend([
                "%00=1".to_owned(),
                "q=%00".to_owned(),
                "&&&===".to_owned(),
                format!("q={long}"),
                format!("{long}=1"),
            ]);
            for question in questions {
                let what = format!("{person:?} {page}?{}", question.chars().take(200).collect::<String>());
                assert_sane(&world.ask_in(session.as_deref(), "GET", &format!("{page}?{question}"), None).await, &what);
            }
        }
    }
    let mut after = world.state().await;
    // Addresses with a token in them were made for this.
    for made in ["link", "session"] {
        after.insert(made.to_owned(), before[made].clone());
    }
    assert_eq!(before, after, "a question changed something");
}

/// One at a time, where one that is refused would hide the others.
#[tokio::test(flavor = "multi_thread")]
async fn each_question_of_a_list_is_taken_by_itself() {
    let world = World::new().await;
    for (person, page, names) in [
        (Person::OwnerA, "/patients", &["q", "show", "whose", "page"][..]),
        (Person::OwnerA, "/patients/{id}", &["from", "to"]),
        (Person::OwnerA, "/patients/{id}/report.csv", &["from", "to"]),
        (Person::OwnerA, "/reports/adherence", &["from", "to", "by"]),
        (Person::OwnerA, "/reports/adherence.csv", &["from", "to", "by"]),
        (Person::OwnerA, "/patients/{id}/programs/new", &["template"]),
        (Person::OwnerA, "/notices", &["state", "kind", "patient", "date", "q", "before"]),
        (Person::OwnerA, "/exercises", &["q", "region", "equipment", "show", "page"]),
        (Person::OwnerA, "/exercises/new", &["copy"]),
        (Person::OwnerA, "/templates", &["show", "q"]),
        (Person::OwnerA, "/templates/{id}/use", &["q"]),
        (Person::OwnerA, "/audit", &["person", "patient", "what", "from", "to", "q", "before"]),
        (Person::OwnerA, "/places", &["next"]),
        (Person::OwnerA, "/demo/mail", &["page"]),
        (Person::PatientA1, "/today", &["saved"]),
        (Person::PatientA1, "/session/{id}", &["date"]),
        (Person::PatientA1, "/reminders", &["date"]),
        (Person::Nobody, "/sign-in", &["next"]),
    ] {
        let Some(entry) = TABLE.iter().find(|entry| entry.path == page && entry.method == "GET") else { continue };
        let session = world.session(person).await;
        let page = path(entry, &world.id(entry.takes, person, Id::Own).await.unwrap());
        for name in names {
            let twice = [format!("{name}=%00"), format!("{name}[]=1"), format!("{name}=1&{name}=2")];
            for question in JUNK.iter().map(|junk| format!("{name}={junk}")).chain(twice) {
                let answer = world.ask_in(session.as_deref(), "GET", &format!("{page}?{question}"), None).await;
                assert_sane(&answer, &format!("{person:?} {page}?{question}"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_takes_any_field_twice_or_as_a_list() {
    let world = World::new().await;
    for person in [Person::OwnerA, Person::PatientA1, Person::Nobody] {
        for (entry, page) in pages(&world, person, "POST").await {
            if entry.form == "{file}" {
                continue;
            }
            let form = body(&world, entry, person, Id::Own).unwrap();
            let names: Vec<&str> =
                form.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()).collect();
            let mut bodies = vec![
                format!("{form}&{form}"),
                names.iter().map(|name| format!("{name}[]=1&{name}[a]=2")).collect::<Vec<_>>().join("&"),
                names.iter().map(|name| format!("{name}=%00")).collect::<Vec<_>>().join("&"),
                "=&=&%=%".to_owned(),
            ];
            for junk in JUNK {
                bodies.push(names.iter().map(|name| format!("{name}={junk}")).collect::<Vec<_>>().join("&"));
            }
            for sent in bodies {
                let what = format!("{person:?} POST {page} {}", sent.chars().take(200).collect::<String>());
                let answer = world.ask(person, "POST", &page, Some(&sent)).await;
                // Guessing at a password is slowed down, whatever it looks like.
                if answer.status != 429 {
                    assert_sane(&answer, &what);
                }
            }
        }
    }
}
