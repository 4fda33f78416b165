//! One request: its hour, its id, where it comes from, and who makes it, looked up at most once.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{
    ids::{AccountId, ClinicId, PatientId},
    person::{Language, PersonName, Role},
};
use jiff::Timestamp;
use render::{Chrome, Flash, Nav, Person};
use store::{
    ClinicContext, SessionRequest,
    audit::{AuditAction, AuditResource, AuthEvent},
    session::{Seat, SeatId, SignedIn},
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    AppState, PageError,
    auth::{address, cookie},
    body_budget::BodyCharge,
};

/// One request, shared by its extractors, its handler and the layers around them. Cheap to clone.
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    now: Timestamp,
    id: Uuid,
    method: Method,
    target: String,
    referer: Option<String>,
    address: Option<IpAddr>,
    agent: Option<String>,
    token: Option<[u8; 32]>,
    notice: Option<Flash>,
    viewer: OnceCell<Option<SignedIn>>,
    body: Mutex<BodyCharge>,
    refused: OnceLock<PageError>,
}

impl Visit {
    /// The instant of this request: the only "now" there is while it is answered.
    pub fn now(&self) -> Timestamp {
        self.0.now
    }

    /// The request's id, on error pages and in the log.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// The client's address, when it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// The browser as it names itself.
    pub fn agent(&self) -> Option<&str> {
        self.0.agent.as_deref()
    }

    /// The token the request brought along.
    pub(crate) fn token(&self) -> Option<&[u8; 32]> {
        self.0.token.as_ref()
    }

    /// This request as the audit tells of it, by somebody who is about to be signed in or no longer is.
    pub(crate) fn auth_event(&self, account: AccountId, clinic: ClinicId, seat: SeatId) -> AuthEvent {
        AuthEvent {
            clinic,
            at: self.now(),
            account,
            actor: seat.actor(),
            request: self.id(),
            address: self.address(),
            detail: None,
        }
    }

    /// The notice that a redirect left behind.
    pub(crate) fn notice(&self) -> Option<&Flash> {
        self.0.notice.as_ref()
    }

    /// Who is there; looked up at the first call.
    ///
    /// # Errors
    /// [`PageError::Unavailable`] when the database is away.
    pub async fn viewer(&self, app: &AppState) -> Result<Option<&SignedIn>, PageError> {
        let found = self
            .0
            .viewer
            .get_or_try_init(|| async {
                let Some(token) = self.0.token else { return Ok(None) };
                let Inner { now, id: request, address, .. } = *self.0;
                // A request with a body may still be coming in; a connection to the database does not wait for that.
                app.store.authenticate(SessionRequest { token, request, now, address, keep_open: self.is_look() }).await
            })
            .await
            .map_err(|error: store::StoreError| PageError::from(error))?;
        Ok(found.as_ref())
    }

    /// Who is there, as far as somebody asked already.
    pub fn known(&self) -> Option<&SignedIn> {
        self.0.viewer.get().and_then(Option::as_ref)
    }

    /// Counts more bytes of the body, for somebody who is signed in or, as far as is known yet, is not.
    pub(crate) fn hold_body(&self, bytes: usize) -> Result<(), PageError> {
        let anonymous = self.known().is_none();
        let mut body = self.0.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.hold(bytes, anonymous).map_err(PageError::Busy)
    }

    /// The body is not read any further, for this reason.
    pub(crate) fn refuse_body(&self, why: PageError) {
        let _ = self.0.refused.set(why);
    }

    /// Why the body was not read to its end, when that was for a limit.
    pub(crate) fn body_refusal(&self) -> Option<PageError> {
        self.0.refused.get().cloned()
    }

    /// The first page of whoever is there.
    pub fn home(&self) -> &'static str {
        self.known().map_or("/", |viewer| home(&viewer.seat))
    }

    /// Whether the request only asks to see something.
    pub(crate) fn is_look(&self) -> bool {
        self.0.method == Method::GET || self.0.method == Method::HEAD
    }

    /// Notes that this request looks at a record; one that wants to change it does when it is refused and shown again.
    pub(crate) fn reads(&self, scope: &ClinicContext, subject: AuditResource, patient: Option<PatientId>) {
        if self.is_look() {
            scope.note(AuditAction::Read, subject, patient);
        } else {
            scope.note_when_rendered(AuditAction::Read, subject, patient);
        }
    }

    /// Where to come back to after signing in: this page, or for a change the page it was made on.
    pub(crate) fn back(&self) -> &str {
        if self.is_look() { &self.0.target } else { self.0.referer.as_deref().unwrap_or("/") }
    }

    /// The frame of every page, made here and nowhere else.
    pub fn chrome(&self, app: &AppState, nav: Nav) -> Chrome {
        let mut chrome = match self.known() {
            None => Chrome::plain(Language::En),
            Some(viewer) => signed_in(viewer),
        };
        chrome.demo = app.config.demo;
        chrome.at(nav).saying(self.0.notice.clone())
    }
}

fn signed_in(viewer: &SignedIn) -> Chrome {
    let (role, owner, patient, language) = match &viewer.seat {
        Seat::Staff { role: Role::Owner, .. } => ("Owner", true, false, viewer.language),
        Seat::Staff { .. } => ("Physiotherapist", false, false, viewer.language),
        Seat::Patient { language, .. } => ("Patient", false, true, *language),
    };
    let name = viewer.seat.name();
    let first = PersonName::parse(name).map_or_else(|_| name.to_owned(), |name| name.called().to_owned());
    Chrome {
        clinic: viewer.clinic.name.clone(),
        person: Some(Person { name: first, role: role.to_owned(), owner, patient }),
        whatsapp: viewer.clinic.whatsapp.as_ref().map(|number| format!("https://wa.me/{number}")),
        phone: viewer.clinic.phone.clone(),
        can_switch: viewer.can_switch,
        ..Chrome::plain(language)
    }
}

/// The first page of a seat.
pub fn home(seat: &Seat) -> &'static str {
    match seat {
        Seat::Staff { .. } => "/patients",
        Seat::Patient { .. } => "/today",
    }
}

/// Around every page: begins the visit, and gives every answer its id and its line in the log.
pub(crate) async fn begin(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let visit = visit(&app, &request);
    let id = visit.id();
    // The pattern, not the address: addresses hold tokens and ids.
    let route = request.extensions().get::<MatchedPath>().map_or("-", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(visit);

    let mut response = next.run(request).await;

    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(target: "web", %id, %method, route, status = response.status().as_u16(), ms, "request");
    response
}

/// Under everything that can fail: ends the request's transaction. What was looked at is written down before it is shown, and so is what was
/// asked for and refused.
pub(crate) async fn settle(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let pattern = request.extensions().get::<MatchedPath>().map(|path| format!("{} {}", request.method(), path.as_str()));
    let response = next.run(request).await;

    let Some(viewer) = visit.as_ref().and_then(Visit::known) else { return response };
    let refused = matches!(response.extensions().get(), Some(PageError::NotFound));
    let settled = match (response.status(), pattern) {
        (_, Some(pattern)) if refused => app.store.refuse_request(&viewer.scope, &pattern).await,
        (status, _) if status.is_success() || status.is_redirection() => app.store.finish_request(&viewer.scope).await,
        // A form that is refused is shown with what it is about.
        (StatusCode::UNPROCESSABLE_ENTITY, _) => {
            viewer.scope.rendered();
            app.store.finish_request(&viewer.scope).await
        }
        // Nothing was shown; the transaction goes with the visit.
        _ => Ok(()),
    };
    match settled {
        Ok(()) => response,
        Err(error) => PageError::from(error).into_response(),
    }
}

fn visit(app: &AppState, request: &Request) -> Visit {
    let headers = request.headers();
    let https = app.config.https();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let address = address::client(peer, headers, &app.config.trusted_proxies);
    Visit(Arc::new(Inner {
        now: (app.clock)(),
        id: Uuid::now_v7(),
        method: request.method().clone(),
        target,
        referer: text(header::REFERER).and_then(|referer| local(referer, &app.config.url, text(header::HOST))),
        address,
        agent: text(header::USER_AGENT).map(str::to_owned),
        token: cookie::token(headers, https),
        notice: cookie::notice(headers, https),
        viewer: OnceCell::new(),
        body: Mutex::new(app.body_budget.request(address)),
        refused: OnceLock::new(),
    }))
}

// The path of a referring page of ours.
fn local(referer: &str, url: &str, host: Option<&str>) -> Option<String> {
    let rest = referer.strip_prefix(url).or_else(|| {
        let (_, rest) = referer.split_once("://")?;
        rest.strip_prefix(host?)
    })?;
    rest.starts_with('/').then(|| rest.to_owned())
}
