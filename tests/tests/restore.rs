//! Backups and restores that go wrong: each says so in a line, and loses nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod keeping;

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio, time::Duration};

use keeping::{House, complaint, facts, missing, text};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, Executor as _, PgConnection};
use store::StoreError;

/// A folder with these programs in the place of Postgres's own; `{real}` stands for the folder of those.
fn programs(house: &House, scripts: &[(&str, &str)]) -> PathBuf {
    let folder = house.path(&format!("programs-{}", uuid::Uuid::now_v7()));
    fs::create_dir(&folder).unwrap();
    let real = stories::cluster::programs().unwrap();
    for name in ["pg_dump", "pg_restore"] {
        let script = scripts.iter().find(|(program, _)| *program == name).map_or("exec {real}/{name} \"$@\"", |(_, script)| script);
        let version = "[ \"$1\" = --version ] && exec {real}/{name} --version";
        let script = format!("#!/bin/sh\n{version}\n{script}\n").replace("{real}", text(&real)).replace("{name}", name);
        fs::write(folder.join(name), script).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// What is in the folder beside logs and clocks.
fn files(house: &House) -> Vec<String> {
    let names = fs::read_dir(&house.folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("backup")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_damaged_file_touches_no_database() {
    let house = House::new().await;
    let file = house.backup("whole.backup").await;
    let whole = fs::read(&file).unwrap();
    let server = house.empty_server("empty").await;
    let url = server.url("clinic");
    let damaged = house.path("damaged.backup");
    let mut changed = whole.clone();
    changed[whole.len() / 3] ^= 1;
    let mut middle = whole.clone();
    middle.drain(1000..2000);
    for (what, bytes, says) in [
        ("half", whole[..whole.len() / 2].to_vec(), "it is cut short: its end is missing"),
        ("a byte less", whole[..whole.len() - 1].to_vec(), "it is cut short: its end is missing"),
        ("without its middle", middle, "something is missing in its middle"),
        ("a bit changed", changed, "the backup is damaged"),
        ("something else", b"# Notes\n".to_vec(), "this is no backup of Homestretch"),
        ("nothing", vec![], "this is no backup of Homestretch"),
    ] {
        fs::write(&damaged, bytes).unwrap();
        let said = house.refused(&["restore", text(&damaged)], &url).await;
        assert!(said.contains(says) && said.contains("damaged.backup"), "{what}: {said}");
        let said = house.refused(&["restore", "--check", text(&damaged)], &url).await;
        assert!(said.contains(says), "{what}: {said}");
    }
    let said = house.refused(&["restore", text(&house.path("none.backup"))], &url).await;
    assert!(said.contains("cannot read") && said.contains("No such file"), "{said}");
    assert_eq!(server.number("postgres", "select count(*) from pg_database where datname = 'clinic'").await.unwrap(), 0);
    assert_eq!(server.number("postgres", "select count(*) from pg_roles where rolname like 'homestretch%'").await.unwrap(), 0);
}

/// The file with another number as its schema, and all that is said about it made right.
fn of_schema(whole: &[u8], schema: i64) -> Vec<u8> {
    let end = whole.windows(20).rposition(|window| window == b"\nHOMESTRETCH-BACKUP ").unwrap();
    let last = std::str::from_utf8(&whole[end..]).unwrap();
    let length: usize = last.split(' ').nth(2).unwrap().parse().unwrap();
    let manifest = std::str::from_utf8(&whole[end - length..end]).unwrap();
    let at = manifest.find("\"schema\":").unwrap() + "\"schema\":".len();
    let digits = manifest[at..].chars().take_while(char::is_ascii_digit).count();
    let manifest = format!("{}{schema}{}", &manifest[..at], &manifest[at + digits..]);
    let hash: String = Sha256::digest(&manifest).iter().map(|byte| format!("{byte:02x}")).collect();
    let last = format!("\nHOMESTRETCH-BACKUP 001 {:012} {hash}\n", manifest.len());
    [&whole[..end - length], manifest.as_bytes(), last.as_bytes()].concat()
}

#[tokio::test]
async fn another_versions_backup_is_refused_by_name() {
    let house = House::new().await;
    let file = house.backup("whole.backup").await;
    let whole = fs::read(&file).unwrap();
    let other = house.path("other.backup");
    for (schema, says) in [(9999, "made by a newer Homestretch"), (3, "from before reminders could be held back")] {
        fs::write(&other, of_schema(&whole, schema)).unwrap();
        let said = house.refused(&["restore", text(&other)], "postgres://nobody@127.0.0.1:9/none").await;
        assert!(said.contains(says) && said.contains(&schema.to_string()), "{said}");
    }
    // A database that is newer than the program is not backed up by it.
    house
        .db
        .execute("insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) values (9999, 'later', now(), true, '', 0)")
        .await;
    let said = house.refused(&["backup", text(&house.path("newer.backup"))], house.db.url()).await;
    assert!(said.contains("it is at 9999, and this program knows up to"), "{said}");
    assert_eq!(files(&house), ["other.backup", "whole.backup"]);
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_backup_and_nothing_else() {
    let house = House::new().await;
    let said = house.refused(&["backup", "/dev/full"], house.db.url()).await;
    assert!(said.contains("cannot write the backup: No space left on device"), "{said}");

    let file = house.backup("clinic.backup").await;
    let before = fs::read(&file).unwrap();
    let said = house.refused(&["backup", text(&file)], house.db.url()).await;
    assert!(said.contains("exists already"), "{said}");
    // No file of this process may grow beyond 8 blocks: as a disk that is full after that.
    let mut command = house.setup.command(&["backup", "--overwrite", text(&file)], house.db.url(), &house.clock);
    let program = command.as_std().get_program().to_owned();
    let mut limited = tokio::process::Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "bash"]).arg(program).args(command.as_std().get_args());
    for (name, value) in command.as_std().get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    command.kill_on_drop(true);
    let output = limited.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
    assert!(complaint(&output).contains("cannot write the backup: File too large"));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(files(&house), ["clinic.backup"], "no half of a backup is left");

    let said = house.refused(&["backup", "/nowhere/clinic.backup"], house.db.url()).await;
    assert!(said.contains("cannot write in /nowhere: No such file or directory"), "{said}");
}

#[tokio::test]
async fn what_is_there_is_replaced_only_when_that_is_asked_for() {
    let house = House::new().await;
    let file = house.backup("clinic.backup").await;
    let server = house.empty_server("used").await;
    let url = server.url("clinic");
    house.said(&["restore", text(&file)], &url).await;
    server.rows("clinic", "update patient set name = 'Changed Since' where name = 'Farah Aziz'").await.unwrap();
    let now_there = facts(&url).await;
    let said = house.refused(&["restore", text(&file)], &url).await;
    assert!(said.contains("the database clinic is not empty (2 clinics)") && said.contains("--replace"), "{said}");
    assert_eq!(facts(&url).await, now_there);

    // Somebody at work in it is in the way, and says who it is.
    let said = {
        let mut busy = PgConnection::connect(&format!("{url}?application_name=homestretch")).await.unwrap();
        busy.execute("select 1").await.unwrap();
        house.refused(&["restore", "--replace", text(&file)], &url).await
    };
    assert!(
        said.contains("others are connected to the database clinic (") && said.contains("homestretch); stop the pages"),
        "{said}"
    );

    // The test's own connection is in the way as well: it moves to another database.
    server.rows("postgres", "select 1").await.unwrap();
    gone(&server).await;
    house.said(&["restore", "--replace", text(&file)], &url).await;
    let back = facts(&url).await;
    assert!(back.iter().any(|fact| fact.contains("Farah Aziz")) && !back.iter().any(|fact| fact.contains("Changed Since")));
    assert!(missing(&now_there, &back).len() <= 3, "{:?}", missing(&now_there, &back));

    // A database of another program is never replaced.
    server.rows("postgres", "create database shop").await.unwrap();
    server.rows("shop", "create table orders (id int)").await.unwrap();
    server.rows("postgres", "select 1").await.unwrap();
    let said = house.refused(&["restore", "--replace", text(&file)], &server.url("shop")).await;
    assert!(said.contains("something that is not Homestretch's (orders)"), "{said}");
    assert_eq!(server.number("shop", "select count(*) from orders").await.unwrap(), 0);
}

/// Waits until nobody is connected to the clinic's database any more: a server notices the end of a connection a moment later.
async fn gone(server: &stories::cluster::Cluster) {
    while server.number("postgres", "select count(*) from pg_stat_activity where datname = 'clinic'").await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_restore_that_fails_puts_back_what_was_there() {
    let house = House::new().await;
    let file = house.backup("clinic.backup").await;
    let server = house.empty_server("used").await;
    let url = server.url("clinic");
    house.said(&["restore", text(&file)], &url).await;
    server.rows("clinic", "update patient set name = 'Changed Since' where name = 'Farah Aziz'").await.unwrap();
    let now_there = facts(&url).await;
    server.rows("postgres", "select 1").await.unwrap();
    gone(&server).await;
    for (pg_restore, says) in [
        ("head -c 2000 > /dev/null; echo 'pg_restore: error: could not do it' >&2; exit 1", "pg_restore: could not do it"),
        // It ends well and brought less than everything.
        ("cat > /dev/null; exit 0", "does not exist"),
        (
            "{real}/{name} \"$@\" && {real}/psql -qc 'delete from session_log where false; update patient set name = name; delete from log_revision; drop policy own on patient' ; exit 0",
            "missing: policy own on patient",
        ),
        (
            "{real}/{name} \"$@\" && {real}/psql -qc \"insert into consent select clinic_id, gen_random_uuid(), id, 'x', 'x', now() from patient limit 1\"; exit 0",
            "consent has 2 rows and should have 1",
        ),
        (
            "{real}/{name} \"$@\" && {real}/psql -qc 'grant delete on patient to homestretch_app'; exit 0",
            "not in the backup: delete on patient to homestretch_app",
        ),
    ] {
        let mut command = house.setup.command(&["restore", "--replace", text(&file)], &url, &house.clock);
        command.env("HOMESTRETCH_PG_BIN", programs(&house, &[("pg_restore", pg_restore)])).stderr(Stdio::piped());
        let said = complaint(&command.output().await.unwrap());
        assert!(said.contains(says) && said.contains("nothing was restored, and the database clinic is as it was"), "{said}");
        assert_eq!(facts(&url).await, now_there);
        gone(&server).await;
    }
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_a_mark_that_everybody_heeds() {
    let house = House::new().await;
    let file = house.backup("clinic.backup").await;
    let server = house.empty_server("killed").await;
    server.rows("postgres", "create database clinic").await.unwrap();
    let url = server.url("clinic");
    // pg_restore says that it was started (the mark is there by then), and goes on when it may.
    let (started, go) = (house.path("started"), house.path("go"));
    let waits =
        format!("touch {}; while [ ! -e {} ]; do sleep 0.05; done; exec {{real}}/{{name}} \"$@\"", started.display(), go.display());
    let mut command = house.setup.command(&["restore", text(&file)], &url, &house.clock);
    command.env("HOMESTRETCH_PG_BIN", programs(&house, &[("pg_restore", &waits)])).stderr(Stdio::null());
    server.rows("postgres", "select 1").await.unwrap();
    let mut restore = command.spawn().unwrap();
    while !started.exists() {
        assert!(restore.try_wait().unwrap().is_none(), "it ended before it began");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It comes to its policies and has to wait: this is the middle of it.
    let mut lock = PgConnection::connect(&server.url("clinic")).await.unwrap();
    lock.execute("begin; lock table pg_policy in share mode").await.unwrap();
    fs::write(&go, "").unwrap();
    while server
        .number(
            "postgres",
            "select count(*) from pg_stat_activity where application_name = 'pg_restore' and wait_event_type = 'Lock'",
        )
        .await
        .unwrap()
        == 0
    {
        assert!(restore.try_wait().unwrap().is_none(), "it ended before it was killed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    restore.kill().await.unwrap();
    lock.execute("rollback").await.unwrap();
    drop(lock);
    // What pg_restore had in full it may still bring to its end; nobody is to mistake that for a clinic.
    server.rows("postgres", "select 1").await.unwrap();
    gone(&server).await;
    for args in [&["serve"][..], &["worker", "--once"], &["migrate"], &["reminders", "release"], &["backup", "/tmp/never.backup"]] {
        let said = house.refused(args, &url).await;
        assert!(
            said.contains("a restore of it was begun at 2026-03-02 02:00 UTC from clinic.backup and never finished"),
            "{args:?}: {said}"
        );
    }
    let store = store::Store::connect(&url).await.unwrap();
    assert!(matches!(store.check_schema().await, Err(StoreError::HalfRestored(_))), "nor is it ready");
    store.close().await;
    gone(&server).await;
    // Once more, and all is there.
    let said = house.said(&["restore", text(&file)], &url).await;
    assert!(said.contains("Reminders are held back."), "{said}");
    let (there, source) = (facts(&url).await, facts(house.db.url()).await);
    assert_eq!(missing(&source, &there), Vec::<String>::new());
}

#[tokio::test]
async fn wrong_usage_is_told_apart() {
    let house = House::new().await;
    for args in [
        &["backup"][..],
        &["restore"],
        &["restore", "a", "--replace", "--check"],
        &["audit"],
        &["audit", "verify", "--clinic", "x"],
    ] {
        assert_eq!(house.run(args, house.db.url()).await.status.code(), Some(2), "{args:?}");
    }
    for args in [&["backup", "--help"][..], &["restore", "--help"], &["audit", "verify", "--help"]] {
        assert!(house.said(args, house.db.url()).await.contains("Usage: homestretch"), "{args:?}");
    }
    // Without DATABASE_URL and without a private database there is nothing to back up, and that is a setting.
    let mut command = house.setup.command(&["backup", "x"], "", &house.clock);
    command.env("HOMESTRETCH_DATA", house.path("data"));
    let output = command.stderr(Stdio::piped()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("DATABASE_URL is not set"));
}
