//! The owner's look at what was done in the clinic, and the register of breaches.

pub(crate) mod breaches;
mod filter;
pub(crate) mod page;
pub(crate) mod words;
