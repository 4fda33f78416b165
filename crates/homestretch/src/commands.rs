//! The commands. Each is a short function over the parts; `homestretch COMMAND --help` says what it does.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Parser, Subcommand, ValueEnum};
use domain::{
    ids::ClinicId,
    person::{Email, PersonName, Role, Zone},
};
use render::{Templates, links::Links};
use secrecy::ExposeSecret as _;
use store::{
    Actor, ClinicContext, Store, StoreError,
    exercise::{Imported, ListedExercise},
    outbox::hold::{self, Choice, Held, Released},
    second_factor,
};
use worker::Mailer;

use crate::{
    clock,
    config::Settings,
    demo,
    keep::{self, Wish},
    metrics,
    seed::{self, Size},
    serve,
};

/// A clinic's home-exercise system: programs, reminders, adherence and pain.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a demo clinic with sample patients: private database, web server and worker in one process
    Demo {
        /// Throw the demo's data away and start over, dated from today
        #[arg(long)]
        fresh: bool,
    },
    /// Serve the pages (needs DATABASE_URL and HOMESTRETCH_SECRET)
    Serve,
    /// Send what is due by email (needs DATABASE_URL, HOMESTRETCH_SECRET, SMTP_URL and HOMESTRETCH_MAIL_FROM)
    Worker {
        /// Do one round and exit
        #[arg(long)]
        once: bool,
    },
    /// Bring the database's schema up to date
    Migrate,
    /// Check settings, database, templates and mail: one line each
    Check,
    /// Clinics
    #[command(subcommand)]
    Clinic(ClinicCommand),
    /// Accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Exercises
    #[command(subcommand)]
    Exercises(ExercisesCommand),
    /// Load made-up clinics, to measure with and to look at pages of size (needs DATABASE_URL, whose user row-level security must not bind)
    ///
    /// Never into an installation with real patients: everybody who is made up has the same password.
    Seed(Size),
    /// The audit: who did what with whose record
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Write everything the database holds into one file, while pages and workers go on
    ///
    /// The file is pg_dump's, with a manifest at its end: what was in each table, and how it was protected. Only this user can read it. It
    /// holds health records: keep it as safe as the database, encrypted when it leaves the house (FILE may be `-`, to pipe it on).
    Backup {
        /// The file to write; `-` is the standard output
        file: PathBuf,
        /// Replace a file of this name
        #[arg(long)]
        overwrite: bool,
    },
    /// Bring a backup back: into an empty server or database, checked against its manifest; reminders wait until they are released
    ///
    /// Makes the database and the roles where the server lacks them. When anything goes wrong, the database is as it was before.
    /// Afterwards everybody signs in again. HOMESTRETCH_SECRET is not in a backup: set it to the same value as before.
    Restore {
        /// The file that `homestretch backup` wrote
        file: PathBuf,
        /// Put the backup in the place of what the database holds
        #[arg(long, conflicts_with = "check")]
        replace: bool,
        /// Only check that the file is whole; no database is touched
        #[arg(long)]
        check: bool,
    },
    /// Reminders, after a restore
    #[command(subcommand)]
    Reminders(RemindersCommand),
}

impl Command {
    /// Whether it is the demo, which logs less.
    pub fn is_demo(&self) -> bool {
        matches!(self, Self::Demo { .. })
    }
}

/// Commands about clinics.
#[derive(Debug, Subcommand)]
pub enum ClinicCommand {
    /// Set up a clinic with its starter library, and print its owner's invitation link
    Create {
        /// The clinic's name, as patients read it
        #[arg(long)]
        name: String,
        /// The owner's email address
        #[arg(long)]
        owner_email: String,
        /// The clinic's time zone
        #[arg(long, default_value = "Asia/Kuala_Lumpur")]
        zone: String,
    },
}

/// Commands about accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Turn off the second factor of somebody whom no owner can help, and sign them out everywhere; first make sure that it is they who ask
    ResetSecondFactor {
        /// The address they sign in with
        email: String,
    },
}

/// Commands about exercises.
#[derive(Debug, Subcommand)]
pub enum ExercisesCommand {
    /// Read a list of exercises (JSON, as free-exercise-db has it) into a clinic's library; a second time changes nothing
    Import {
        /// The file
        file: PathBuf,
        /// The clinic's id, as `clinic create` printed it
        #[arg(long)]
        clinic: ClinicId,
    },
}

/// Commands about the audit.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Follow each clinic's chain of entries and print its head; an edit, a deletion, a cut or an inserted entry is a line and the exit code 1
    ///
    /// A chain cut at its end together with its head, or written anew, is found by holding it against heads from earlier: keep what this
    /// prints on another machine, and give it as --anchor the next time.
    Verify {
        /// One clinic's chain alone
        #[arg(long)]
        clinic: Option<ClinicId>,
        /// Heads kept from earlier: what this command printed, or a backup
        #[arg(long)]
        anchor: Option<PathBuf>,
    },
}

/// Commands about reminders.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum RemindersCommand {
    /// Hold reminders back, and account mail that is queued, before the first worker starts on a restored database
    Hold,
    /// Let reminders go out again, those that fall due from now on; what fell due before is skipped, because it may have been sent after
    /// the backup was made
    Release {
        /// What becomes of account mail (invitations, new passwords, programs, answers) that was queued when the backup was made
        #[arg(long, value_enum, default_value_t = AccountMail::Keep)]
        account_mail: AccountMail,
    },
}

/// What becomes of account mail that may have been sent after the backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccountMail {
    /// It goes out, perhaps for the second time
    Send,
    /// It is left out
    Drop,
    /// It goes on waiting
    Keep,
}

/// Does what was asked.
///
/// # Errors
/// A sentence for people.
pub async fn run(command: Command, settings: Settings) -> Result<()> {
    match command {
        Command::Demo { fresh } => demo::run(&settings, fresh).await,
        Command::Serve => serve_pages(&settings).await,
        Command::Worker { once } => work(&settings, once).await,
        Command::Migrate => migrate(&settings).await,
        Command::Check => check(&settings).await,
        Command::Clinic(ClinicCommand::Create { name, owner_email, zone }) => {
            create_clinic(&settings, &name, &owner_email, &zone).await
        }
        Command::Exercises(ExercisesCommand::Import { file, clinic }) => import(&settings, &file, clinic).await,
        Command::Seed(size) => load(&settings, size).await,
        Command::Account(AccountCommand::ResetSecondFactor { email }) => reset_second_factor(&settings, &email).await,
        Command::Audit(AuditCommand::Verify { clinic, anchor }) => keep::verify(&settings, clinic, anchor.as_deref()).await,
        Command::Backup { file, overwrite } => keep::backup(&settings, &file, overwrite).await,
        Command::Restore { file, replace, check } => {
            let wish = match (check, replace) {
                (true, _) => Wish::Check,
                (false, true) => Wish::Replace,
                (false, false) => Wish::IntoEmpty,
            };
            keep::restore(&settings, &file, wish).await
        }
        Command::Reminders(command) => reminders(&settings, command).await,
    }
}

async fn serve_pages(settings: &Settings) -> Result<()> {
    let (url, secret) = (settings.database_url()?, settings.secret()?);
    let store = serve::open(url, settings.database_timeouts).await?;
    let listener = serve::listen(settings.bind).await?;
    metrics::start(settings.metrics_bind, metrics::Part::Serve).await;
    let state = serve::app_state(settings, store.clone(), secret, false)?;
    let stopping = state.stopping();
    tracing::info!(address = %settings.bind, url = settings.url, "serving");
    serve::web(listener, web::app(state), settings, stopping, serve::asked_to_stop()).await;
    store.close().await;
    Ok(())
}

async fn work(settings: &Settings, once: bool) -> Result<()> {
    let (url, secret) = (settings.database_url()?, settings.secret()?);
    let (target, from) = (settings.smtp()?, settings.mail_from()?);
    let store = serve::open(url, settings.database_timeouts).await?;
    let tx = store.begin_worker().await?;
    let held = hold::held(&tx).await?;
    tx.commit().await?;
    if let Some(since) = held {
        tracing::warn!(%since, "reminders are held back; `homestretch reminders release` lets them go out again");
    }
    let engine = serve::engine(settings, store.clone(), target, from, Links::new(&settings.url, secret.expose_secret())?)?;
    if let Some(wrong) = serve::clock_is_off(&store).await {
        tracing::warn!("{wrong}");
    }
    if once {
        let report = worker::tick(&engine, clock::now()).await?;
        println!(
            "{} planned, {} sent, {} skipped, {} to be tried again, {} dead, {} unknown",
            report.planned,
            report.sent,
            report.skipped.len(),
            report.retried,
            report.dead,
            report.unknown
        );
        if let Some(why) = report.paused {
            bail!("the mail server refused, and nothing more was sent: {why}");
        }
    } else {
        metrics::start(settings.metrics_bind, metrics::Part::Worker).await;
        tracing::info!("sending what is due");
        serve::work(engine, serve::asked_to_stop()).await;
    }
    store.close().await;
    Ok(())
}

async fn load(settings: &Settings, size: Size) -> Result<()> {
    let url = settings.database_url()?;
    let store = serve::open(url, settings.database_timeouts).await?;
    let loaded = seed::run(&store, url, size, clock::now()).await?;
    store.close().await;
    let Size { clinics, patients, days, entries, seed, more: _ } = size;
    println!("Loaded {clinics} clinics of {patients} patients with {days} days (seed {seed}): {} sessions.", loaded.sessions);
    println!("{} rows in {:.1} s of COPY, {} rows/s.", loaded.rows, loaded.copying.as_secs_f64(), loaded.rate);
    println!("Sessions into a bare table, without a key or an index: {} rows/s.", loaded.bare_rate);
    if let Some(days) = entries {
        println!("What was done of each exercise is there for the last {days} days alone.");
    }
    println!("Sign in to the first clinic that was made up, if the database was empty, with the password {}:", seed::PASSWORD);
    for (role, email) in seed::ACCOUNTS {
        println!("  {role:<16} {email}");
    }
    Ok(())
}

async fn reminders(settings: &Settings, command: RemindersCommand) -> Result<()> {
    let store = serve::open(settings.database_url()?, settings.database_timeouts).await?;
    let now = clock::now();
    match command {
        RemindersCommand::Hold => {
            let tx = store.begin_worker().await?;
            let Held { since, on_their_way } = hold::hold(&tx, now).await?;
            tx.commit().await?;
            println!(
                "Reminders are held back since {since:.0}, and account mail that was queued before. `homestretch reminders release` ends it."
            );
            if on_their_way > 0 {
                println!("{on_their_way} are on their way already and may still arrive.");
            }
        }
        RemindersCommand::Release { account_mail } => {
            let tx = store.begin_worker().await?;
            let released = hold::release(&tx, now).await?;
            tx.commit().await?;
            match released {
                None => println!("Reminders were not held back; nothing is changed."),
                Some(Released { since, expired, unknown }) => {
                    println!("Reminders were held back since {since:.0}. Those that fall due from now on go out again.");
                    println!(
                        "{expired} that fell due before are skipped as expired: they may have been sent after the backup was made."
                    );
                    if unknown > 0 {
                        println!(
                            "{unknown} were being sent when the backup was made: unknown whether they arrived. /notices shows them."
                        );
                    }
                }
            }
            decide(&store, account_mail, now).await?;
        }
    }
    store.close().await;
    Ok(())
}

/// Decides upon account mail that was queued when a backup was made, or says that it waits.
async fn decide(store: &Store, account_mail: AccountMail, now: jiff::Timestamp) -> Result<()> {
    let (choice, became) = match account_mail {
        AccountMail::Send => (Choice::Send, "go out, perhaps for the second time"),
        AccountMail::Drop => (Choice::LeaveOut, "are left out"),
        AccountMail::Keep => {
            let tx = store.begin_worker().await?;
            let waiting = hold::waiting(&tx).await?;
            tx.commit().await?;
            if waiting > 0 {
                println!("{waiting} account mails go on waiting: `--account-mail send` or `drop` decides.");
            }
            return Ok(());
        }
    };
    let tx = store.begin_worker().await?;
    let decided = hold::decide(&tx, choice, now).await?;
    tx.commit().await?;
    println!("{decided} account mails {became}.");
    Ok(())
}

async fn migrate(settings: &Settings) -> Result<()> {
    Store::migrate(settings.database_url()?).await.map_err(|error| match error {
        StoreError::NotMigrated(why) => anyhow!("{why}"),
        StoreError::Unavailable(why) | StoreError::Address(why) => {
            anyhow!("cannot reach the database that DATABASE_URL names: {why}")
        }
        other => anyhow!("{other}"),
    })?;
    println!("The database is up to date.");
    Ok(())
}

async fn check(settings: &Settings) -> Result<()> {
    println!("settings   ok");
    let mut failed = 0;
    let mut line = |name: &str, outcome: Result<String>| match outcome {
        Ok(note) => println!("{name:<10} ok{}{note}", if note.is_empty() { "" } else { ": " }),
        Err(error) => {
            failed += 1;
            println!("{name:<10} FAILED: {error:#}");
        }
    };
    line("database", check_database(settings).await);
    line("templates", check_templates());
    line("mail", check_mail(settings).await);
    line("dkim", crate::dkim::check(settings));
    line("secret", settings.secret().map(|_| String::new()).map_err(anyhow::Error::from));
    if failed > 0 { bail!("{failed} of 6 checks failed") } else { Ok(()) }
}

async fn check_database(settings: &Settings) -> Result<String> {
    let store = serve::open(settings.database_url()?, settings.database_timeouts).await?;
    let off = serve::clock_is_off(&store).await;
    store.close().await;
    off.map_or(Ok(String::new()), |wrong| bail!(wrong))
}

fn check_templates() -> Result<String> {
    let templates = Templates::load()?;
    let pages = render::registry::all();
    for page in &pages {
        (page.render)(&templates).with_context(|| page.template)?;
    }
    Ok(format!("{} pages", pages.len()))
}

async fn check_mail(settings: &Settings) -> Result<String> {
    settings.mail_from()?;
    Mailer::new(settings.smtp()?).check().await.map_err(|why| anyhow!("{why}"))?;
    Ok(String::new())
}

async fn create_clinic(settings: &Settings, name: &str, owner: &str, zone: &str) -> Result<()> {
    let name = PersonName::parse(name).map_err(|why| anyhow!("--name: {why}"))?;
    let owner = Email::parse(owner).map_err(|why| anyhow!("--owner-email: {why}"))?;
    let zone = Zone::parse(zone).map_err(|why| anyhow!("--zone: {why}"))?;
    let store = serve::open(settings.database_url()?, settings.database_timeouts).await?;
    let now = clock::now();
    let tx = store.begin_sign_in().await?;
    let clinic = store::clinic::create(&tx, &name, &zone, now).await?;
    let account = store::account::find_or_create(&tx, &owner, now).await?;
    // Until the owner accepts and says how they are called, the part before the @ stands for them.
    let called = PersonName::parse(owner.as_str().split('@').next().unwrap_or("Owner"))
        .map_err(|why| StoreError::Refused(why.to_string()))?;
    let member = store::account::add_member(&tx, clinic, account.id, Role::Owner, &called, now).await?;
    let token = store::link::issue(&tx, store::link::Purpose::InviteStaff(clinic, member), &owner, now).await?;
    tx.commit().await?;
    let tx = store.begin(&ClinicContext::new(clinic, Actor::System)).await?;
    store::exercise::install_starter(&tx, now).await?;
    tx.commit().await?;
    println!("{} is set up. Its id is {clinic}.", name.as_str());
    println!("The owner accepts here, within 14 days: {}/welcome/{token}", settings.url);
    store.close().await;
    Ok(())
}

async fn reset_second_factor(settings: &Settings, email: &str) -> Result<()> {
    let email = Email::parse(email).map_err(|why| anyhow!("{email}: {why}"))?;
    let store = serve::open(settings.database_url()?, settings.database_timeouts).await?;
    let reset = without_second_factor(&store, &email, clock::now()).await;
    store.close().await;
    match reset {
        Ok(true) => {
            println!("The second factor of {email} is off, and every browser of theirs is signed out.");
            println!("They sign in with the password and set up a new one.");
        }
        Ok(false) => println!("{email} has no second factor. Nothing was changed."),
        Err(StoreError::NotFound) => bail!("nobody signs in with {email}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Takes the second factor away from whoever signs in with `email`; whether there was one.
async fn without_second_factor(store: &Store, email: &Email, now: jiff::Timestamp) -> Result<bool, StoreError> {
    let tx = store.begin_sign_in().await?;
    let reset = second_factor::reset_by_operator(&tx, email, now).await?;
    tx.commit().await?;
    Ok(reset)
}

async fn import(settings: &Settings, file: &PathBuf, clinic: ClinicId) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let list = store::exercise::parse_exercise_list(&bytes).map_err(|why| anyhow!("{}: {why}", file.display()))?;
    let store = serve::open(settings.database_url()?, settings.database_timeouts).await?;
    let done = add_exercises(&store, clinic, &list, clock::now()).await.map_err(|error| match error {
        StoreError::NotFound => anyhow!("there is no clinic with the id {clinic}"),
        other => anyhow!("{other}"),
    })?;
    println!("{} exercises read: {} added, {} were there already.", list.len(), done.added, done.already);
    store.close().await;
    Ok(())
}

/// Adds the listed exercises to the clinic's library.
async fn add_exercises(
    store: &Store,
    clinic: ClinicId,
    list: &[ListedExercise],
    now: jiff::Timestamp,
) -> Result<Imported, StoreError> {
    let tx = store.begin(&ClinicContext::new(clinic, Actor::System)).await?;
    // An unknown clinic has no settings: said before anything is written.
    store::clinic::settings(&tx).await?;
    let done = store::exercise::import(&tx, list, now).await?;
    tx.commit().await?;
    Ok(done)
}
