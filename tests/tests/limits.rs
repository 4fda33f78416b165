//! What the listening server bears: clients that dawdle, requests that are no requests, bodies that never end, and every form and
//! query filled with what no form of ours can send. Nothing of it is a 5xx, nothing of it keeps others waiting.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

// The clinics, people and ids of the matrix.
#[allow(dead_code, reason = "the matrix uses the rest")]
#[path = "matrix/ask.rs"]
mod ask;
#[allow(dead_code, reason = "the matrix uses the rest")]
#[path = "matrix/people.rs"]
mod people;
#[path = "matrix/table.rs"]
#[allow(dead_code, reason = "the matrix uses the rest")]
mod table;
#[allow(dead_code, reason = "the matrix uses the rest")]
#[path = "matrix/world.rs"]
mod world;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
    response::Response,
};
use futures_util::future::join_all;
use homestretch::connections::{self, Limits, Patience};
use http_body_util::BodyExt as _;
use people::{Id, Person};
#[cfg(target_os = "linux")]
use stories::process::{Setup, Worker};
use table::TABLE;
use testkit::{Db, clock::Clock};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::ServiceExt as _;
use web::map::{Map, get};
use world::World;

/// Longer than anything here takes on a busy machine; a test that waits this long has failed.
const LONG: Duration = Duration::from_secs(60);
/// Short enough to be waited for, long enough for a request that comes at once on a busy machine.
const SHORT: Patience = Patience { headers: Duration::from_secs(1), taking: Duration::from_secs(1) };

/// A listening server.
struct House {
    address: SocketAddr,
    _db: Db,
}

impl House {
    async fn open(patience: Patience, most: usize) -> Self {
        Self::open_with(Limits::of(patience, most), web::Limits::default()).await
    }

    async fn open_with(limits: Limits, per_client: web::Limits) -> Self {
        let db = Db::new().await;
        let url = "http://localhost:8080".to_owned();
        let trusted_proxies = limits.proxies.clone();
        let config = web::Config { url, secret: [7; 32].to_vec().into(), demo: false, trusted_proxies };
        let state = web::AppState::new(db.store.clone(), config, Clock::at("2026-03-02T08:00:00+08:00").reader()).unwrap();
        let state = state.with_limits(per_client);
        // More than the buffers of a connection hold.
        let large = Map::new().route("/test/large", get(async || "x".repeat(64 << 20)));
        let app = web::app_within(state, large, Duration::from_secs(3));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(connections::serve(listener, app, limits, std::future::pending()));
        Self { address, _db: db }
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this and gives what comes until the connection is closed or nothing more comes.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut line = self.dial().await;
        // A server that refuses early does not take all of it.
        let _ = line.write_all(bytes).await;
        hear(&mut line).await
    }

    /// Asks for a page with a connection of its own, and gets it.
    async fn page(&self) {
        let answer = self.say(b"GET /sign-in HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

async fn hear(line: &mut TcpStream) -> String {
    let mut heard = vec![];
    // Being cut off is an answer too.
    let _ = timeout(LONG, line.read_to_end(&mut heard)).await.expect("the server keeps the connection");
    String::from_utf8_lossy(&heard).into_owned()
}

fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dawdles_with_the_headers_is_hung_up_on() {
    let house = House::open(SHORT, 100).await;
    let begun = Instant::now();
    for beginning in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: "] {
        let answer = house.say(beginning.as_bytes()).await;
        assert!(status(&answer).is_none_or(|status| status == 408), "{beginning:?}: {answer}");
    }
    assert!(begun.elapsed() > SHORT.headers * 3, "they were not given the time that is theirs");

    // A byte now and then buys no more time.
    let mut line = house.dial().await;
    line.write_all(b"GET / HTTP/1.1\r\nX-Drip: ").await.unwrap();
    let begun = Instant::now();
    while line.write_all(b"x").await.is_ok() && begun.elapsed() < LONG {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < LONG);

    // Nor does an answered request: the connection is kept for the next one, but not for ever.
    let mut line = house.dial().await;
    line.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(hear(&mut line).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_that_dawdle_leave_the_others_their_pages() {
    let house = House::open(Patience { headers: LONG * 10, ..SHORT }, 1000).await;
    let mut lines = vec![];
    for _ in 0..200 {
        let mut line = house.dial().await;
        line.write_all(b"POST /sign-in HTTP/1.1\r\nHost: a\r\nX: y").await.unwrap();
        lines.push(line);
    }
    for _ in 0..20 {
        house.page().await;
    }
    // All the while: none of them has been answered or hung up on.
    for line in &mut lines {
        let mut byte = [0];
        let heard = line.try_read(&mut byte);
        assert!(heard.as_ref().is_err_and(|why| why.kind() == std::io::ErrorKind::WouldBlock), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_connections_and_those_that_wait_get_theirs() {
    let house = House::open(SHORT, 4).await;
    let mut lines = vec![];
    for _ in 0..4 {
        let mut line = house.dial().await;
        line.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        lines.push(line);
    }
    // The first four are cut off, and this one's turn comes.
    house.page().await;

    let few = House::open(Patience { headers: LONG, taking: SHORT.taking }, 1).await;
    let mut line = few.dial().await;
    line.write_all(b"GET /test/large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // It takes nothing of what it asked for, and loses its place.
    few.page().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused() {
    let house = House::open(SHORT, 100).await;
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = "a".repeat(100_000);
    let close = "Host: a\r\nConnection: close\r\n";
    let cookies = format!("Cookie: {}\r\n", "homestretch=x; ".repeat(2000));
    for (request, due) in [
        (format!("GET / HTTP/1.1\r\n{close}{many}\r\n"), &[431][..]),
        (format!("GET / HTTP/1.1\r\n{close}X: {long}\r\n\r\n"), &[431]),
        (format!("GET / HTTP/1.1\r\n{close}{long}: x\r\n\r\n"), &[431]),
        (format!("GET / HTTP/1.1\r\n{close}{cookies}\r\n"), &[200, 431]),
        (format!("GET /{long} HTTP/1.1\r\n{close}\r\n"), &[414, 431]),
        (format!("GET /sign-in?next=/{long} HTTP/1.1\r\n{close}\r\n"), &[414, 431]),
        (format!("GET /\0 HTTP/1.1\r\n{close}\r\n"), &[400]),
        (format!("GET / HTTP/1.1\r\n{close}X: a\0b\r\n\r\n"), &[400]),
        (format!("GET / HTTP/1.1\r\n{close}X : a\r\n\r\n"), &[400]),
        (format!("GET / HTTP/9.9\r\n{close}\r\n"), &[400]),
        (format!("GET  HTTP/1.1\r\n{close}\r\n"), &[400]),
        ("\0\x01\x02\r\n\r\n".to_owned(), &[400]),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(), &[400]),
        (format!("TRACE / HTTP/1.1\r\n{close}\r\n"), &[403, 405]),
        (format!("OPTIONS * HTTP/1.1\r\n{close}\r\n"), &[404, 405]),
        (format!("CONNECT a:443 HTTP/1.1\r\n{close}\r\n"), &[400, 403, 404, 405]),
        (format!("BREW /sign-in HTTP/1.1\r\n{close}\r\n"), &[403, 405]),
        (format!("GET http://evil.test/nowhere HTTP/1.1\r\n{close}\r\n"), &[404]),
        (format!("GET //evil.test/%2e%2e/ HTTP/1.1\r\n{close}\r\n"), &[404]),
        (format!("GET /assets/x/../../Cargo.toml HTTP/1.1\r\n{close}\r\n"), &[404]),
        (format!("GET /assets/x/%2e%2e%2f%2e%2e%2fCargo.toml HTTP/1.1\r\n{close}\r\n"), &[404]),
        (format!("GET /assets/x/%00 HTTP/1.1\r\n{close}\r\n"), &[400, 404]),
        (format!("GET /assets/x/%ff%fe HTTP/1.1\r\n{close}\r\n"), &[400, 404]),
        (format!("GET /welcome/%00 HTTP/1.1\r\n{close}\r\n"), &[404]),
        (format!("GET /go/%f0%9f%98%80 HTTP/1.1\r\n{close}\r\n"), &[404]),
        (format!("GET /sign-in?next=%00 HTTP/1.1\r\n{close}\r\n"), &[422]),
        (format!("GET /sign-in?next=%ff&next=%fe HTTP/1.1\r\n{close}\r\n"), &[200, 422]),
        (format!("GET / HTTP/1.1\r\n{close}Cookie: homestretch=\u{ff}\u{fe}; homestretch-notice=%%%\r\n\r\n"), &[200]),
        // Requests that two servers would read in two ways.
        (format!("POST /sign-in HTTP/1.1\r\n{close}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), &[400]),
        (format!("POST /sign-in HTTP/1.1\r\n{close}Content-Length: -1\r\n\r\nhello"), &[400]),
        (format!("POST /sign-in HTTP/1.1\r\n{close}Content-Length: 99999999999999999999999\r\n\r\nhello"), &[400]),
        (format!("POST /sign-in HTTP/1.1\r\n{close}Transfer-Encoding: x, chunked, y\r\n\r\nhello"), &[400]),
        (
            format!(
                "POST /sign-in HTTP/1.1\r\n{close}Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx"
            ),
            &[400, 422],
        ),
    ] {
        let answer = house.say(request.as_bytes()).await;
        let shown: String = request.chars().take(120).collect();
        let status = status(&answer).unwrap_or_else(|| panic!("{shown:?} was not answered: {answer:?}"));
        assert!(due.contains(&status), "{shown:?}: {status}, not {due:?}");
        // What the server under the pages answers by itself has no body that would need headers.
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        assert!(body.is_empty() || answer.contains("content-security-policy: "), "{shown:?}: {answer}");
    }
    // A length and chunks at once: the length is ignored or all of it refused; the bytes behind are never a second request.
    let smuggled = format!(
        "POST /sign-in HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\n{close}\r\n"
    );
    let answer = house.say(smuggled.as_bytes()).await;
    assert!(!answer.contains("\r\n\r\nlive"), "{answer}");
    house.page().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_or_never_ends_is_refused() {
    let house = House::open(SHORT, 100).await;
    let head = "POST /sign-in HTTP/1.1\r\nHost: a\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let too_much = web::router::BODY_LIMIT + 1;

    // It says so itself, and none of it is waited for.
    let answer = house.say(format!("{head}Content-Length: {too_much}\r\n\r\n").as_bytes()).await;
    assert_eq!(status(&answer), Some(413), "{answer}");

    let mut line = house.dial().await;
    line.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(65536));
    let begun = Instant::now();
    // Until the server has enough of it.
    while line.write_all(chunk.as_bytes()).await.is_ok() && begun.elapsed() < LONG {}
    assert!(begun.elapsed() < LONG, "it takes a body without end");

    // What is announced and does not come.
    let mut line = house.dial().await;
    line.write_all(format!("{head}Content-Length: 100\r\n\r\nemail=").as_bytes()).await.unwrap();
    let answer = hear(&mut line).await;
    assert_eq!(status(&answer), Some(408), "{answer}");
    assert!(answer.contains("It took too long to arrive."), "{answer}");
}

/// What opens a form's request, up to its length.
const FORM: &str = "Host: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_from_people_who_may_send_it_and_is_small_where_everybody_may() {
    let house = House::open(SHORT, 100).await;
    let addresses = web::addresses();
    let mut read = vec![];
    for entry in TABLE.iter().filter(|entry| entry.method == "POST") {
        let pattern = entry.pattern();
        let Some(address) = addresses.iter().find(|address| address.path == pattern) else { continue };
        // A body that is announced and does not come: whoever waits for it answers 408.
        let request = format!("POST {} HTTP/1.1\r\n{FORM}Connection: close\r\nContent-Length: 100\r\n\r\n", path(pattern, "x"));
        let answer = house.say(request.as_bytes()).await;
        if status(&answer) == Some(408) {
            read.push(pattern);
            assert_eq!(address.body_limit, 16 << 10, "{pattern} is read from everybody");
        }
        assert!(status(&answer) != Some(408) || entry.who.contains(&Person::Nobody), "{pattern} reads the body of a stranger");
    }
    assert!(read.contains(&"/sign-in") && read.contains(&"/password/forgot"), "{read:?}");
}

#[cfg(target_os = "linux")]
async fn dial_from(house: &House, client: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(client.parse().unwrap(), 0)).unwrap();
    socket.connect(house.address).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_only_so_many_connections_and_others_get_theirs() {
    let patience = Patience { headers: LONG, taking: LONG };
    let limits = Limits { per_client: 8, ..Limits::of(patience, 100) };
    let house = House::open_with(limits.clone(), web::Limits::default()).await;
    let mut lines = vec![];
    for _ in 0..8 {
        lines.push(dial_from(&house, "127.0.0.2").await);
    }
    let answer = hear(&mut dial_from(&house, "127.0.0.2").await).await;
    assert_eq!(status(&answer), Some(429), "{answer}");
    assert!(answer.contains("Retry-After: 10\r\n"), "{answer}");
    let _ = house.page().await;
    // The last four were given a second for their headers; afterwards there is room again.
    for line in &mut lines[4..] {
        let _ = hear(line).await;
    }
    let mut line = dial_from(&house, "127.0.0.2").await;
    line.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(status(&hear(&mut line).await), Some(200));

    // A proxy's connections are many people's.
    let house = House::open_with(Limits { proxies: vec!["127.0.0.0/8".parse().unwrap()], ..limits }, web::Limits::default()).await;
    let mut lines = vec![];
    for _ in 0..20 {
        lines.push(dial_from(&house, "127.0.0.2").await);
    }
    let mut line = dial_from(&house, "127.0.0.2").await;
    line.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(status(&hear(&mut line).await), Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_client_are_counted_by_the_address_a_proxy_names() {
    let limits = Limits { proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Limits::of(Patience::default(), 100) };
    let house = House::open_with(limits, web::Limits { client_requests: 4 }).await;
    let begin = async |client: &str, request: &str, head: &str| {
        let mut line = house.dial().await;
        line.write_all(format!("{request} HTTP/1.1\r\nX-Forwarded-For: {client}\r\n{head}\r\n").as_bytes()).await.unwrap();
        line
    };
    let page = async |client: &str| {
        let answer = hear(&mut begin(client, "GET /sign-in", "Host: a\r\nConnection: close\r\n").await).await;
        (status(&answer), answer.to_lowercase().contains("\r\nretry-after: 10\r\n"))
    };
    let half = format!("{FORM}Connection: close\r\nContent-Length: 100\r\n");
    let mut lines = vec![];
    for _ in 0..4 {
        lines.push(begin("203.0.113.5", "POST /sign-in", &half).await);
    }
    // Until all four are being waited for.
    let begun = Instant::now();
    while page("203.0.113.5").await != (Some(429), true) {
        assert!(begun.elapsed() < LONG, "four under way are no limit");
    }
    assert_eq!(page("203.0.113.6").await, (Some(200), false));
    for line in &mut lines {
        // They took too long.
        assert_eq!(status(&hear(line).await), Some(408));
    }
    assert_eq!(page("203.0.113.5").await, (Some(200), false));
}

/// The server as a process of its own, and a physiotherapist who is signed in.
#[cfg(target_os = "linux")]
struct Process {
    server: Worker,
    address: SocketAddr,
    cookie: String,
    folder: std::path::PathBuf,
    _db: Db,
}

#[cfg(target_os = "linux")]
impl Process {
    async fn start(name: &str) -> Self {
        let db = Db::new().await;
        let now = homestretch::clock::now();
        let clinic = testkit::people::clinic(&db, now).await;
        let (account, hash) = (clinic.physio.account, web::auth::password::hash("four quiet garden chairs").unwrap());
        let tx = db.store.begin_sign_in().await.unwrap();
        store::account::set_password(&tx, account, &hash, now).await.unwrap();
        tx.commit().await.unwrap();
        let folder = std::env::temp_dir().join(format!("homestretch-limits-{}-{name}", std::process::id()));
        let setup = Setup::new(&folder, String::new()).await.unwrap();
        // Free a moment ago.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = setup.server(name, db.url(), address, &[]).unwrap();
        let mut process = Self { server, address, cookie: String::new(), folder, _db: db };
        let begun = Instant::now();
        while process.ask("GET /health/ready", "", "").await.is_none_or(|answer| status(&answer) != Some(200)) {
            assert!(begun.elapsed() < LONG, "{}", std::fs::read_to_string(&process.server.log).unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let email = clinic.physio.email.as_str().replace('@', "%40");
        let form = format!("email={email}&password=four+quiet+garden+chairs");
        let answer = process.ask("POST /sign-in", &format!("Content-Length: {}\r\n", form.len()), &form).await.unwrap();
        let (_, rest) = answer.split_once("homestretch=").unwrap_or_else(|| panic!("{answer}"));
        process.cookie = format!("Cookie: homestretch={}\r\n", rest.split(';').next().unwrap());
        process
    }

    async fn dial(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.address).await
    }

    /// One request by a connection of its own.
    async fn ask(&self, request: &str, headers: &str, body: &str) -> Option<String> {
        let mut line = self.dial().await.ok()?;
        line.write_all(format!("{request} HTTP/1.1\r\n{FORM}Connection: close\r\n{headers}\r\n{body}").as_bytes()).await.ok()?;
        Some(hear(&mut line).await)
    }

    async fn status(&self, request: &str, headers: &str) -> Option<u16> {
        self.ask(request, headers, "").await.as_deref().and_then(status)
    }

    /// As many half-sent forms as this process may open, up to `count`, of which `sent` bytes have come.
    async fn attack(&self, count: u64, sent: usize) -> Vec<TcpStream> {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(count);
        let request = format!("POST /sign-in HTTP/1.1\r\n{FORM}Content-Length: 16384\r\n\r\n{}", "a".repeat(sent));
        let mut lines = vec![];
        for _ in 0..count.min(files.saturating_sub(200)) {
            let mut line = self.dial().await.unwrap();
            // One that is refused early does not take all of it.
            let _ = line.write_all(request.as_bytes()).await;
            lines.push(line);
        }
        lines
    }
}

#[cfg(target_os = "linux")]
impl Drop for Process {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The answers that have come, and how many have none yet.
#[cfg(target_os = "linux")]
async fn answered(lines: Vec<TcpStream>) -> (Vec<String>, usize) {
    let (mut answers, mut open) = (vec![], 0);
    for line in lines {
        let mut bytes = [0; 1024];
        match line.try_read(&mut bytes) {
            Ok(0) => answers.push(String::new()),
            Ok(count) => answers.push(String::from_utf8_lossy(&bytes[..count]).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => open += 1,
            Err(_) => answers.push(String::new()),
        }
    }
    (answers, open)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_half_sent_forms_fill_no_memory_and_people_who_are_signed_in_are_served() {
    const MIB: u64 = 1024;
    let process = Process::start("bodies").await;
    for _ in 0..20 {
        assert_eq!(process.status("GET /patients", &process.cookie).await, Some(200));
    }
    let (before, _) = process.server.memory().unwrap();
    // Of nearly all that a stranger may send, and of so little that it is not counted.
    for sent in [16_000, 900] {
        let lines = process.attack(3000, sent).await;
        assert_eq!(process.status("GET /health/live", "").await, Some(200));
        assert_eq!(process.status("GET /health/ready", "").await, Some(200));
        assert_eq!(process.status("GET /patients", &process.cookie).await, Some(200), "whoever is signed in");
        // One more of the kind gets nothing but a wait.
        let mut one = process.attack(1, sent).await.remove(0);
        let answer = hear(&mut one).await.to_lowercase();
        assert!(matches!(status(&answer.to_uppercase()), Some(429 | 503)), "{answer}");
        assert!(answer.contains("\r\nretry-after: 10\r\n"), "{answer}");

        let all = lines.len();
        let (answers, open) = answered(lines).await;
        assert!(open <= 200, "{open} of {all} are waited for");
        // Being cut off is an answer too, but not the usual one.
        let told = answers.iter().filter(|answer| matches!(status(answer), Some(429 | 503))).count();
        assert!(told * 2 > all, "{told} of {all} were told to come again");
        let (_, peak) = process.server.memory().unwrap();
        assert!(peak < before + 100 * MIB, "{peak} KiB, {before} before {all} of {sent} bytes");
    }
    let begun = Instant::now();
    while process.server.memory().unwrap().0 > before + 40 * MIB {
        let now = process.server.memory().unwrap().0;
        assert!(begun.elapsed() < Duration::from_secs(60), "{now} KiB long after, {before} before");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(process.status("GET /sign-in", "").await, Some(200), "and the next stranger is served");
}

/// The answer, of whose body nothing is taken yet.
async fn answer_to(app: &Router, session: Option<&str>, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Response {
    let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
    if let Some(session) = session {
        request = request.header(header::COOKIE, format!("homestretch={session}"));
    }
    if !kind.is_empty() {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let mut request = request.body(Body::from(body)).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 9, 8, 7], 50_000))));
    app.clone().oneshot(request).await.unwrap()
}

async fn ask(app: &Router, session: Option<&str>, method: &str, path: &str, kind: &str, body: Vec<u8>) -> u16 {
    let response = answer_to(app, session, method, path, kind, body).await;
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
}

/// Every address whose answer is a file made while it is taken, as the router lists them: each file has a turn, and without one it is refused.
/// Two of an account and four of the process go at a time.
#[tokio::test(flavor = "multi_thread")]
async fn every_file_has_a_turn_and_is_refused_when_all_are_taken() {
    let world = World::new().await;
    let mut asked = Vec::new();
    for address in web::addresses().into_iter().filter(|address| address.streams) {
        let entry = TABLE.iter().find(|entry| entry.method == "GET" && entry.pattern() == address.path);
        let entry = entry.unwrap_or_else(|| panic!("{} is not in the matrix", address.path));
        let before = asked.len();
        for person in [Person::OwnerA, Person::SecondA, Person::PatientA1] {
            if entry.who.contains(&person) {
                let id = world.id(entry.takes, person, Id::Own).await.unwrap();
                asked.push((person, path(address.path, &id), world.session(person).await));
            }
        }
        assert!(asked.len() > before, "nobody asks for {}", address.path);
    }

    let mut taken = Vec::new();
    for (person, path) in [(Person::OwnerA, "/audit.csv"), (Person::PhysioA, "/reports/adherence.csv")] {
        for _ in 0..2 {
            let session = world.session(person).await;
            let file = answer_to(&world.app, session.as_deref(), "GET", path, "", vec![]).await;
            assert_eq!(file.status(), 200, "{path}");
            taken.push(file);
        }
    }
    let refused = asked.iter().map(async |(person, path, session)| {
        let status = ask(&world.app, session.as_deref(), "GET", path, "", vec![]).await;
        // Those without a file ask for several at once: the account's limit may come before that of the process.
        let expected: &[u16] = if *person == Person::OwnerA { &[429] } else { &[429, 503] };
        (!expected.contains(&status)).then(|| format!("{person:?} {path}: {status}"))
    });
    let wrong: Vec<String> = join_all(refused).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "without a turn: {wrong:#?}");

    // Each gives its turn back.
    drop(taken);
    for (person, path, session) in &asked {
        for _ in 0..3 {
            assert_eq!(ask(&world.app, session.as_deref(), "GET", path, "", vec![]).await, 200, "{person:?} {path}");
        }
    }
}

fn path(pattern: &str, id: &str) -> String {
    let path = pattern.replace("{hash}", "x");
    ["{id}", "{token}", "{name}", "{*name}"].iter().fold(path, |path, part| path.replace(part, id))
}

/// The names of all fields and parameters that any form or query of ours has.
const NAMES: &[&str] = &[
    "name",
    "email",
    "password",
    "next",
    "page",
    "q",
    "show",
    "whose",
    "sort",
    "from",
    "to",
    "date",
    "zone",
    "language",
    "region",
    "phone",
    "whatsapp",
    "weeks",
    "starts",
    "times_a_day",
    "weekdays",
    "remind_at",
    "exercise",
    "sets",
    "reps",
    "unit",
    "hold",
    "sides",
    "rest",
    "note",
    "action",
    "log_id",
    "pain_before",
    "pain_after",
    "effort",
    "time",
    "day",
    "paused_until",
    "until",
    "reason",
    "kind",
    "key",
    "seen",
    "checked",
    "place",
    "current",
    "new",
    "patient",
    "copy",
    "what",
    "who",
    "program_id",
    "steps",
    "equipment",
    "figure",
    "quiet_from",
    "quiet_to",
    "pain_high",
    "missed_run",
    "code",
    "role",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_form_and_no_query_is_too_absurd_for_a_clear_refusal() {
    let world = World::new().await;
    let form = "application/x-www-form-urlencoded";
    let with = |value: &str| NAMES.iter().map(|name| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let mut queries: Vec<String> = [
        "%00",
        "%ff%fe",
        "%",
        "%u0000",
        "-1",
        "0",
        "99999999999999999999999999",
        "1e309",
        "NaN",
        "0000-00-00",
        "9999-12-31",
        "-9999-01-01",
        "24:60",
        "%F0%9F%98%80",
        "%E2%80%AE",
        "' or 1=1 --",
        "../../etc/passwd",
        "%0d%0aX-Evil:%201",
        "{{7*7}}",
        "[]",
        "null",
        "",
    ]
    .iter()
    .map(|value| with(&value.replace(' ', "+")))
    .collect();
    queries.extend(["&&&&", "=", "a[b][c]=d", "page=1&page=2&page=3", "?", "%00=%00"].map(str::to_owned));
    let mut bodies: Vec<(&str, Vec<u8>)> = queries.iter().map(|query| (form, query.clone().into_bytes())).collect();
    bodies.extend([
        (form, vec![]),
        (form, vec![0xff, 0xfe, b'=', 0x80]),
        (form, vec![0; 1000]),
        (form, with(&"a".repeat(10_000)).into_bytes()),
        (form, "exercise=x&".repeat(20_000).into_bytes()),
        (form, (0..20_000).map(|n| format!("f{n}=x&")).collect::<String>().into_bytes()),
        ("", b"name=x".to_vec()),
        ("text/plain", b"name=x".to_vec()),
        ("application/json", "[".repeat(100_000).into_bytes()),
        ("multipart/form-data", b"--b\r\n".to_vec()),
        ("multipart/form-data; boundary=", b"--\r\n".to_vec()),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n".to_vec()),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nno end".to_vec()),
    ]);
    for person in [Person::Nobody, Person::PatientA1, Person::OwnerA] {
        // What they ask with may end their session: signing out, closing an account.
        for entry in TABLE {
            let Some(id) = world.id(entry.takes, person, Id::Own).await else { continue };
            let path = path(entry.pattern(), &id);
            let mut session = world.session(person).await;
            if entry.method == "GET" {
                for query in queries.iter().filter(|query| !query.contains(['{', '[', '\''])) {
                    let status = ask(&world.app, session.as_deref(), "GET", &format!("{path}?{query}"), "", vec![]).await;
                    assert!(status < 500, "{person:?} GET {path}?{query}: {status}");
                }
                continue;
            }
            for (kind, body) in &bodies {
                let status = ask(&world.app, session.as_deref(), "POST", &path, kind, body.clone()).await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
                assert!(status < 500, "{person:?} POST {path} {kind} {shown}: {status}");
                if ["/sign-out", "/account"].iter().any(|begin| path.starts_with(begin)) {
                    session = world.session(person).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_import_bears_any_file() {
    let world = World::new().await;
    let session = world.session(Person::OwnerA).await;
    let file = |text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.json\"\r\n\r\n{text}\r\n--b--\r\n").into_bytes()
    };
    let before = world.state().await;
    for text in [
        "".to_owned(),
        "null".to_owned(),
        "[".repeat(200_000),
        "{\"a\":".repeat(200_000),
        format!("[{}]", vec!["{}"; 50_000].join(",")),
        "[{\"id\":\"x\",\"name\":\"\\u0000\",\"instructions\":[\"a\"]}]".to_owned(),
        "[{\"id\":\"x\",\"name\":\"\\ud800\",\"instructions\":[\"a\"]}]".to_owned(),
        format!("[{{\"id\":\"x\",\"name\":\"{}\",\"instructions\":[\"a\"]}}]", "n".repeat(100_000)),
        "[{\"id\":1e400,\"name\":true,\"instructions\":{}}]".to_owned(),
        "\u{feff}[]".to_owned(),
    ] {
        let status =
            ask(&world.app, session.as_deref(), "POST", "/exercises/import", "multipart/form-data; boundary=b", file(&text)).await;
        let shown: String = text.chars().take(80).collect();
        assert!((400..500).contains(&status) || status == 303, "{shown}: {status}");
    }
    let part = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n";
    let many = format!("{}--b--\r\n", part.repeat(20_000)).into_bytes();
    let status = ask(&world.app, session.as_deref(), "POST", "/exercises/import", "multipart/form-data; boundary=b", many).await;
    assert_eq!(status, 422);
    let huge = file(&"x".repeat(web::physio::library::IMPORT_LIMIT + 1));
    let status = ask(&world.app, session.as_deref(), "POST", "/exercises/import", "multipart/form-data; boundary=b", huge).await;
    assert_eq!(status, 413);
    let after = world.state().await;
    let changed: Vec<_> = after.iter().filter(|(table, digest)| before.get(*table) != Some(digest)).collect();
    assert!(changed.is_empty(), "{changed:?}");
}
