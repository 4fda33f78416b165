//! Dates, hours, numbers and doses as people read them.
