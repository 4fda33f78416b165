//! `homestretch seed`: clinics by the hundred with made-up patients, to measure with and to look at pages of size.
//!
//! Staff and library are made by the functions of real use; patients with all they did are loaded with COPY, a clinic at a time. The same
//! `--seed` makes the same lives (only the ids of clinics, staff and accounts differ), dated back from today.

mod dice;
mod lives;
mod rows;

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use domain::{
    ids::{ClinicId, MembershipId},
    person::{Email, Language, PersonName, Role, Zone},
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{Timestamp, ToSpan as _, civil::time};
use store::{
    Actor, ClinicContext, Store, StoreError, account,
    audit::{AuditAction, AuditResource},
    clinic,
    load::{Load, Table},
    template::Template,
};

use self::{
    dice::Dice,
    lives::World,
    rows::{Lines, Shared},
};
use crate::demo::library::Library;

/// The password of everybody who was made up.
pub const PASSWORD: &str = "homestretch-seed";
/// Who can sign in to the first clinic, where the database was empty.
pub const ACCOUNTS: [(&str, &str); 3] =
    [("owner", "owner@seed.test"), ("physiotherapist", "physio@seed.test"), ("patient", "patient@seed.test")];
/// Where everybody lives.
const ZONE: &str = "Asia/Kuala_Lumpur";
/// Patients on one caseload.
const CASELOAD: u32 = 60;
/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// How much to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Size {
    /// How many clinics
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub clinics: u32,
    /// How many patients in each
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub patients: u32,
    /// How many days of sessions behind the patients
    #[arg(long, default_value_t = 56, value_parser = clap::value_parser!(i32).range(7..=700))]
    pub days: i32,
    /// For how many of these days, up to today, also what was done of each exercise: about five rows for each session [default: all]
    #[arg(long)]
    pub entries: Option<u32>,
    /// What the dice begin with: the same number makes the same lives
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Load beside the clinics that are there
    #[arg(long)]
    pub more: bool,
}

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Rows of all tables that COPY wrote.
    pub rows: u64,
    /// How long COPY took for them.
    pub copying: Duration,
    /// Sessions among the rows.
    pub sessions: u64,
    /// Sessions each second into a bare table of the same columns, measured with the last clinic's.
    pub bare_rate: u64,
    /// Rows of all tables each second, with their keys, checks and indexes.
    pub rate: u64,
}

/// Loads it.
///
/// # Errors
/// A sentence for people: a database with clinics in it (unless `more`), a user whom row-level security binds, the store's own.
pub async fn run(store: &Store, url: &str, size: Size, now: Timestamp) -> Result<Loaded> {
    let mut load = Load::open(url).await?;
    let there = load.clinics().await?;
    if there > 0 && !size.more {
        bail!("there are {there} clinics in this database already. Load into an empty one, or say --more.");
    }
    let zone = Zone::parse(ZONE)?;
    let today = zone.date(now);
    let hash = tokio::task::spawn_blocking(|| web::auth::password::hash(PASSWORD)).await?.map_err(|why| anyhow!(why))?;
    let version = render::words::say(Language::En, "consent-version", &[]);
    let mut progress = Progress::begin(u64::from(size.clinics) * u64::from(size.patients));
    let mut loaded = Loaded::default();
    for at in 0..size.clinics {
        let number = there + u64::from(at);
        let name = format!("Clinic {number}");
        let (clinic, staff, templates) = found(store, number, size.patients, (&name, &zone, &hash), now).await?;
        let wording = wording(&name);
        let shared = Shared {
            clinic,
            zone: ZONE,
            hash: &hash,
            consent: (&version, &wording),
            entries_from: size.entries.map_or(jiff::civil::Date::MIN, |days| today.saturating_sub((i64::from(days) - 1).days())),
        };
        let world = World { templates: &templates, zone: &zone, now, today, days: size.days };
        let lines = made_up(&world, &shared, &staff, size, number)?;
        let began = Instant::now();
        let rows = load.copy(&lines).await.with_context(|| format!("loading {name}"))?;
        loaded.rows += rows;
        loaded.copying += began.elapsed();
        let sessions = lines.iter().find(|(table, _)| *table == Table::Session).map(|(_, text)| text);
        loaded.sessions += sessions.map_or(0, |text| text.bytes().filter(|byte| *byte == b'\n').count() as u64);
        progress.advance(u64::from(size.patients), loaded.rows);
        if let Some(text) = sessions.filter(|_| at + 1 == size.clinics) {
            loaded.bare_rate = rate(load.copy_bare(Table::Session, text), Instant::now()).await?;
        }
    }
    loaded.rate = per_second(loaded.rows, loaded.copying);
    progress.end("Telling the planner what there is…");
    load.settle().await?;
    Ok(loaded)
}

/// What patients of this clinic agree to.
fn wording(clinic: &str) -> String {
    let say = |key| render::words::say(Language::En, key, &[("clinic", clinic.into())]);
    ["consent-1", "consent-2", "consent-3", "consent-4"].map(say).join("\n\n")
}

async fn rate(copy: impl Future<Output = Result<u64, StoreError>>, began: Instant) -> Result<u64> {
    let rows = copy.await?;
    Ok(per_second(rows, began.elapsed()))
}

fn per_second(rows: u64, took: Duration) -> u64 {
    (u128::from(rows) * 1000 / took.as_millis().max(1)).try_into().unwrap_or(u64::MAX)
}

/// The clinic with its staff and its library, by the functions of real use; the audit says that its patients were loaded.
async fn found(
    store: &Store,
    number: u64,
    patients: u32,
    (name, zone, hash): (&str, &Zone, &str),
    now: Timestamp,
) -> Result<(ClinicId, Vec<MembershipId>, Vec<Template>)> {
    let mut staff = vec![(PersonName::parse("Dr Lim Siew Mei")?, address(number, "owner", None)?, Role::Owner)];
    for n in 0..patients.div_ceil(CASELOAD).max(2) {
        let name = PersonName::parse(&format!("Physiotherapist {}", n + 1))?;
        staff.push((name, address(number, "physio", (n > 0).then_some(n))?, Role::Physiotherapist));
    }
    let name = PersonName::parse(name)?;
    let tx = store.begin_sign_in().await?;
    let clinic = clinic::create(&tx, &name, zone, now).await?;
    let mut seats = Vec::new();
    for (name, email, role) in &staff {
        let account = account::find_or_create(&tx, email, now).await?.id;
        let member = account::add_member(&tx, clinic, account, *role, name, now).await?;
        account::join_staff(&tx, (clinic, member), account, name, now).await?;
        account::set_password(&tx, account, hash, now).await?;
        seats.push(member);
    }
    tx.commit().await?;
    let Some((owner, staff)) = seats.split_first() else { bail!("the clinic has no staff") };
    let library = Library::new(now)?;
    let tx = store.begin(&ClinicContext::new(clinic, Actor::Staff(*owner))).await?;
    // The audit names people only; clinics that are made up were so in their owner's name.
    tx.note(AuditAction::Wrote, AuditResource::Caseload, None);
    let templates = library.install(&tx, now).await?;
    tx.commit().await?;
    Ok((clinic, staff.to_vec(), templates))
}

/// "owner@seed.test" in the first clinic, "owner-7@seed.test" in the eighth.
fn address(clinic: u64, who: &str, n: Option<u32>) -> Result<Email> {
    let n = n.map(|n| format!("-{n}")).unwrap_or_default();
    let clinic = if clinic == 0 { String::new() } else { format!("-{clinic}") };
    Ok(Email::parse(&format!("{who}{n}{clinic}@seed.test"))?)
}

/// A clinic's patients, as lines.
fn made_up(
    world: &World<'_>,
    shared: &Shared<'_>,
    staff: &[MembershipId],
    size: Size,
    clinic: u64,
) -> Result<Vec<(Table, String)>> {
    let mut lines = Lines::default();
    for n in 0..size.patients {
        let mut dice = Dice::of(&[size.seed, clinic, u64::from(n)]);
        let favourite = clinic == 0 && n == 0;
        let life = world.life(&mut dice, favourite)?;
        let email = if favourite { ACCOUNTS[2].1.to_owned() } else { format!("p{n}-{clinic}@seed.test") };
        let by = staff[usize::try_from(n)? % staff.len()];
        let due = life.reminded.map(|hour| {
            let at = |date| world.zone.instant(date, time(hour, 0, 0, 0));
            let date = if at(world.today) > world.now { world.today } else { world.today.saturating_add(1.days()) };
            (date, at(date))
        });
        lines.add_life(&mut dice, shared, &life, (&email, by, due));
    }
    Ok(lines.in_order())
}

/// One bar over the patients; plain lines where there is no terminal.
struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    began: Instant,
    told: Instant,
}

impl Progress {
    fn begin(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{wide_bar} {pos}/{len} patients · {msg} · {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_message("0 rows")
        });
        Self { bar, total, done: 0, began: Instant::now(), told: Instant::now() }
    }

    fn advance(&mut self, patients: u64, rows: u64) {
        self.done += patients;
        let told = format!("{rows} rows, {}/s", per_second(rows, self.began.elapsed()));
        match &self.bar {
            Some(bar) => {
                bar.set_message(told);
                bar.inc(patients);
            }
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                eprintln!("{}/{} patients · {told}", self.done, self.total);
            }
            None => {}
        }
    }

    fn end(self, last: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{last}");
    }
}
