//! Group commit: many callers each have one thing to write down, and one of them writes for all who wait.
//!
//! While one group is being committed the next one gathers, and a small group waits a moment for more. This is what lets every mail have its
//! own intent committed before its dot without a commit of its own.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, oneshot};

/// The most that is written in one statement.
const LARGEST: usize = 512;

/// Gathers items and has them written together.
pub(crate) struct Group<T, R> {
    waiting: Mutex<Vec<(T, oneshot::Sender<R>)>>,
    turns: Semaphore,
    /// A group of fewer waits as long as this for more.
    patience: (usize, Duration),
}

impl<T, R> Group<T, R> {
    /// Groups of which `at_once` may be on their way to the database at the same time; one of fewer than `enough` waits `patience` for
    /// more.
    pub(crate) fn new(at_once: usize, enough: usize, patience: Duration) -> Self {
        Self { waiting: Mutex::new(Vec::new()), turns: Semaphore::new(at_once), patience: (enough, patience) }
    }

    /// Has `item` written by `write`, together with whatever else waits, and returns what `write` said about it: `write` gets the items
    /// and returns one result for each, in their order. `None` when the one who wrote for us went away; then nothing is known.
    pub(crate) async fn commit<F, Fut>(&self, item: T, write: F) -> Option<R>
    where
        F: FnOnce(Vec<T>) -> Fut,
        Fut: Future<Output = Vec<R>>,
    {
        let (tell, mut told) = oneshot::channel();
        self.lock().push((item, tell));
        // Turns come in the order in which they were asked for, so nobody is overtaken for ever.
        let turn = self.turns.acquire().await;
        // Somebody before us may have written ours along with theirs; then the others have their own turns to come.
        if let Ok(result) = told.try_recv() {
            return Some(result);
        }
        let (enough, patience) = self.patience;
        if self.lock().len() < enough {
            tokio::time::sleep(patience).await;
        }
        let (items, tellers): (Vec<T>, Vec<oneshot::Sender<R>>) = {
            let mut waiting = self.lock();
            let count = waiting.len().min(LARGEST);
            waiting.drain(..count).unzip()
        };
        if !items.is_empty() {
            for (result, tell) in write(items).await.into_iter().zip(tellers) {
                // Who no longer waits does not want to know.
                let _ = tell.send(result);
            }
        }
        drop(turn);
        told.await.ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(T, oneshot::Sender<R>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn everybody_gets_the_own_answer_and_few_write() {
        for at_once in [1, 2] {
            let group = Arc::new(Group::new(at_once, 4, Duration::from_millis(1)));
            let writes = Arc::new(AtomicUsize::new(0));
            let mut tasks = tokio::task::JoinSet::new();
            for item in 0..200_usize {
                let (group, writes) = (group.clone(), writes.clone());
                tasks.spawn(async move {
                    let doubled = group.commit(item, async |items| {
                        writes.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        items.into_iter().map(|item| item * 2).collect()
                    });
                    assert_eq!(doubled.await, Some(item * 2));
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.expect("nobody fails");
            }
            assert!(writes.load(Ordering::Relaxed) < 20, "{writes:?} writes");
        }
    }

    #[tokio::test]
    async fn a_writer_that_goes_away_leaves_the_others_without_an_answer() {
        let group = Arc::new(Group::<u8, u8>::new(1, 1, Duration::ZERO));
        let (started, has_started) = oneshot::channel();
        let other = group.clone();
        let writer = tokio::spawn(async move {
            other
                .commit(1, async |_| {
                    let _ = started.send(());
                    std::future::pending::<Vec<u8>>().await
                })
                .await
        });
        has_started.await.expect("it started");
        writer.abort();
        assert!(writer.await.is_err());
        assert_eq!(group.commit(2, async |items| items).await, Some(2), "the turn is free again");
    }
}
