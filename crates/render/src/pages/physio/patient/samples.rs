//! The states of a patient's page: on a program with every kind of finding, just invited, waiting for the first day.

use jiff::civil::{Date, date};

use super::{
    Access, Answer, AttentionCard, ExerciseRow, Figure, LogRow, NoReport, PatientPage, Period, Preset, ProgramCard, Report, Said,
    SetAside,
    behind::{Behind, Cell, DayRow, Linked, Month, Scores, Sign, Total, letter},
};
use crate::pages::physio::change::ChangeSection;
use crate::{
    Crumb, Field, Page,
    charts::{self, Change, ChartDay, DayByDay, DayMark, Weeks},
    words::Language,
};

impl Page for PatientPage {
    const TEMPLATE: &'static str = "pages/physio/patient.html";

    fn samples() -> Vec<Self> {
        let full = full();
        let refused = Self {
            problem: Some("This was set aside meanwhile, or it no longer holds. Nothing was changed.".into()),
            attention: vec![AttentionCard {
                until: Field::refused("2026-11-01", "Choose a day after today."),
                open: true,
                answer: None,
                ..attention()
            }],
            period: Period {
                from: Field::refused("2026-11-22", "The period ends before it starts."),
                to: Field::refused("soon", "“soon” is not a date."),
                ..full.period.clone()
            },
            report: Some(few()),
            ..full.clone()
        };
        let invited = Self {
            access: Access {
                label: "Invited 3 days ago, not signed in".into(),
                tone: "warn",
                invite: Some("/patients/0199/invite".into()),
                invite_label: "Send the invitation again".into(),
                closed: false,
            },
            attention: Vec::new(),
            set_aside: Vec::new(),
            programs: Vec::new(),
            earlier: Vec::new(),
            report: None,
            change: None,
            no_report: Some(NoReport {
                title: "No program yet".into(),
                text: "Assign one, and what the patient logs will be counted here.".into(),
                offer: true,
            }),
            ..full.clone()
        };
        let waiting = Self {
            programs: vec![ProgramCard {
                status: "Paused".into(),
                tone: "warn",
                report: None,
                pause: None,
                finish: None,
                revise: None,
                resume: Some("/programs/0199#resume-reason".into()),
                ..program()
            }],
            no_report: Some(NoReport {
                title: "It starts tomorrow".into(),
                text: "Figures come with the first day.".into(),
                offer: false,
            }),
            ..invited.clone()
        };
        vec![full, refused, invited, waiting]
    }
}

fn full() -> PatientPage {
    PatientPage {
        crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::here("Wei Ling Chong")],
        name: "Wei Ling Chong".into(),
        facts: vec!["wei.ling@demo.test".into(), "Asia/Kuala_Lumpur, now Sunday 22 November, 08:05".into(), "English".into()],
        access: Access {
            label: "Joined 12 October".into(),
            tone: "",
            invite: None,
            invite_label: "Send the invitation again".into(),
            closed: false,
        },
        problem: None,
        attention: vec![attention()],
        set_aside: vec![
            SetAside {
                label: "Left a note",
                what: "Acknowledged by Hannah Lee on 20 November".into(),
                note: Some("Spoke on the phone.".into()),
            },
            SetAside { label: "Pain rising", what: "Snoozed until 2 December by Arjun Menon on 18 November".into(), note: None },
        ],
        programs: vec![program()],
        earlier: vec![ProgramCard {
            name: "Desk break".into(),
            status: "Finished".into(),
            tone: "quiet",
            when: "1 August to 31 August".into(),
            revise: None,
            pause: None,
            finish: None,
            ..program()
        }],
        new_program: "/patients/0199/programs/new".into(),
        mail: "/notices?patient=0199".into(),
        edit: "/patients/0199/edit".into(),
        record: "/patients/0199/record".into(),
        period: Period {
            action: "/patients/0199".into(),
            from: Field::holding("2026-10-12"),
            to: Field::holding("2026-11-22"),
            presets: ["Whole program", "4 weeks", "2 weeks"]
                .into_iter()
                .enumerate()
                .map(|(at, label)| Preset { label: label.into(), href: format!("/patients/0199?preset={at}"), current: at == 0 })
                .collect(),
            line: "Upper back relief, 12 October to 22 November".into(),
        },
        report: Some(report()),
        no_report: None,
        change: Some(ChangeSection::sample()),
    }
}

fn attention() -> AttentionCard {
    AttentionCard {
        kind: "pain_rising",
        key: "0199".into(),
        label: "Pain up 3 since the week before".into(),
        tone: "pain",
        icon: "up",
        sentence: "The last 3 scored sessions average 5.7, against 2.7 in the 7 days before them (n = 6).".into(),
        since: "since yesterday".into(),
        answer: Some("#note-0199".into()),
        acknowledge: "/attention/0199/acknowledge".into(),
        snooze: "/attention/0199/snooze".into(),
        note: Field::default(),
        until: Field::holding("2026-11-29"),
        earliest: "2026-11-23".into(),
        open: false,
    }
}

fn program() -> ProgramCard {
    ProgramCard {
        name: "Upper back relief".into(),
        href: "/programs/0199".into(),
        status: "Active".into(),
        tone: "",
        when: "Week 6 of 6 · 12 October to 22 November".into(),
        schedule: "Monday to Saturday, once a day · 5 exercises, about 12 minutes".into(),
        report: Some("/patients/0199?from=2026-10-12&to=2026-11-22".into()),
        revise: Some("/programs/0199/revise".into()),
        pause: Some("/programs/0199#pause".into()),
        resume: None,
        finish: Some("/programs/0199/finish".into()),
    }
}

fn report() -> Report {
    let log = |date: &str, marks: &[&str]| LogRow {
        date: date.into(),
        done: "80%".into(),
        pain: "2 → 3".into(),
        effort: "3 · moderate".into(),
        skipped: Some("wall angels (it hurt)".into()),
        marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
    };
    Report {
        sessions: Figure::of("33 of 36", "92% of those prescribed"),
        completion: Figure::of("83%", "of all that was prescribed · Wall angels skipped most, 8 times"),
        pain: Figure::of("5.4 → 1.6", "down 3.8 · a meaningful change"),
        pain_reading: vec![
            "First 7 days with a score, 12 October to 19 October: mean 5.4, n = 7.".into(),
            "Last 7 days with a score, 14 November to 21 November: mean 1.6, n = 7.".into(),
            "Measured twice, a score may differ by 2 points (MDC95); patients notice 1.8 (MCID). Salaffi 2004, PMID 15207508."
                .into(),
        ],
        effort: Figure::of("3.1 of 10", "moderate · n = 33"),
        self_reported: vec![
            "Every figure rests on what Wei logged; nothing measured it.".into(),
            "Diaries overstate: in one study 220 sessions were logged where 176 were measured.".into(),
        ],
        cut: None,
        chart: chart(42),
        behind: behind(),
        exercises: exercises(),
        said: vec![
            Said { waits: true, ..said("Wall angels pinch at the front of my right shoulder.") },
            Said {
                text: None,
                facts: None,
                flags: vec!["a recent fall or blow".into()],
                words: Field::refused("", "Write an answer first."),
                open: true,
                ..said("")
            },
        ],
        said_older: vec![Said {
            answers: vec![
                Answer { text: "Good.".into(), by: "Hannah Lee, 12 Nov · read 13 Nov".into(), to: None },
                Answer { text: "Keep on.".into(), by: "Hannah Lee, 12 Nov · not read yet".into(), to: Some("Slept well.".into()) },
            ],
            ..said("Slept through for the first time.")
        }],
        told: "Wei reads it on their page; a mail says that there is an answer, not what it says.".into(),
        days: ["2026-10-12".into(), "2026-11-22".into()],
        said_more: Some("12 older notes are in the list of sessions.".into()),
        logs: vec![
            log("Wed 18 Nov", &["corrected 19 Nov", "logged 2 days later"]),
            LogRow { skipped: None, ..log("Tue 17 Nov", &[]) },
        ],
        older_logs: vec![log("Mon 16 Nov", &["entered by the clinic"])],
        older_label: Some("Show the 31 sessions before".into()),
        logs_more: Some("Only the newest 200 are listed; the file has all of them.".into()),
        printed: "12 October 2026 to 22 November 2026 · printed on 22 November 2026, 16:05".into(),
        csv: "/patients/0199/report.csv?from=2026-10-12&to=2026-11-22".into(),
    }
}

fn said(text: &str) -> Said {
    Said {
        log: "0199".into(),
        text: Some(text.into()),
        date: "18 Nov".into(),
        facts: Some("pain 2 → 3 · skipped wall angels".into()),
        flags: Vec::new(),
        waits: false,
        answers: Vec::new(),
        reply: "/logs/0199/replies".into(),
        words: Field::default(),
        open: false,
    }
}

fn linked() -> Linked {
    Linked { label: "Sat 7 Nov".into(), href: "#day-2026-11-07".into() }
}

fn behind() -> Behind {
    let row = |state: DayMark, note: Option<&str>| DayRow {
        day: "2026-11-07".into(),
        date: "Sat 7 Nov".into(),
        state,
        word: state.word(Language::En),
        due: "2".into(),
        counted: "1".into(),
        done: "45%".into(),
        pain: "3 → 2".into(),
        effort: "3".into(),
        note: note.map(str::to_owned),
        today: note.is_some(),
    };
    let cell = |number: i8, state: DayMark| {
        Some(Cell {
            number,
            state,
            letter: letter(state),
            word: state.word(Language::En),
            href: (state != DayMark::Outside).then(|| "#day-2026-11-07".to_owned()),
            today: number == 7,
        })
    };
    let month = |title: &str| Month {
        title: title.into(),
        weeks: vec![vec![
            None,
            cell(2, DayMark::Outside),
            cell(3, DayMark::Done),
            cell(4, DayMark::Part),
            cell(5, DayMark::Missed),
            cell(6, DayMark::Paused),
            cell(7, DayMark::Open),
        ]],
    };
    Behind {
        days: vec![row(DayMark::Part, Some("one session more than was due; it does not count")), row(DayMark::Missed, None)],
        total: Total { due: "36".into(), counted: "33 · 92%".into(), done: "29.9 · 83%".into(), effort: "mean 3.1 of 33".into() },
        missed: vec![linked()],
        missed_more: 2,
        windows: vec![Scores {
            title: "First 7 days with a score".into(),
            rows: vec![("Mon 12 Oct".into(), "6, 5".into())],
            sum: "38 in 7 scores: mean 5.4".into(),
        }],
        months: vec![month("November 2026")],
        earlier: vec![month("October 2026")],
        key: vec![Sign { state: DayMark::Done, letter: "D", word: "done".into() }],
    }
}

/// A period in which hardly anything is known.
fn few() -> Report {
    Report {
        sessions: Figure::none("No sessions due yet", "today’s is still open"),
        pain: Figure::none("Not enough scores yet", "1 score on 1 day"),
        pain_reading: Vec::new(),
        effort: Figure::none("Not given yet", ""),
        cut: Some(
            "More than 5000 sessions were logged in this period; the figures rest on the newest 5000. Choose a shorter one.".into(),
        ),
        chart: chart(1),
        behind: Behind {
            days: Vec::new(),
            missed: Vec::new(),
            missed_more: 0,
            windows: Vec::new(),
            months: Vec::new(),
            earlier: Vec::new(),
            ..behind()
        },
        exercises: Vec::new(),
        said: Vec::new(),
        said_older: Vec::new(),
        said_more: None,
        logs: Vec::new(),
        older_logs: Vec::new(),
        older_label: None,
        logs_more: None,
        ..report()
    }
}

fn exercises() -> Vec<ExerciseRow> {
    [
        ("Seated thoracic extension stretch", Some(94), None),
        ("Scapular retraction", Some(91), None),
        ("Cat–cow stretch", Some(90), Some("Skipped 1 time: no time 1")),
        ("Wall angels", Some(52), Some("Skipped 8 times: it hurt 6, not sure how 2")),
        ("Child’s pose with side stretch", None, None),
    ]
    .into_iter()
    .map(|(name, percent, skipped)| ExerciseRow {
        name: name.into(),
        percent,
        figure: percent.map_or_else(|| "not due yet".to_owned(), |percent| format!("{percent}%")),
        label: percent.map_or_else(String::new, |percent| format!("{percent}% of 36 times")),
        skipped: skipped.map(str::to_owned),
        times: skipped.iter().map(|_| (linked(), "it hurt".to_owned())).collect(),
        times_more: skipped.map_or(0, |_| 2),
    })
    .collect()
}

fn chart(days: i32) -> DayByDay {
    let start: Date = date(2026, 10, 12);
    let days: Vec<ChartDay> = (0..days)
        .filter_map(|n| {
            let day = start.checked_add(jiff::Span::new().days(n)).ok()?;
            let mark = match n % 7 {
                6 => DayMark::Rest,
                3 if n > 20 => DayMark::Missed,
                4 if n > 14 => DayMark::Part,
                _ => DayMark::Done,
            };
            let scored = matches!(mark, DayMark::Done | DayMark::Part);
            let pain = |above: f64| scored.then(|| (5.4 + above - f64::from(n) * 0.09).round());
            Some(ChartDay { date: day, mark, completion: 0.6, before: pain(0.8), after: pain(0.0) })
        })
        .collect();
    let changes = [Change { date: date(2026, 11, 2), label: "version 2".into() }];
    charts::day_by_day(Language::En, &days, &changes, Weeks::From(start))
}
