//! A calendar as iCalendar (RFC 5545), for calendar programs to fetch again and again.
//!
//! Every entry stands at an instant in UTC, or on a day: nothing repeats by a rule, so no time zone has to be described and no program's
//! idea of daylight saving matters. The words say that exercises are due and nothing about them: whoever sees somebody's calendar learns no
//! more.

use std::fmt::Write as _;

use domain::{
    calendar::{Entry, When},
    ids::PatientId,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::words::{Language, say};

/// How often a calendar program may come back.
pub const REFRESH: SignedDuration = SignedDuration::from_hours(6);

/// The most bytes of a line, without its end (RFC 5545 §3.1).
const LINE: usize = 75;

/// Whose calendar it is, and where it leads.
#[derive(Debug, Clone)]
pub struct Calendar<'a> {
    /// The patient; part of what names an entry for good.
    pub patient: PatientId,
    /// The patient's language.
    pub language: Language,
    /// The public address of today's session.
    pub today: String,
    /// The installation's host, in what names an entry.
    pub host: &'a str,
    /// Since when the entries stand as they do: the beginning of the patient's day. The same calendar is the same bytes all day.
    pub stamp: Timestamp,
}

impl Calendar<'_> {
    /// The file: UTF-8, lines of at most 75 bytes that end in CR LF.
    pub fn write(&self, entries: &[Entry]) -> String {
        let Self { patient, language, today, host, stamp } = self;
        let words = |key| escaped(&say(*language, key, &[]));
        let (title, stamp) = (words("calendar-title"), utc(*stamp));
        let mut out = String::new();
        let mut line = |text: String| fold(&mut out, &text);
        line("BEGIN:VCALENDAR".to_owned());
        line("VERSION:2.0".to_owned());
        line("PRODID:-//Homestretch//Sessions//EN".to_owned());
        line("CALSCALE:GREGORIAN".to_owned());
        line(format!("NAME:{title}"));
        line(format!("X-WR-CALNAME:{title}"));
        line(format!("REFRESH-INTERVAL;VALUE=DURATION:PT{}H", REFRESH.as_hours()));
        line(format!("X-PUBLISHED-TTL:PT{}H", REFRESH.as_hours()));
        for Entry { date, place, when, minutes } in entries {
            line("BEGIN:VEVENT".to_owned());
            line(format!("UID:{date}-{place}-{patient}@{host}"));
            line(format!("DTSTAMP:{stamp}"));
            match when {
                When::Day => {
                    line(format!("DTSTART;VALUE=DATE:{}", date.strftime("%Y%m%d")));
                    line(format!("DTEND;VALUE=DATE:{}", date.saturating_add(1.day()).strftime("%Y%m%d")));
                }
                When::At(start) => {
                    line(format!("DTSTART:{}", utc(*start)));
                    line(format!("DURATION:PT{minutes}M"));
                }
            }
            line(format!("SUMMARY:{title}"));
            line(format!("DESCRIPTION:{}\\n{}", words("calendar-text"), escaped(today)));
            line(format!("URL:{today}"));
            // Nobody is busy because of it, and nobody else needs to read it.
            line("TRANSP:TRANSPARENT".to_owned());
            line("CLASS:PRIVATE".to_owned());
            line("END:VEVENT".to_owned());
        }
        line("END:VCALENDAR".to_owned());
        out
    }
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// TEXT as RFC 5545 §3.3.11 has it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            // Other control characters have no place in a calendar.
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Appends a line, broken where it is longer than allowed and never inside a character.
fn fold(out: &mut String, line: &str) {
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > LINE {
            // The space that a continued line begins with counts.
            let _ = out.write_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_the_words_lines_are_short_and_come_back_whole(words in "\\PC*") {
            let line = format!("SUMMARY:{}", escaped(&words));
            let mut out = String::new();
            fold(&mut out, &line);
            prop_assert!(out.ends_with("\r\n"));
            prop_assert!(out.split("\r\n").all(|line| line.len() <= LINE));
            let whole = out.replace("\r\n ", "");
            prop_assert_eq!(whole.trim_end_matches("\r\n"), &line);
        }
    }

    #[test]
    fn what_means_something_in_a_calendar_is_escaped() {
        assert_eq!(escaped("a;b,c\\d\ne\u{7}f"), "a\\;b\\,c\\\\d\\nef");
    }
}
