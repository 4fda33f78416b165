//! The steps of a restore around pg_restore.
//!
//! A restore is not one transaction: the roles come before it, and the check after it. What holds the steps together is a mark, a schema
//! of its own that is made first and dropped last. While it is there no process of ours works on the database, whatever it holds, and
//! another restore may begin again. What the database held before is set aside under another name until the new is checked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{
    Chains, Contents, Head,
    chain::follow,
    connect, database, options, quoted, said,
    snapshot::{run, scalar, see_everything},
};
use crate::{StoreError, convert::from_instant, db::schema::MIGRATIONS};

/// Any number will do, as long as nobody else uses it: held while a restore is at work.
const LOCK: i64 = 0x7265_7374_6f72;

/// How a fresh database has its schema.
const EMPTY_SCHEMA: &str = "
create schema public;
comment on schema public is 'standard public schema';
grant usage on schema public to public;
do $$ begin
  alter schema public owner to pg_database_owner;
exception when insufficient_privilege or undefined_object then
  -- The restoring user does not own the database; the schema is the user's own then, which works as well.
  null;
end $$;";

/// The number of the last migration this program knows.
pub fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// A sentence when a restore of this database was begun and not finished.
pub(crate) async fn unfinished(db: &mut PgConnection) -> Result<Option<String>, StoreError> {
    let marked: bool = scalar(db, "select to_regclass('homestretch_restore.unfinished') is not null").await?;
    if !marked {
        return Ok(None);
    }
    let begun: Option<String> = sqlx::query_scalar(
        "select to_char(begun_at, 'YYYY-MM-DD HH24:MI') || ' UTC from ' || file from homestretch_restore.unfinished",
    )
    .fetch_optional(db)
    .await
    .map_err(said)?;
    Ok(Some(format!(
        "a restore of it was begun at {} and never finished; run `homestretch restore` again",
        begun.as_deref().unwrap_or("some time")
    )))
}

/// What a database holds before a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// Nothing.
    Empty,
    /// What an unfinished restore left.
    Unfinished,
    /// An installation, with this many clinics.
    Ours(i64),
    /// Somebody else's tables; some of their names.
    Foreign(String),
}

/// What finishing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Sessions that were ended.
    pub sessions: u64,
    /// Links to a new password that were ended.
    pub resets: u64,
    /// Invitations that are open (again).
    pub invitations: i64,
    /// Account mails that were queued or on their way when the backup was made; they wait to be decided upon.
    pub account_mail: i64,
}

/// The database that is restored into.
#[derive(Debug)]
pub struct Target {
    db: PgConnection,
    name: String,
}

impl Target {
    /// Connects, making the database where the server has none of this name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server is away, the database cannot be made, or another restore of it is at work.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = options(url).await?;
        let name = database(&options);
        let mut db = match connect(&options, "homestretch restore").await {
            Ok(db) => db,
            // invalid_catalog_name: there is no such database.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
                let mut server = connect(&options.clone().database("postgres"), "homestretch restore").await.map_err(said)?;
                run(&mut server, &format!("create database {} template template0 encoding 'UTF8'", quoted(&name))).await?;
                let _ = server.close().await;
                connect(&options, "homestretch restore").await.map_err(said)?
            }
            Err(error) => return Err(said(error)),
        };
        let alone: bool =
            sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut db).await.map_err(said)?;
        if !alone {
            return Err(StoreError::Unavailable("another restore of this database is at work".into()));
        }
        Ok(Self { db, name })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is there now.
    ///
    /// # Errors
    /// The store's own.
    pub async fn existing(&mut self) -> Result<Existing, StoreError> {
        if unfinished(&mut self.db).await?.is_some() {
            return Ok(Existing::Unfinished);
        }
        let things: Option<String> = scalar(
            &mut self.db,
            "with things as (
               select c.relname::text as name, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
               union all
               select p.proname::text, n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                 where not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e'))
             select string_agg(name, ', ') from (
               select name from things where nspname !~ '^pg_' and nspname <> 'information_schema' order by name limit 5) few",
        )
        .await?;
        let Some(things) = things else { return Ok(Existing::Empty) };
        let ours: bool = scalar(
            &mut self.db,
            "select to_regclass('public._sqlx_migrations') is not null and to_regclass('public.clinic') is not null
               and to_regclass('public.session_log') is not null",
        )
        .await?;
        if !ours {
            return Ok(Existing::Foreign(things));
        }
        // The sign-in role may list clinics; the user itself may be bound by row-level security.
        run(&mut self.db, "begin; set local role homestretch_signin").await?;
        let clinics = scalar(&mut self.db, "select count(*) from public.clinic").await;
        run(&mut self.db, "rollback").await?;
        Ok(Existing::Ours(clinics?))
    }

    /// That nobody else is at work in the database.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] that names the programs which are.
    pub async fn alone(&mut self) -> Result<(), StoreError> {
        let others: Option<String> = scalar(
            &mut self.db,
            "select string_agg(distinct coalesce(nullif(application_name, ''), 'a program without a name'), ', ')
             from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'",
        )
        .await?;
        others.map_or(Ok(()), |others| {
            let name = &self.name;
            Err(StoreError::Unavailable(format!(
                "others are connected to the database {name} ({others}); stop the pages and the workers first"
            )))
        })
    }

    /// Makes the roles, sets aside what was there, and leaves the mark. `file` is for people.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a role that is none of the product's, [`StoreError::Unavailable`] when the user may not do this.
    pub async fn prepare(&mut self, roles: &BTreeSet<String>, file: &str, now: Timestamp) -> Result<(), StoreError> {
        if let Some(other) = roles.iter().find(|role| !is_product_role(role)) {
            return Err(StoreError::Refused(format!("the backup names a role that is none of Homestretch's: {other}")));
        }
        let existing = self.existing().await?;
        run(&mut self.db, "begin; set local lock_timeout = '5s'").await?;
        for role in roles {
            // As the first migration makes them.
            let role = quoted(role);
            run(
                &mut self.db,
                &format!(
                    "do $$ begin
                       create role {role} nologin nosuperuser nobypassrls nocreatedb nocreaterole;
                     exception when duplicate_object or unique_violation then null;
                     end $$;
                     do $$ begin
                       if not pg_has_role(current_user, '{role}'::regrole, 'member') then
                         execute format('grant %s to %I', '{role}', current_user);
                       end if;
                     end $$;"
                ),
            )
            .await?;
        }
        match existing {
            Existing::Empty => {}
            Existing::Unfinished => run(&mut self.db, "drop schema if exists public cascade").await?,
            Existing::Ours(_) | Existing::Foreign(_) => {
                run(&mut self.db, "alter schema public rename to homestretch_before_restore").await?;
            }
        }
        if existing != Existing::Empty {
            run(&mut self.db, EMPTY_SCHEMA).await?;
        }
        run(
            &mut self.db,
            "create schema if not exists homestretch_restore;
             grant usage on schema homestretch_restore to public;
             create table if not exists homestretch_restore.unfinished (begun_at timestamptz not null, file text not null);
             grant select on homestretch_restore.unfinished to public;
             delete from homestretch_restore.unfinished",
        )
        .await?;
        self.db
            .execute(sqlx::query("insert into homestretch_restore.unfinished values ($1, $2)").bind(from_instant(now)).bind(file))
            .await
            .map_err(said)?;
        run(&mut self.db, "commit").await
    }

    /// Gives functions back to the roles whose rights they work with.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a role or a function that is none of the product's, [`StoreError::Unavailable`] when the server refuses.
    pub async fn give_back(&mut self, owners: &BTreeMap<String, String>) -> Result<(), StoreError> {
        if let Some((function, role)) = owners.iter().find(|(function, role)| !is_product_role(role) || !is_function(function)) {
            return Err(StoreError::Refused(format!("the backup gives {function} to {role}, which is not Homestretch's doing")));
        }
        let mut sql = String::from("begin;");
        for (function, role) in owners {
            let role = quoted(role);
            // An owner needs the right to make things in the schema for the moment in which it becomes one.
            sql.push_str(&format!(
                "grant create on schema public to {role};
                 alter function {function} owner to {role};
                 revoke create on schema public from {role};"
            ));
        }
        sql.push_str("commit");
        run(&mut self.db, &sql).await
    }

    /// What is there after pg_restore, to be compared with what the backup held.
    ///
    /// # Errors
    /// The store's own.
    pub async fn contents(&mut self, mut counted: impl FnMut(&str) + Send) -> Result<Contents, StoreError> {
        run(&mut self.db, "begin isolation level repeatable read read only").await?;
        see_everything(&mut self.db).await?;
        let contents = Contents::read(&mut self.db, &mut counted).await?;
        run(&mut self.db, "commit").await?;
        Ok(contents)
    }

    /// Follows the audit's chains after pg_restore, against the heads of the backup.
    ///
    /// # Errors
    /// The store's own.
    pub async fn follow_audit(&mut self, anchors: &[Head]) -> Result<Chains, StoreError> {
        run(&mut self.db, "begin isolation level repeatable read read only").await?;
        see_everything(&mut self.db).await?;
        let chains = follow(&mut self.db, None, anchors, &mut |_, _| ()).await?;
        run(&mut self.db, "commit").await?;
        Ok(chains)
    }

    /// Makes the restored database safe to work on, all at once: mail is held, sessions and links to a new password end (they may
    /// have been ended or used since the backup was made), what was set aside goes, and so does the mark.
    ///
    /// # Errors
    /// The store's own; nothing is changed then and the mark stays.
    pub async fn finish(mut self, now: Timestamp) -> Result<Finished, StoreError> {
        let at = from_instant(now);
        let mut tx = self.db.begin().await.map_err(said)?;
        run(&mut tx, "set local role homestretch_worker").await?;
        tx.execute(sqlx::query("update public.mail_sender set held_since = $1 where held_since is null").bind(at))
            .await
            .map_err(said)?;
        // A backup of an earlier release has no column for this yet; the migration that adds it begins with the hold above.
        let knows: bool = scalar(
            &mut tx,
            "select exists (select from pg_attribute
               where attrelid = 'public.mail_sender'::regclass and attname = 'account_mail_held_since')",
        )
        .await?;
        if knows {
            let hold = sqlx::query("update public.mail_sender set account_mail_held_since = $1").bind(at);
            tx.execute(hold).await.map_err(said)?;
        }
        let account_mail: i64 = scalar(
            &mut tx,
            "select count(*) from public.notice where kind <> 'session_reminder' and state in ('pending', 'claimed', 'sending')",
        )
        .await?;
        run(&mut tx, "set local role homestretch_signin").await?;
        // Half-way through signing in is nowhere, either.
        run(
            &mut tx,
            "do $$ begin if to_regclass('public.half_sign_in') is not null then delete from public.half_sign_in; end if; end $$",
        )
        .await?;
        let sessions = tx.execute("delete from public.session").await.map_err(said)?.rows_affected();
        let resets = tx
            .execute(
                sqlx::query(
                    "update public.link set expires_at = $1 where purpose = 'reset_password' and used_at is null and expires_at > $1",
                )
                .bind(at),
            )
            .await
            .map_err(said)?
            .rows_affected();
        let invitations = sqlx::query_scalar(
            "select count(*) from public.link where purpose <> 'reset_password' and used_at is null and expires_at > $1",
        )
        .bind(at)
        .fetch_one(&mut *tx)
        .await
        .map_err(said)?;
        run(
            &mut tx,
            "set local role none;
             drop schema if exists homestretch_before_restore cascade;
             drop schema homestretch_restore cascade",
        )
        .await?;
        tx.commit().await.map_err(said)?;
        let _ = self.db.close().await;
        Ok(Finished { sessions, resets, invitations, account_mail })
    }

    /// Puts the database back as it was before [`Target::prepare`].
    ///
    /// # Errors
    /// The store's own; the mark stays then.
    pub async fn give_up(mut self) -> Result<(), StoreError> {
        // A transaction that failed half-way is over with this; without one it does nothing.
        run(&mut self.db, "rollback").await?;
        let mut tx = self.db.begin().await.map_err(said)?;
        let before: bool = scalar(&mut tx, "select to_regnamespace('homestretch_before_restore') is not null").await?;
        run(&mut tx, "drop schema if exists public cascade").await?;
        run(&mut tx, if before { "alter schema homestretch_before_restore rename to public" } else { EMPTY_SCHEMA }).await?;
        run(&mut tx, "drop schema if exists homestretch_restore cascade").await?;
        tx.commit().await.map_err(said)?;
        let _ = self.db.close().await;
        Ok(())
    }
}

/// Whether this is a function's name with its arguments' types, as the server spells it, and nothing else.
fn is_function(text: &str) -> bool {
    text.starts_with("public.") && text.chars().all(|c| c.is_ascii_alphanumeric() || "._(), []".contains(c)) && text.ends_with(')')
}

/// Whether a backup may have this role made.
fn is_product_role(name: &str) -> bool {
    name.strip_prefix("homestretch_")
        .is_some_and(|rest| !rest.is_empty() && rest.len() <= 40 && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}
