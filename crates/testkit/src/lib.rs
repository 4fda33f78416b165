//! For tests only: a database per test, people with stories, a fixed clock, a mail server that can misbehave, a
//! line to the database on which bytes can be held.

pub mod clock;
pub mod db;
pub mod people;
pub mod proxy;
pub mod smtp;

pub use db::Db;
