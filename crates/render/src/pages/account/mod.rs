//! The way in, and everybody's own account.

pub mod clinic;
pub mod links;
pub mod own;
pub mod second_factor;
pub mod sign_in;
pub mod team;
