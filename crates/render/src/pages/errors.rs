//! Pages for when it did not work. Each offers a way out; none shows what went wrong inside.

use serde::Serialize;

use crate::Page;

/// 404: no such page, or not for this reader; the two look the same.
#[derive(Debug, Serialize)]
pub struct NotFound {
    /// Where the reader can go on: their own first page, or `/`.
    pub home: String,
}

impl Page for NotFound {
    const TEMPLATE: &'static str = "pages/errors/not_found.html";

    fn samples() -> Vec<Self> {
        vec![Self { home: "/".into() }, Self { home: "/patients".into() }]
    }
}

/// 403: the request came from another site, or a form was too old.
#[derive(Debug, Serialize)]
pub struct Forbidden {
    /// Where the reader can go on.
    pub home: String,
}

impl Page for Forbidden {
    const TEMPLATE: &'static str = "pages/errors/forbidden.html";

    fn samples() -> Vec<Self> {
        vec![Self { home: "/".into() }, Self { home: "/today".into() }]
    }
}

/// 4xx for a request we could not read (422, 400, 405, 413, 415): nothing was changed.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// Where the reader can go on.
    pub home: String,
    /// A sentence about what was wrong, when there is one a person can use.
    pub reason: Option<String>,
}

impl Page for Refused {
    const TEMPLATE: &'static str = "pages/errors/refused.html";

    fn samples() -> Vec<Self> {
        vec![
            Self { home: "/".into(), reason: None },
            Self { home: "/".into(), reason: Some("The file is larger than 1 MB.".into()) },
        ]
    }
}

/// 429: too many tries.
#[derive(Debug, Serialize)]
pub struct TooMany {
    /// Where the reader can go on.
    pub home: String,
    /// How long to wait, in words: "2 minutes".
    pub wait: Option<String>,
}

impl Page for TooMany {
    const TEMPLATE: &'static str = "pages/errors/too_many.html";

    fn samples() -> Vec<Self> {
        vec![Self { home: "/sign-in".into(), wait: None }, Self { home: "/sign-in".into(), wait: Some("2 minutes".into()) }]
    }
}

/// 429 or 503: more at a time than there is room for. Nothing was changed.
#[derive(Debug, Serialize)]
pub struct Busy {
    /// Where to try again: the address that was asked for, or `/`.
    pub retry: String,
    /// Whether it is a record to take away that is asked for.
    pub export: bool,
    /// How long to wait, in words: "10 seconds".
    pub wait: String,
}

impl Page for Busy {
    const TEMPLATE: &'static str = "pages/errors/busy.html";

    fn samples() -> Vec<Self> {
        vec![
            Self { retry: "/sign-in".into(), export: false, wait: "10 seconds".into() },
            Self { retry: "/account".into(), export: true, wait: "30 seconds".into() },
        ]
    }
}

/// 500: our fault. Shows the request's id and nothing else.
#[derive(Debug, Serialize)]
pub struct Internal {
    /// Where the reader can go on.
    pub home: String,
    /// The id to quote to whoever runs the installation.
    pub request_id: Option<String>,
}

impl Page for Internal {
    const TEMPLATE: &'static str = "pages/errors/internal.html";

    fn samples() -> Vec<Self> {
        vec![Self { home: "/".into(), request_id: None }, Self { home: "/".into(), request_id: Some("0193a6c2-7d7e".into()) }]
    }
}

/// 503: the database is away. Needs nothing from it.
#[derive(Debug, Serialize)]
pub struct Unavailable {
    /// Where to try again: the address that was asked for, or `/`.
    pub retry: String,
}

impl Page for Unavailable {
    const TEMPLATE: &'static str = "pages/errors/unavailable.html";

    fn samples() -> Vec<Self> {
        vec![Self { retry: "/".into() }, Self { retry: "/patients".into() }]
    }
}

/// 503: the answer to a change did not come in time, so it may have been saved or not.
#[derive(Debug, Serialize)]
pub struct Unconfirmed {
    /// Where to look: the page that the change was made on, or `/`.
    pub back: String,
}

impl Page for Unconfirmed {
    const TEMPLATE: &'static str = "pages/errors/unconfirmed.html";

    fn samples() -> Vec<Self> {
        vec![Self { back: "/".into() }, Self { back: "/patients".into() }]
    }
}

/// What a phone shows without a connection.
#[derive(Debug, Serialize)]
pub struct Offline {
    /// Where to try again.
    pub retry: String,
}

impl Page for Offline {
    const TEMPLATE: &'static str = "pages/errors/offline.html";

    fn samples() -> Vec<Self> {
        vec![Self { retry: "/today".into() }]
    }
}
