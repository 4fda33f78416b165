//! A request and what came back; the state of every table.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http_body_util::BodyExt as _;
use testkit::db::Watcher;
use tower::ServiceExt as _;

use crate::{people::Person, world::World};

/// An exercise list, as the import takes it.
const FILE: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.json\"\r\nContent-Type: application/json\r\n\r\n[{\"id\":\"x\",\"name\":\"X\",\"instructions\":[\"Lift.\"]}]\r\n--b--\r\n";

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// But for the date and the request's own id.
    pub headers: BTreeMap<String, Vec<String>>,
    pub text: String,
}

impl Answer {
    pub fn location(&self) -> &str {
        self.headers.get("location").and_then(|all| all.first()).map(String::as_str).unwrap_or_default()
    }

    /// The beginning of the page without its markup, for messages.
    pub fn plain(&self) -> String {
        let main = self.text.split_once("<main").map_or(self.text.as_str(), |(_, main)| main);
        let words: Vec<&str> = main.split('<').filter_map(|part| part.split_once('>')).map(|(_, words)| words.trim()).collect();
        words.join(" ").chars().take(600).collect()
    }

    /// The answer with every mention of `id` taken out, to be compared with that about another.
    pub fn without(&self, id: &str) -> Self {
        let cut = |text: &String| text.replace(id, "{id}");
        let headers = self.headers.iter().map(|(name, all)| (name.clone(), all.iter().map(cut).collect())).collect();
        Self { status: self.status, headers, text: cut(&self.text) }
    }

    /// The marked words in the page, in the headers and in the notice that a redirect takes along: `(scope, field)`.
    pub fn words(&self) -> Vec<(String, String)> {
        let mut all = self.text.clone();
        for value in self.headers.values().flatten() {
            all.push_str(value);
            all.push(' ');
            if let Some(notice) = value.strip_prefix("homestretch-notice=").and_then(|rest| rest.split(';').next())
                && let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(notice)
            {
                all.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
        marked(&all)
    }
}

/// Who a word may be of, after the letter of the clinic.
fn is_scope(rest: &str) -> bool {
    let of_a_patient = rest.strip_prefix(|letter: char| letter.is_ascii_digit()).map(|kind| matches!(kind, "" | "s" | "h"));
    of_a_patient.unwrap_or(matches!(rest, "" | "s" | "team" | "physio" | "second" | "owner"))
}

/// The words `Zq{scope}x{field}` of a text. Only scopes that there are, and fields of letters: a token on the page may hold anything.
pub fn marked(text: &str) -> Vec<(String, String)> {
    let text = text.to_lowercase();
    let words = text.split("zq").skip(1).filter_map(|rest| {
        let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        let (scope, field) = word.split_once('x')?;
        let known = scope.strip_prefix(['a', 'b']).is_some_and(is_scope);
        let named = !field.is_empty() && field.chars().all(|letter| letter.is_ascii_alphabetic());
        (known && named).then(|| (scope.to_owned(), field.to_owned()))
    });
    let mut words: Vec<_> = words.collect();
    words.sort();
    words.dedup();
    words
}

impl World {
    /// Asks in a session of its own, from an address of its own.
    pub async fn ask(&self, person: Person, method: &str, path: &str, body: Option<&str>) -> Answer {
        let session = self.session(person).await;
        self.ask_in(session.as_deref(), method, path, body).await
    }

    /// Asks in this session.
    pub async fn ask_in(&self, session: Option<&str>, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080");
        request = request.header("sec-fetch-site", "same-origin");
        if let Some(session) = session {
            request = request.header(header::COOKIE, format!("homestretch={session}"));
        }
        let (kind, body) = match body {
            Some("{file}") => ("multipart/form-data; boundary=b", FILE),
            Some(form) => ("application/x-www-form-urlencoded", form),
            None => ("", ""),
        };
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        let from = std::net::SocketAddr::from((self.next_address(), 50_000));
        request.extensions_mut().insert(ConnectInfo(from));
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let mut headers = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in response.headers() {
            if !matches!(name.as_str(), "x-request-id" | "date") {
                headers.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
            }
        }
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// A digest of every table by its name, but for what every request may write: that a session was seen, and what the audit is told.
    pub async fn state(&self) -> BTreeMap<String, String> {
        let rows = self.rows(&self.digests).await;
        rows.iter().filter_map(|row| row.split_once('|')).map(|(table, digest)| (table.to_owned(), digest.to_owned())).collect()
    }
}

/// The statement for [`World::state`].
pub async fn digests(watcher: &mut Watcher) -> String {
    let tables = watcher
        .rows(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
             and relname not in ('_sqlx_migrations', 'audit_entry', 'audit_head') order by 1",
        )
        .await;
    let digest = |table: &String| {
        format!(
            "select '{table}', md5(string_agg(t, '|' order by t)) from (select (to_jsonb({table}) - 'seen_at')::text t from {table}) x"
        )
    };
    tables.iter().map(digest).collect::<Vec<_>>().join(" union all ")
}
