//! The library and the templates over a real database.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::{
    ids::{ClinicId, TemplateId},
    pain::Region,
};
use jiff::Timestamp;
use sqlx::{Connection as _, Executor as _};
use store::{
    Actor, ClinicContext, Store, StoreError,
    exercise::{self, Imported, Search, Starter},
    template,
};
use testkit::Db;

fn now() -> Timestamp {
    "2026-11-22T01:00:00Z".parse().unwrap()
}

/// A clinic by itself, and everything done in it as the program would.
async fn clinic(db: &Db, name: &str) -> ClinicContext {
    let clinic = ClinicId::new();
    let mut raw = sqlx::PgConnection::connect(db.url()).await.unwrap();
    raw.execute(sqlx::query("insert into clinic (id, name, created_at) values ($1, $2, now())").bind(clinic.0).bind(name))
        .await
        .unwrap();
    ClinicContext::new(clinic, Actor::System)
}

async fn install_starter(store: &Store, scope: &ClinicContext) -> Starter {
    let tx = store.begin(scope).await.unwrap();
    let starter = exercise::install_starter(&tx, now()).await.unwrap();
    tx.commit().await.unwrap();
    starter
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_clinic_has_the_five_exercises_and_the_program_made_of_them_however_often_it_is_installed() {
    let db = Db::new().await;
    let scope = clinic(&db, "Riverside").await;
    for _ in 0..2 {
        assert_eq!(install_starter(&db.store, &scope).await.exercises.len(), 5);
    }
    let tx = db.store.begin(&scope).await.unwrap();
    let found = exercise::search(&tx, &Search { limit: 50, ..Search::default() }).await.unwrap();
    let templates = template::list(&tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found.total, 5);
    let [relief] = templates.as_slice() else { panic!("one template, not {}", templates.len()) };
    assert_eq!(relief.name, "Upper back relief");
    assert_eq!((relief.weeks, relief.times_a_day, relief.weekdays.count()), (6, 1, 6));
    assert!(!relief.weekdays.contains(jiff::civil::Weekday::Sunday));
    let doses: Vec<String> = relief.items.iter().map(|item| item.dose.to_string()).collect();
    assert_eq!(
        doses,
        ["Hold 15–30 s · 3 times", "Hold 5 s · 10–15 times", "10–15 breaths", "10–12 times", "Hold 20 s each side · 2–3 times"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_is_searched_by_words_region_and_equipment_and_an_archived_exercise_is_gone_from_it() {
    let db = Db::new().await;
    let scope = clinic(&db, "Riverside").await;
    install_starter(&db.store, &scope).await;
    let names = async |search: Search| {
        let tx = db.store.begin(&scope).await.unwrap();
        let found = exercise::search(&tx, &search).await.unwrap();
        tx.commit().await.unwrap();
        found.exercises.into_iter().map(|exercise| exercise.name).collect::<Vec<_>>()
    };
    let all = Search { limit: 50, ..Search::default() };
    assert_eq!(names(Search { words: "STRETCH child".into(), ..all.clone() }).await, ["Child’s pose with side stretch"]);
    assert_eq!(names(Search { words: "chair".into(), ..all.clone() }).await, ["Seated thoracic extension stretch"]);
    assert_eq!(names(Search { words: "%".into(), ..all.clone() }).await, Vec::<String>::new());
    assert_eq!(names(Search { region: Some(Region::Neck), ..all.clone() }).await, Vec::<String>::new());
    assert_eq!(names(Search { no_equipment: true, ..all.clone() }).await.len(), 4);
    assert_eq!(names(Search { offset: 4, limit: 4, ..all.clone() }).await, ["Wall angels"]);

    let tx = db.store.begin(&scope).await.unwrap();
    let found = exercise::search(&tx, &Search { words: "angels".into(), limit: 1, ..Search::default() }).await.unwrap();
    let angels = found.exercises[0].id;
    exercise::archive(&tx, angels, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(names(Search { words: "angels".into(), ..all.clone() }).await, Vec::<String>::new());
    assert_eq!(names(Search { archived: true, ..all.clone() }).await, ["Wall angels"]);
    // programs that have it can still read it
    let tx = db.store.begin(&scope).await.unwrap();
    let kept = exercise::by_ids(&tx, &[angels]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kept[&angels].name, "Wall angels");
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_a_file_twice_doubles_nothing_and_another_clinic_sees_none_of_it() {
    let db = Db::new().await;
    let scope = clinic(&db, "Riverside").await;
    let other = clinic(&db, "Hilltop").await;
    let file = br#"[{"id": "A", "name": "Arm circles", "instructions": ["Circle."], "primaryMuscles": ["shoulders"]},
                    {"id": "B", "name": "Bridge", "instructions": ["Lift."], "equipment": "other"},
                    {"id": "A", "name": "Arm circles again", "instructions": []}]"#;
    let list = exercise::parse_exercise_list(file).unwrap();
    for expected in [Imported { added: 2, already: 1 }, Imported { added: 0, already: 3 }] {
        let tx = db.store.begin(&scope).await.unwrap();
        assert_eq!(exercise::import(&tx, &list, now()).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }
    let count = async |scope: &ClinicContext| {
        let tx = db.store.begin(scope).await.unwrap();
        let found = exercise::search(&tx, &Search { limit: 1, ..Search::default() }).await.unwrap();
        tx.commit().await.unwrap();
        found.total
    };
    assert_eq!((count(&scope).await, count(&other).await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_changed_as_a_whole_and_its_name_is_its_own_until_it_is_archived() {
    let db = Db::new().await;
    let scope = clinic(&db, "Riverside").await;
    let id = install_starter(&db.store, &scope).await.template;
    let tx = db.store.begin(&scope).await.unwrap();
    let mut relief = template::find(&tx, id).await.unwrap();
    relief.items.truncate(2);
    relief.items.reverse();
    relief.items[0].note = Some("Slowly.".into());
    relief.remind_at = None;
    template::update(&tx, &relief).await.unwrap();
    assert_eq!(template::find(&tx, id).await.unwrap(), relief);
    tx.commit().await.unwrap();

    let refused = create_twin(&db.store, &scope, id).await.unwrap_err();
    assert!(refused.conflicts_with(template::NAME_TAKEN), "{refused}");
    let tx = db.store.begin(&scope).await.unwrap();
    let mut relief = template::find(&tx, id).await.unwrap();
    relief.archived_at = Some(now());
    template::update(&tx, &relief).await.unwrap();
    tx.commit().await.unwrap();
    create_twin(&db.store, &scope, id).await.unwrap();
}

/// Creates a copy of a template whose name differs in its letters' case alone.
async fn create_twin(store: &Store, scope: &ClinicContext, id: TemplateId) -> Result<(), StoreError> {
    let tx = store.begin(scope).await?;
    let mut twin = template::find(&tx, id).await?;
    twin.id = TemplateId::new();
    twin.name = "UPPER BACK relief".into();
    template::create(&tx, &twin).await?;
    tx.commit().await
}
