//! The rules of the schema, read from Postgres' own catalog: what a later migration may not do. Each rule is a query that names the
//! offenders, and comes with statements that offend, so that a rule that sees nothing is itself seen.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod rules;

use std::collections::BTreeSet;

use rules::RULES;
use testkit::Db;

/// What each of the program's roles may do, table by table. A change here is a change of who may touch what: read it as one.
const GRANTS: &str = include_str!("grants.txt");

/// The role for backups reads every table and nothing more, which is a rule of its own.
///
/// One line for each role and table, or function that is not everybody's: its privileges, with the columns where they are fewer than all.
const GRANTED: &str = "
    select role || ' ' || \"table\" || ': ' || string_agg(what, ', ' order by what) from (
      select r.rolname::text as role, c.relname::text as \"table\", lower(a.privilege_type) as what
      from pg_class c cross join aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
      where c.relnamespace = 'public'::regnamespace and r.rolname like 'homestretch\\_%'
      union all
      select r.rolname, c.relname, lower(a.privilege_type) || ' (' || string_agg(t.attname, ', ' order by t.attname) || ')'
      from pg_class c join pg_attribute t on t.attrelid = c.oid cross join aclexplode(t.attacl) a join pg_roles r on r.oid = a.grantee
      where c.relnamespace = 'public'::regnamespace and r.rolname like 'homestretch\\_%'
      group by r.rolname, c.relname, a.privilege_type
      union all
      select r.rolname, p.proname || '()', lower(a.privilege_type) from pg_proc p cross join aclexplode(p.proacl) a
      join pg_roles r on r.oid = a.grantee
      where p.pronamespace = 'public'::regnamespace and r.rolname like 'homestretch\\_%'
    ) x where role <> 'homestretch_backup' group by role, \"table\" order by 1";

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_keeps_every_rule() {
    let db = Db::new().await;
    for rule in RULES {
        let offenders = db.rows(rule.finds).await;
        assert!(offenders.is_empty(), "{}: {offenders:#?}", rule.says);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_bites() {
    let db = Db::new().await;
    for rule in RULES {
        assert!(!rule.offences.is_empty(), "{} was never seen to bite", rule.says);
        for (offence, named) in rule.offences {
            let found = db.rows(&format!("begin; {offence}; {}; rollback", rule.finds)).await;
            assert!(found.iter().any(|row| row == named), "{}: {offence} was not found as {named}, only {found:?}", rule.says);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_has_the_grants_that_are_written_down() {
    let db = Db::new().await;
    assert_grants(&db.rows(GRANTED).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_grant_is_seen() {
    let db = Db::new().await;
    for grant in [
        "grant delete on patient to homestretch_app",
        "grant select (password_hash) on account to homestretch_app",
        "grant update (name) on clinic to homestretch_worker",
        "grant execute on function audit_append_in to homestretch_app",
        "create table other (clinic_id uuid primary key); grant select on other to homestretch_signin",
    ] {
        let after = db.rows(&format!("begin; {grant}; {GRANTED}; rollback")).await;
        assert!(std::panic::catch_unwind(|| assert_grants(&after)).is_err(), "{grant} was not seen");
    }
}

fn assert_grants(found: &[String]) {
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let written: BTreeSet<&str> = GRANTS.lines().filter(|line| !line.is_empty()).collect();
    let more: Vec<_> = found.difference(&written).collect();
    let less: Vec<_> = written.difference(&found).collect();
    assert!(
        more.is_empty() && less.is_empty(),
        "the roles' grants are not those written in crates/store/tests/grants.txt.\nin the database only: {more:#?}\nin the file only: {less:#?}"
    );
}
