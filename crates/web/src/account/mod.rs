//! The way in, and everybody's own account.
