//! A clinic with a mail server and a worker, for the stories of the engine.
#![allow(dead_code, reason = "not every story uses everything")]

use std::sync::Arc;

use domain::person::Email;
use jiff::{SignedDuration, Timestamp, civil::date};
use render::{Templates, links::Links};
use store::{
    Store,
    outbox::{self, Owed},
};
use testkit::{
    Db,
    clock::at,
    people::{self, Clinic, Somebody},
    smtp::Server,
};
use worker::{Composer, Engine, Mailer, Target, TickReport};

/// Signs the links.
pub const SECRET: [u8; 32] = [7; 32];

/// A clinic in Kuala Lumpur on Monday 2 March 2026, seven in the morning there, with a mail server and a worker.
pub struct Story {
    pub db: Db,
    pub clinic: Clinic,
    pub server: Server,
    pub engine: Arc<Engine>,
}

pub fn seven() -> Timestamp {
    at("2026-03-02T07:00:00+08:00")
}

pub fn eight() -> Timestamp {
    at("2026-03-02T08:00:00+08:00")
}

pub fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

pub fn links() -> Links {
    Links::new("https://clinic.test", &SECRET).unwrap()
}

pub fn engine(db: &Db, url: &str) -> Arc<Engine> {
    engine_on(db.store.clone(), url)
}

/// A worker that reaches its database by a way of its own.
pub fn engine_on(store: Store, url: &str) -> Arc<Engine> {
    let composer = Composer::new(Templates::load().unwrap(), links(), "reminders@clinic.test").unwrap();
    Arc::new(Engine::new(store, Mailer::new(Target::parse(url).unwrap()), composer))
}

impl Story {
    pub async fn begin() -> Self {
        let db = Db::new().await;
        let server = Server::start().await.unwrap();
        let engine = engine(&db, &server.url());
        let clinic = people::clinic(&db, seven()).await;
        Self { db, clinic, server, engine }
    }

    /// A patient with six weeks of program from today and a reminder at eight.
    pub async fn somebody(&self, name: &str) -> Somebody {
        let email = format!("{}@example.test", name.split(' ').next().unwrap().to_lowercase());
        let who = self.clinic.patient(name, &email).await;
        self.clinic.program_for(&who, date(2026, 3, 2), 6).await;
        self.clinic.remind(&who, &["08:00"], seven()).await;
        who
    }

    pub async fn tick(&self, now: Timestamp) -> TickReport {
        worker::tick(&self.engine, now).await.unwrap()
    }

    pub async fn owe(&self, owed: Owed, to: &Email, now: Timestamp) -> bool {
        self.clinic.tenant(async |tx| outbox::enqueue(tx, self.clinic.id, owed, to, now).await).await
    }

    /// The leases of what is claimed or sending end, by the database's clock.
    pub async fn end_leases(&self) {
        self.db.execute("update notice set lease_until = now() - interval '1 second' where lease_until is not null").await;
    }

    /// Every notice as `kind state reason`, in the order they were due.
    pub async fn notices(&self) -> Vec<String> {
        self.db.rows("select concat_ws(' ', kind, state, reason) from notice order by due_at, recipient, kind").await
    }

    /// Nothing is left in a state that is no end.
    pub async fn assert_nothing_left_over(&self) {
        let left =
            self.db.rows("select kind, state, recipient, reply from notice where state in ('pending', 'claimed', 'sending')").await;
        assert!(left.is_empty(), "left over: {left:?}");
    }

    /// No notice is held by a worker.
    pub async fn assert_none_under_way(&self) {
        let held = self.db.rows("select kind, state, recipient, reply from notice where state in ('claimed', 'sending')").await;
        assert!(held.is_empty(), "under way: {held:?}");
    }
}
