//! The session's cookie, and the small one that carries a notice over a redirect.
//!
//! Over https both have the `__Host-` prefix, which browsers tie to this very host, to `/` and to `Secure`. On plain http (a demo on
//! localhost, a test) browsers would refuse that prefix, so there they are called without it.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use render::{Flash, Tone};
use store::{
    second_factor::HALF_LASTS,
    session::{PATIENT_ABSOLUTE, STAFF_ABSOLUTE, SeatId},
};

const SESSION: &str = "homestretch";
const NOTICE: &str = "homestretch-notice";
const HALF: &str = "homestretch-code";

/// The token a request brought along, when it has the right form.
pub(crate) fn token(headers: &HeaderMap, https: bool) -> Option<[u8; 32]> {
    let text = value(headers, &name(SESSION, https))?;
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Sets the session's cookie; the browser drops it when the session would be over in any case.
pub(crate) fn set_token(token: &[u8; 32], seat: SeatId, https: bool) -> HeaderValue {
    let age = match seat {
        SeatId::Staff(_) => STAFF_ABSOLUTE,
        SeatId::Patient(_) => PATIENT_ABSOLUTE,
    };
    cookie(SESSION, &BASE64_URL_SAFE_NO_PAD.encode(token), age, https)
}

/// Takes the session's cookie away.
pub(crate) fn clear_token(https: bool) -> HeaderValue {
    cookie(SESSION, "", SignedDuration::ZERO, https)
}

/// The token of a sign-in that waits for its code.
pub(crate) fn half(headers: &HeaderMap, https: bool) -> Option<[u8; 32]> {
    BASE64_URL_SAFE_NO_PAD.decode(value(headers, &name(HALF, https))?).ok()?.try_into().ok()
}

/// Sets the token of a sign-in that waits for its code.
pub(crate) fn set_half(token: &[u8; 32], https: bool) -> HeaderValue {
    cookie(HALF, &BASE64_URL_SAFE_NO_PAD.encode(token), HALF_LASTS, https)
}

/// Takes it away.
pub(crate) fn clear_half(https: bool) -> HeaderValue {
    cookie(HALF, "", SignedDuration::ZERO, https)
}

/// The notice a redirect left behind.
pub(crate) fn notice(headers: &HeaderMap, https: bool) -> Option<Flash> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(value(headers, &name(NOTICE, https))?).ok()?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.chars().count() <= 400)?;
    match text.split_once('|')? {
        ("good", text) => Some(Flash::good(text)),
        ("warn", text) => Some(Flash::warn(text)),
        _ => None,
    }
}

/// Leaves a notice for the page a redirect leads to.
pub(crate) fn set_notice(flash: &Flash, https: bool) -> HeaderValue {
    let tone = if flash.tone == Tone::Good { "good" } else { "warn" };
    let value = BASE64_URL_SAFE_NO_PAD.encode(format!("{tone}|{}", flash.text));
    cookie(NOTICE, &value, SignedDuration::from_secs(60), https)
}

/// Takes the notice away once it was shown.
pub(crate) fn clear_notice(https: bool) -> HeaderValue {
    cookie(NOTICE, "", SignedDuration::ZERO, https)
}

fn name(base: &str, https: bool) -> String {
    if https { format!("__Host-{base}") } else { base.to_owned() }
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

fn cookie(base: &str, value: &str, age: SignedDuration, https: bool) -> HeaderValue {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", name(base, https), age.as_secs());
    // Base64 and our own words hold nothing that a header refuses.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
