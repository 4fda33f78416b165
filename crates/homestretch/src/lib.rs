//! The one binary's parts, as a library so that stories can run them: settings, the private Postgres, the demo, the commands.

pub mod clock;
pub mod commands;
pub mod config;
pub mod connections;
pub mod demo;
pub mod dkim;
pub mod embedded;
pub mod keep;
pub mod metrics;
pub mod seed;
pub mod serve;
