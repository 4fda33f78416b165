//! A change must come from a page of ours.
//!
//! Browsers say where a request was made: `Sec-Fetch-Site` on https and localhost, `Origin` on every POST. tower-http's own layer lets a request with
//! neither pass, which we do not: only the one-click unsubscribe of a mail program comes without both.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{AppState, PageError};

/// Refuses a change that another site asked for, or that does not say where it comes from.
pub(crate) async fn check(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let exempt = request.uri().path().starts_with("/unsubscribe/");
    if changes && !exempt && !ours(request.headers(), &app.config.url) {
        return PageError::Forbidden.into_response();
    }
    next.run(request).await
}

fn ours(headers: &HeaderMap, url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return false };
    // The host is compared too, for somebody who reaches the server by another name: another site cannot choose the Host of a
    // request, and a cookie never goes to a host it was not set for.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    origin == url || (host.is_some() && origin.split_once("://").map(|(_, authority)| authority) == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        ours(&headers, "https://clinic.example")
    }

    #[test]
    fn a_change_must_say_that_it_is_ours() {
        assert!(judged(&[("sec-fetch-site", "same-origin")]));
        assert!(judged(&[("sec-fetch-site", "none")]));
        assert!(judged(&[("origin", "https://clinic.example")]));
        assert!(judged(&[("origin", "http://192.168.1.5:8080"), ("host", "192.168.1.5:8080")]));

        assert!(!judged(&[]));
        assert!(!judged(&[("sec-fetch-site", "cross-site")]));
        assert!(!judged(&[("sec-fetch-site", "same-site"), ("origin", "https://clinic.example")]));
        assert!(!judged(&[("origin", "null")]));
        assert!(!judged(&[("origin", "null"), ("host", "null")]));
        assert!(!judged(&[("origin", "https://clinic.example.evil.test"), ("host", "clinic.example")]));
    }
}
