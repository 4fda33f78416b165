//! Between the database's time types and jiff's. Values outside what jiff can hold (years beyond ±9999) come back as `None`.

use jiff::{Timestamp, civil};

/// A civil date from the database's.
pub fn to_date(date: time::Date) -> Option<civil::Date> {
    let year = i16::try_from(date.year()).ok()?;
    let month = i8::try_from(u8::from(date.month())).ok()?;
    let day = i8::try_from(date.day()).ok()?;
    civil::Date::new(year, month, day).ok()
}

/// A civil date for the database.
pub fn from_date(date: civil::Date) -> time::Date {
    // Julian day numbers: 1970-01-01 is 2440588. Every date jiff can hold is within time's range (years -9999 to 9999).
    let days = date.since(civil::Date::constant(1970, 1, 1)).map(|span| span.get_days()).unwrap_or_default();
    time::Date::from_julian_day(2_440_588 + days).unwrap_or(time::Date::MAX)
}

/// An instant from the database's, to the microsecond.
pub fn to_instant(at: time::OffsetDateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(at.unix_timestamp_nanos()).ok()
}

/// An instant for the database. Postgres keeps microseconds.
pub fn from_instant(at: Timestamp) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_microsecond()) * 1000)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// A civil time from the database's.
pub fn to_time(at: time::Time) -> civil::Time {
    // Every part is within jiff's ranges by construction of time::Time.
    let part = |value: u8| i8::try_from(value).unwrap_or_default();
    civil::Time::new(part(at.hour()), part(at.minute()), part(at.second()), 0).unwrap_or(civil::Time::MIN)
}

/// A civil time for the database, to the second.
pub fn from_time(at: civil::Time) -> time::Time {
    let part = |value: i8| u8::try_from(value).unwrap_or_default();
    time::Time::from_hms(part(at.hour()), part(at.minute()), part(at.second())).unwrap_or(time::Time::MIDNIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_instants_survive_the_round_trip() {
        for date in [
            civil::date(1, 1, 1),
            civil::date(1969, 12, 31),
            civil::date(2024, 2, 29),
            civil::date(2026, 11, 22),
            civil::date(9999, 12, 31),
        ] {
            assert_eq!(to_date(from_date(date)), Some(date));
        }
        for time in [civil::time(0, 0, 0, 0), civil::time(8, 30, 0, 0), civil::time(23, 59, 59, 0)] {
            assert_eq!(to_time(from_time(time)), time);
        }
        let at: Timestamp = "2026-11-22T08:00:00.123456Z".parse().unwrap();
        assert_eq!(to_instant(from_instant(at)), Some(at));
    }
}
