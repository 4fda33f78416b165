//! Clinics full of patients: one of each clinic is made by the program's own functions, the others are copies of that one.

use std::fmt::Write as _;

use anyhow::Result;
use jiff::{Timestamp, ToSpan as _, civil::Date};
use testkit::{
    Db,
    people::{self, Clinic, Somebody},
};

/// Where everybody lives: no summer time, so every round of the bench is alike.
pub const ZONE: &str = "Asia/Kuala_Lumpur";
/// Different mail domains of the patients' addresses.
pub const DOMAINS: u32 = 200;
/// Clinics of a population.
pub const CLINICS: u32 = 40;
const START: Date = Date::constant(2026, 3, 2);

/// A database with patients in it.
pub struct Population {
    /// The database; dropped with this.
    pub db: Db,
    /// Patients.
    pub patients: u32,
    /// Of these, those whose reminders come due in each round; the others' come due two months later.
    pub early: u32,
    /// Chosen times of each patient.
    pub times: usize,
}

impl Population {
    /// Makes one. Each patient has these times, and with `programs` a program of a year; `early` of them have reminders in the next weeks.
    pub async fn make(patients: u32, early: u32, times: &[&str], programs: bool) -> Result<Self> {
        let db = Db::new().await;
        let now = at(START, 7, 0)?;
        for number in 0..CLINICS {
            let clinic = people::clinic_called(&db, &format!("Clinic {number}"), &format!("clinic{number}.test"), now).await;
            let model = clinic.patient_in("Farah Aziz", &format!("farah@mail{number}.test"), ZONE).await;
            clinic.program_for(&model, START, 52).await;
            clinic.remind(&model, times, now).await;
            let copies = Copies { number, count: patients / CLINICS - 1, early: early / CLINICS, programs };
            copy(&db, &clinic, &model, &copies).await;
        }
        db.execute("vacuum analyze").await;
        Ok(Self { db, patients, early, times: times.len() })
    }

    /// Reminders that come due in each round.
    pub fn due(&self) -> u64 {
        u64::from(self.early) * self.times as u64
    }
}

/// An instant of the day of a round, civil time where everybody lives.
pub fn round_at(round: u32, hour: i8, minute: i8) -> Result<Timestamp> {
    at(START.checked_add(i64::from(round).days())?, hour, minute)
}

fn at(date: Date, hour: i8, minute: i8) -> Result<Timestamp> {
    Ok(date.at(hour, minute, 20, 0).in_tz(ZONE)?.timestamp())
}

/// Copies of one patient.
struct Copies {
    /// The clinic's number.
    number: u32,
    count: u32,
    /// Patients of the clinic who keep their next reminders.
    early: u32,
    programs: bool,
}

/// Copies a patient with the rules, and the program if asked for. New ids follow from the old ones, so that rows find each other.
async fn copy(db: &Db, clinic: &Clinic, model: &Somebody, copies: &Copies) {
    let Copies { number, count, early, programs } = copies;
    let new = |id: &str| format!("md5({id}::text || n)::uuid");
    let (clinic, model) = (clinic.id, model.id);
    let patient = new("p.id");
    // What refers to what is right by the way it is made; checking every row would take longer than the bench. Some names, so that
    // not every mail is letter for letter the same.
    let mut sql = format!(
        "set session_replication_role = replica;
         insert into patient (clinic_id, id, physiotherapist_id, name, email, zone, language, region, invited_at, created_at)
         select clinic_id, {patient}, physiotherapist_id, (array['Farah Aziz', 'Daniel Tan', 'Priya Nair'])[1 + n % 3],
           'patient' || n || '@mail' || (n * 7 + {number}) % {DOMAINS} || '.test', zone, language, region, invited_at, created_at
         from patient p, generate_series(1, {count}) n where clinic_id = '{clinic}' and p.id = '{model}';"
    );
    let tables = [
        ("reminder_rule", &["id", "patient_id"][..]),
        ("program", &["id", "patient_id"]),
        ("program_version", &["id", "program_id", "patient_id"]),
        ("prescription", &["id", "version_id", "program_id", "patient_id"]),
    ];
    for (table, ids) in tables.into_iter().take(if *programs { 4 } else { 1 }) {
        let mut changed = String::from("'{}'::jsonb");
        for id in ids {
            let _ = write!(changed, " || jsonb_build_object('{id}', {})", new(&format!("r.{id}")));
        }
        let _ = write!(
            sql,
            "insert into {table} select (jsonb_populate_record(r, {changed})).*
             from {table} r, generate_series(1, {count}) n where r.clinic_id = '{clinic}' and r.patient_id = '{model}';"
        );
    }
    if early <= count {
        let _ = write!(
            sql,
            "update reminder_rule r set due_at = r.due_at + interval '60 days', due_date = r.due_date + 60,
               paused_until = r.due_date + 59
             where clinic_id = '{clinic}' and patient_id not in (
               select id from patient where clinic_id = '{clinic}' order by md5(id::text) limit {early});"
        );
    }
    db.execute(&sql).await;
}
