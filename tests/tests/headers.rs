//! What every answer carries, where a change may come from, and that looking changes nothing: for every address the server has.
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

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, Response, header},
};
use http_body_util::BodyExt as _;
use people::{Id, Person};
use table::{Entry, TABLE, Takes};
use tower::ServiceExt as _;
use web::map::{Address, Map, get};
use world::World;

const ROLES: [Person; 5] = [Person::Nobody, Person::PatientA1, Person::OneTapA1, Person::PhysioA, Person::OwnerA];

fn addresses() -> Vec<Address> {
    let demo = homestretch::demo::mail::routes(std::path::PathBuf::new());
    web::addresses().into_iter().chain(demo.addresses().to_vec()).collect()
}

/// The matrix's line of this address, for what its id names.
fn entry(address: &Address) -> &'static Entry {
    TABLE.iter().find(|entry| entry.pattern() == address.path).expect("the matrix has a line for every address")
}

fn path(pattern: &str, id: &str) -> String {
    let path = pattern.replace("{hash}", "x");
    ["{id}", "{token}", "{name}", "{*name}"].iter().fold(path, |path, part| path.replace(part, id))
}

async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 9, 8, 7], 50_000))));
    app.clone().oneshot(request).await.unwrap()
}

fn one<'h>(headers: &'h HeaderMap, name: &str, what: &str) -> &'h str {
    let mut values = headers.get_all(name).iter();
    let value = values.next().unwrap_or_else(|| panic!("{what} has no {name}")).to_str().unwrap();
    assert!(values.next().is_none(), "{what} has more than one {name}");
    value
}

fn carries_everything(response: &Response<Body>, https: bool, what: &str) {
    let headers = response.headers();
    let policy = one(headers, "content-security-policy", what);
    let directive = |name: &str| {
        let mut found = policy.split(';').map(str::trim).filter_map(|part| part.split_once(' ')).filter(|(key, _)| *key == name);
        found.next().map(|(_, sources)| sources.to_owned())
    };
    assert_eq!(directive("default-src").as_deref(), Some("'none'"), "{what}: {policy}");
    assert_eq!(directive("base-uri").as_deref(), Some("'none'"), "{what}: {policy}");
    if what.ends_with(".eml/html") && response.status() == 200 {
        // A mail shown in the demo: its own styles and nothing else, in a sandbox without scripts.
        assert!(directive("script-src").is_none() && !policy.contains("allow-scripts"), "{what}: {policy}");
        assert!(directive("sandbox").is_some() && directive("frame-ancestors").as_deref() == Some("'self'"), "{what}: {policy}");
    } else {
        for name in ["object-src", "frame-ancestors"] {
            assert_eq!(directive(name).as_deref(), Some("'none'"), "{what}: {policy}");
        }
        for name in ["script-src", "style-src", "img-src", "font-src", "connect-src", "form-action"] {
            assert_eq!(directive(name).as_deref(), Some("'self'"), "{what}: {policy}");
        }
        for never in ["unsafe", "data:", "blob:", "*", "http"] {
            assert!(!policy.contains(never), "{what}: {policy}");
        }
        assert_eq!(one(headers, "x-frame-options", what), "DENY", "{what}");
    }
    assert_eq!(one(headers, "x-content-type-options", what), "nosniff", "{what}");
    assert_eq!(one(headers, "referrer-policy", what), "same-origin", "{what}");
    assert_eq!(one(headers, "cross-origin-opener-policy", what), "same-origin", "{what}");
    assert_eq!(one(headers, "cross-origin-resource-policy", what), "same-origin", "{what}");
    let permissions = one(headers, "permissions-policy", what);
    for none in ["camera=()", "geolocation=()", "microphone=()", "payment=()", "usb=()"] {
        assert!(permissions.contains(none), "{what}: {permissions}");
    }
    assert_eq!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY), https, "{what}");
    for name in [header::SERVER.as_str(), "x-powered-by", "access-control-allow-origin"] {
        assert!(!headers.contains_key(name), "{what} has {name}");
    }
    // Whatever is not one of our own files is kept by nobody; a calendar by the program that asks for it again and again.
    let caching = one(headers, "cache-control", what);
    let a_file =
        ["/assets/", "/favicon.ico", "/calendar/"].iter().any(|begin| what.contains(begin)) && response.status().is_success();
    assert_eq!(caching == "no-store", !a_file, "{what}: {caching}");
    for cookie in headers.get_all(header::SET_COOKIE) {
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/;"),
            "{what}: {cookie}"
        );
        assert!(!https || (cookie.starts_with("__Host-") && cookie.contains("; Secure")), "{what}: {cookie}");
    }
}

/// Pages that misbehave.
fn misbehaving() -> Map {
    Map::new()
        .route("/test/panics", get(async || -> &'static str { panic!("on purpose") }))
        .route("/test/hangs", get(async || std::future::pending::<&'static str>().await))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_every_address_carries_every_header() {
    let world = World::new().await;
    for person in ROLES {
        for address in addresses() {
            let entry = entry(&address);
            for id in [Id::Own, Id::Random, Id::Malformed] {
                let Some(text) = world.id(entry.takes, person, id).await else { continue };
                for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS"] {
                    let path = path(address.path, &text);
                    let session = world.session(person).await.map(|token| format!("homestretch={token}")).unwrap_or_default();
                    let given = [
                        ("cookie", session.as_str()),
                        ("sec-fetch-site", "same-origin"),
                        ("content-type", "application/x-www-form-urlencoded"),
                    ];
                    let response = send(&world.app, method, &path, &given, "").await;
                    let what = format!("{person:?} {method} {} {path}", response.status().as_u16());
                    assert!(!response.status().is_server_error(), "{what}");
                    carries_everything(&response, false, &what);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_carries_them_too_and_https_more() {
    let world = World::new().await;
    let config = web::Config {
        url: "https://clinic.example".to_owned(),
        secret: [7; 32].to_vec().into(),
        demo: false,
        trusted_proxies: vec![],
    };
    let state = web::AppState::new(world.db.store.clone(), config, world.clock.reader()).unwrap();
    let hasty = web::app_within(state.clone(), misbehaving(), Duration::from_millis(300));
    // What is to be answered has the time that it takes on a busy machine.
    let app = web::app_within(state, misbehaving(), Duration::from_secs(60));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let ours = ("sec-fetch-site", "same-origin");
    // A body whose end never comes.
    let endless = Body::new(Body::from("email=").with_trailers(std::future::pending()));

    for (expected, response) in [
        (500, send(&app, "GET", "/test/panics", &[], "").await),
        (503, send(&hasty, "GET", "/test/hangs", &[], "").await),
        (408, send(&hasty, "POST", "/sign-in", &[form, ours], endless).await),
        (413, send(&app, "POST", "/sign-in", &[form, ours], "a".repeat(web::router::BODY_LIMIT + 1)).await),
        (403, send(&app, "POST", "/sign-in", &[form], "email=a").await),
        (404, send(&app, "GET", "/nowhere", &[], "").await),
        (405, send(&app, "DELETE", "/sign-in", &[ours], "").await),
        (303, send(&app, "GET", "/patients", &[], "").await),
        (422, send(&app, "POST", "/sign-in", &[("content-type", "application/json"), ours], "{}").await),
        (422, send(&app, "POST", "/sign-in", &[form, ours], "email=%00").await),
        (303, send(&app, "POST", "/sign-out", &[form, ours, ("cookie", "__Host-homestretch=x")], "").await),
        (200, send(&app, "GET", "/health/live", &[], "").await),
        (200, send(&app, "GET", "/health/ready", &[], "").await),
    ] {
        let what = format!("an answer with {}", response.status());
        assert_eq!(response.status().as_u16(), expected);
        carries_everything(&response, true, &what);
        if expected >= 400 {
            assert!(one(response.headers(), "content-type", &what).starts_with("text/html"), "{what}");
        }
    }
}

/// Where a request says it was made, and whether a change may follow. The world's own address is `http://localhost:8080`.
const ORIGINS: &[(&[(&str, &str)], bool)] = &[
    (&[("sec-fetch-site", "same-origin")], true),
    (&[("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")], true),
    (&[("origin", "http://localhost:8080")], true),
    (&[("sec-fetch-site", "none"), ("origin", "http://localhost:8080")], true),
    // Plain http: somebody reaches the server by another of its names.
    (&[("origin", "http://192.168.1.5:8080"), ("host", "192.168.1.5:8080")], true),
    (&[], false),
    (&[("sec-fetch-site", "none")], false),
    (&[("sec-fetch-site", "cross-site")], false),
    (&[("sec-fetch-site", "same-site")], false),
    (&[("sec-fetch-site", "same-site"), ("origin", "http://localhost:8080")], false),
    (&[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8080")], false),
    (&[("sec-fetch-site", "SAME-ORIGIN")], false),
    (&[("sec-fetch-site", "")], false),
    (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
    (&[("origin", "null")], false),
    (&[("origin", "")], false),
    (&[("origin", "http://localhost:8081")], false),
    (&[("origin", "https://localhost:8080")], false),
    (&[("origin", "http://localhost:8080.evil.test")], false),
    (&[("origin", "http://evil.test"), ("host", "localhost:8080")], false),
    (&[("origin", "http://evil.test"), ("x-forwarded-host", "evil.test"), ("host", "localhost:8080")], false),
    (&[("origin", "http://localhost:8080"), ("origin", "http://evil.test")], false),
    (&[("referer", "http://localhost:8080/today")], false),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_does_not_come_from_a_page_of_ours_changes_nothing() {
    let world = World::new().await;
    for person in [Person::Nobody, Person::PatientA1, Person::OwnerA] {
        for address in addresses().iter().filter(|address| address.methods.iter().any(|method| method == "POST")) {
            let entry = TABLE.iter().find(|entry| entry.method == "POST" && entry.pattern() == address.path).unwrap();
            let Some(id) = world.id(entry.takes, person, Id::Own).await else { continue };
            let path = path(entry.path, &id);
            let form = world.fill(entry.form, person, Id::Own).replace("{place}", &world.place(person));
            let session = world.session(person).await.map(|token| format!("homestretch={token}")).unwrap_or_default();
            let before = world.state().await;
            for (from, may) in ORIGINS.iter().filter(|(_, may)| !may) {
                let mut given = vec![("cookie", session.as_str()), ("content-type", "application/x-www-form-urlencoded")];
                given.extend_from_slice(from);
                let response = send(&world.app, "POST", &path, &given, form.clone()).await;
                // The token of the one-click unsubscribe is all that it needs: a mail program says nothing about itself.
                let exempt = entry.takes == Takes::Unsubscribe;
                assert_eq!(response.status() == 403, !may && !exempt, "{person:?} POST {path} {from:?}: {}", response.status());
            }
            if entry.takes != Takes::Unsubscribe {
                assert_eq!(world.state().await, before, "{person:?} POST {path}");
            }
        }
    }
    for (from, may) in ORIGINS {
        let mut given = vec![("content-type", "application/x-www-form-urlencoded")];
        given.extend_from_slice(from);
        let status = send(&world.app, "POST", "/sign-in", &given, "email=nobody&password=x").await.status();
        assert_eq!(status != 403, *may, "{from:?}: {status}");
    }
}

/// By a link, a prefetch or a scanner of mails: whatever is only looked at stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn looking_changes_nothing() {
    let world = World::new().await;
    for person in ROLES {
        for entry in TABLE.iter().filter(|entry| entry.method == "GET") {
            for id in [Id::Own, Id::Random] {
                let Some(text) = world.id(entry.takes, person, id).await else { continue };
                let path = path(entry.path, &text);
                let session = world.session(person).await.map(|token| format!("homestretch={token}")).unwrap_or_default();
                let before = world.state().await;
                for (method, site) in [("GET", "same-origin"), ("GET", "cross-site"), ("HEAD", "none")] {
                    let given = [("cookie", session.as_str()), ("sec-fetch-site", site)];
                    let response = send(&world.app, method, &path, &given, "").await;
                    // Read to its end, as a browser does.
                    response.into_body().collect().await.unwrap();
                }
                let after = world.state().await;
                let changed: Vec<_> = after.iter().filter(|(table, digest)| before.get(*table) != Some(digest)).collect();
                assert!(changed.is_empty(), "{person:?} looked at {path}, which changed {changed:?}");
            }
        }
    }
}
