//! `homestretch demo`: a sample clinic to try everything on, with a private database, the web server and the worker in one process.

mod days;
pub mod history;
pub(crate) mod library;
pub mod mail;
pub mod seed;
pub mod stories;

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};
use render::links::Links;
use secrecy::{ExposeSecret as _, SecretSlice};
use store::{Store, StoreError};
use tokio::sync::watch;
use worker::Target;

use crate::{clock, config::Settings, embedded::Server, metrics, serve};

/// Runs the demo until it is asked to stop.
///
/// # Errors
/// A sentence for people: the port is in use, no Postgres, a folder that cannot be written.
pub async fn run(settings: &Settings, fresh: bool) -> Result<()> {
    // The port first: a second demo in a hurry is told at once.
    let listener = serve::listen(settings.bind).await?;
    if fresh {
        start_over(settings)?;
    }
    let (server, url) = database(settings).await?;
    let outcome = with_database(settings, &url, listener).await;
    if let Some(server) = server {
        tell("Stopping the private database…");
        tokio::task::spawn_blocking(move || server.stop()).await??;
    }
    outcome?;
    tell("Stopped. The demo's data is kept for the next start.");
    Ok(())
}

/// A line for whoever started the demo; nobody reading is no reason to end.
fn tell(line: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Throws away what the demo made, and nothing else.
fn start_over(settings: &Settings) -> Result<()> {
    if settings.own_database().is_some() {
        bail!("--fresh throws away the demo's private database. DATABASE_URL names one of your own, which the demo never empties.");
    }
    tell("Starting over: clearing the demo's data…");
    // A server that a killed demo left behind is stopped before its files go.
    if settings.data.join("postgres/PG_VERSION").exists() {
        Server::start(&settings.data, settings.pg_bin.as_deref(), &|_| ()).and_then(|server| server.stop()).or_else(|error| {
            // A half-made cluster, or one of another version, cannot be started: there is nothing to stop. One in use must be left.
            if error.to_string().contains("another Homestretch demo") { Err(error) } else { Ok(()) }
        })?;
    }
    for part in ["postgres", "mail"] {
        let folder = settings.data.join(part);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
        }
    }
    Ok(())
}

async fn database(settings: &Settings) -> Result<(Option<Server>, String)> {
    if let Some(url) = settings.own_database() {
        return Ok((None, url.to_owned()));
    }
    let (home, bin) = (settings.data.clone(), settings.pg_bin.clone());
    let server = tokio::task::spawn_blocking(move || Server::start(&home, bin.as_deref(), &tell)).await??;
    let url = server.url.clone();
    Ok((Some(server), url))
}

async fn with_database(settings: &Settings, url: &str, listener: tokio::net::TcpListener) -> Result<()> {
    Store::migrate(url).await.map_err(|error| match error {
        // A private database that an older or newer demo made, and nobody's own.
        StoreError::NotMigrated(why) if settings.own_database().is_none() => {
            anyhow!("the demo's database was made by another version ({why}). Start over with `bin/demo --fresh`.")
        }
        other => anyhow!("{other}"),
    })?;
    let store = serve::open(url, settings.database_timeouts).await?;
    let seeded = seed::ensure(&store, clock::now(), &tell).await?;
    if seeded.days_ago.is_none() {
        history::live(&store, clock::now()).await.context("making the mail of the last days")?;
    }

    let secret = match settings.own_secret() {
        Some(secret) => secret,
        None => kept_secret(&settings.data)?,
    };
    let folder = settings.data.join("mail");
    let target = settings.own_smtp().unwrap_or_else(|| Target::Folder(folder.clone()));
    let from = settings.own_mail_from().unwrap_or("demo@homestretch.example");
    let links = Links::new(&settings.url, secret.expose_secret())?;
    let engine = serve::engine(settings, store.clone(), target, from, links)?;
    // Nothing stands in front of a demo that would have to see it stop.
    let mut settings = settings.clone();
    settings.drain = std::time::Duration::ZERO;
    let settings = &settings;
    let state = serve::app_state(settings, store.clone(), secret, true)?;
    let stopping = state.stopping();
    let app = web::app_with(state, mail::routes(folder));

    metrics::start(settings.metrics_bind, metrics::Part::Demo).await;

    // One request to stop reaches both parts.
    let (stop, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is a request to stop as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let asked = until(stopped.clone());
    let of_pages = settings.clone();
    let pages = tokio::spawn(async move { serve::web(listener, app, &of_pages, stopping, asked).await });
    let mails = tokio::spawn(serve::work(engine, until(stopped)));
    announce(settings, &seeded);
    serve::asked_to_stop().await;
    tell("\nStopping…");
    let _ = stop.send(true);
    // A browser that keeps its connection open must not hold up the end.
    let pages = tokio::time::timeout(std::time::Duration::from_secs(5), pages).await;
    mails.await.context("the worker ended early")?;
    store.close().await;
    match pages {
        Ok(ended) => ended.context("the web server ended early"),
        Err(_) => Ok(()),
    }
}

fn announce(settings: &Settings, seeded: &seed::Seeded) {
    tell("");
    if let Some(days) = seeded.days_ago.filter(|days| *days > 0) {
        tell(&format!(
            "The sample data is {days} {} old; `bin/demo --fresh` makes it anew, dated from today.",
            if days == 1 { "day" } else { "days" }
        ));
    }
    tell(&format!("The demo clinic is open at {}", settings.url));
    tell(&format!("The mail it sends is shown at {}/demo/mail", settings.url));
    tell("Sign in with any of these; press Ctrl-C to stop.");
    for (who, email, password) in seed::ACCOUNTS {
        tell(&format!("  {who:<16} {email:<20} {password}"));
    }
}

/// The secret that signs the demo's links, made once and kept.
fn kept_secret(home: &Path) -> Result<SecretSlice<u8>> {
    let file = home.join("secret");
    match fs::read(&file) {
        Ok(bytes) if bytes.len() >= 32 => return Ok(SecretSlice::from(bytes)),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
    // With a database of one's own nothing has made it yet.
    fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system has no random numbers: {error}"))?;
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    out.write_all(&bytes)?;
    Ok(SecretSlice::from(bytes.to_vec()))
}
