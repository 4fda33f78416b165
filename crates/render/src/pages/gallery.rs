//! The page of all components. Never served: for the eye (`cargo run -p render --example gallery`) and the tests.

use jiff::civil::date;
use serde::Serialize;

use crate::charts::{Change, ChartDay, DayByDay, DayMark, Weeks, day_by_day, legend, sparkline, strip};
use crate::forms::{Choice, Crumb, DayChoice, Field, Pagination};
use crate::words::Language;
use crate::{Page, Svg};

/// Every component in every state.
#[derive(Debug, Serialize)]
pub struct Gallery {
    crumbs: Vec<Crumb>,
    rows: Vec<Row>,
    legend_svg: Svg,
    pages: Pagination,
    chart: DayByDay,
    long_chart: DayByDay,
    email: Field,
    hold: Field,
    note: Field,
    zone: Field,
    zones: Vec<Choice>,
    skip: Field,
    effort: Field,
    efforts: Vec<Choice>,
    pain: Field,
    days: Vec<DayChoice>,
    days_error: Option<String>,
    consent_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    status: String,
    tone: String,
    icon: String,
    strip_svg: Svg,
    spark_svg: Svg,
}

fn rows() -> Vec<Row> {
    use DayMark::{Done, Missed, Open, Outside, Part, Paused, Rest};
    let week = [Done, Done, Part, Done, Missed, Done, Rest];
    let mut full: Vec<DayMark> = week.repeat(4);
    full[27] = Open;
    let mut late = vec![Outside; 14];
    late.extend([Done, Done, Missed, Missed, Paused, Paused, Paused, Part, Rest, Done, Done, Part, Done, Open]);
    let row = |name: &str, status: &str, tone: &str, icon: &str, days: &[DayMark], scores: &[Option<u8>]| Row {
        name: name.into(),
        status: status.into(),
        tone: tone.into(),
        icon: icon.into(),
        strip_svg: strip(Language::En, days),
        spark_svg: sparkline(Language::En, scores),
    };
    vec![
        row("Farah Aziz", "Pain up 3 since last week", "pain", "up", &full, &[3, 3, 2, 3, 4, 5, 6].map(Some)),
        row("Daniel Tan", "4 sessions missed in a row", "warn", "warning", &late, &[Some(5), None, Some(4), Some(4)]),
        row("Priya Nair", "Invited, not signed in", "warn", "mail", &[Outside; 28], &[]),
    ]
}

fn chart(length: usize) -> DayByDay {
    let start = date(2026, 10, 12);
    let days: Vec<ChartDay> = (0..length)
        .map(|i| {
            let mark = match i % 14 {
                6 | 13 => DayMark::Rest,
                8 => DayMark::Missed,
                3 | 10 => DayMark::Part,
                _ if i == length - 1 => DayMark::Open,
                _ if (22..26).contains(&i) => DayMark::Paused,
                _ => DayMark::Done,
            };
            let logged = matches!(mark, DayMark::Done | DayMark::Part) && i != 17;
            let pain = 5.0 - 4.0 * i as f64 / length as f64 + (i * 7 % 5) as f64 / 4.0;
            ChartDay {
                date: start.saturating_add(jiff::Span::new().days(i as i64)),
                mark,
                completion: 0.5,
                before: logged.then_some((pain + 0.8).round()),
                after: logged.then_some(pain.round()),
            }
        })
        .collect();
    let changes = [Change { date: date(2026, 10, 26), label: "version 2".into() }];
    day_by_day(Language::En, &days, &changes, Weeks::From(start))
}

impl Page for Gallery {
    const TEMPLATE: &'static str = "pages/gallery.html";

    fn samples() -> Vec<Self> {
        let choices = |words: &[&str]| words.iter().map(|word| Choice::new(*word, *word)).collect::<Vec<_>>();
        let fresh = || Self {
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::here("Components")],
            rows: rows(),
            legend_svg: legend(
                Language::En,
                &[DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Open],
            ),
            pages: Pagination { page: 2, pages: 4, previous: Some("#1".into()), next: Some("#3".into()) },
            chart: chart(42),
            long_chart: chart(120),
            email: Field::default(),
            hold: Field::holding("15-30"),
            note: Field::default(),
            zone: Field::holding("Asia/Kuala_Lumpur"),
            zones: choices(&["Asia/Kuala_Lumpur", "Asia/Singapore"]),
            skip: Field::default(),
            effort: Field::default(),
            efforts: choices(&["Very easy", "Easy", "OK", "Hard", "Very hard"]),
            pain: Field::default(),
            days: DayChoice::week(Language::En, domain::program::Weekdays::all()),
            days_error: None,
            consent_error: None,
        };
        vec![
            fresh(),
            Self {
                pages: Pagination { page: 1, pages: 1, previous: None, next: None },
                email: Field::refused("wei ling@", "Enter an email address like name@example.com."),
                hold: Field::refused("0 s", "A hold is between 1 and 600 seconds."),
                note: Field::refused("</textarea><b>", "Keep it under 2,000 characters."),
                zone: Field::refused("Asia/Singapore", "Choose a zone."),
                skip: Field::refused("Asia/Singapore", "Say why."),
                effort: Field::holding("OK"),
                pain: Field::refused("2", "Choose a number."),
                days: DayChoice::week(
                    Language::En,
                    domain::program::Weekdays::from_bits(0b10101).unwrap_or(domain::program::Weekdays::all()),
                ),
                days_error: Some("Choose at least one day.".into()),
                consent_error: Some("We need this to go on.".into()),
                ..fresh()
            },
        ]
    }
}
