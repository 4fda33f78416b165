//! Who may do what from where: the session's cookie, passwords, the origin of a change, addresses, throttles.

pub mod address;
mod argon;
pub(crate) mod cookie;
mod hands;
pub(crate) mod origin;
pub mod password;
pub(crate) mod throttle;
pub(crate) mod totp;
