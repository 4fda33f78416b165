//! Handing a mail over: to a mail server, or into a folder.
//!
//! A [`Mailer`] keeps the conversations of a tick open, so that the second mail needs no new connection, and reports what became of
//! each attempt as an [`Outcome`]. Of notices it knows the claim and the permit alone; what to do about an outcome is decided in
//! `deliver`.

mod connection;
mod folder;
mod outcome;
mod reading;
mod stream;
mod target;

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use lettre::address::Envelope;
use store::outbox::{Claim, SendPermit};
use tokio::task::JoinSet;

use connection::Connection;
pub use connection::Patience;
pub use outcome::{Outcome, Phase};
pub use target::{MailServer, Target, TargetError};

/// Hands mail over to one target.
pub struct Mailer {
    target: Target,
    patience: Patience,
    idle: Mutex<Vec<Connection>>,
}

impl Mailer {
    /// A mailer for this target. Nothing is opened before the first mail.
    pub fn new(target: Target) -> Self {
        Self::with_patience(target, Patience::default())
    }

    /// As [`Mailer::new`], with other times to wait.
    pub fn with_patience(target: Target, patience: Patience) -> Self {
        Self { target, patience, idle: Mutex::new(Vec::new()) }
    }

    /// Where the mail goes, without any password.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the target can be used now: signs in to the server and leaves, or writes nothing into the folder but makes it.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn check(&self) -> Result<(), String> {
        match &self.target {
            Target::Folder(folder) => tokio::fs::create_dir_all(folder)
                .await
                .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display())),
            Target::Smtp(server) => match Connection::open(server, self.patience).await {
                Ok(connection) => {
                    connection.quit().await;
                    Ok(())
                }
                Err(failure) => Err(failure.reply),
            },
        }
    }

    /// Hands over the mail of one claim. The notice and `now` name the file when the target is a folder. `intent` is run at the last
    /// moment at which the mail can still be kept back (after the server's 354); the content goes out only with the permit it gives, and
    /// only when that is for this very claim and no older than it may be.
    pub async fn deliver(
        &self,
        claim: Claim,
        envelope: &Envelope,
        content: &[u8],
        now: Timestamp,
        intent: impl Future<Output = Option<SendPermit>> + Send,
    ) -> Outcome {
        let intent = async { intent.await.filter(|permit| permit.allows(claim)) };
        match &self.target {
            Target::Folder(folder) => {
                let Some(permit) = intent.await else { return Outcome::Withheld };
                match folder::write(folder, permit, now, content).await {
                    Ok(name) => Outcome::Accepted { reply: format!("written to {name}") },
                    Err(error) => Outcome::Refused {
                        phase: Phase::Dot,
                        reply: format!("the folder {} takes no mail: {error}", folder.display()),
                    },
                }
            }
            Target::Smtp(server) => self.hand_over(server, envelope, content, intent).await,
        }
    }

    async fn hand_over(
        &self,
        server: &MailServer,
        envelope: &Envelope,
        content: &[u8],
        intent: impl Future<Output = Option<SendPermit>>,
    ) -> Outcome {
        // A conversation from before may have been ended by the server meanwhile. As long as nothing was sent, a fresh one may try.
        let mut announced = None;
        if let Some(mut connection) = self.take_idle() {
            match connection.announce(envelope).await {
                Ok(()) => announced = Some(connection),
                Err(failure) if failure.is_broken() || failure.is_goodbye() => {}
                Err(failure) => return self.after_refusal(connection, failure).await,
            }
        }
        let mut connection = match announced {
            Some(connection) => connection,
            None => {
                let mut connection = match Connection::open(server, self.patience).await {
                    Ok(connection) => connection,
                    Err(failure) => return failure.outcome(),
                };
                if let Err(failure) = connection.announce(envelope).await {
                    return self.after_refusal(connection, failure).await;
                }
                connection
            }
        };
        let (outcome, usable) = connection.transmit(content, intent).await;
        let clean = matches!(outcome, Outcome::Accepted { .. }) || (usable && connection.reset().await);
        if usable && clean {
            self.put_idle(connection);
        }
        outcome
    }

    async fn after_refusal(&self, mut connection: Connection, failure: outcome::Failure) -> Outcome {
        if !failure.is_broken() && connection.reset().await {
            self.put_idle(connection);
        }
        failure.outcome()
    }

    /// Ends the conversations kept open; called when there is nothing more to send for now.
    pub async fn hang_up(&self) {
        let connections = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        let goodbyes: JoinSet<()> = connections.into_iter().map(Connection::quit).collect();
        goodbyes.join_all().await;
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_idle(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
