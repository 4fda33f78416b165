//! A browser without a screen: it keeps cookies, says where its requests come from, and talks to the web server in this process.

#![allow(dead_code, reason = "each story uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what cannot go wrong here ends the story")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use domain::{
    ids::{AccountId, PatientId},
    person::Email,
};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt;
use render::links::Links;
use store::{Store, account, link, link::Purpose};
use testkit::{
    Db,
    clock::Clock,
    people::{self, Clinic, Somebody},
    proxy::Proxy,
};
use tower::ServiceExt;

/// Everybody's password in these stories.
pub const PASSWORD: &str = "four quiet garden chairs";

const SECRET: [u8; 32] = [7; 32];

/// A clinic with its web server, on Monday 2 March 2026, eight in the morning there.
pub struct Site {
    pub db: Db,
    pub clinic: Clinic,
    pub clock: Clock,
    app: Router,
    url: String,
}

impl Site {
    pub async fn open() -> Self {
        Self::open_at("http://localhost:8080").await
    }

    pub async fn open_at(url: &str) -> Self {
        let db = Db::new().await;
        let store = db.store.clone();
        Self::make(db, store, url).await
    }

    /// The server reaches its database through a line that can be cut.
    pub async fn behind_a_line() -> (Self, Line) {
        let db = Db::new().await;
        let (line, address) = Line::to(db.url()).await;
        let store = Store::connect_with(&address, 2).await.unwrap();
        (Self::make(db, store, "http://localhost:8080").await, line)
    }

    /// The server reaches its database by `connections` connections over a line on which bytes can be held.
    pub async fn behind_a_proxy(connections: u32) -> (Self, Proxy) {
        let db = Db::new().await;
        let proxy = Proxy::to(db.url()).await;
        let store = Store::connect_with(proxy.url(), connections).await.unwrap();
        (Self::make(db, store, "http://localhost:8080").await, proxy)
    }

    /// Listens on a port, for browsers that hang up.
    pub async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let app = self.app.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        here
    }

    async fn make(db: Db, store: Store, url: &str) -> Self {
        let clock = Clock::at("2026-03-02T08:00:00+08:00");
        let clinic = people::clinic(&db, clock.now()).await;
        let config = web::Config { url: url.to_owned(), secret: SECRET.to_vec().into(), demo: false, trusted_proxies: vec![] };
        let state = web::AppState::new(store, config, clock.reader()).unwrap();
        Self { db, clinic, clock, app: web::app(state), url: url.to_owned() }
    }

    pub fn browser(&self) -> Browser {
        Browser { app: self.app.clone(), cookies: BTreeMap::new(), extra: vec![], address: None }
    }

    /// A browser of a server of its own that reaches the database through this store.
    pub fn browser_over(&self, store: Store) -> Browser {
        let config = web::Config { url: self.url.clone(), secret: SECRET.to_vec().into(), demo: false, trusted_proxies: vec![] };
        let state = web::AppState::new(store, config, self.clock.reader()).unwrap();
        Browser { app: web::app(state), ..self.browser() }
    }

    /// A browser of a server that gives each page this long.
    pub fn browser_within(&self, patience: std::time::Duration) -> Browser {
        let config = web::Config { url: self.url.clone(), secret: SECRET.to_vec().into(), demo: false, trusted_proxies: vec![] };
        let state = web::AppState::new(self.db.store.clone(), config, self.clock.reader()).unwrap();
        Browser { app: web::app_within(state, web::map::Map::new(), patience), ..self.browser() }
    }

    /// A browser behind this address.
    pub fn browser_at(&self, address: &str) -> Browser {
        Browser { address: Some(SocketAddr::new(address.parse().unwrap(), 50_000)), ..self.browser() }
    }

    pub async fn give_password(&self, account: AccountId) {
        let (hash, now) = (web::auth::password::hash(PASSWORD).unwrap(), self.clock.now());
        let tx = self.db.store.begin_sign_in().await.unwrap();
        account::set_password(&tx, account, &hash, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The token of a fresh link, as the worker would put it into a mail.
    pub async fn link(&self, purpose: Purpose, email: &str) -> String {
        let (email, now) = (Email::parse(email).unwrap(), self.clock.now());
        let tx = self.db.store.begin_sign_in().await.unwrap();
        let token = link::issue(&tx, purpose, &email, now).await.unwrap();
        tx.commit().await.unwrap();
        token
    }

    /// The path of a reminder's link.
    pub fn one_tap(&self, patient: &Somebody) -> String {
        self.path(&self.links().one_tap(self.clinic.id, patient.id, &patient.email, self.clock.now()))
    }

    /// The path of a reminder's other link.
    pub fn unsubscribe(&self, patient: &Somebody) -> String {
        self.path(&self.links().unsubscribe(self.clinic.id, patient.id, &patient.email, self.clock.now()))
    }

    /// The path of a calendar's address that was made at this instant.
    pub fn calendar(&self, patient: PatientId, opened: jiff::Timestamp) -> String {
        self.path(&self.links().calendar(self.clinic.id, patient, opened))
    }

    fn links(&self) -> Links {
        Links::new(&self.url, &SECRET).unwrap()
    }

    fn path(&self, address: &str) -> String {
        address.strip_prefix(&self.url).unwrap().to_owned()
    }
}

/// Acts on the database while `asked` waits for the rows that `locked` locks: what `changed` does is committed before it goes on.
pub async fn while_it_waits<T>(site: &Site, locked: &str, changed: &str, asked: impl Future<Output = T>) -> T {
    let mut other = site.db.watcher().await;
    other.rows(&format!("begin; {locked}")).await;
    let change = async {
        let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        for _ in 0..400 {
            if site.db.row(waits).await != "0" {
                other.rows(&format!("{changed}; commit")).await;
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("it did not wait for {locked}");
    };
    tokio::join!(asked, change).0
}

/// A browser in front of a database that was filled elsewhere.
pub fn browser_of(db: &Db, clock: &Clock) -> Browser {
    browser_of_store(db.store.clone(), clock)
}

/// A browser in front of any database.
pub fn browser_of_store(store: Store, clock: &Clock) -> Browser {
    let url = "http://localhost:8080".to_owned();
    let config = web::Config { url, secret: SECRET.to_vec().into(), demo: true, trusted_proxies: vec![] };
    let state = web::AppState::new(store, config, clock.reader()).unwrap();
    Browser { app: web::app(state), cookies: BTreeMap::new(), extra: vec![], address: None }
}

/// One person’s browser; a copy is another tab of it.
#[derive(Clone)]
pub struct Browser {
    app: Router,
    cookies: BTreeMap<String, String>,
    extra: Vec<(&'static str, String)>,
    address: Option<SocketAddr>,
}

impl Browser {
    /// The same, behind this address.
    pub fn behind(self, address: &str) -> Self {
        Self { address: Some(SocketAddr::new(address.parse().unwrap(), 50_000)), ..self }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Posts a form from a page of ours.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        self.send(Method::POST, path, Some(&body.join("&")), &[("sec-fetch-site", "same-origin")]).await
    }

    pub async fn post_owned(&mut self, path: &str, fields: Vec<(&str, String)>) -> Answer {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(path, &fields).await
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.sign_in_to(email, password, "").await
    }

    pub async fn sign_in_to(&mut self, email: &str, password: &str, next: &str) -> Answer {
        self.post("/sign-in", &[("email", email), ("password", password), ("next", next)]).await
    }

    /// A file as it came, byte for byte.
    pub async fn download(&mut self, path: &str) -> (Answer, Vec<u8>) {
        self.exchange(Method::GET, path, None, &[("sec-fetch-site", "same-origin")]).await
    }

    /// The beginning of an answer: what is not taken of it waits in the server.
    pub async fn begin_to_download(&self, path: &str) -> axum::response::Response {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().uri(path).header(header::HOST, "localhost:8080").header(header::COOKIE, pairs.join("; "));
        self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The same cookies in another browser.
    pub fn with_cookies_of(self, other: &Self) -> Self {
        Self { cookies: other.cookies.clone(), ..self }
    }

    /// Exactly this request, with the cookies of this browser.
    pub async fn send(&mut self, method: Method, path: &str, body: Option<&str>, headers: &[(&str, &str)]) -> Answer {
        self.exchange(method, path, body, headers).await.0
    }

    /// As [`Browser::send`], with the bytes as they came.
    pub async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> (Answer, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080");
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.extra {
            request = request.header(*name, value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let mut request = request.body(Body::from(body.unwrap_or_default().to_owned())).unwrap();
        if let Some(address) = self.address {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        (Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }, bytes.to_vec())
    }

    /// Posts a form whose body comes in two parts. This returns once the server has asked for the second: it knows by then who is there. The answer
    /// comes after [`Slow::finish`].
    pub async fn begin(&self, path: &str, fields: &[(&str, &str)]) -> Slow {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let body = body.join("&");
        let (first, rest) = body.split_at(body.len() / 2);
        let (asked, asks) = tokio::sync::oneshot::channel();
        let (send, sent) = tokio::sync::oneshot::channel::<()>();
        let second = async move {
            let _ = asked.send(());
            sent.await.map_err(|_| "hung up")
        };
        let (first, rest) = (first.to_owned(), rest.to_owned());
        let parts =
            stream::once(async move { Ok::<_, &str>(first) }).chain(stream::once(async move { second.await.map(|()| rest) }));
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::post(path)
            .header(header::HOST, "localhost:8080")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::from_stream(parts))
            .unwrap();
        if let Some(address) = self.address {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        let app = self.app.clone();
        let answer = tokio::spawn(async move {
            let response = app.oneshot(request).await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
        });
        asks.await.expect("the server asks for the rest of the body");
        Slow { send, answer }
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(name).cloned()
    }

    pub fn keep(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Sends this header from now on.
    pub fn always(&mut self, name: &'static str, value: &str) {
        self.extra.push((name, value.to_owned()));
    }
}

/// A request whose body is still on its way.
pub struct Slow {
    send: tokio::sync::oneshot::Sender<()>,
    answer: tokio::task::JoinHandle<Answer>,
}

impl Slow {
    /// Sends the rest of the body.
    pub async fn finish(self) -> Answer {
        self.send.send(()).unwrap();
        self.answer.await.unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    pub fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    pub fn is_page(&self) -> bool {
        self.header("content-type").starts_with("text/html") && self.has("<h1>")
    }

    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    /// What stands between two texts, the first time they do.
    pub fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self.text.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", self.text));
        rest.split_once(after).map(|(inside, _)| inside.to_owned()).unwrap()
    }
}

/// A value as a form sends it.
pub fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A line to the database that can be cut.
pub struct Line(Arc<AtomicBool>, Arc<tokio::sync::Notify>);

impl Line {
    async fn to(url: &str) -> (Self, String) {
        let (_, rest) = url.split_once('@').unwrap();
        let (server, _) = rest.split_once('/').unwrap();
        let server = server.to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = url.replace(&server, &listener.local_addr().unwrap().to_string());
        let line = Self(Arc::default(), Arc::default());
        let (cut, bell) = (line.0.clone(), line.1.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let (server, bell) = (server.clone(), bell.clone());
                tokio::spawn(async move {
                    let Ok(mut far) = tokio::net::TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = bell.notified() => {}
                    }
                });
            }
        });
        (line, address)
    }

    pub fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.notify_waiters();
    }

    pub fn mend(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
