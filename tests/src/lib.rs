//! Stories that cross the crates, and what they need beside `testkit`: a Postgres of one's own that can be stopped ([`cluster`]), real
//! worker processes with clocks that can be moved ([`process`]), and the stress run that acts out the engine's promise ([`stress`]).

pub mod cluster;
pub mod process;
pub mod stress;
