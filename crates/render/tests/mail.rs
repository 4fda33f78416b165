//! Every mail renders, says the same in both parts, and gives nothing away in its subject.

#![allow(clippy::expect_used, reason = "a test that cannot read its files has failed")]

use std::collections::BTreeSet;

use render::mail::{self, Mail, RenderedMail, SessionReminder};
use render::words::Language;
use render::{Templates, mail::Sender};

fn templates() -> Templates {
    Templates::load().unwrap_or_else(|fault| panic!("{fault}"))
}

fn every_mail() -> Vec<(&'static str, RenderedMail)> {
    let templates = templates();
    mail::all()
        .into_iter()
        .flat_map(|entry| {
            let mails = (entry.render)(&templates, Language::En).unwrap_or_else(|fault| panic!("{fault}"));
            mails.into_iter().map(move |mail| (entry.kind, mail))
        })
        .collect()
}

#[test]
fn every_folder_under_mail_is_registered_with_its_three_parts() {
    let templates = templates();
    let on_disk: BTreeSet<String> =
        templates.names().into_iter().filter(|name| name.starts_with("mail/")).map(String::from).collect();
    let registered: BTreeSet<String> = mail::all()
        .iter()
        .flat_map(|entry| ["subject.txt", "body.txt", "body.html"].map(|part| format!("mail/{}/{part}", entry.kind)))
        .collect();
    assert_eq!(on_disk, registered, "left: files under templates/mail; right: registered");
}

#[test]
fn mail_templates_use_only_the_fields_of_their_struct() {
    let templates = templates();
    for entry in mail::all() {
        let mut known = (entry.fields)();
        known.insert("lang".into());
        for part in ["subject.txt", "body.txt", "body.html"] {
            let path = format!("mail/{}/{part}", entry.kind);
            let unknown: Vec<String> = templates.variables(&path).into_iter().filter(|name| !known.contains(name)).collect();
            assert!(unknown.is_empty(), "{path} uses {unknown:?}");
        }
    }
}

#[test]
fn the_plain_part_is_as_good_as_the_html_one() {
    for (kind, mail) in every_mail() {
        let links = |text: &str| -> BTreeSet<String> {
            text.split("https://")
                .skip(1)
                .map(|rest| rest.split(|c: char| c.is_whitespace() || "\"<>".contains(c)).next().unwrap_or("").into())
                .collect()
        };
        assert_eq!(links(&mail.text), links(&mail.html), "{kind}");
        assert!(!mail.text.contains('<') && !mail.text.contains("&#"), "{kind} has markup in its plain part");
        assert!(mail.text.lines().count() > 8, "{kind}");
        assert!(!mail.text.contains("\n\n\n"), "{kind}");
    }
}

/// What an HTML part says, block by block: what is between two tags, entities decoded, with the address of a link after its words.
/// The preview is left out: it stands beside the subject.
fn blocks(html: &str) -> Vec<String> {
    let body = html.split("<body").nth(1).and_then(|body| body.split_once("</div>")).map(|(_, rest)| rest).expect("a body");
    let mut blocks = Vec::new();
    let mut link = None;
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a whole tag");
        if tag.starts_with("a ") {
            link = tag.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).map(decoded);
        } else if tag == "/a" {
            blocks.extend(link.take());
        }
        let text = decoded(text);
        if !text.trim().is_empty() {
            blocks.push(text.trim().to_owned());
        }
    }
    blocks
}

fn decoded(text: &str) -> String {
    [("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&#x2F;", "/"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

/// Without what only holds the parts apart.
fn dense(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != ':' && *c != '·').collect()
}

#[test]
fn both_parts_say_the_same() {
    for (kind, mail) in every_mail() {
        let blocks = blocks(&mail.html);
        let html = dense(&blocks.concat());
        for line in mail.text.lines().filter(|line| *line != "--") {
            assert!(html.contains(&dense(line)), "{kind}: only the plain part says {line:?}\n{html}");
        }
        let text = dense(&mail.text);
        for block in blocks.iter().filter(|block| !block.starts_with("If the button doesn’t work")) {
            assert!(text.contains(&dense(block)), "{kind}: only the HTML part says {block:?}");
        }
    }
}

#[test]
fn the_plain_part_fits_a_narrow_window_without_breaking_an_address() {
    let mut one = SessionReminder::samples().remove(0);
    one.sender.clinic = "Klinik Fisioterapi dan Pusat Rehabilitasi Sungai Besar cawangan Kuala Lumpur".into();
    let long = mail::render(&templates(), Language::En, &one).expect("it renders");
    for (kind, mail) in every_mail().into_iter().chain([("long", long)]) {
        for line in mail.text.lines() {
            let address = line.starts_with("https://");
            assert!(line.chars().count() <= 76 || (address && !line.contains(' ')), "{kind}: {line:?}");
        }
        for address in mail.text.split("https://").skip(1) {
            assert!(address.split_whitespace().next().is_some_and(|address| address.len() > 10), "{kind}: cut off: {address:?}");
        }
    }
}

/// What mail programs need: a language, a width that both a phone and a window take, a button that a thumb can hit, and nothing
/// that only a browser knows.
#[test]
fn the_html_part_is_made_for_mail_programs() {
    for (kind, mail) in every_mail() {
        let html = &mail.html;
        assert!(html.trim_start().starts_with("<!doctype html>") && html.contains("<html lang=\"en\">"), "{kind}");
        assert!(html.contains("width=device-width") && html.contains("max-width: 600px"), "{kind}");
        assert!(html.contains("name=\"color-scheme\" content=\"light dark\""), "{kind}");
        let button = html.split("class=\"button-link\"").nth(1).and_then(|rest| rest.split('>').next()).expect("a button");
        assert!(button.contains("padding: 15px") && button.contains("line-height: 24px"), "{kind}: 54 px high: {button}");
        for unknown in ["display: flex", "display: grid", "position:", "var(--", "<form", "<svg", "<button", "{{", "{%"] {
            assert!(!html.contains(unknown), "{kind} has {unknown}");
        }
        for href in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(href.starts_with("https://"), "{kind}: {href} leads nowhere from a mail");
        }
        // Each table is for the looks alone, or says what its first column is.
        for table in html.split("<table").skip(1) {
            assert!(table.contains("role=\"presentation\"") || table.contains("scope=\"row\""), "{kind}: {table}");
        }
        // Every element that is opened is closed, in order.
        let mut open = Vec::new();
        for tag in html.split('<').skip(1).filter_map(|piece| piece.split('>').next()) {
            let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default().to_owned();
            if tag.starts_with('/') {
                assert_eq!(open.pop().as_ref(), Some(&name), "{kind}");
            } else if !matches!(name.as_str(), "!doctype" | "meta" | "br") {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{kind}: left open: {open:?}");
    }
}

#[test]
fn subject_and_preview_hold_no_health_data() {
    for (kind, mail) in every_mail() {
        let preview = mail.html.split("class=\"preview\"").nth(1).and_then(|rest| rest.split("</div>").next());
        let preview = preview.and_then(|rest| rest.split('>').nth(1)).expect("a preview").to_owned();
        for word in ["pain", "exercise", "session", "back", "neck", "shoulder", "Wei Ling", "Hannah"] {
            let clean = |text: &str| !text.to_lowercase().contains(&word.to_lowercase());
            assert!(clean(&mail.subject), "{kind}: {word} in {}", mail.subject);
            assert!(clean(&preview), "{kind}: {word} in {preview}");
        }
    }
}

#[test]
fn styles_are_in_the_elements_and_dark_mode_stays_in_the_head() {
    for (kind, mail) in every_mail() {
        assert!(mail.html.contains("style=\""), "{kind}");
        assert!(mail.html.contains("prefers-color-scheme: dark"), "{kind} lost its dark colours");
        for remote in ["<img", "<link", "src=\"http", "url(", "<script"] {
            assert!(!mail.html.contains(remote), "{kind} loads something: {remote}");
        }
        assert!(mail.html.len() < 100_000, "{kind}: long mails are cut off");
    }
}

#[test]
fn a_hostile_name_neither_adds_a_header_nor_markup() {
    let hostile = "Eve\r\nBcc: all@example.com\u{2028}<script>alert(1)</script>";
    let mut one = SessionReminder::samples().remove(0);
    one.name = hostile.into();
    one.sender = Sender { clinic: hostile.into(), phone: Some(hostile.into()), whatsapp: None };
    let mail = mail::render(&templates(), Language::En, &one).expect("it renders");
    assert!(!mail.subject.chars().any(|c| c.is_control() || c == '\u{2028}'), "{:?}", mail.subject);
    assert!(!mail.html.contains("<script>"), "{}", mail.html);
}

#[test]
fn a_language_without_words_yet_falls_back_to_english() {
    let one = SessionReminder::samples().remove(0);
    let mail = mail::render(&templates(), Language::Ta, &one).expect("it renders");
    assert_eq!(mail.subject, "A reminder from Riverside Physio");
}

#[test]
fn mails_read_as_they_did() {
    for entry in mail::all() {
        let mails = (entry.render)(&templates(), Language::En).unwrap_or_else(|fault| panic!("{fault}"));
        for (n, mail) in mails.iter().enumerate() {
            let shown = format!("Subject: {}\n\n{}", mail.subject, mail.text);
            insta::assert_snapshot!(format!("{}-{n}", entry.kind), shown);
        }
    }
}
