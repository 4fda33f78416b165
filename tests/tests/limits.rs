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
};
use homestretch::connections::{self, Limits, Patience};
use http_body_util::BodyExt as _;
use people::{Id, Person};
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
        let db = Db::new().await;
        let url = "http://localhost:8080".to_owned();
        let config = web::Config { url, secret: [7; 32].to_vec().into(), demo: false, trusted_proxies: vec![] };
        let state = web::AppState::new(db.store.clone(), config, Clock::at("2026-03-02T08:00:00+08:00").reader()).unwrap();
        // More than the buffers of a connection hold.
        let large = Map::new().route("/test/large", get(async || "x".repeat(64 << 20)));
        let app = web::app_within(state, large, Duration::from_secs(3));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(connections::serve(listener, app, Limits::of(patience, most), std::future::pending()));
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

    let answer = house.say(format!("{head}Content-Length: {too_much}\r\n\r\n{}", "a".repeat(too_much)).as_bytes()).await;
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

async fn ask(app: &Router, session: Option<&str>, method: &str, path: &str, kind: &str, body: Vec<u8>) -> u16 {
    let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
    if let Some(session) = session {
        request = request.header(header::COOKIE, format!("homestretch={session}"));
    }
    if !kind.is_empty() {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let mut request = request.body(Body::from(body)).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 9, 8, 7], 50_000))));
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
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
