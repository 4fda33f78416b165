//! Static files: embedded in a release, read from the checkout in a debug build. Each has its content's hash in its address, so that
//! browsers keep it for a year and ask for nothing.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::RustEmbed;

use crate::PageError;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Files;

// A file edited while a debug build runs keeps its old address until the next start.
static HASHES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let file = Files::get(&name)?;
            Some((name.into_owned(), BASE64_URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..9])))
        })
        .collect()
});

/// Turns `css/base.css` into `/assets/<hash>/css/base.css`, for the templates.
pub fn resolver() -> render::Assets {
    Arc::new(|name| HASHES.get(name).map(|hash| format!("/assets/{hash}/{name}")))
}

/// `GET /assets/{hash}/{*name}`. An old hash is answered with the present file, uncached: a page that was open during a deployment
/// still gets its styles.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Result<Response, PageError> {
    let (Some(current), Some(file)) = (HASHES.get(&name), Files::get(&name)) else { return Err(PageError::NotFound) };
    let etag = format!("\"{current}\"");
    let caching = if *current == hash { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(|asked| asked.as_bytes() == etag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = file.data.into_owned();
        Body::from(if name.ends_with(".css") { addressed(bytes) } else { bytes }).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(&name)));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answer.insert(header::ETAG, etag);
    }
    Ok(response)
}

/// A style sheet names other files relative to itself (`url(../fonts/ah.woff2)`); here they get their own addresses, the same as in the
/// pages, or a preloaded font would be fetched twice.
fn addressed(css: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&css) else { return css };
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("url(../") {
        out.push_str(before);
        let (name, _) = after.split_once(')').unwrap_or((after, ""));
        match HASHES.get(name) {
            Some(hash) => out.push_str(&format!("url(/assets/{hash}/")),
            None => out.push_str("url(../"),
        }
        rest = after;
    }
    out.push_str(rest);
    out.into_bytes()
}

/// `GET /favicon.ico`, which browsers ask for whatever the page says.
pub(crate) async fn favicon(headers: HeaderMap) -> Result<Response, PageError> {
    serve(Path((String::new(), "icons/mark.svg".to_owned())), headers).await
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_sheet_and_a_page_name_the_same_font() {
        let css =
            String::from_utf8(addressed(b"a{src:url(../fonts/ah.woff2) format(\"woff2\"),url(../no/such)}".to_vec())).unwrap();
        let page = resolver()("fonts/ah.woff2").unwrap();
        assert_eq!(css, format!("a{{src:url({page}) format(\"woff2\"),url(../no/such)}}"));
    }

    /// A style sheet whose file is missing would only show as a page without its look.
    #[test]
    fn style_sheets_name_only_files_that_exist() {
        for name in Files::iter().filter(|name| name.ends_with(".css")) {
            let css = String::from_utf8(addressed(Files::get(&name).unwrap().data.into_owned())).unwrap();
            assert!(!css.contains("url(../"), "{name}");
        }
    }
}
