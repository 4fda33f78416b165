//! How many requests of one client address are answered at a time.
//!
//! Connections are limited where they are accepted, but behind a proxy all of them are the proxy's: there only the request says whose it
//! is. Beyond the limit a client's requests are answered for people who are signed in and for nobody else, so one person's flood
//! does not close the clinic that shares an address with it.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{AppState, PageError, auth::address::client_group, error::Limit, visit::Visit};

/// Around every page: beyond the client's limit a living session is asked for, and everything else is 429.
pub(crate) async fn limit(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let Some(visit) = request.extensions().get::<Visit>().cloned() else { return next.run(request).await };
    let Some(client) = visit.address() else { return next.run(request).await };
    let (counted, count) = app.client_requests.enter(client_group(client));
    if count > app.limits.client_requests && !matches!(visit.viewer(&app).await, Ok(Some(_))) {
        return PageError::Busy(Limit::Client).into_response();
    }
    let response = next.run(request).await;
    drop(counted);
    response
}
