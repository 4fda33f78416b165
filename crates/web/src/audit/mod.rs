//! The owner's look at what was done in the clinic, and the register of breaches.

mod filter;
pub(crate) mod page;
pub(crate) mod words;
