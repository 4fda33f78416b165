//! Every template is registered, renders, and asks for nothing that its view-model lacks.

#![allow(clippy::expect_used, reason = "a test that cannot read its files has failed")]

use std::collections::BTreeSet;

use render::{Templates, registry};

fn templates() -> Templates {
    Templates::load().unwrap_or_else(|fault| panic!("{fault}"))
}

#[test]
fn every_sample_of_every_page_renders_and_no_two_look_alike() {
    let templates = templates();
    for entry in registry::all() {
        let pages = (entry.render)(&templates).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(!pages.is_empty(), "{} has no samples", entry.template);
        let different: BTreeSet<&String> = pages.iter().collect();
        assert_eq!(different.len(), pages.len(), "{}: a sample changes nothing on the page", entry.template);
    }
}

#[test]
fn every_page_template_is_registered_once_and_every_registered_one_exists() {
    let templates = templates();
    let on_disk: BTreeSet<&str> = templates.names().into_iter().filter(|name| name.starts_with("pages/")).collect();
    let all = registry::all();
    let registered: BTreeSet<&str> = all.iter().map(|entry| entry.template).collect();
    assert_eq!(registered.len(), all.len(), "a page is registered twice");
    assert_eq!(on_disk, registered, "left: files under templates/pages; right: registry");
}

/// `{% if typo %}` is silently false in Tera, so rendering alone does not find a misspelt name.
#[test]
fn templates_use_only_the_variables_that_their_view_model_has() {
    let templates = templates();
    for entry in registry::all() {
        let mut known = (entry.fields)();
        known.extend(["chrome", "lang"].map(String::from));
        let unknown: Vec<String> = templates.variables(entry.template).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{} uses {unknown:?}, which no sample has", entry.template);
    }
}

#[test]
fn only_our_own_drawings_go_unescaped() {
    for (path, text) in sources() {
        for (at, _) in text.match_indices("safe") {
            let before = text[..at].trim_end();
            let Some(before) = before.strip_suffix('|') else {
                continue;
            };
            let name: String =
                before.trim_end().chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '.').collect();
            let name: String = name.chars().rev().collect();
            assert!(name.ends_with("svg"), "{path}: `{name} | safe`");
        }
    }
}

#[test]
fn nothing_inline_that_the_content_policy_would_refuse() {
    for (path, text) in sources().into_iter().filter(|(path, _)| !path.contains("mail")) {
        for banned in [" style=", "<style", "onclick=", "onsubmit=", "javascript:"] {
            assert!(!text.contains(banned), "{path} has {banned}");
        }
        for tag in text.split("<script").skip(1) {
            assert!(tag.trim_start().starts_with("src="), "{path} has an inline script");
        }
    }
}

/// The frame's own fields, too, are asked for by names that exist.
#[test]
fn templates_ask_the_frame_only_for_what_it_has() {
    let chrome = serde_json::to_value(render::Chrome::sample_staff()).expect("the frame serialises");
    for (path, text) in sources() {
        for rest in text.split("chrome.").skip(1) {
            let field: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(chrome.get(&field).is_some(), "{path} asks for chrome.{field}");
        }
    }
}

#[test]
fn what_a_person_typed_is_escaped() {
    #[derive(serde::Serialize)]
    struct Hostile {
        home: String,
        reason: Option<String>,
    }
    impl render::Page for Hostile {
        const TEMPLATE: &'static str = "pages/errors/refused.html";
        fn samples() -> Vec<Self> {
            Vec::new()
        }
    }
    let hostile = Hostile { home: "\"><script>".into(), reason: Some("<img src=x onerror=alert(1)>".into()) };
    let chrome = render::Chrome { clinic: "<b>Clinic".into(), ..render::Chrome::sample_staff() };
    let html = templates().render(&chrome, &hostile).expect("it renders");
    for raw in ["<script>", "<img", "<b>Clinic"] {
        assert!(!html.contains(raw), "{raw} reached the page");
    }
}

/// All template files as they lie in the repository.
fn sources() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    let mut folders = vec![root.clone()];
    let mut all = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder opens") {
            let path = entry.expect("the entry reads").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "html" || ending == "txt") {
                let name = path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
                all.push((name, std::fs::read_to_string(&path).expect("the file reads")));
            }
        }
    }
    all
}
