//! The rules and words of home exercise, pure: no clock, no database, no web. Time comes in as an argument.

pub mod ids;
