//! Dates, hours, numbers and doses as people read them, in the reader's language.
//!
//! View-models carry finished text, so a template never formats. Dates and times are civil and already in
//! the reader's zone; nothing here knows the clock.

use domain::dose::{Dose, RepUnit, Span};
use domain::program::Weekdays;
use jiff::civil::{Date, Time, Weekday};

use crate::words::{Language, say};

fn weekday_key(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

/// The days of the week, Monday first.
pub const WEEK: [Weekday; 7] =
    [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday, Weekday::Saturday, Weekday::Sunday];

/// "Sunday".
pub fn weekday(language: Language, day: Weekday) -> String {
    say(language, &format!("weekday-{}", weekday_key(day)), &[])
}

/// "Sun".
pub fn weekday_short(language: Language, day: Weekday) -> String {
    say(language, &format!("weekday-short-{}", weekday_key(day)), &[])
}

/// "S".
pub fn weekday_letter(language: Language, day: Weekday) -> String {
    say(language, &format!("weekday-letter-{}", weekday_key(day)), &[])
}

fn month(language: Language, date: Date) -> String {
    say(language, &format!("month-{}", date.month()), &[])
}

fn month_short(language: Language, date: Date) -> String {
    say(language, &format!("month-short-{}", date.month()), &[])
}

/// "Sunday 22 November".
pub fn day_long(language: Language, date: Date) -> String {
    let args = [
        ("weekday", weekday(language, date.weekday()).into()),
        ("day", date.day().into()),
        ("month", month(language, date).into()),
    ];
    say(language, "date-long", &args)
}

/// "22 November".
pub fn day_medium(language: Language, date: Date) -> String {
    say(language, "date-medium", &[("day", date.day().into()), ("month", month(language, date).into())])
}

/// "22 Nov".
pub fn day_short(language: Language, date: Date) -> String {
    say(language, "date-short", &[("day", date.day().into()), ("month", month_short(language, date).into())])
}

/// "Sun 22 Nov".
pub fn day_with_weekday(language: Language, date: Date) -> String {
    let args = [
        ("weekday", weekday_short(language, date.weekday()).into()),
        ("day", date.day().into()),
        ("month", month_short(language, date).into()),
    ];
    say(language, "date-long", &args)
}

/// "22 November 2026".
pub fn day_and_year(language: Language, date: Date) -> String {
    let args = [
        ("day", date.day().into()),
        ("month", month(language, date).into()),
        // as text: a year is not a quantity
        ("year", date.year().to_string().into()),
    ];
    say(language, "date-year", &args)
}

/// "November 2026", of any day in it.
pub fn month_and_year(language: Language, date: Date) -> String {
    let args = [("month", month(language, date).into()), ("year", date.year().to_string().into())];
    say(language, "date-month-year", &args)
}

/// "12 October to 22 November", with years where they differ.
pub fn day_range(language: Language, from: Date, to: Date) -> String {
    let word = if from.year() == to.year() { day_medium } else { day_and_year };
    let args = [("from", word(language, from).into()), ("to", word(language, to).into())];
    say(language, "date-range", &args)
}

/// As [`day_range`], one day as itself, and with the year where it is not that of `today`: "12 October to 22 November", "23 November",
/// "1 January 2020 to 1 February 2020". For what is printed or filed and read in another year, use [`day_and_year`].
pub fn day_range_by(language: Language, from: Date, to: Date, today: Date) -> String {
    let now = from.year() == today.year() && to.year() == today.year();
    let day = |date| if now { day_medium(language, date) } else { day_and_year(language, date) };
    if from == to { day(from) } else { say(language, "date-range", &[("from", day(from).into()), ("to", day(to).into())]) }
}

/// "today", "yesterday", "6 days ago", "tomorrow", "in 3 days"; beyond four weeks the date itself.
pub fn day_relative(language: Language, date: Date, today: Date) -> String {
    match (date - today).get_days() {
        0 => say(language, "days-today", &[]),
        -1 => say(language, "days-yesterday", &[]),
        1 => say(language, "days-tomorrow", &[]),
        past @ -28..0 => say(language, "days-ago", &[("days", (-past).into())]),
        ahead @ 2..=28 => say(language, "days-ahead", &[("days", ahead.into())]),
        _ if date.year() == today.year() => day_medium(language, date),
        _ => day_and_year(language, date),
    }
}

/// "08:00".
pub fn hour(language: Language, time: Time) -> String {
    let args = [("hour", format!("{:02}", time.hour()).into()), ("minute", format!("{:02}", time.minute()).into())];
    say(language, "time-of-day", &args)
}

/// "Sunday 22 November, 08:00".
pub fn moment(language: Language, date: Date, time: Time) -> String {
    let args = [("date", day_long(language, date).into()), ("time", hour(language, time).into())];
    say(language, "date-and-time", &args)
}

/// "every day", "Monday to Saturday", "Monday, Wednesday and Friday".
pub fn weekdays(language: Language, chosen: Weekdays) -> String {
    let days: Vec<usize> = (0..7).filter(|day| chosen.contains(WEEK[*day])).collect();
    let name = |day: &usize| weekday(language, WEEK[*day]);
    match days.as_slice() {
        [] => String::new(),
        [one] => name(one),
        all if all.len() == 7 => say(language, "every-day", &[]),
        [first, .., last] if days.len() > 2 && last - first + 1 == days.len() => {
            say(language, "weekday-span", &[("first", name(first).into()), ("last", name(last).into())])
        }
        some => list(language, &some.iter().map(name).collect::<Vec<_>>()),
    }
}

/// "wall angels", "cat-cow and wall angels", "cat-cow, wall angels and child’s pose".
pub fn list(language: Language, words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first, last] => say(language, "list-and", &[("first", first.as_str().into()), ("last", last.as_str().into())]),
        [first, rest @ ..] => {
            say(language, "list-comma", &[("first", first.as_str().into()), ("rest", list(language, rest).into())])
        }
    }
}

/// "92%" of a ratio from 0 to 1. Only a whole is 100%, and only nothing is 0%.
pub fn percent(ratio: f64) -> String {
    format!("{}%", percent_points(ratio))
}

/// The same as a number, for a bar's width.
pub fn percent_points(ratio: f64) -> u8 {
    let ratio = if ratio.is_nan() { 0.0 } else { ratio.clamp(0.0, 1.0) };
    let rounded = (ratio * 100.0).round() as u8;
    match rounded {
        100 if ratio < 1.0 => 99,
        0 if ratio > 0.0 => 1,
        n => n,
    }
}

/// "5.4": always one decimal, for means that are compared.
pub fn one_decimal(value: f64) -> String {
    // -0.04 is no "-0.0"
    format!("{:.1}", if value.abs() < 0.05 { 0.0 } else { value })
}

/// How far apart two means are, as it is said beside them: "3.8". Where the means as they are shown lie further or less far apart than
/// they do, or the rounded size stands on the other side of one of the `limits` it is read against, "3.43 before rounding".
pub fn change_size(first: f64, last: f64, limits: &[f64]) -> String {
    let shown = |value: f64| (value * 10.0).round();
    let exact = (last - first).abs();
    let size = one_decimal(exact);
    let as_shown = [first, last].map(|mean| one_decimal(mean).parse().unwrap_or(mean));
    let rounded: f64 = size.parse().unwrap_or(exact);
    let agrees = shown((as_shown[1] - as_shown[0]).abs()) == shown(rounded);
    // The allowance of `domain::pain::read`: 2 is 2, whatever its last digit.
    let same_side = limits.iter().all(|limit| (exact + 1e-9 >= *limit) == (rounded + 1e-9 >= *limit));
    if agrees && same_side { size } else { format!("{exact:.2} before rounding") }
}

/// A score from 0 to 10: "2", or "2.5" where it is a mean.
pub fn score(value: f64) -> String {
    let text = one_decimal(value);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// "12 minutes".
pub fn minutes(language: Language, minutes: u32) -> String {
    say(language, "minutes", &[("minutes", minutes.into())])
}

/// "about 12 minutes".
pub fn about_minutes(language: Language, minutes: u32) -> String {
    say(language, "about-minutes", &[("minutes", minutes.into())])
}

/// "Hold 15–30 s · 3 times", "10–15 breaths", "3 × 10–12": the dose in the reader's words.
///
/// In English it reads exactly as [`Dose`] prints itself.
pub fn dose(language: Language, dose: &Dose) -> String {
    let mut parts = Vec::new();
    let side = || say(language, "dose-each-side", &[]);
    if let Some(hold) = dose.hold() {
        let mut part = say(language, "dose-hold", &[("hold", hold.to_string().into())]);
        if dose.each_side() {
            part = format!("{part} {}", side());
        }
        parts.push(part);
    }
    let many = if dose.reps() == Span::ONE { "no" } else { "yes" };
    let key = match dose.unit() {
        RepUnit::Times => "dose-times",
        RepUnit::Breaths => "dose-breaths",
    };
    let reps = dose.reps().to_string();
    let mut part = if dose.sets() == Span::ONE {
        say(language, key, &[("many", many.into()), ("reps", reps.into())])
    } else {
        let reps = match dose.unit() {
            RepUnit::Times => reps,
            RepUnit::Breaths => say(language, key, &[("many", many.into()), ("reps", reps.into())]),
        };
        say(language, "dose-sets", &[("sets", dose.sets().to_string().into()), ("reps", reps.into())])
    };
    if dose.each_side() && dose.hold().is_none() {
        part = format!("{part} {}", side());
    }
    parts.push(part);
    if let Some(rest) = dose.rest().filter(|_| dose.sets().max() > 1) {
        parts.push(say(language, "dose-rest", &[("seconds", rest.into())]));
    }
    parts.join(" · ")
}

/// "5 exercises".
pub fn exercise_count(language: Language, count: usize) -> String {
    say(language, "exercise-count", &[("count", count.into())])
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    const EN: Language = Language::En;

    #[test]
    fn dates_read_as_people_write_them() {
        let day = date(2026, 11, 22);
        assert_eq!(day_long(EN, day), "Sunday 22 November");
        assert_eq!(day_short(EN, day), "22 Nov");
        assert_eq!(day_with_weekday(EN, day), "Sun 22 Nov");
        assert_eq!(day_and_year(EN, day), "22 November 2026");
        assert_eq!(day_range(EN, date(2026, 10, 12), day), "12 October to 22 November");
        assert_eq!(day_range_by(EN, date(2026, 10, 12), day, day), "12 October to 22 November");
        assert_eq!(day_range_by(EN, day, day, day), "22 November");
        assert_eq!(day_range_by(EN, date(2020, 1, 1), date(2020, 2, 1), day), "1 January 2020 to 1 February 2020");
        assert_eq!(day_range_by(EN, date(2020, 1, 1), date(2020, 1, 1), day), "1 January 2020");
        assert_eq!(day_range_by(EN, date(2025, 12, 1), day, day), "1 December 2025 to 22 November 2026");
        assert_eq!(day_range(EN, date(2025, 12, 1), day), "1 December 2025 to 22 November 2026");
        assert_eq!(moment(EN, day, time(8, 5, 0, 0)), "Sunday 22 November, 08:05");
    }

    #[test]
    fn days_near_today_are_counted() {
        let today = date(2026, 11, 22);
        for (day, said) in [
            (date(2026, 11, 22), "today"),
            (date(2026, 11, 21), "yesterday"),
            (date(2026, 11, 16), "6 days ago"),
            (date(2026, 11, 23), "tomorrow"),
            (date(2026, 11, 25), "in 3 days"),
            (date(2026, 9, 1), "1 September"),
            (date(2025, 9, 1), "1 September 2025"),
        ] {
            assert_eq!(day_relative(EN, day, today), said);
        }
    }

    #[test]
    fn weekdays_are_grouped() {
        assert_eq!(weekdays(EN, Weekdays::from_bits(0b111_1111).unwrap()), "every day");
        assert_eq!(weekdays(EN, Weekdays::from_bits(0b011_1111).unwrap()), "Monday to Saturday");
        assert_eq!(weekdays(EN, Weekdays::from_bits(0b001_0101).unwrap()), "Monday, Wednesday and Friday");
        assert_eq!(weekdays(EN, Weekdays::from_bits(0b000_0011).unwrap()), "Monday and Tuesday");
        assert_eq!(weekdays(EN, Weekdays::from_bits(0b100_0000).unwrap()), "Sunday");
    }

    #[test]
    fn only_a_whole_is_a_hundred() {
        for (ratio, said) in
            [(1.0, "100%"), (0.999, "99%"), (0.0, "0%"), (0.001, "1%"), (0.915, "92%"), (1.4, "100%"), (f64::NAN, "0%")]
        {
            assert_eq!(percent(ratio), said);
        }
    }

    #[test]
    fn a_dose_in_english_reads_as_the_domain_prints_it() {
        let span = |typed: &str| Span::parse(typed).unwrap();
        let mut seen = 0;
        for sets in ["1", "3", "2-3"] {
            for reps in ["1", "10-12"] {
                for hold in [None, Some("15-30")] {
                    for unit in [RepUnit::Times, RepUnit::Breaths] {
                        for each_side in [false, true] {
                            for rest in [None, Some(45)] {
                                let Ok(one) = Dose::new(span(sets), span(reps), unit, hold.map(span), each_side, rest) else {
                                    continue;
                                };
                                assert_eq!(dose(EN, &one), one.to_string());
                                seen += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(seen > 40);
    }

    #[test]
    fn numbers() {
        assert_eq!(one_decimal(-0.04), "0.0");
        assert_eq!(one_decimal(5.44), "5.4");
        assert_eq!(score(2.0), "2");
        assert_eq!(score(2.5), "2.5");
        assert_eq!(about_minutes(EN, 1), "about 1 minute");
        assert_eq!(exercise_count(EN, 5), "5 exercises");
    }

    #[test]
    fn a_change_agrees_with_the_means_beside_it_or_says_why_not() {
        for (first, last, said) in [
            (5.0, 17.0 / 7.0, "2.6"),
            (27.0 / 7.0, 3.0 / 7.0, "3.43 before rounding"),  // 3.9 and 0.4
            (36.0 / 7.0, 41.0 / 7.0, "0.71 before rounding"), // 5.1 and 5.9
            (3.94, 3.96, "0.02 before rounding"),             // 3.9 and 4.0
            (3.0, 3.0, "0.0"),
            (5.0, 3.04, "1.96 before rounding"), // 2.0 would be beyond the error of 2
            (5.0, 3.0, "2.0"),
        ] {
            assert_eq!(change_size(first, last, &[2.0]), said, "{first} to {last}");
        }
    }
}
