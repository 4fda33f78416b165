//! Every route, every method, every kind of person, every kind of id: who gets in, and that whoever does not learns nothing and
//! changes nothing. The routes come from the router itself, so that one without a line in [`table`] fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod ask;
mod overposting;
mod parameters;
mod people;
mod table;
mod world;

use std::collections::BTreeSet;

use ask::Answer;
use people::{Id, Person};
use table::{Entry, TABLE, Takes};
use world::World;

/// What somebody is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// What the entry says.
    In,
    /// The way to the sign-in page.
    SignIn,
    /// The page that says there is nothing here.
    Missing,
}

fn due(entry: &Entry, person: Person, id: Id) -> Due {
    if entry.who.contains(&person) {
        let reaches = match id {
            Id::Own => person != Person::ElsewhereB || !entry.takes.is_a_patients(),
            Id::Neighbours => entry.takes != Takes::Session && (person.is_staff() || entry.takes.is_the_clinics()),
            Id::Foreign | Id::Random | Id::Malformed => false,
        };
        return if reaches || entry.takes == Takes::Nothing || holds(entry.takes, id) { Due::In } else { Due::Missing };
    }
    // A one-tap session may become more by the password.
    let may_become_more = person == Person::OneTapA1 && entry.who.contains(&Person::PatientA1);
    if person.is_outside() || may_become_more { Due::SignIn } else { Due::Missing }
}

/// Whether the id itself lets its holder in, whoever that is.
fn holds(takes: Takes, id: Id) -> bool {
    (takes.is_token() || takes.is_public()) && !matches!(id, Id::Random | Id::Malformed)
}

fn path(entry: &Entry, id: &str) -> String {
    let path = entry.path.replace("{hash}", "x");
    ["{id}", "{token}", "{name}", "{*name}"].iter().fold(path, |path, part| path.replace(part, id))
}

fn body(world: &World, entry: &Entry, person: Person, id: Id) -> Option<String> {
    (entry.method == "POST").then(|| world.fill(entry.form, person, id).replace("{place}", &world.place(person)))
}

#[test]
fn every_route_has_a_line_and_every_line_a_route() {
    let demo = homestretch::demo::mail::routes(std::path::PathBuf::new());
    let served: BTreeSet<(String, String)> = web::addresses()
        .iter()
        .chain(demo.addresses())
        .flat_map(|address| address.methods.iter().map(|method| (address.path.to_owned(), method.to_string())))
        .collect();
    let listed: BTreeSet<(String, String)> =
        TABLE.iter().map(|entry| (entry.pattern().to_owned(), entry.method.to_owned())).collect();
    let without: Vec<_> = served.difference(&listed).collect();
    assert!(without.is_empty(), "nobody said who may use these; add a line to tests/tests/matrix/table.rs: {without:#?}");
    let gone: Vec<_> = listed.difference(&served).collect();
    assert!(gone.is_empty(), "these lines are about no route: {gone:#?}");
    assert!(served.len() > 70, "the map lists {} routes only", served.len());
}

#[test]
fn a_one_tap_session_may_do_what_stands_in_one_list() {
    let table: BTreeSet<(&str, &str)> = TABLE
        .iter()
        .filter(|entry| entry.who != Person::ALL && entry.who.contains(&Person::OneTapA1))
        .map(|entry| (entry.method, entry.pattern()))
        .collect();
    assert_eq!(table, web::extract::ONE_TAP.into_iter().collect());
}

/// Asks for everything that this person may not have.
async fn denied(world: &World, person: Person) {
    let session = world.session(person).await;
    let session = session.as_deref();
    let nowhere = world.ask_in(session, "GET", "/nowhere", None).await;
    assert_eq!(nowhere.status, 404);
    let frame: Vec<_> = nowhere.words().into_iter().filter(|(scope, _)| !person.frame().contains(&scope.as_str())).collect();
    assert!(frame.is_empty(), "{person:?} reads {frame:?} on a page that does not exist");

    let mut before = world.state().await;
    let mut heard = world.told(0).await.len();
    for entry in TABLE {
        let mut tokens: Vec<Answer> = vec![];
        let mut refused = 0;
        for id in Id::ALL {
            let due = due(entry, person, id);
            if due == Due::In {
                continue;
            }
            let Some(text) = world.id(entry.takes, person, id).await else { continue };
            if matches!(entry.takes, Takes::Session | Takes::Welcome | Takes::Reset) {
                // Asking for one of these made it.
                before = world.state().await;
            }
            let (path, form) = (path(entry, &text), body(world, entry, person, id));
            let answer = world.ask_in(session, entry.method, &path, form.as_deref()).await;
            let what = format!("{person:?} {} {path} ({id:?})", entry.method);
            match due {
                Due::SignIn => {
                    assert_eq!(answer.status, 303, "{what}: {}", answer.plain());
                    let back = if entry.method == "GET" { path.replace('?', "%3F").replace('=', "%3D") } else { "/".to_owned() };
                    assert_eq!(answer.location(), format!("/sign-in?next={back}"), "{what}");
                    assert_eq!(answer.text, "", "{what}");
                }
                Due::Missing if entry.who == Person::ALL => {
                    // A link that is none has a page that says so; which one it is not makes no difference.
                    assert_eq!(answer.status, 404, "{what}: {}", answer.plain());
                    tokens.push(answer.without(&text));
                }
                _ => {
                    // The very page of an address that does not exist: what somebody else has is not told from what nobody has.
                    assert_eq!(answer.status, 404, "{what}: {} {}", answer.location(), answer.plain());
                    assert_eq!(answer, nowhere, "{what} differs from a page that does not exist");
                    refused += 1;
                }
            }
        }
        for other in tokens.iter().skip(1) {
            assert_eq!(*other, tokens[0], "{person:?} {} {}", entry.method, entry.path);
        }
        if refused > 0 {
            // That it was asked for is known, and nothing more: the entry names the kind of page, not whose it was.
            let told = world.told(heard).await;
            heard += told.len();
            let expected = vec![format!("denied {} {}", entry.method, entry.pattern()); refused];
            assert_eq!(told, expected, "{person:?}");
        }
        if entry.method == "POST" {
            let after = world.state().await;
            let changed: Vec<_> = after.iter().filter(|(table, digest)| before.get(*table) != Some(digest)).collect();
            assert!(changed.is_empty(), "{person:?} {} {} was refused and changed {changed:?}", entry.method, entry.path);
        }
    }
    let after = world.state().await;
    assert_eq!(before, after, "a refused GET changed something");
}

/// Asks with methods that no route has.
async fn other_methods(world: &World, person: Person) {
    let session = world.session(person).await;
    let before = world.state().await;
    let demo = homestretch::demo::mail::routes(std::path::PathBuf::new());
    let all: Vec<web::map::Address> = web::addresses().into_iter().chain(demo.addresses().to_vec()).collect();
    for address in &all {
        let entry = TABLE.iter().find(|entry| entry.pattern() == address.path).unwrap();
        let text =
            world.id(if entry.takes == Takes::Session { Takes::Patient } else { entry.takes }, person, Id::Own).await.unwrap();
        let path = path(&Entry { path: address.path, ..*entry }, &text);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if address.methods.iter().any(|has| has == method) {
                continue;
            }
            let answer = world.ask_in(session.as_deref(), method, &path, None).await;
            assert_eq!(answer.status, 405, "{person:?} {method} {path}");
            let read: Vec<_> = answer.words().into_iter().filter(|(scope, _)| !person.frame().contains(&scope.as_str())).collect();
            assert!(read.is_empty(), "{person:?} {method} {path} reads {read:?}");
        }
    }
    let (after, mut before) = (world.state().await, before);
    // The links that the addresses were made of.
    before.insert("link".to_owned(), after["link"].clone());
    assert_eq!(before, after, "{person:?}");
}

/// Asks for everything that this person may have; gives the words that were read.
async fn allowed(world: &World, person: Person) -> BTreeSet<(String, String)> {
    let mut read = BTreeSet::new();
    for method in ["GET", "POST"] {
        for entry in TABLE.iter().filter(|entry| entry.method == method) {
            for id in Id::ALL {
                if due(entry, person, id) != Due::In || (entry.takes == Takes::Nothing && id != Id::Own) {
                    continue;
                }
                let Some(text) = world.id(entry.takes, person, id).await else { continue };
                let (path, form) = (path(entry, &text), body(world, entry, person, id));
                let heard = world.told(0).await.len();
                let answer = world.ask(person, method, &path, form.as_deref()).await;
                let what = format!("{person:?} {method} {path} {}", form.unwrap_or_default());
                if entry.is_about_a_patient() && answer.status != 422 {
                    let record = world.record(entry.takes, person.names(id).unwrap());
                    let told = world.told(heard).await;
                    let deeds: &[&str] = if method == "GET" { &["read", "exported"] } else { &["wrote"] };
                    let named = deeds.iter().any(|deed| told.contains(&format!("{deed} {record}")));
                    assert!(named, "{what}: the audit was told {told:?}, not that {deeds:?} of {record}");
                }
                // What belongs to the clinic was asked for twice: the second time it may be done already.
                let again = id == Id::Neighbours && entry.takes.is_the_clinics() && matches!(answer.status, 303 | 422);
                assert!(entry.gives.contains(&answer.status) || again, "{what}: {} {}", answer.status, answer.plain());
                let words = answer.words();
                if !entry.takes.is_token() {
                    let strange: Vec<_> = words.iter().filter(|(scope, _)| !person.may_read().contains(&scope.as_str())).collect();
                    assert!(strange.is_empty(), "{what} reads {strange:?} in {}", answer.plain());
                }
                read.extend(words);
                if method == "GET" {
                    let head = world.ask(person, "HEAD", &path, None).await;
                    assert_eq!((head.status, head.text.as_str()), (answer.status, ""), "HEAD {what}");
                }
            }
        }
    }
    read
}

/// Words of a scope that somebody of the staff has to come across, or looking for them on other pages proves nothing.
const SHOWN: &[&str] = &[
    "as:own",
    "as:template",
    "a1:name",
    "a1:mail",
    "a1:program",
    "a1:pnote",
    "a1h:note",
    "a1h:reason",
    "a1s:reply",
    "a1:activity",
];

macro_rules! everybody {
    ($($name:ident: $person:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let world = World::new().await;
                denied(&world, Person::$person).await;
                other_methods(&world, Person::$person).await;
                let read = allowed(&world, Person::$person).await;
                if Person::$person == Person::PhysioA {
                    for word in SHOWN {
                        let (scope, field) = word.split_once(':').unwrap();
                        assert!(read.contains(&(scope.to_owned(), field.to_owned())), "{word} was on no page: {read:?}");
                    }
                }
            }
        )*

        #[test]
        fn nobody_is_left_out() {
            let walked = [$(Person::$person),*];
            assert!(Person::ALL.iter().all(|person| walked.contains(person)));
        }
    };
}

everybody! {
    nobody: Nobody,
    a_patient: PatientA1,
    another_patient: PatientA2,
    a_one_tap_session: OneTapA1,
    a_physiotherapist: PhysioA,
    a_second_physiotherapist: SecondA,
    an_owner: OwnerA,
    a_physiotherapist_of_another_clinic: PhysioB,
    a_physiotherapist_with_another_caseload: ElsewhereB,
    an_owner_of_another_clinic: OwnerB,
    somebody_invited_who_has_not_joined: InvitedA,
    somebody_whose_place_was_closed: DisabledA,
}
