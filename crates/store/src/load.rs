//! Loading many rows at once with COPY, over a connection of its own: for `homestretch seed`, which makes up clinics by the hundred.
//!
//! Keys, checks and indexes stay as they are, so what is loaded is held to the same rules as what is written row by row. Only row-level
//! security stands aside: Postgres has no COPY under it, so the database's user must be one whom it does not bind.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{
    StoreError, Timeouts,
    db::{self, Address, Session},
};

/// A table that is loaded, and the columns in which its lines come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// `id, email, password_hash, language, created_at, password_changed_at`
    Account,
    /// `clinic_id, id, account_id, physiotherapist_id, name, email, zone, language, region, invited_at, joined_at, created_at`
    Patient,
    /// `clinic_id, id, patient_id, version, wording, agreed_at`
    Consent,
    /// `clinic_id, id, patient_id, name, starts_on, ends_on, finished_on, created_by, created_at`
    Program,
    /// `clinic_id, id, program_id, patient_id, number, from_date, weekdays, times_a_day, created_by, created_at`
    Version,
    /// `clinic_id, id, version_id, program_id, patient_id, position, exercise_id`, then the dose
    Prescription,
    /// `clinic_id, id, program_id, patient_id, from_date, until_date, reason, created_at`
    Pause,
    /// `clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_before, pain_after, effort, note, completion`
    Session,
    /// `clinic_id, log_id, prescription_id, patient_id, sets, reps, hold_s, skipped, completion`
    Entry,
    /// `clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, due_at, due_date, created_at`
    Rule,
}

impl Table {
    /// All of them, each after those that it refers to.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Patient,
        Self::Consent,
        Self::Program,
        Self::Version,
        Self::Prescription,
        Self::Pause,
        Self::Session,
        Self::Entry,
        Self::Rule,
    ];

    /// Its name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Patient => "patient",
            Self::Consent => "consent",
            Self::Program => "program",
            Self::Version => "program_version",
            Self::Prescription => "prescription",
            Self::Pause => "program_pause",
            Self::Session => "session_log",
            Self::Entry => "log_entry",
            Self::Rule => "reminder_rule",
        }
    }

    fn columns(self) -> &'static str {
        match self {
            Self::Account => "id, email, password_hash, language, created_at, password_changed_at",
            Self::Patient => {
                "clinic_id, id, account_id, physiotherapist_id, name, email, zone, language, region, invited_at, joined_at, created_at"
            }
            Self::Consent => "clinic_id, id, patient_id, version, wording, agreed_at",
            Self::Program => "clinic_id, id, patient_id, name, starts_on, ends_on, finished_on, created_by, created_at",
            Self::Version => {
                "clinic_id, id, program_id, patient_id, number, from_date, weekdays, times_a_day, created_by, created_at"
            }
            Self::Prescription => {
                "clinic_id, id, version_id, program_id, patient_id, position, exercise_id, sets_min, sets_max, reps_min, reps_max, \
                 breaths, hold_min, hold_max, each_side, rest_s"
            }
            Self::Pause => "clinic_id, id, program_id, patient_id, from_date, until_date, reason, created_at",
            Self::Session => {
                "clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_before, pain_after, effort, \
                 note, completion"
            }
            Self::Entry => "clinic_id, log_id, prescription_id, patient_id, sets, reps, hold_s, skipped, completion",
            Self::Rule => {
                "clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, due_at, due_date, created_at"
            }
        }
    }
}

/// A connection that loads.
#[derive(Debug)]
pub struct Load {
    db: PgConnection,
}

impl Load {
    /// Opens it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server cannot be reached; [`StoreError::Refused`] when row-level security binds its user.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        // As much at a time as it likes.
        let session = Session { role: None, statement: None, idle_in_transaction: Duration::ZERO };
        let mut db = db::connect(&Address::parse(url)?, session, &Timeouts::default()).await?;
        // A vacuum can call a page visible to all only when the commit of its rows has reached the disk.
        db.execute("set synchronous_commit = on").await?;
        let unbound: bool = sqlx::query_scalar("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
            .fetch_one(&mut db)
            .await?;
        if !unbound {
            return Err(StoreError::Refused(
                "the database's user must be a superuser or have BYPASSRLS: Postgres has no COPY under row-level security"
                    .to_owned(),
            ));
        }
        Ok(Self { db })
    }

    /// How many clinics there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn clinics(&mut self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("select count(*) from clinic").fetch_one(&mut self.db).await?;
        Ok(count.unsigned_abs())
    }

    /// Loads lines of COPY's text format, each table's in the order of its columns, in one transaction; gives how many there were.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] and the like for lines the schema refuses; then nothing was loaded.
    pub async fn copy(&mut self, lines: &[(Table, String)]) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let mut rows = 0;
        for (table, text) in lines {
            rows += into(&mut tx, &format!("{} ({})", table.name(), table.columns()), text).await?;
        }
        tx.commit().await?;
        Ok(rows)
    }

    /// Loads lines into a table of the same columns and nothing else: no key, no index, no check, gone at the end. What COPY alone costs.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn copy_bare(&mut self, table: Table, text: &str) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let (name, columns) = (table.name(), table.columns());
        tx.execute(AssertSqlSafe(format!("create unlogged table bare_copy as select {columns} from {name} where false"))).await?;
        let rows = into(&mut tx, "bare_copy", text).await?;
        tx.rollback().await?;
        Ok(rows)
    }

    /// Tells the planner what there is, and lets indexes answer alone.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle(&mut self) -> Result<(), StoreError> {
        self.db.execute("vacuum (analyze)").await?;
        Ok(())
    }
}

async fn into(db: &mut PgConnection, target: &str, text: &str) -> Result<u64, StoreError> {
    let mut copy = db.copy_in_raw(&format!("copy {target} from stdin")).await?;
    for piece in text.as_bytes().chunks(1 << 20) {
        copy.send(piece).await?;
    }
    Ok(copy.finish().await?)
}
