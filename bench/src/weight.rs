//! How many bytes travel: pages and files as a browser of today gets them, compressed.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::asking::Page;

const BROWSER: &str = "gzip, deflate, br, zstd";

/// What a page and a first visit weigh, in bytes on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// The page itself.
    pub page: usize,
    /// The scripts it asks for.
    pub scripts: usize,
    /// All of it, with styles, scripts, fonts and pictures.
    pub visit: usize,
}

/// Weighs a page, and everything it and its styles name.
pub async fn weigh(app: &Router, page: &Page) -> Result<Weight> {
    let mut weight = Weight { page: bytes(app, page, BROWSER).await?.len(), scripts: 0, visit: 0 };
    weight.visit = weight.page;
    let html = String::from_utf8_lossy(&bytes(app, page, "identity").await?).into_owned();
    let mut files: BTreeSet<String> = named(&html);
    let styles: Vec<String> = files.iter().filter(|file| ends(file, "css")).cloned().collect();
    for style in styles {
        let text = bytes(app, &file(&style), "identity").await?;
        files.extend(named(&String::from_utf8_lossy(&text)));
    }
    for path in &files {
        let size = bytes(app, &file(path), BROWSER).await?.len();
        weight.visit += size;
        if ends(path, "js") || ends(path, "mjs") {
            weight.scripts += size;
        }
    }
    Ok(weight)
}

fn ends(path: &str, with: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(with))
}

fn file(path: &str) -> Page {
    Page { path: path.to_owned(), cookie: String::new() }
}

/// The files of ours that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let until = |rest: &str| rest.split(['"', '\'', ')', '#', ' ', '>']).next().unwrap_or_default().to_owned();
    text.match_indices("/assets/").map(|(at, _)| until(&text[at..])).filter(|path| path.contains('.')).collect()
}

async fn bytes(app: &Router, page: &Page, encoding: &str) -> Result<Bytes> {
    let request = Request::builder()
        .uri(&page.path)
        .header(header::COOKIE, &page.cookie)
        .header(header::ACCEPT_ENCODING, encoding)
        .body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    ensure!(response.status() == StatusCode::OK, "{}: {}", page.path, response.status());
    Ok(response.into_body().collect().await?.to_bytes())
}
