//! The headers of every answer: what a browser may do with it, and who else may.
//!
//! They are given by the outermost layer, so that errors, redirects, files, timeouts and the answers to whoever watches the
//! installation have them too. Only what the server under axum answers by itself (400 to a request that is not HTTP, 431 to headers
//! that are too large) comes without: it has no body.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::AppState;

/// Everything comes from this installation, nothing is inline, nothing is `data:`; nobody frames a page of ours, and text becomes markup
/// only through the builder's own policy. Forms lead to this installation.
macro_rules! policy {
    ($frames:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; frame-src ",
            $frames,
            "; form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; ",
            "require-trusted-types-for 'script'; trusted-types homestretch-builder"
        )
    };
}

const POLICY: &str = policy!("'none'");

/// The demo shows a mail that it sent in a frame, which has a narrower policy of its own.
const POLICY_OF_THE_DEMO: &str = policy!("'self'");

/// Two years, as the browsers' preload list asks.
const HSTS: &str = "max-age=63072000; includeSubDomains";

/// What the pages may ask of a device: to keep its screen on while a position is held.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), encrypted-media=(), \
    geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), \
    screen-wake-lock=(self), serial=(), usb=(), xr-spatial-tracking=()";

/// The outermost layer.
pub(crate) async fn give(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    add(response.headers_mut(), app.config.demo, app.config.https());
    if app.stopping.has_begun() {
        // The next request on this connection would come too late.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn add(headers: &mut HeaderMap, demo: bool, https: bool) {
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (header::CONTENT_SECURITY_POLICY, if demo { POLICY_OF_THE_DEMO } else { POLICY }),
        // A page holds what only its reader may see: no cache keeps it, and the button back asks again.
        (header::CACHE_CONTROL, "no-store"),
    ];
    // A handler may say something narrower or, for a file without secrets and a mail shown in the demo, something wider.
    for (name, value) in always {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}
