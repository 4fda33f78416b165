//! Between the database's time types and jiff's. Values outside what jiff can hold (years beyond ±9999) come back as `None`.

use jiff::{Timestamp, civil};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable};
use sqlx::{Decode as _, Row as _, ValueRef as _, postgres::PgValueFormat};

/// An instant as a column of a row has it, to the microsecond.
///
/// The driver cannot read one that came as text and falls on a whole second, and text is what statements that travel together get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(Timestamp);

impl TryGetable for At {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let fault = |why: String| TryGetError::DbErr(DbErr::Type(format!("{index:?} is no instant: {why}")));
        let row = row.try_as_pg_row().ok_or_else(|| fault("not a row of Postgres".into()))?;
        let value = row.try_get_raw(index.as_sqlx_postgres_index()).map_err(|why| fault(why.to_string()))?;
        if value.is_null() {
            return Err(TryGetError::Null(format!("{index:?}")));
        }
        let at = match value.format() {
            PgValueFormat::Text => value.as_str().map_err(|why| fault(why.to_string()))?.parse().ok(),
            PgValueFormat::Binary => {
                let at = time::OffsetDateTime::decode(value).map_err(|why| fault(why.to_string()))?;
                Timestamp::from_nanosecond(at.unix_timestamp_nanos()).ok()
            }
        };
        at.map(Self).ok_or_else(|| fault("out of range".into()))
    }
}

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

/// An instant from the database's.
pub fn to_instant(at: At) -> Option<Timestamp> {
    Some(at.0)
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
        assert_eq!(from_instant(at).unix_timestamp_nanos(), at.as_nanosecond());
    }
}
