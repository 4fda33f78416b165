//! The whole URL map, and the layers around it.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    AppState, PageError,
    account::{
        agreed, clinic, close, code, confirm, forgot, mailed, opened, own, places, second_factor, sign_in, take_away, team, welcome,
    },
    assets, audit,
    auth::origin,
    concurrency, error, handout, headers, health,
    map::{Address, Map, get, post},
    patience::{self, Patience},
    patient, physio, visit,
};

/// The most a request's body may be, in bytes: enough for a form of short answers. Everything that is open to people who are not signed
/// in keeps to it.
pub const BODY_LIMIT: usize = 16 << 10;

/// The most a form with long texts may be, in bytes: the builder's with 40 exercises and a note of 500 characters on each, every one of
/// them twelve bytes on the wire.
pub const LONG_FORM_LIMIT: usize = 512 << 10;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The web server but for the listening. Serve it with
/// `into_make_service_with_connect_info::<SocketAddr>()`, so that addresses are known.
pub fn app(state: AppState) -> Router {
    app_with(state, Map::new())
}

/// As [`app`], with pages of the caller's own inside the same layers (the demo's mail).
pub fn app_with(state: AppState, more: Map) -> Router {
    app_within(state, more, PATIENCE)
}

/// As [`app_with`], with another limit to how long a request may take, its body included.
pub fn app_within(state: AppState, more: Map, patience: Duration) -> Router {
    let routes = routes();
    let streams =
        [&routes, &more].into_iter().flat_map(Map::addresses).filter(|address| address.streams).map(|address| address.path);
    let patience = Patience { limit: patience, streams: Arc::new(streams.collect()) };
    let pages = routes.into_router().merge(more.into_router()).fallback(async || PageError::NotFound).layer(
        // From the outside in.
        ServiceBuilder::new()
            .layer(from_fn_with_state(state.clone(), visit::begin))
            .layer(CompressionLayer::new())
            .layer(from_fn_with_state(state.clone(), error::pages))
            .layer(from_fn_with_state(state.clone(), visit::settle))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(patience, patience::limit))
            .layer(from_fn_with_state(state.clone(), concurrency::limit))
            .layer(from_fn_with_state(state.clone(), origin::check))
            // Each route has its own: see `body_budget`.
            .layer(DefaultBodyLimit::disable()),
    );
    let named = from_fn_with_state(state.clone(), headers::give);
    watched().into_router().merge(pages).layer(named).with_state(state)
}

/// Every address that [`app`] answers, with its methods: read from the maps that it is made of.
pub fn addresses() -> Vec<Address> {
    [watched(), routes()].iter().flat_map(Map::addresses).cloned().collect()
}

/// What whoever watches the installation asks; outside the layers, since it needs none of them.
fn watched() -> Map {
    Map::new().route("/health/live", get(health::live)).route("/health/ready", get(health::ready))
}

/// Every address there is. One line for one resource; handlers live in the module named.
fn routes() -> Map {
    Map::new()
        .route("/assets/{hash}/{*name}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
        // anyone
        .route("/", get(sign_in::front))
        .route("/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/sign-in/code", get(code::page).post(code::submit))
        .route("/sign-out", post(sign_in::out))
        .route("/password/forgot", get(forgot::page).post(forgot::submit))
        .route("/password/reset/{token}", get(forgot::reset_page).post(forgot::reset_submit))
        .route("/welcome/{token}", get(welcome::page).post(welcome::submit))
        .route("/go/{token}", get(mailed::one_tap).post(mailed::one_tap_open))
        .route("/unsubscribe/{token}", get(mailed::unsubscribe_page).post(mailed::unsubscribe_do))
        .route("/calendar/{token}", get(patient::calendar::file))
        // whoever is signed in
        .route("/places", get(places::page).post(places::submit))
        .route("/account", get(own::page).post(own::save))
        .route("/account/password", post(own::change_password))
        .route("/account/confirm", get(confirm::page).post(confirm::submit))
        .route("/account/second-factor", get(second_factor::page).post(second_factor::begin))
        .route("/account/second-factor/confirm", post(second_factor::turn_on))
        .route("/account/second-factor/codes", post(second_factor::new_codes))
        .route("/account/second-factor/off", post(second_factor::turn_off))
        .route("/account/sessions/end-others", post(own::end_others))
        .route("/account/sessions/{id}/end", post(own::end_session))
        .route("/account/opened", get(opened::page))
        .route("/account/consent", get(agreed::page).post(agreed::agree))
        .route("/account/close", get(close::page).post(close::submit))
        .route("/account/export.zip", get(take_away::own).streaming())
        // the owner
        .route("/settings", get(clinic::page).post(clinic::save))
        .route("/team", get(team::page).post(team::invite))
        .route("/audit", get(audit::page::page))
        .route("/audit.csv", get(audit::page::file).streaming())
        .route("/audit/breaches", get(audit::breaches::list).post(audit::breaches::create).up_to(LONG_FORM_LIMIT))
        .route("/audit/breaches/new", get(audit::breaches::new))
        .route("/audit/breaches/{id}", get(audit::breaches::show).post(audit::breaches::write).up_to(LONG_FORM_LIMIT))
        .route("/audit/breaches/{id}/people.csv", get(audit::breaches::people).streaming())
        .route("/team/{id}/invite", post(team::invite_again))
        .route("/team/{id}/withdraw", post(team::withdraw))
        .route("/team/{id}/role", post(team::change_role))
        .route("/team/{id}/disable", post(team::disable))
        .route("/team/{id}/enable", post(team::enable))
        .route("/team/{id}/second-factor", post(team::reset_second_factor))
        .route("/team/{id}/caseload", post(team::hand_over))
        // patients
        .route("/today", get(patient::today::page))
        .route("/session", get(patient::session::of_today))
        .route("/session/{id}", get(patient::session::page).post(patient::session::save).up_to(LONG_FORM_LIMIT))
        .route("/logs/{id}", get(patient::log::page).post(patient::log::correct).up_to(LONG_FORM_LIMIT))
        .route("/logs/{id}/replies/read", post(patient::replies::read))
        .route("/questions/{id}", get(patient::questions::page).post(patient::questions::save))
        .route("/answers/{id}", get(patient::questions::answered).post(patient::questions::correct))
        .route("/progress", get(patient::progress::page))
        .route("/handout", get(handout::own))
        .route("/reminders", get(patient::reminders::page).post(patient::reminders::save))
        .route("/reminders/test", post(patient::reminders::test))
        .route("/reminders/calendar", post(patient::calendar::open))
        .route("/reminders/calendar/end", post(patient::calendar::end))
        // physiotherapists
        .route("/patients", get(physio::caseload::page).post(physio::invite::create))
        .route("/patients/new", get(physio::invite::new))
        .route("/patients/{id}", get(physio::patient::page))
        .route("/patients/{id}/report.csv", get(physio::report_csv::file).streaming())
        .route("/logs/{id}/replies", post(physio::replies::create))
        .route("/reports/adherence", get(physio::clinic_report::page))
        .route("/reports/adherence.csv", get(physio::clinic_report::file).streaming())
        .route("/attention/{id}/acknowledge", post(physio::attention::acknowledge))
        .route("/attention/{id}/snooze", post(physio::attention::snooze))
        .route("/patients/{id}/edit", get(physio::details::edit).post(physio::details::save))
        .route("/patients/{id}/record", get(physio::record::page))
        .route("/patients/{id}/export.zip", get(take_away::of_patient).streaming())
        .route("/patients/{id}/fhir.json", get(take_away::bundle_of_patient).streaming())
        .route("/patients/{id}/close", post(physio::record::close))
        .route("/patients/{id}/reopen", post(physio::record::reopen))
        .route("/patients/{id}/invite", post(physio::invite::again))
        .route("/patients/{id}/programs/new", get(physio::builder::new))
        .route("/patients/{id}/programs", post(physio::builder::create).up_to(LONG_FORM_LIMIT))
        .route("/programs/{id}", get(physio::programs::show))
        .route("/programs/{id}/handout", get(handout::of_program))
        .route("/programs/{id}/revise", get(physio::programs::revise).post(physio::programs::save_revision).up_to(LONG_FORM_LIMIT))
        .route("/programs/{id}/pause", post(physio::programs::pause))
        .route("/programs/{id}/resume", post(physio::programs::resume))
        .route("/programs/{id}/questions", post(physio::change::ask))
        .route("/programs/{id}/finish", post(physio::programs::finish))
        .route("/notices", get(physio::notices::page))
        .route("/notices/held", post(physio::notices::decide_held))
        .route("/notices/refused", post(physio::notices::write_again))
        .route("/notices/{id}/resend", post(physio::notices::resend))
        .route("/exercises", get(physio::library::page).post(physio::library::create).up_to(LONG_FORM_LIMIT))
        .route("/exercises/new", get(physio::library::new))
        .route("/exercises/import", post(physio::library::import).up_to(physio::library::IMPORT_LIMIT))
        .route("/exercises/{id}", get(physio::library::show).post(physio::library::update).up_to(LONG_FORM_LIMIT))
        .route("/exercises/{id}/edit", get(physio::library::edit))
        .route("/exercises/{id}/archive", post(physio::library::archive))
        .route("/exercises/{id}/restore", post(physio::library::restore))
        .route("/templates", get(physio::templates::page).post(physio::templates::create).up_to(LONG_FORM_LIMIT))
        .route("/templates/new", get(physio::templates::new))
        .route("/templates/{id}", get(physio::templates::show).post(physio::templates::update).up_to(LONG_FORM_LIMIT))
        .route("/templates/{id}/use", get(physio::templates::use_for))
        .route("/templates/{id}/archive", post(physio::templates::archive))
        .route("/templates/{id}/restore", post(physio::templates::restore))
}

#[allow(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    // What it said is in the log already, by the panic hook.
    PageError::internal("a handler panicked").into_response()
}
