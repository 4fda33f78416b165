//! Whatever a browser, a mail program or a stranger sends, the parsers of this crate read it or refuse it; none of them panics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use axum::http::{HeaderMap, HeaderValue, header};
use jiff::{ToSpan as _, civil::Date};
use proptest::prelude::*;
use render::Flash;
use store::session::SeatId;

use crate::{
    account::enter,
    auth::{
        address::{self, Network},
        cookie,
    },
    physio::builder::draft::{Draft, Faults, date, one_line},
};

/// Any text, with what parsers stumble over more often than chance would have it.
fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        " ",
        "\0",
        "\r\n",
        "\u{202E}",
        "\u{feff}",
        "e\u{301}",
        "٣",
        "-",
        "--",
        "0",
        "-0",
        "1e309",
        "+1",
        "99999999999999999999",
        "0x1",
        "NaN",
        "/",
        "//",
        "\\",
        "%00",
        "=",
        ";",
        "\"",
        "'",
        ",",
        "2026-02-30",
        "9999-12-31",
        "24:00",
        "08:00",
        "10–15",
        "3 to 1",
        "::",
        "/33",
        "{",
        "<",
    ]);
    prop::collection::vec(prop_oneof![odd.prop_map(str::to_owned), any::<String>(), "\\PC{0,6}"], 0..5)
        .prop_map(|parts| parts.concat())
}

fn any_date() -> impl Strategy<Value = Date> {
    (0i16..=9999, 1i8..=12, 1i8..=28).prop_map(|(year, month, day)| jiff::civil::date(year, month, day))
}

fn names() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "program_id",
        "name",
        "starts",
        "weeks",
        "ends",
        "from",
        "times_a_day",
        "remind_at",
        "weekdays",
        "q",
        "region",
        "equipment",
        "action",
        "exercise",
        "sets",
        "reps",
        "unit",
        "hold",
        "sides",
        "rest",
        "note",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => any_text()]
}

fn headers(name: header::HeaderName, values: &[Vec<u8>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name.clone(), value);
        }
    }
    headers
}

proptest! {
    #[test]
    fn the_builder_reads_any_form(pairs in prop::collection::vec((names(), any_text()), 0..60), today in any_date()) {
        let (mut draft, action) = Draft::read(pairs);
        draft.apply(action, &HashMap::new());
        let mut faults = Faults::default();
        let plan = draft.plan(&HashMap::new(), &mut faults);
        // It knows no exercise, so there is nothing to assign, and that is said.
        prop_assert!(plan.is_none() && faults.count() > 0);
        let _ = (draft.name(&mut faults), draft.hour(&mut faults), draft.summary(), draft.times(), draft.days());
        if let Some((first, last)) = draft.span(today, &mut faults) {
            prop_assert!((first - today).get_days().abs() <= 366, "{first} {last}");
        }
    }

    #[test]
    fn a_date_reads_back_and_nothing_else_is_one(day in any_date(), text in any_text()) {
        prop_assert_eq!(date(&day.to_string()), Some(day));
        prop_assert_eq!(date(&format!(" {day}\n")), Some(day));
        if let Some(read) = date(&text) {
            prop_assert_eq!(read.to_string(), text.trim());
        }
        let with_time = format!("{day}T08:00");
        prop_assert!(date(&with_time).is_none());
        prop_assert!(day.checked_add(1.day()).is_ok() || day.year() == 9999);
    }

    #[test]
    fn one_line_is_one_line(text in any_text()) {
        let line = one_line(&text);
        prop_assert!(!line.chars().any(char::is_control) && line.trim() == line);
        prop_assert_eq!(one_line(&line), line);
    }

    #[test]
    fn any_cookie_is_read_or_ignored(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4), https in any::<bool>()) {
        let headers = headers(header::COOKIE, &values);
        let _ = (cookie::token(&headers, https), cookie::notice(&headers, https));
    }

    #[test]
    fn the_cookies_of_ours_come_back(token in any::<[u8; 32]>(), said in any_text(), https in any::<bool>(), around in "[a-z]{0,5}") {
        let sent = |cookie: HeaderValue| {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            headers(header::COOKIE, &[format!("{around}=1; {pair}; other={around}").into_bytes()])
        };
        let seat = SeatId::Patient(domain::ids::PatientId::new());
        prop_assert_eq!(cookie::token(&sent(cookie::set_token(&token, seat, https)), https), Some(token));
        let flash = Flash::good(said.clone());
        let back = cookie::notice(&sent(cookie::set_notice(&flash, https)), https);
        if said.chars().count() <= 300 {
            prop_assert_eq!(back.map(|flash| flash.text), Some(flash.text));
        }
    }

    #[test]
    fn a_network_reads_back_and_holds_its_own(address in any::<IpAddr>(), length in 0u8..=128, text in any_text()) {
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let read = format!("{address}/{length}").parse::<Network>();
        prop_assert_eq!(read.is_ok(), length <= widest);
        if let Ok(network) = read {
            prop_assert!(network.contains(address));
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }
        if let Ok(network) = text.parse::<Network>() {
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }
    }

    #[test]
    fn no_header_makes_a_stranger_somebody_else(
        peer in any::<IpAddr>(),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4),
        claimed in prop::collection::vec(any::<IpAddr>(), 0..4),
    ) {
        let mut values = values;
        values.extend(claimed.iter().map(|address| address.to_string().into_bytes()));
        let headers = headers(header::HeaderName::from_static("x-forwarded-for"), &values);
        let from = |proxies: &[Network]| address::client(Some(SocketAddr::new(peer, 1)), &headers, proxies);
        prop_assert_eq!(from(&[]), Some(peer));
        // By a proxy of ours it is the last one named that is none.
        let alone: Network = peer.to_string().parse().unwrap();
        if let Some(last) = claimed.last().filter(|last| last.to_canonical() != peer.to_canonical()) {
            prop_assert_eq!(from(&[alone]), Some(*last));
        }
        let everybody: [Network; 1] = ["::/0".parse().unwrap()];
        let _ = from(&everybody);
    }

    #[test]
    fn the_way_back_leads_to_a_page_of_ours(text in any_text()) {
        for next in [text.clone(), format!("/{text}"), format!("//{text}"), format!("/\\{text}"), format!("/\t/{text}"), format!("https://{text}")] {
            if let Some(local) = enter::local(&next) {
                prop_assert!(local.starts_with('/') && !local.starts_with("//") && !local.starts_with("/\\"), "{local:?}");
                prop_assert!(!local.contains(char::is_control) && !local.contains('\\'), "{local:?}");
            }
        }
    }
}
