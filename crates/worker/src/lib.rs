//! The reminder engine: what is due is planned, composed and handed over, once.

pub mod smtp;
