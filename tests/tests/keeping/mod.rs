//! What the stories of backup and restore share: the real program with a clock that can be moved, a clinic with something in every
//! important table, and a look at a database that owes nothing to the program's own comparison.

#![allow(dead_code, reason = "each story uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what cannot go wrong here ends the story")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use jiff::Timestamp;
use sqlx::{Connection as _, Executor as _, Row as _, ValueRef as _};
use stories::{
    cluster::Cluster,
    process::{Clock, Setup},
};
use testkit::{
    Db,
    people::{self, Clinic, Somebody},
    smtp::Server,
};

/// Monday, ten in the morning in Kuala Lumpur.
pub const BEGIN: &str = "2026-03-02T10:00:00+08:00";

/// A clinic on the tests' server, and what a story needs around it.
pub struct House {
    pub db: Db,
    pub clinic: Clinic,
    pub farah: Somebody,
    pub daniel: Somebody,
    pub mail: Server,
    pub folder: PathBuf,
    pub setup: Setup,
    pub clock: Clock,
}

impl House {
    pub async fn new() -> Self {
        let (db, mail) = (Db::new().await, Server::start().await.unwrap());
        let folder = std::env::temp_dir().join(format!("homestretch-drill-{}", uuid::Uuid::now_v7()));
        let setup = Setup::new(&folder, mail.url()).await.unwrap();
        let now = testkit::clock::at(BEGIN);
        let clock = setup.clock("house", now).unwrap();
        let clinic = people::clinic(&db, now - jiff::SignedDuration::from_hours(72)).await;
        people::clinic_called(&db, "Hillside Physio", "hillside.test", now).await;
        let farah = clinic.patient("Farah Aziz", "farah@example.test").await;
        let daniel = clinic.patient("Daniel O'Brien \u{1f9d8} \"quoted\"", "daniel@example.test").await;
        clinic.join(&farah).await;
        let first = jiff::civil::date(2026, 2, 28);
        for who in [&farah, &daniel] {
            let program = clinic.program_for(who, first, 6).await;
            clinic.log(who, &program, first, Some(4)).await;
            clinic.remind(who, &["10:05"], now).await;
        }
        Self { db, clinic, farah, daniel, mail, folder, setup, clock }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn at(&self, instant: &str) -> Timestamp {
        let at = testkit::clock::at(instant);
        self.clock.set(at).unwrap();
        at
    }

    /// Runs the program on this database.
    pub async fn run(&self, args: &[&str], database: &str) -> Output {
        self.setup.run(args, database, &self.clock).await.unwrap()
    }

    /// What it printed, when it ended well.
    pub async fn said(&self, args: &[&str], database: &str) -> String {
        let output = self.run(args, database).await;
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The last line of its complaint, when it failed with the code for that.
    pub async fn refused(&self, args: &[&str], database: &str) -> String {
        complaint(&self.run(args, database).await)
    }

    pub async fn backup(&self, name: &str) -> PathBuf {
        let file = self.path(name);
        self.said(&["backup", text(&file)], self.db.url()).await;
        file
    }

    /// A server that has never seen Homestretch.
    pub async fn empty_server(&self, name: &str) -> Cluster {
        let cluster = Cluster::start(&self.path(name)).await.unwrap();
        let roles = cluster.number("postgres", "select count(*) from pg_roles where rolname like 'homestretch%'").await.unwrap();
        assert_eq!(roles, 0, "the server is not empty");
        cluster
    }

    pub fn reminders_sent(&self) -> usize {
        self.mail.messages().iter().filter(|mail| mail.header("List-Unsubscribe").is_some()).count()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The one line it complained in.
pub fn complaint(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("homestretch: ")).collect();
    assert_eq!(lines.len(), 1, "{error}");
    assert!(error.ends_with(&format!("{}\n", lines[0])), "the complaint comes last: {error}");
    lines[0].to_owned()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Everything a restore has to bring back, asked of the catalog and the tables as a superuser: one text a fact.
pub async fn facts(url: &str) -> Vec<String> {
    let mut db = sqlx::PgConnection::connect(url).await.unwrap();
    let mut found = Vec::new();
    for sql in [
        "select 'rows', relname, (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from public.%I', relname), false, true, '')))[1]
           from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 2",
        "select 'policy', tablename, policyname, permissive, roles, cmd, qual, with_check from pg_policies order by 2, 3",
        "select 'bound', relname, relrowsecurity, relforcerowsecurity from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 2",
        "select 'grant', table_name, grantee, privilege_type from information_schema.role_table_grants
           where grantee like 'homestretch_%' order by 2, 3, 4",
        "select 'column grant', table_name, column_name, grantee, privilege_type from information_schema.role_column_grants
           where grantee like 'homestretch_%' order by 2, 3, 4, 5",
        "select 'function', pg_get_functiondef(oid), proacl is null from pg_proc where pronamespace = 'public'::regnamespace order by 2",
        "select 'definer', p.oid::regprocedure, r.rolname from pg_proc p join pg_roles r on r.oid = p.proowner where p.prosecdef order by 2",
        "select 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid) from pg_constraint
           where connamespace = 'public'::regnamespace order by 2, 3",
        "select 'index', indexdef from pg_indexes where schemaname = 'public' order by 2",
        "select 'role', rolname, rolsuper, rolcanlogin, rolbypassrls from pg_roles where oid in (select unnest(polroles) from pg_policy) order by 2",
        "select 'patient', p::text from patient p order by p.id",
        "select 'log', l::text from session_log l order by l.id",
        "select 'notice', n::text from notice n order by n.id",
    ] {
        for row in db.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.unwrap() {
            let columns = (0..row.len()).map(|at| match row.try_get_raw(at).unwrap() {
                value if value.is_null() => String::new(),
                value => value.as_str().unwrap().to_owned(),
            });
            found.push(columns.collect::<Vec<_>>().join("|"));
        }
    }
    db.close().await.unwrap();
    found
}

/// The facts of one that are not the other's, so that a difference can be read.
pub fn missing(from: &[String], in_these: &[String]) -> Vec<String> {
    from.iter().filter(|fact| !in_these.contains(fact)).cloned().collect()
}
