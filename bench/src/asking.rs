//! Asking a web server in this process, without a socket: somebody's session, one page, and pages by the second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use store::Store;
use testkit::clock::Clock;
use tower::ServiceExt as _;

pub const URL: &str = "http://localhost:8080";
/// What sessions are kept with.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What to ask for, as whom.
#[derive(Debug, Clone)]
pub struct Page {
    /// Path and query.
    pub path: String,
    /// The session.
    pub cookie: String,
}

/// The whole web server.
pub fn app(store: Store, clock: &Clock) -> Result<Router> {
    let config = web::Config { url: URL.into(), secret: SECRET.as_bytes().to_vec().into(), demo: false, trusted_proxies: vec![] };
    Ok(web::app(web::AppState::new(store, config, clock.reader())?))
}

/// Signs in, and gives the session.
pub async fn sign_in(app: &Router, email: &str, password: &str) -> Result<String> {
    let body = format!("email={}&password={}", email.replace('@', "%40"), password.replace(' ', "+"));
    let request = Request::builder()
        .method(Method::POST)
        .uri("/sign-in")
        .header(header::ORIGIN, URL)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))?;
    let response = app.clone().oneshot(request).await?;
    ensure!(response.status() == StatusCode::SEE_OTHER, "signing in as {email}: {}", response.status());
    let cookies = response.headers().get_all(header::SET_COOKIE);
    let cookie = cookies.iter().filter_map(|value| value.to_str().ok()).find(|value| value.starts_with("homestretch="));
    Ok(cookie.and_then(|value| value.split(';').next()).context("no session")?.to_owned())
}

/// A page, read to its end.
pub async fn get(app: &Router, page: &Page) -> Result<()> {
    let request = Request::builder().uri(&page.path).header(header::COOKIE, &page.cookie).body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    ensure!(response.status() == StatusCode::OK, "{}: {}", page.path, response.status());
    response.into_body().collect().await?;
    Ok(())
}

/// Sends a form, and gives the status.
pub async fn post(app: &Router, to: &Page, form: String) -> Result<StatusCode> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&to.path)
        .header(header::ORIGIN, URL)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, &to.cookie)
        .body(Body::from(form))?;
    Ok(app.clone().oneshot(request).await?.status())
}

/// Pages per second with a browser at each.
pub async fn rate(app: &Router, pages: &[Page], span: Duration) -> Result<f64> {
    for page in pages.iter().chain(pages) {
        get(app, page).await?;
    }
    let pages: Arc<[Page]> = pages.into();
    let app = app.clone();
    pace(pages.len(), span, move |at| {
        let (app, pages) = (app.clone(), pages.clone());
        async move { get(&app, &pages[at]).await }
    })
    .await
}

/// How often something is done in a second when several do it again and again; each is told its number.
pub async fn pace<F, Done>(several: usize, span: Duration, deed: F) -> Result<f64>
where
    F: Fn(usize) -> Done + Clone + Send + 'static,
    Done: Future<Output = Result<()>> + Send + 'static,
{
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watch = Instant::now();
    let people: Vec<_> = (0..several)
        .map(|at| {
            let (deed, over, count) = (deed.clone(), over.clone(), count.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    deed(at).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    tokio::time::sleep(span).await;
    over.store(true, Ordering::Relaxed);
    for person in people {
        person.await??;
    }
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    Ok(count.load(Ordering::Relaxed) as f64 / watch.elapsed().as_secs_f64())
}
