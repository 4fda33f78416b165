//! When a civil time is, found by looking at a clock on the wall of a zone at every minute of some weeks: slow, and knowing nothing of
//! the rules it is held against.

use std::collections::{HashMap, HashSet};

use domain::{program::Weekdays, reminder::QuietHours};
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// A rule as the references see it: nothing but what the patient and the clinic chose.
#[derive(Debug, Clone)]
pub struct Wish {
    pub times: Vec<Time>,
    pub weekdays: Weekdays,
    pub zone: &'static str,
    pub quiet: QuietHours,
    pub paused_until: Option<Date>,
}

/// What a zone's wall clock showed, minute by minute.
pub struct Almanac {
    wall: Vec<(DateTime, Timestamp)>,
    first: HashMap<DateTime, Timestamp>,
    dates: HashSet<Date>,
}

impl Almanac {
    pub fn new(zone: &str, from: Timestamp, days: i64) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let wall: Vec<(DateTime, Timestamp)> = (0..days * 24 * 60)
            .map(|minute| from + SignedDuration::from_mins(minute))
            .map(|at| (zone.to_datetime(at), at))
            .collect();
        let mut first = HashMap::new();
        for (civil, at) in &wall {
            first.entry(*civil).or_insert(*at);
        }
        let dates = wall.iter().map(|(civil, _)| civil.date()).collect();
        Self { wall, first, dates }
    }

    /// The civil time the clock shows at an instant, to the minute.
    pub fn shows(&self, at: Timestamp) -> Time {
        let minutes = at.duration_since(self.wall[0].1).as_mins();
        self.wall[usize::try_from(minutes).unwrap()].0.time()
    }

    /// The first instant at which the clock shows it; if it never does, as long after the jump as it was to come after it.
    pub fn instant(&self, date: Date, time: Time) -> Timestamp {
        let wanted = date.to_datetime(time);
        if let Some(at) = self.first.get(&wanted) {
            return *at;
        }
        let jump = self.wall.windows(2).find(|pair| pair[0].0 < wanted && wanted < pair[1].0).unwrap();
        jump[0].1 + SignedDuration::try_from(wanted - jump[0].0).unwrap()
    }

    /// Every due of a wish on the dates seen in full, with its instant, by instant and then by civil order.
    pub fn dues(&self, wish: &Wish) -> Vec<(Date, Time, Timestamp)> {
        let mut dates: Vec<Date> = self.dates.iter().copied().collect();
        dates.sort();
        let mut dues = Vec::new();
        for date in &dates[1..dates.len() - 1] {
            if !wish.weekdays.contains(date.weekday()) || wish.paused_until.is_some_and(|until| *date <= until) {
                continue;
            }
            for time in &wish.times {
                let at = self.instant(*date, *time);
                if !wish.quiet.contains(*time) && !wish.quiet.contains(self.shows(at)) {
                    dues.push((*date, *time, at));
                }
            }
        }
        dues.sort_by_key(|(date, time, at)| (*at, *date, *time));
        dues
    }
}

/// What becomes of a due reminder that is looked at now, from the sentences of the promise. `dues` are all the wish's own.
pub fn fate(
    wish: &Wish,
    almanac: &Almanac,
    dues: &[(Date, Time, Timestamp)],
    (date, time, at): (Date, Time, Timestamp),
    (slots, logged): (u32, u32),
    now: Timestamp,
) -> &'static str {
    let newer = dues.iter().any(|(d, t, x)| *x <= now && (*x, *d, *t) > (at, date, time));
    if now.duration_since(at) > SignedDuration::from_hours(3) || newer {
        "expired"
    } else if wish.paused_until.is_some_and(|until| date <= until) {
        "paused"
    } else if slots == 0 {
        "not_active"
    } else if logged >= slots {
        "logged"
    } else if wish.quiet.contains(almanac.shows(now)) {
        "quiet"
    } else {
        "sent"
    }
}
