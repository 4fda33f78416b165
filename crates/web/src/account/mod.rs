//! The way in, links from mail, everybody's own account, and the owner's pages about the clinic.

pub(crate) mod agreed;
mod archive;
mod bundle;
pub(crate) mod clinic;
pub(crate) mod close;
pub(crate) mod code;
pub(crate) mod confirm;
pub(crate) mod download;
pub(crate) mod enter;
pub(crate) mod forgot;
pub(crate) mod mailed;
pub(crate) mod opened;
pub(crate) mod own;
pub(crate) mod places;
pub(crate) mod second_factor;
pub(crate) mod sign_in;
pub(crate) mod take_away;
pub(crate) mod team;
pub(crate) mod welcome;
