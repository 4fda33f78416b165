//! For tests only: a database per test, people with stories, a fixed clock, a mail server that can misbehave.

pub mod clock;
pub mod db;
pub mod people;
pub mod smtp;

pub use db::Db;
