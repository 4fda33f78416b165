//! Behind pgbouncer, a pooler that passes no startup options on: in session mode every connection is in its role all the same, in
//! transaction mode nothing is served.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use domain::{
    ids::{ClinicId, PatientId},
    person::PersonName,
};
use store::{Actor, ClinicContext, Store, StoreError, Timeouts, patient};
use testkit::Db;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

/// A pooler before the server of a test's database.
struct Pooler {
    url: String,
    folder: PathBuf,
    _process: Child,
}

impl Pooler {
    async fn start(db: &Db, mode: &str) -> Self {
        let (user, rest) = db.url().split_once("://").unwrap().1.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let (host, port) = server.rsplit_once(':').unwrap();
        let name = name.split('?').next().unwrap();
        let folder = std::env::temp_dir().join(format!("homestretch-pooler-{mode}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let here = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\n{name} = host={host} port={port} user={user}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {here}\nauth_type = any\npool_mode = {mode}\n\
             unix_socket_dir =\ndefault_pool_size = 30\nlogfile = {}\n",
            folder.join("log").display()
        );
        std::fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        let mut command = Command::new(program());
        if rustix::process::geteuid().is_root() {
            // It refuses to run as root.
            let status = std::process::Command::new("chown").args(["-R", "nobody"]).arg(&folder).status().unwrap();
            assert!(status.success());
            command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program());
        }
        let process = command
            .arg(folder.join("pgbouncer.ini"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("pgbouncer starts (bin/test installs it)");
        let ready = async {
            while TcpStream::connect(("127.0.0.1", here)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("pgbouncer listens");
        Self { url: format!("postgres://{user}@127.0.0.1:{here}/{name}"), folder, _process: process }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // What is left of it lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn program() -> &'static Path {
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists())
        .expect("pgbouncer (bin/test installs it)")
}

async fn patients(db: &Db) -> [(ClinicId, PatientId); 2] {
    let mut made = Vec::new();
    for _ in 0..2 {
        let (clinic, id) = (ClinicId::new(), PatientId::new());
        db.execute(&format!("insert into clinic (id, name, created_at) values ('{clinic}', 'Clinic', now())")).await;
        db.execute(&format!(
            "insert into patient (clinic_id, id, name, zone, created_at) values ('{clinic}', '{id}', 'Farah', 'Asia/Kuala_Lumpur', now())"
        ))
        .await;
        made.push((clinic, id));
    }
    made.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_every_connection_is_in_its_role() {
    let db = Db::new().await;
    let [(ours, patient), (_, theirs)] = patients(&db).await;
    let pooler = Pooler::start(&db, "session").await;
    let store = homestretch::serve::open(&pooler.url, Timeouts::default()).await.unwrap();

    let scope = ClinicContext::new(ours, Actor::System);
    let tx = store.begin(&scope).await.unwrap();
    patient::rename(&tx, patient, &PersonName::parse("Farah Aziz").unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    let tx = store.begin(&scope).await.unwrap();
    let foreign = patient::find(&tx, theirs).await;
    assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
    drop(tx);
    store.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_transaction_mode_nothing_is_served() {
    let db = Db::new().await;
    let pooler = Pooler::start(&db, "transaction").await;
    let said = homestretch::serve::open(&pooler.url, Timeouts::default()).await.unwrap_err().to_string();
    assert!(said.contains("pooler in transaction or statement mode") && said.lines().count() == 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_cannot_take_the_role_serves_nothing() {
    let db = Db::new().await;
    let user = format!("outsider_{}", uuid::Uuid::now_v7().simple());
    db.execute(&format!("create role {user} login noinherit")).await;
    db.execute(&format!("grant select on _sqlx_migrations to {user}")).await;
    let server = db.url().split_once('@').unwrap().1;
    let outcome = Store::connect(&format!("postgres://{user}@{server}")).await.unwrap().check().await;
    db.execute(&format!("drop owned by {user}")).await;
    db.execute(&format!("drop role {user}")).await;
    let Err(error @ StoreError::WrongRole { .. }) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("not in the role homestretch_app") && error.to_string().lines().count() == 1, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_the_one_that_answers_is_used() {
    let db = Db::new().await;
    let [(ours, patient), _] = patients(&db).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (user, rest) = db.url().split_once('@').unwrap();
    let store = Store::connect(&format!("{user}@{closed},{rest}?target_session_attrs=read-write")).await.unwrap();
    let tx = store.begin(&ClinicContext::new(ours, Actor::System)).await.unwrap();
    patient::find(&tx, patient).await.unwrap();
    tx.commit().await.unwrap();
}
