//! The threads that hash passwords: one for each core, behind everything else in the queue for a core. Two hundred people who sign in at
//! once would otherwise make whoever is signed in already wait for every page.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use super::argon::Memory;

/// How far hashing steps back, in the system's steps of niceness: where all want the cores it gets about a tenth of them, and all of them
/// where nobody else does.
#[cfg(target_os = "linux")]
const STEPS_BACK: i32 = 10;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Threads with memory of their own. They end when this is dropped.
pub(super) struct Hands(mpsc::Sender<Job>);

impl Hands {
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn new(count: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..count {
            let queue = queue.clone();
            thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&queue))?;
        }
        Ok(Self(jobs))
    }

    /// Gives a thread something to do. What it cannot take it drops, which whoever waits for it sees.
    pub(super) fn take(&self, job: Job) {
        let _ = self.0.send(job);
    }
}

fn work(queue: &Mutex<mpsc::Receiver<Job>>) {
    step_back();
    let mut memory = Memory::default();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // Whoever waits for a job that panics is told by what it drops; the thread goes on, with fresh memory.
        if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
            memory = Memory::default();
        }
    }
}

/// On Linux a thread has a priority of its own; elsewhere it would be the whole program's.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(STEPS_BACK) {
        tracing::debug!(%error, "hashing stays at the priority of everything else");
    }
}
