//! The caseload: who needs the physiotherapist first, and why.

use serde::Serialize;

use crate::{
    Page, Pagination, Svg,
    attention::Status,
    charts::{self, DayMark},
    words::Language,
};

/// `GET /patients`.
#[derive(Debug, Serialize)]
pub struct Caseload {
    /// "Your patients" or "All patients".
    pub title: String,
    /// "3 of 42 need you today. Sorted by who needs you first."
    pub summary: String,
    /// What was searched for, as typed.
    pub search: String,
    /// The filters, in order.
    pub filters: Vec<Filter>,
    /// Hidden fields that keep the other choices while searching.
    pub keep: Vec<(String, String)>,
    /// The patients of this page.
    pub rows: Vec<Row>,
    /// Where the reader stands in a long list.
    pub pages: Pagination,
    /// What to say when `rows` is empty.
    pub empty: Option<Empty>,
    /// What the bars of the strip mean.
    pub legend_svg: Svg,
}

/// One filter as a link.
#[derive(Debug, Clone, Serialize)]
pub struct Filter {
    /// "Needs attention".
    pub label: String,
    /// How many patients it shows; `None` where it is not counted.
    pub count: Option<usize>,
    /// Where it leads.
    pub href: String,
    /// Whether it is on.
    pub current: bool,
}

/// One patient.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The patient's page.
    pub href: String,
    /// The name.
    pub name: String,
    /// "Upper back relief · week 3", or why there is none.
    pub program: String,
    /// The most urgent reason, or how it goes.
    pub status: Status,
    /// Further reasons, when there are.
    pub more: Option<String>,
    /// Twenty-eight bars; `None` before the first session was due.
    pub strip_svg: Option<Svg>,
    /// "74%"; `None` when no session was due yet.
    pub adherence: Option<String>,
    /// The pain trend; `None` without a score.
    pub pain_svg: Option<Svg>,
    /// "6/10", the last score after a session.
    pub pain: Option<String>,
    /// "Logged today", "6 days ago", "Never".
    pub last: String,
}

/// Why the list is empty and what to do.
#[derive(Debug, Clone, Serialize)]
pub struct Empty {
    /// The short of it.
    pub title: String,
    /// What to do.
    pub text: String,
    /// Whether to offer inviting somebody.
    pub invite: bool,
}

/// The legend under the table.
pub fn legend() -> Svg {
    charts::legend(Language::En, &[DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Open])
}

impl Page for Caseload {
    const TEMPLATE: &'static str = "pages/physio/caseload.html";

    fn samples() -> Vec<Self> {
        let one = Pagination { page: 1, pages: 1, previous: None, next: None };
        let filters = |current: usize| {
            ["Everyone", "Needs attention", "On a program", "Finished"]
                .into_iter()
                .enumerate()
                .map(|(at, label)| Filter {
                    label: label.into(),
                    count: Some(42 - 12 * at),
                    href: "/patients".into(),
                    current: at == current,
                })
                .collect::<Vec<_>>()
        };
        let days: Vec<DayMark> = (0..28)
            .map(|day| match day % 7 {
                6 => DayMark::Rest,
                3 => DayMark::Part,
                2 if day > 14 => DayMark::Missed,
                _ => DayMark::Done,
            })
            .collect();
        let row = Row {
            href: "/patients/0199".into(),
            name: "Farah Aziz".into(),
            program: "Upper back relief · week 3".into(),
            status: Status { label: "Pain up 3 since the week before".into(), tone: "pain", icon: "up" },
            more: Some("and left a note".into()),
            strip_svg: Some(charts::strip(Language::En, &days)),
            adherence: Some("74%".into()),
            pain_svg: Some(charts::sparkline(Language::En, &[Some(3), Some(3), None, Some(5), Some(6)])),
            pain: Some("6/10".into()),
            last: "Logged today".into(),
        };
        let silent = Row {
            name: "Priya Nair".into(),
            program: "Upper back relief · week 1".into(),
            status: Status::plain("Invited, not signed in", "warn"),
            more: None,
            strip_svg: None,
            adherence: None,
            pain_svg: None,
            pain: None,
            last: "Never".into(),
            ..row.clone()
        };
        let page = |rows: Vec<Row>, empty: Option<Empty>| Self {
            title: "Your patients".into(),
            summary: "3 of 42 need you today. Sorted by who needs you first.".into(),
            search: String::new(),
            filters: filters(0),
            keep: Vec::new(),
            rows,
            pages: one.clone(),
            empty,
            legend_svg: legend(),
        };
        vec![
            page(vec![row.clone(), silent], None),
            Self {
                search: "zzz".into(),
                filters: filters(1),
                keep: vec![("show".into(), "attention".into())],
                pages: Pagination {
                    page: 2,
                    pages: 3,
                    previous: Some("/patients?page=1".into()),
                    next: Some("/patients?page=3".into()),
                },
                ..page(vec![row], None)
            },
            page(
                Vec::new(),
                Some(Empty {
                    title: "No patients yet".into(),
                    text: "Invite the first one; it takes a minute.".into(),
                    invite: true,
                }),
            ),
        ]
    }
}
