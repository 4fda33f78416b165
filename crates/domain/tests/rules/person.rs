use crate::fixtures::{at, d};
use domain::person::{Email, EmailError, Language, PersonName, PersonNameError, Role, Zone};
use jiff::civil::time;
use proptest::prelude::*;

#[test]
fn emails_are_trimmed_lowered_and_checked() {
    for (typed, kept) in [
        ("patient@demo.test", "patient@demo.test"),
        ("  Farah.Aziz+home@Demo.TEST ", "farah.aziz+home@demo.test"),
        ("o'brien@clinic.example.my", "o'brien@clinic.example.my"),
    ] {
        assert_eq!(Email::parse(typed).unwrap().as_str(), kept);
    }
    for typed in [
        "farah",
        "@demo.test",
        "farah@",
        "farah@demo",
        "a@b@c.test",
        "a b@demo.test",
        ".a@demo.test",
        "a..b@demo.test",
        "a@demo..test",
        "a@-demo.test",
        "a@demo.test\nbcc: x@y.test",
        "Farah <a@demo.test>",
    ] {
        assert_eq!(Email::parse(typed), Err(EmailError::Malformed), "{typed:?}");
    }
    assert_eq!(Email::parse(" "), Err(EmailError::Missing));
    assert_eq!(Email::parse(&format!("{}@demo.test", "a".repeat(300))), Err(EmailError::TooLong));
    assert_eq!(Email::parse("farah@demo.test").unwrap().masked(), "f***@demo.test");
}

#[test]
fn names_stay_on_one_line_and_within_120_characters() {
    assert_eq!(PersonName::parse("  Wei  Ling Chong ").unwrap().as_str(), "Wei Ling Chong");
    assert_eq!(PersonName::parse("Wei Ling Chong").unwrap().called(), "Wei Ling Chong");
    assert_eq!(PersonName::parse("Maria Fernanda dos Santos Oliveira").unwrap().called(), "Maria");
    assert_eq!(PersonName::parse("林美玲").unwrap().called(), "林美玲");
    assert!(PersonName::parse(&"é".repeat(120)).is_ok());
    assert_eq!(PersonName::parse(&"é".repeat(121)), Err(PersonNameError::TooLong));
    assert_eq!(PersonName::parse(&"x".repeat(500)), Err(PersonNameError::TooLong));
    assert_eq!(PersonName::parse(" \u{3000} "), Err(PersonNameError::Missing));
    assert_eq!(PersonName::parse("\u{200B}\u{3164}"), Err(PersonNameError::Missing), "nothing of it can be seen");
    assert!(PersonName::parse("رضا\u{200C}پور").is_ok(), "joiners belong to some scripts");
    assert_eq!(PersonName::parse("a\r\nSubject: b"), Err(PersonNameError::ControlCharacter));
    assert_eq!(PersonName::parse("a\u{202E}b"), Err(PersonNameError::ControlCharacter));
}

#[test]
fn tags_read_back() {
    for language in Language::ALL {
        assert_eq!(language.tag().parse(), Ok(*language));
    }
    for role in Role::ALL {
        assert_eq!(role.tag().parse(), Ok(*role));
    }
    assert_eq!("boss".parse::<Role>().unwrap_err().to_string(), "“boss” is not a known role");
    assert!(Role::Owner.is_staff() && Role::Physiotherapist.is_staff() && !Role::Patient.is_staff());
}

#[test]
fn zones_are_those_of_the_iana_database() {
    assert_eq!(Zone::parse("asia/kuala_lumpur").unwrap().name(), "Asia/Kuala_Lumpur");
    assert_eq!(Zone::parse(" UTC ").unwrap().name(), "UTC");
    for typed in ["", "Mars/Olympus", "UTC+8", "+08:00", "Etc/Unknown", "../etc/passwd"] {
        assert!(Zone::parse(typed).is_err(), "{typed:?}");
    }
}

#[test]
fn a_day_begins_where_the_patient_is() {
    let kl = Zone::parse("Asia/Kuala_Lumpur").unwrap();
    let now = at("2026-01-05T18:30:00Z");
    assert_eq!((kl.date(now), kl.time(now)), (d("2026-01-06"), time(2, 30, 0, 0)));
    assert_eq!(kl.day_start(d("2026-01-06")), at("2026-01-05T16:00:00Z"));
    assert_eq!(kl.day_end(d("2026-01-06")), at("2026-01-06T16:00:00Z"));
}

/// The hours that daylight saving takes away or gives twice.
#[test]
fn gaps_move_forward_and_overlaps_fire_first() {
    for (zone, date, hour, minute, instant) in [
        // New York springs forward at 02:00 on 8 March 2026, back at 02:00 on 1 November.
        ("America/New_York", "2026-03-08", 2, 30, "2026-03-08T03:30:00-04:00"),
        ("America/New_York", "2026-03-08", 1, 59, "2026-03-08T01:59:00-05:00"),
        ("America/New_York", "2026-11-01", 1, 30, "2026-11-01T01:30:00-04:00"),
        // Lord Howe moves by half an hour only.
        ("Australia/Lord_Howe", "2026-10-04", 2, 15, "2026-10-04T02:45:00+11:00"),
        ("Australia/Lord_Howe", "2026-04-05", 1, 45, "2026-04-05T01:45:00+11:00"),
        // Santiago springs forward at midnight: the day begins at 01:00.
        ("America/Santiago", "2026-09-06", 0, 0, "2026-09-06T01:00:00-03:00"),
        // Apia had no 30 December 2011: a day's gap.
        ("Pacific/Apia", "2011-12-30", 8, 0, "2011-12-31T08:00:00+14:00"),
    ] {
        let found = Zone::parse(zone).unwrap().instant(d(date), time(hour, minute, 0, 0));
        assert_eq!(found, at(instant), "{zone} {date} {hour}:{minute:02}");
    }
}

#[test]
fn a_zone_knows_which_dates_it_has() {
    let apia = Zone::parse("Pacific/Apia").unwrap();
    assert!(apia.has(d("2011-12-29")) && !apia.has(d("2011-12-30")) && apia.has(d("2011-12-31")));
    assert_eq!(apia.day_end(d("2011-12-29")), apia.day_start(d("2011-12-31")));
    let santiago = Zone::parse("America/Santiago").unwrap();
    assert!(santiago.has(d("2026-09-05")) && santiago.has(d("2026-09-06")));
    assert_eq!(santiago.day_start(d("2026-09-06")), at("2026-09-06T04:00:00Z"));
}

/// Any text, with what parsers stumble over more often than chance would have it.
fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        " ", "\0", "\r\n", "\u{202E}", "\u{feff}", "\u{3000}", "e\u{301}", "@", ".", "..", "-", "a", "test", "/", "../", "Etc/",
        "UTC", "\"", "<", "İ", "ß",
    ]);
    prop::collection::vec(prop_oneof![odd.prop_map(str::to_owned), any::<String>(), "[a-z.@-]{0,9}"], 0..6)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn an_email_is_one_plain_word_that_reads_back(text in any_text(), user in "[a-z0-9+_'-]{1,20}", host in "[a-z0-9]{1,12}\\.[a-z]{2,6}") {
        let padded = format!(" {user}@{host}\n");
        prop_assert!(Email::parse(&padded).is_ok());
        for typed in [text.clone(), format!("{user}@{text}"), format!("{text}@{host}"), format!("{user}{text}@{host}")] {
            if let Ok(email) = Email::parse(&typed) {
                let address = email.as_str();
                prop_assert!(address.is_ascii() && address.len() <= 254, "{address}");
                prop_assert!(!address.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"(),:;[]\\".contains(c)), "{address}");
                prop_assert_eq!(address.matches('@').count(), 1);
                prop_assert_eq!(Email::parse(address), Ok(email.clone()));
                let hidden = format!("{}***@", &address[..1]);
                prop_assert!(email.masked().starts_with(&hidden), "{}", email.masked());
            }
        }
    }

    #[test]
    fn a_name_is_one_line_that_reads_back(text in any_text()) {
        if let Ok(name) = PersonName::parse(&text) {
            let line = name.as_str();
            prop_assert!((1..=PersonName::MAX_CHARS).contains(&line.chars().count()), "{line}");
            prop_assert!(!line.chars().any(char::is_control) && line.trim() == line, "{line:?}");
            prop_assert!(line.starts_with(name.called()));
            prop_assert_eq!(PersonName::parse(line), Ok(name.clone()));
        }
    }

    #[test]
    fn a_zone_is_one_of_the_database(text in any_text()) {
        for typed in [text.clone(), format!("Asia/{text}"), format!("Asia/Kuala_Lumpur{text}")] {
            if let Ok(zone) = Zone::parse(&typed) {
                prop_assert!(zone.name().chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c)), "{}", zone.name());
                prop_assert_eq!(Zone::parse(zone.name()), Ok(zone));
            }
        }
    }

    #[test]
    fn no_word_breaks_the_tags(text in any_text()) {
        let _ = (text.parse::<Language>(), text.parse::<Role>(), text.parse::<domain::pain::Region>(), text.parse::<domain::ids::PatientId>());
    }
}
