//! Fields that no form of ours has: they are ignored, or the form is refused. Nobody gets a role, another clinic, another patient or
//! another account by writing its name into a form.

use crate::{
    Due, body, due, path,
    people::{Id, Person, Whose},
    table::TABLE,
    world::World,
};

/// What a form of somebody's own could be asked to reach: everything of the other clinic, of another patient, and whatever says who
/// may do what.
async fn third_parties(world: &World) -> Vec<String> {
    let (neighbour, foreign) = (world.patient_id(Whose::A2), world.clinic_id(Whose::B1));
    let tables = |column: &str| {
        format!(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = '{column}'
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname not in ('audit_entry', 'audit_head', 'session')"
        )
    };
    let mut questions = vec![
        "select 'members ' || md5(string_agg(concat_ws(' ', id, clinic_id, account_id, role, joined_at, disabled_at), '|' order by id))
         from membership where joined_at is not null"
            .to_owned(),
        "select 'owners ' || count(*) from membership where role = 'owner'".to_owned(),
        "select 'accounts ' || md5(string_agg(concat_ws(' ', id, email, password_hash), '|' order by id)) from account
         where id in (select account_id from patient union select account_id from membership where joined_at is not null)"
            .to_owned(),
        "select 'records ' || md5(string_agg(concat_ws(' ', id, clinic_id, account_id, physiotherapist_id, joined_at, closed_at), '|' order by id))
         from patient where name like 'Zq%' or account_id is not null"
            .to_owned(),
        format!("select 'the clinic ' || md5(c::text) from clinic c where id = '{foreign}'"),
        format!("select 'the neighbour ' || md5(p::text) from patient p where id = '{neighbour}'"),
    ];
    for table in world.rows(&tables("clinic_id")).await {
        questions.push(format!(
            "select '{table} of B ' || md5(string_agg(t::text, '|' order by t::text)) from {table} t where clinic_id = '{foreign}'"
        ));
    }
    for table in world.rows(&tables("patient_id")).await {
        questions
            .push(format!("select '{table} of A2 ' || md5(string_agg(t::text, '|' order by t::text)) from {table} t where patient_id = '{neighbour}'"));
    }
    world.rows(&questions.join(" union all ")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_no_form_has_changes_nothing() {
    let world = World::new().await;
    for person in [Person::OwnerA, Person::PatientA1] {
        for entry in TABLE.iter().filter(|entry| entry.method == "POST" && entry.form != "{file}") {
            if due(entry, person, Id::Own) != Due::In {
                continue;
            }
            for whose in [Whose::B1, Whose::A2] {
                let ask = async |more: &str| {
                    let text = world.id(entry.takes, person, Id::Own).await.unwrap();
                    let form = body(&world, entry, person, Id::Own).unwrap();
                    let has = |pair: &&str| !form.split('&').any(|own| own.split('=').next() == pair.split('=').next());
                    let more: Vec<&str> = more.split('&').filter(has).collect();
                    world.ask(person, "POST", &path(entry, &text), Some(&format!("{form}&{}", more.join("&")))).await
                };
                // Once as it is, so that what the form itself does is done.
                ask("").await;
                let before = third_parties(&world).await;
                let answer = ask(&world.overposted(whose)).await;
                let what = format!("{person:?} POST {} with what is {whose:?}'s", entry.path);
                assert!(matches!(answer.status, 200 | 303 | 404 | 410 | 422), "{what}: {} {}", answer.status, answer.plain());
                let after = third_parties(&world).await;
                let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
                assert!(changed.is_empty(), "{what} changed {changed:?}");
            }
        }
    }
    // Whoever was made on the way belongs to whoever made them, and has not joined.
    let own = world.patient_id(Whose::A1);
    let strange = world
        .rows(&format!(
            "select name from patient where name = 'New Person' and id <> '{own}' and (account_id is not null or joined_at is not null
               or physiotherapist_id <> (select id from membership where name = 'Another Name'))
             union all select name from membership where name = 'New Colleague' and (role <> 'physiotherapist' or joined_at is not null)"
        ))
        .await;
    assert!(strange.is_empty(), "{strange:?}");
}
