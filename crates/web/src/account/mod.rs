//! The way in, links from mail, everybody's own account, and the owner's pages about the clinic.

pub(crate) mod clinic;
mod enter;
pub(crate) mod forgot;
pub(crate) mod mailed;
pub(crate) mod own;
pub(crate) mod places;
pub(crate) mod sign_in;
pub(crate) mod team;
pub(crate) mod welcome;
