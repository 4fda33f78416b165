//! The demo's captured mail. Only whoever tries the demo reads these pages, so their words stand in the templates.

use serde::Serialize;

use crate::{Crumb, Page, Pagination};

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailLine {
    /// Where the mail is.
    pub href: String,
    /// Its subject.
    pub subject: String,
    /// The address it goes to.
    pub to: String,
    /// When it was sent, in the clinic's zone: "Sunday 22 November, 08:00".
    pub sent: String,
}

/// Every mail, newest first.
#[derive(Debug, Serialize)]
pub struct Mails {
    /// Those of this page.
    pub mails: Vec<MailLine>,
    /// The pages.
    pub pages: Pagination,
}

impl Page for Mails {
    const TEMPLATE: &'static str = "pages/demo/mails.html";

    fn samples() -> Vec<Self> {
        let one = Pagination { page: 1, pages: 1, previous: None, next: None };
        let line = MailLine {
            href: "/demo/mail/20261122T000000.000Z-0193a6c27d7e.eml".into(),
            subject: "Your session for today".into(),
            to: "patient@demo.test".into(),
            sent: "Sunday 22 November, 08:00".into(),
        };
        vec![
            Self { mails: Vec::new(), pages: one.clone() },
            Self { mails: vec![line.clone()], pages: one },
            Self {
                mails: vec![line],
                pages: Pagination {
                    page: 2,
                    pages: 3,
                    previous: Some("/demo/mail".into()),
                    next: Some("/demo/mail?page=3".into()),
                },
            },
        ]
    }
}

/// One mail.
#[derive(Debug, Serialize)]
pub struct Mail {
    /// The way back.
    pub crumbs: Vec<Crumb>,
    /// Its subject.
    pub subject: String,
    /// The sender's address.
    pub from: String,
    /// The address it goes to.
    pub to: String,
    /// When it was sent, in the clinic's zone.
    pub sent: String,
    /// Where its HTML part is served by itself; `None` when it has none.
    pub html_href: Option<String>,
    /// Its plain text part.
    pub text: String,
}

impl Page for Mail {
    const TEMPLATE: &'static str = "pages/demo/mail.html";

    fn samples() -> Vec<Self> {
        let mail = |html_href: Option<&str>| Self {
            crumbs: vec![
                Crumb { label: "Mail the demo sent".into(), href: Some("/demo/mail".into()) },
                Crumb { label: "Your session for today".into(), href: None },
            ],
            subject: "Your session for today".into(),
            from: "demo@homestretch.example".into(),
            to: "patient@demo.test".into(),
            sent: "Sunday 22 November, 08:00".into(),
            html_href: html_href.map(str::to_owned),
            text: "Hello Wei Ling,\n\nyour session is ready.".into(),
        };
        vec![mail(None), mail(Some("/demo/mail/20261122T000000.000Z-0193a6c27d7e.eml/html"))]
    }
}
