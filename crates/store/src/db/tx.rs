//! A transaction as the store's verbs see it: a value that says for whom it works and collects what the audit has to know.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use domain::ids::{ClinicId, MembershipId, PatientId};
use sea_orm::{FromQueryResult, QueryResult, Value};
use uuid::Uuid;

use super::{
    context::{Actor, ClinicContext, lock},
    pool::Pool,
    transaction::Transaction,
};
use crate::{
    StoreError,
    audit::{AuditAction, AuditResource, PendingEntry},
};

/// An open transaction, begun by one of [`Store`](crate::Store)'s `begin…`. [`Tx::commit`] saves its work; dropped, it is rolled back.
///
/// From [`Store::autocommit`](crate::Store::autocommit) and [`Store::sign_in_reads`](crate::Store::sign_in_reads) there is no transaction:
/// each statement is one by itself, and there is nothing to commit.
#[must_use = "a transaction that is not committed is rolled back"]
#[derive(Clone)]
pub struct Tx {
    executor: Executor,
    context: Option<ClinicContext>,
    /// Whether the request held this transaction open, and goes on in it after a first look.
    resumed: bool,
    /// For the audit, at the commit.
    notes: Arc<Mutex<Vec<PendingEntry>>>,
}

/// What statements go through.
#[derive(Clone)]
enum Executor {
    Transaction(Transaction),
    /// Each statement is a transaction of its own.
    Autocommit(Pool),
}

impl Tx {
    pub(super) fn begun(transaction: Transaction, context: Option<&ClinicContext>) -> Self {
        Self { executor: Executor::Transaction(transaction), context: context.cloned(), resumed: false, notes: Arc::default() }
    }

    pub(super) fn resumed(transaction: Transaction, context: &ClinicContext) -> Self {
        Self { resumed: true, ..Self::begun(transaction, Some(context)) }
    }

    pub(super) fn autocommit(pool: &Pool) -> Self {
        Self { executor: Executor::Autocommit(pool.clone()), context: None, resumed: false, notes: Arc::default() }
    }

    /// Commits, with the audit's entries in the same message: one round trip.
    ///
    /// # Errors
    /// Nothing is saved, except after [`StoreError::Unconfirmed`]: then it is unknown.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Executor::Transaction(transaction) = &self.executor else { return Ok(()) };
        let notes = std::mem::take(&mut *lock(&self.notes));
        transaction.commit(self.context.as_ref().map(|context| context.audit_statement(notes)).unwrap_or_default()).await
    }

    /// Leaves the request's transaction open for the work that follows ([`Store::begin`](crate::Store::begin)), with what was noted in it.
    /// A transaction that was begun for this look alone is committed.
    ///
    /// # Errors
    /// As [`Tx::commit`].
    pub async fn hold_open(self) -> Result<(), StoreError> {
        match (&self.executor, &self.context) {
            (Executor::Transaction(transaction), Some(context)) if self.resumed => {
                context.hold_open(transaction.clone(), std::mem::take(&mut *lock(&self.notes)));
                Ok(())
            }
            _ => self.commit().await,
        }
    }

    /// Takes everything back and waits until the connection is free again; dropping a transaction does the same without waiting.
    ///
    /// # Errors
    /// When the server does not answer; the work is taken back all the same.
    pub async fn roll_back(self) -> Result<(), StoreError> {
        match &self.executor {
            Executor::Transaction(transaction) => transaction.roll_back().await,
            Executor::Autocommit(_) => Ok(()),
        }
    }

    /// The clinic at work in; the nil id outside a tenant's transaction (which then matches no row).
    pub fn clinic(&self) -> ClinicId {
        self.context.as_ref().map_or(ClinicId(Uuid::nil()), |context| context.clinic)
    }

    /// Who is at work; [`Actor::System`] outside a tenant's transaction.
    pub fn actor(&self) -> Actor {
        self.context.as_ref().map_or(Actor::System, |context| context.actor)
    }

    /// The member of staff at work, if it is one.
    pub fn staff(&self) -> Option<MembershipId> {
        match self.actor() {
            Actor::Staff(id) => Some(id),
            Actor::Patient(_) | Actor::System => None,
        }
    }

    /// An entry for the clinic's audit, written when this transaction commits: this actor did this. Work of [`Actor::System`] is not noted.
    pub fn note(&self, deed: AuditAction, subject: AuditResource, patient: Option<PatientId>) {
        lock(&self.notes).push(PendingEntry { deed, subject, patient, detail: None });
    }

    /// As [`Tx::note`], with more in words of this program's own and ids: never anything a person typed.
    pub(crate) fn note_of(&self, deed: AuditAction, subject: AuditResource, detail: String) {
        lock(&self.notes).push(PendingEntry { deed, subject, patient: None, detail: Some(detail) });
    }

    /// For the last questions of work that only reads: the audit's entries and the COMMIT travel with those that `questions` asks first
    /// (all of a `try_join!`), so a page costs a round trip less. Nothing can be asked after them.
    ///
    /// # Errors
    /// Those of `questions`.
    pub async fn final_reads<T, E>(&self, questions: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        if let (Executor::Transaction(transaction), Some(context)) = (&self.executor, &self.context) {
            transaction.finish_with(context.audit_of_reads(std::mem::take(&mut *lock(&self.notes))));
        }
        Box::pin(questions).await
    }

    /// All rows of a statement. Parameters are `$1…` in order.
    pub(crate) async fn all<R: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<R>, StoreError> {
        let rows = self.rows(sql, values.into_iter().collect()).await?;
        Ok(rows.iter().map(|row| R::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// The first row of a statement, if there is one.
    pub(crate) async fn one<R: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<R>, StoreError> {
        let rows = self.rows(sql, values.into_iter().collect()).await?;
        Ok(rows.first().map(|row| R::from_query_result(row, "")).transpose()?)
    }

    /// Boxed, as [`Tx::count`]: a page's future holds those of all its statements, and would be too large for a thread's stack.
    fn rows<'a>(
        &'a self,
        sql: &'a str,
        values: Vec<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<QueryResult>, StoreError>> + Send + 'a>> {
        match &self.executor {
            Executor::Transaction(transaction) => Box::pin(transaction.rows(sql, values)),
            Executor::Autocommit(pool) => {
                let (pool, sql) = (pool.clone(), sql.to_owned());
                Box::pin(carried_through(async move { pool.rows(&sql, values).await }))
            }
        }
    }

    fn count<'a>(&'a self, sql: &'a str, values: Vec<Value>) -> Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + 'a>> {
        match &self.executor {
            Executor::Transaction(transaction) => Box::pin(transaction.count(sql, values)),
            Executor::Autocommit(pool) => {
                let (pool, sql) = (pool.clone(), sql.to_owned());
                Box::pin(carried_through(async move { pool.count(&sql, values).await }))
            }
        }
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn run(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        self.count(sql, values.into_iter().collect()).await
    }
}

/// Runs a statement that commits by itself to its end even if the caller is cancelled.
async fn carried_through<T: Send + 'static>(
    statement: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(statement).await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::Other(format!("a statement ended early: {error}"))),
    }
}
