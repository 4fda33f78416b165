//! The web server's and the worker's processes: what listens, what loops, and how both come to an end.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use axum::Router;
use render::{Templates, links::Links};
use store::{CONNECTIONS, Store, StoreError, Timeouts};
use tokio::net::TcpListener;
use worker::{Composer, Engine, Mailer, Target};

use crate::{
    clock,
    config::Settings,
    connections::{self, Limits, Patience},
};

/// How often the worker looks for what is due. A reminder leaves at most this long after its hour.
const EVERY: Duration = Duration::from_secs(5);

/// Opens the port, with a sentence for people when that is not possible.
///
/// # Errors
/// When the port is in use or may not be opened.
pub async fn listen(bind: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(bind).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow!(
                "port {} is in use by another program. Stop it, or set HOMESTRETCH_BIND to another address, such as {}.",
                bind.port(),
                SocketAddr::new(bind.ip(), bind.port().saturating_add(1))
            )
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow!("this user may not open port {}. Ports from 1024 on are free to all.", bind.port())
        }
        _ => anyhow!("cannot listen on {bind}: {error}"),
    })
}

/// Opens the database, with a sentence for people when that is not possible. The address is never repeated: it holds a password.
///
/// # Errors
/// When the server is away or refuses, the schema is not the one this program needs, or the connections are not in the roles they should be.
pub async fn open(url: &str, timeouts: Timeouts) -> Result<Store> {
    let store = Store::connect_within(url, CONNECTIONS, timeouts)
        .await
        .map_err(|error| anyhow!("cannot reach the database that DATABASE_URL names: {}", plain(&error)))?;
    store.check().await.map_err(|error| match error {
        StoreError::NotMigrated(why) => anyhow!("the database is not up to date: {why}. Run `homestretch migrate` first."),
        other => anyhow!("{other}"),
    })?;
    Ok(store)
}

/// A sentence when this machine's clock and the database's are more than a minute apart. Nothing is sent twice for it, but reminders
/// would come early or late, and workers take each other's work.
pub async fn clock_is_off(store: &Store) -> Option<String> {
    let theirs = store.clock().await.ok()?;
    let apart = clock::now().duration_since(theirs);
    (apart.abs() > jiff::SignedDuration::from_mins(1)).then(|| {
        let (by, way) = (apart.abs().as_secs(), if apart.is_positive() { "ahead of" } else { "behind" });
        format!(
            "this machine's clock is {by} s {way} the database's. Let both follow a time server (NTP), or reminders come at the wrong \
             time."
        )
    })
}

/// What went wrong, without the layers around it.
fn plain(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(why) | StoreError::Address(why) => why.clone(),
        other => other.to_string(),
    }
}

/// Serves the pages until `shutdown`. Then readiness ends at once, and the port stays open for `HOMESTRETCH_DRAIN_SECONDS`: what stands in
/// front of this server has that long to see it. At the end what is being answered is finished.
pub async fn web(
    listener: TcpListener,
    app: Router,
    settings: &Settings,
    stopping: web::Stopping,
    shutdown: impl Future<Output = ()> + Send,
) {
    let most = connections::most();
    let limits = Limits {
        patience: Patience::default(),
        most,
        // Whatever is set, one client leaves half of the connections to others.
        per_client: settings.connections_per_client.min(most / 2),
        proxies: settings.trusted_proxies.clone(),
    };
    let drained = async {
        shutdown.await;
        stopping.begin();
        if !settings.drain.is_zero() {
            tracing::info!(seconds = settings.drain.as_secs(), "stopping; not ready any more");
            tokio::time::sleep(settings.drain).await;
        }
    };
    connections::serve(listener, app, limits, drained).await;
}

/// The parts of the web server.
///
/// # Errors
/// When the templates do not compile.
pub fn app_state(settings: &Settings, store: Store, secret: secrecy::SecretSlice<u8>, demo: bool) -> Result<web::AppState> {
    let config = web::Config { url: settings.url.clone(), secret, demo, trusted_proxies: settings.trusted_proxies.clone() };
    let client_requests = (settings.connections_per_client / 8).max(1);
    Ok(web::AppState::new(store, config, clock::real())?.with_limits(web::Limits { client_requests }))
}

/// The parts of the worker.
///
/// # Errors
/// When the sender is no address, the templates do not compile, or the key for DKIM cannot be used.
pub fn engine(settings: &Settings, store: Store, target: Target, from: &str, links: Links) -> Result<Arc<Engine>> {
    let mut composer = Composer::new(Templates::load()?, links, from).map_err(|error| anyhow!("HOMESTRETCH_MAIL_FROM: {error}"))?;
    if let Some(dkim) = &settings.dkim {
        composer = composer.signed_by(dkim.signer(from)?);
    }
    Ok(Arc::new(Engine::new(store, Mailer::with_patience(target, settings.smtp_timeouts), composer)))
}

/// Sends what is due until `shutdown`.
pub async fn work(engine: Arc<Engine>, shutdown: impl Future<Output = ()>) {
    worker::run(engine, clock::real(), EVERY, shutdown).await;
}

/// Ready when the process is asked to stop: Ctrl-C or SIGTERM.
pub async fn asked_to_stop() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; Ctrl-C still works");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
