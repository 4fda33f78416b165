//! A change must come from a page of ours.
//!
//! Browsers say where a request was made: `Sec-Fetch-Site` on https and localhost, `Origin` on every POST. tower-http's own layer lets
//! a request with neither pass, which we do not: only the one-click unsubscribe of a mail program comes without both, and its token is
//! all that it needs.
//!
//! `Sec-Fetch-Site: none` (somebody typed the address) is no leave: no address that is typed makes a POST. A browser that sends a form
//! again after a restart may say it, and says the origin as well; that is what counts then.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
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
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match (sites.next().map(HeaderValue::as_bytes), sites.next()) {
        (Some(b"same-origin"), None) => true,
        (Some(b"none") | None, None) => one(headers, &header::ORIGIN).is_some_and(|origin| is_ours(origin, headers, url)),
        // Cross-site, same-site, twice, or a word that is still to be invented.
        _ => false,
    }
}

fn is_ours(origin: &str, headers: &HeaderMap, url: &str) -> bool {
    // Without https there may be other names for this server: somebody tries the demo from a telephone, by the address of the
    // machine. A page elsewhere cannot choose the Host of its requests; one that points its own name at this server can, but holds
    // no cookie of ours under that name. With https there is one name, that of the certificate.
    let by_another_name = || origin.strip_prefix("http://").is_some_and(|name| one(headers, &header::HOST) == Some(name));
    origin == url || (url.starts_with("http://") && by_another_name())
}

/// The value of a header that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok().filter(|value| !value.is_empty())?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged_at(url: &str, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        ours(&headers, url)
    }

    fn judged(pairs: &[(&'static str, &str)]) -> bool {
        judged_at("https://clinic.example", pairs)
    }

    #[test]
    fn a_change_must_say_that_it_is_ours() {
        assert!(judged(&[("sec-fetch-site", "same-origin")]));
        assert!(judged(&[("sec-fetch-site", "none"), ("origin", "https://clinic.example")]));
        assert!(judged(&[("origin", "https://clinic.example")]));

        assert!(!judged(&[]));
        assert!(!judged(&[("sec-fetch-site", "")]));
        assert!(!judged(&[("sec-fetch-site", "none")]));
        assert!(!judged(&[("sec-fetch-site", "none"), ("origin", "https://evil.test")]));
        assert!(!judged(&[("sec-fetch-site", "cross-site")]));
        assert!(!judged(&[("sec-fetch-site", "same-site"), ("origin", "https://clinic.example")]));
        assert!(!judged(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]));
        assert!(!judged(&[("origin", "null")]));
        assert!(!judged(&[("origin", "null"), ("host", "null")]));
        assert!(!judged(&[("origin", "https://clinic.example"), ("origin", "https://evil.test")]));
        assert!(!judged(&[("origin", "https://clinic.example.evil.test"), ("host", "clinic.example")]));
    }

    #[test]
    fn only_without_https_has_the_server_other_names() {
        let by_address = [("origin", "http://192.168.1.5:8080"), ("host", "192.168.1.5:8080")];
        assert!(judged_at("http://localhost:8080", &by_address));
        assert!(!judged(&by_address));
        assert!(!judged(&[("origin", "https://other.example"), ("host", "other.example")]));
        assert!(!judged_at("http://localhost:8080", &[("origin", "http://192.168.1.5:8080"), ("host", "localhost:8080")]));
        assert!(!judged_at("http://localhost:8080", &[("origin", "http://"), ("host", "")]));
    }
}
