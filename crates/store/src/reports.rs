//! Reads that cross aggregates. Judgements ("falling behind") stay in `domain`; here are only the rows they rest on.
//! Each report's SQL is a `.sql` file beside it.

pub mod caseload;
pub mod clinic;
pub mod patient;
