//! Everything that can go wrong with a page, and the one layer that turns it into a page with a way out.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};
use render::{Nav, Page, RenderError, pages::errors};
use store::StoreError;

use crate::{AppState, visit::Visit};

/// What a handler gives.
pub type PageResult = Result<Response, PageError>;

/// Why there is no page. Handlers return it with `?`; the reader sees a page that fits.
#[derive(Debug, Clone)]
pub enum PageError {
    /// 404: no such thing, not in this clinic, or not for this role: never told apart.
    NotFound,
    /// 403: the change came from another site.
    Forbidden,
    /// 422: what was sent cannot be read or a rule refuses it, and there is no form to show it on. The sentence is for the person.
    Refused(Option<String>),
    /// 413: larger than we take.
    TooLarge,
    /// 429: too many tries; how long to wait.
    TooMany(Duration),
    /// 429 or 503: more at a time than there is room for.
    Busy(Limit),
    /// 303 to the sign-in page, which leads back to this local path.
    SignIn(String),
    /// 303 to the page that asks for the password once more, which leads back to this local path.
    Confirm(String),
    /// 303 to setting up a second factor, which the clinic wants before anything else.
    SetUp,
    /// 503: the database is away.
    Unavailable,
    /// 503: the answer to a change did not come in time. It may have been saved.
    Unconfirmed,
    /// 500: our fault. The detail goes to the log, the reader gets the request's id.
    Internal(String),
}

/// Whose limit a request is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The client address has too much under way: 429.
    Client,
    /// The process has: 503.
    Process,
    /// The person takes a record away already: 429.
    OwnExport,
    /// As many records are being taken away as there is room for: 503.
    Exports,
}

impl Limit {
    fn status(self) -> StatusCode {
        match self {
            Self::Client | Self::OwnExport => StatusCode::TOO_MANY_REQUESTS,
            Self::Process | Self::Exports => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// How long to wait, in seconds.
    fn wait(self) -> u64 {
        match self {
            Self::Client | Self::Process => 10,
            Self::OwnExport | Self::Exports => 30,
        }
    }
}

impl PageError {
    /// A fault of ours.
    pub fn internal(detail: impl ToString) -> Self {
        Self::Internal(detail.to_string())
    }

    /// Where to go first, for what is no failure.
    fn elsewhere(&self) -> Option<String> {
        match self {
            Self::SignIn(back) => Some(leading_back("/sign-in", back)),
            Self::Confirm(back) => Some(leading_back("/account/confirm", back)),
            Self::SetUp => Some("/account/second-factor".into()),
            _ => None,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(limit) => limit.status(),
            Self::SignIn(_) | Self::Confirm(_) | Self::SetUp => StatusCode::SEE_OTHER,
            Self::Unavailable | Self::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            // The same answer as to the session's next request.
            StoreError::SignedOut => Self::SignIn("/".into()),
            StoreError::Refused(sentence) => Self::Refused(Some(sentence)),
            StoreError::Unconfirmed(why) => {
                tracing::error!(why, "unknown whether a change was saved");
                Self::Unconfirmed
            }
            StoreError::Unavailable(_) | StoreError::TimedOut(_) | StoreError::ReadOnly => {
                tracing::warn!(%error, "the database is away");
                Self::Unavailable
            }
            // Nothing is shown over such a connection; an operator has to look.
            StoreError::WrongRole { .. } | StoreError::PooledInTransactions => {
                tracing::error!(%error, "nothing can be served");
                Self::Unavailable
            }
            StoreError::Address(_)
            | StoreError::NotMigrated(_)
            | StoreError::HalfRestored(_)
            | StoreError::Locked { .. }
            | StoreError::Conflict { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Other(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<RenderError> for PageError {
    fn from(error: RenderError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Some(address) = self.elsewhere() {
            return Redirect::to(&address).into_response();
        }
        // Only the status and the reason; the layer below writes the page.
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The address of a page that leads on to `back`.
pub(crate) fn leading_back(page: &str, back: &str) -> String {
    let mut address = format!("{page}?next=");
    for byte in back.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => address.push(char::from(byte)),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// Writes the page of every failure: ours, and those of the framework (no such address, wrong method, a body too large, a timeout).
pub(crate) async fn pages(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_page(&response) {
        return response;
    }
    let error = response.extensions().get::<PageError>().cloned().unwrap_or_else(|| match status {
        StatusCode::NOT_FOUND => PageError::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => PageError::TooLarge,
        StatusCode::SERVICE_UNAVAILABLE => PageError::Unavailable,
        status if status.is_server_error() => PageError::Internal(format!("answered {status} without a page")),
        _ => PageError::Refused(None),
    });
    if let Some(visit) = &visit
        && status.is_client_error()
    {
        // A page that is hidden from this reader asked who they are; one that does not exist did not. Both look the same only if
        // both know. When the database is away the page does without.
        let _ = visit.viewer(&app).await;
    }
    let mut page = write(&app, visit.as_ref(), status, &error);
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in response.headers().get_all(&name) {
            page.headers_mut().append(&name, value.clone());
        }
    }
    page
}

fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn write(app: &AppState, visit: Option<&Visit>, status: StatusCode, error: &PageError) -> Response {
    let home = visit.map_or("/", Visit::home).to_owned();
    let shown = |page: Result<String, RenderError>| match page {
        Ok(html) => (status, Html(html)).into_response(),
        Err(fault) => {
            tracing::error!(%fault, "an error page does not render");
            (status, Html("<!doctype html><title>Homestretch</title><p>Something broke on our side. Please try again."))
                .into_response()
        }
    };
    match error {
        PageError::NotFound => shown(render(app, visit, &errors::NotFound { home })),
        PageError::Forbidden => shown(render(app, visit, &errors::Forbidden { home })),
        PageError::Refused(reason) => shown(render(app, visit, &errors::Refused { home, reason: reason.clone() })),
        PageError::TooLarge => {
            let reason = Some("It is larger than we can take.".to_owned());
            shown(render(app, visit, &errors::Refused { home, reason }))
        }
        PageError::TooMany(wait) => {
            let mut response = shown(render(app, visit, &errors::TooMany { home, wait: Some(in_words(*wait)) }));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
            response
        }
        PageError::Busy(limit) => {
            let (retry, wait) = (visit.map_or("/", Visit::back).to_owned(), limit.wait());
            let export = matches!(limit, Limit::OwnExport | Limit::Exports);
            let mut response =
                shown(render(app, visit, &errors::Busy { retry, export, wait: in_words(Duration::from_secs(wait)) }));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            response
        }
        PageError::SignIn(_) | PageError::Confirm(_) | PageError::SetUp => {
            Redirect::to(&error.elsewhere().unwrap_or_else(|| "/".into())).into_response()
        }
        PageError::Unavailable => {
            let retry = visit.map_or("/", Visit::back).to_owned();
            let mut response = shown(render(app, visit, &errors::Unavailable { retry }));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
            response
        }
        PageError::Unconfirmed => {
            let back = visit.map_or("/", Visit::back).to_owned();
            shown(render(app, visit, &errors::Unconfirmed { back }))
        }
        PageError::Internal(detail) => {
            let id = visit.map(|visit| visit.id().to_string());
            tracing::error!(id, detail, "a request failed");
            shown(render(app, visit, &errors::Internal { home, request_id: id }))
        }
    }
}

fn render<P: Page>(app: &AppState, visit: Option<&Visit>, page: &P) -> Result<String, RenderError> {
    let mut chrome = match visit {
        Some(visit) => visit.chrome(app, Nav::None),
        None => render::Chrome::plain(domain::person::Language::En),
    };
    // The notice is for the page it leads to; that one is still to come.
    chrome.flash = None;
    app.templates.render(&chrome, page)
}

/// "40 seconds", "2 minutes": rounded up, so that a person who waits that long gets in.
fn in_words(wait: Duration) -> String {
    match wait.as_secs() {
        0 | 1 => "a second".into(),
        seconds @ 2..=90 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}
