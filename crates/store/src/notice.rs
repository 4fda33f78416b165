//! The mail a clinic owes, as its people ask about it: how much is in which state, single notices with their attempts, one patient's
//! mail, and another attempt of one that failed. The queue itself is worked by [`crate::outbox`].

pub mod held;
mod list;
mod refused;
mod resend;
mod story;

pub use held::HeldMail;
pub use list::{Attempt, Counts, Filter, Notice, Sender, State, attempts, counts, list, sender};
pub use refused::{RefusedAddress, refused, write_again};
pub use resend::{Resend, find, resend};
pub use story::{Asked, Suppressed, of_patient, story, suppressed};
