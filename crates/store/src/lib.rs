//! Postgres: the only crate that speaks to the database.
//!
//! Everything goes through [`Store`] and one of its three kinds of transaction: [`Store::begin`] works inside one clinic under
//! row-level security, [`Store::begin_sign_in`] before a clinic is known, [`Store::begin_worker`] on the mail queue across clinics. The
//! pool itself never leaves this crate.
//!
//! To add an aggregate: one file beside the others, free functions that take a [`Tx`], plain structs or domain types in and out.

pub mod account;
pub mod attention;
pub mod audit;
pub mod breach;
pub mod calendar;
pub mod clinic;
pub mod closure;
pub mod consent;
pub mod convert;
mod db;
pub mod exchange;
pub mod exercise;
pub mod export;
pub mod keep;
pub mod link;
pub mod load;
pub mod notice;
pub mod opened;
pub mod outbox;
pub mod patient;
pub mod program;
pub mod questionnaire;
pub mod reminder;
pub mod reply;
pub mod reports;
pub mod second_factor;
pub mod session;
pub mod session_log;
pub mod team;
pub mod template;
pub mod tries;

pub use db::{Actor, CONNECTIONS, ClinicContext, SessionRequest, Step, Store, StoreError, Timeouts, Tx, check_address};
