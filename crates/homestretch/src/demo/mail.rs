//! `/demo/mail`: the mail that the demo's worker wrote into a folder, so that nobody needs a mail server to try the product.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Extension,
    extract::Path as Segment,
    http::{HeaderValue, header},
    response::{Html, IntoResponse as _},
};
use domain::person::{Language, Zone};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use mail_parser::{Address, Message, MessageParser};
use render::{
    Crumb, Pagination,
    formats::moment,
    pages::demo::{Mail, MailLine, Mails},
};
use serde::Deserialize;
use web::{
    PageError, PageResult,
    extract::{Pages, Query},
    map::{Map, get},
};

use super::seed::ZONE;

/// How many mails a page lists.
const PAGE: usize = 50;

/// A mail's own page may carry its own styles and nothing else: no script, nothing from elsewhere, framed by us alone.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

/// Where the mail lies.
#[derive(Clone)]
struct Folder(Arc<PathBuf>);

/// The pages, for the mail in `folder` (`*.eml`, as the worker names them: the names sort by time).
pub fn routes(folder: PathBuf) -> Map {
    Map::new()
        .route("/demo/mail", get(list))
        .route("/demo/mail/{name}", get(one))
        .route("/demo/mail/{name}/html", get(html))
        .sharing(Folder(Arc::new(folder)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    page: Option<usize>,
}

async fn list(Extension(folder): Extension<Folder>, Query(wanted): Query<Wanted>, pages: Pages) -> PageResult {
    let page = blocking(move || {
        let names = names(&folder.0)?;
        let last = names.len().div_ceil(PAGE).max(1);
        let at = wanted.page.unwrap_or(1).clamp(1, last);
        let mut mails = Vec::with_capacity(PAGE.min(names.len()));
        for name in names.iter().skip((at - 1) * PAGE).take(PAGE) {
            let bytes = std::fs::read(folder.0.join(name))?;
            let message = MessageParser::default().parse_headers(&bytes);
            mails.push(MailLine {
                href: format!("/demo/mail/{name}"),
                subject: subject(message.as_ref()),
                to: address(message.as_ref().and_then(Message::to)),
                sent: sent(name),
            });
        }
        let to = |page: usize| if page == 1 { "/demo/mail".to_owned() } else { format!("/demo/mail?page={page}") };
        let number = |page| u32::try_from(page).unwrap_or(u32::MAX);
        Ok(Mails {
            mails,
            pages: Pagination {
                page: number(at),
                pages: number(last),
                previous: (at > 1).then(|| to(at - 1)),
                next: (at < last).then(|| to(at + 1)),
            },
        })
    })
    .await?;
    pages.show(&page)
}

async fn one(Extension(folder): Extension<Folder>, Segment(name): Segment<String>, pages: Pages) -> PageResult {
    let page = blocking(move || {
        let bytes = read(&folder.0, &name)?;
        let message = MessageParser::default().parse(&bytes);
        let message = message.as_ref();
        let subject = subject(message);
        Ok(Mail {
            crumbs: vec![
                Crumb { label: "Mail the demo sent".to_owned(), href: Some("/demo/mail".to_owned()) },
                Crumb { label: subject.clone(), href: None },
            ],
            from: address(message.and_then(Message::from)),
            to: address(message.and_then(Message::to)),
            sent: sent(&name),
            html_href: message.is_some_and(|mail| mail.html_body_count() > 0).then(|| format!("/demo/mail/{name}/html")),
            text: message.and_then(|mail| mail.body_text(0)).unwrap_or_default().into_owned(),
            subject,
        })
    })
    .await?;
    pages.show(&page)
}

async fn html(Extension(folder): Extension<Folder>, Segment(name): Segment<String>) -> PageResult {
    let part = blocking(move || {
        let bytes = read(&folder.0, &name)?;
        let message = MessageParser::default().parse(&bytes);
        message.and_then(|mail| mail.body_html(0).map(std::borrow::Cow::into_owned)).ok_or_else(missing)
    })
    .await?;
    // A link of the mail leads the whole window on, as it would out of a mail program.
    let part = match part.find("<head>") {
        Some(at) => {
            let (before, after) = part.split_at(at + "<head>".len());
            format!("{before}<base target=\"_top\">{after}")
        }
        None => format!("<base target=\"_top\">{part}"),
    };
    let mut response = Html(part).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    Ok(response)
}

/// Files are read off the threads that answer requests; what is not there is a page that is not there.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, PageError> {
    match tokio::task::spawn_blocking(work).await.map_err(PageError::internal)? {
        Ok(done) => Ok(done),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PageError::NotFound),
        Err(error) => Err(PageError::internal(error)),
    }
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

/// The names of the mails, newest first. None while nothing was sent.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is no text is none of ours.
        if let Ok(name) = entry?.file_name().into_string()
            && !name.starts_with('.')
            && name.ends_with(".eml")
        {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// One mail. Only a name that the list has is opened, so no address leads out of the folder.
fn read(folder: &Path, wanted: &str) -> io::Result<Vec<u8>> {
    let name = names(folder)?.into_iter().find(|name| name == wanted).ok_or_else(missing)?;
    std::fs::read(folder.join(name))
}

fn subject(message: Option<&Message<'_>>) -> String {
    message.and_then(Message::subject).unwrap_or("(no subject)").to_owned()
}

fn address(of: Option<&Address<'_>>) -> String {
    of.and_then(Address::first).and_then(|first| first.address()).unwrap_or_default().to_owned()
}

/// When a mail was sent, as its file's name says (`20261122T000000.000Z-…`), in the clinic's zone.
fn sent(name: &str) -> String {
    let at = name
        .split_once(['.', 'Z'])
        .and_then(|(at, _)| DateTime::strptime("%Y%m%dT%H%M%S", at).ok())
        .and_then(|at| at.to_zoned(TimeZone::UTC).ok())
        .map(|at| at.timestamp());
    at.map_or_else(String::new, in_clinic)
}

fn in_clinic(at: Timestamp) -> String {
    let zone = Zone::parse(ZONE).unwrap_or_else(|_| Zone::utc());
    moment(Language::En, zone.date(at), zone.time(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_when_its_mail_was_sent() {
        assert_eq!(sent("20261122T000000.000Z-0193a6c27d7e.eml"), "Sunday 22 November, 08:00");
        assert_eq!(sent("other.eml"), "");
    }
}
