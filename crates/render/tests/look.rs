//! The tokens hold WCAG AA in both schemes, and no colour stands anywhere else.

#![allow(clippy::expect_used, reason = "a test that cannot read its files has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn css(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the style sheet reads")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/assets/css")
}

type Rgb = (f64, f64, f64);

/// The `--name: #rrggbb` of one block.
fn tokens(block: &str) -> BTreeMap<String, Rgb> {
    let mut all = BTreeMap::new();
    for line in block.lines() {
        let Some((name, value)) = line.trim().strip_prefix("--").and_then(|rest| rest.split_once(':')) else {
            continue;
        };
        let Some(hex) = value.trim().strip_prefix('#').and_then(|rest| rest.get(..6)) else { continue };
        let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")) / 255.0;
        all.insert(name.to_owned(), (part(0), part(2), part(4)));
    }
    all
}

/// Light as written; dark as light with the dark block over it.
fn schemes() -> [(&'static str, BTreeMap<String, Rgb>); 2] {
    let base = css("base.css");
    let (light, dark) = base.split_once("@media screen and (prefers-color-scheme: dark)").expect("both schemes");
    let dark = dark.split("@layer base").next().expect("the dark block");
    let light = tokens(light);
    let mut both = light.clone();
    both.extend(tokens(dark));
    [("light", light), ("dark", both)]
}

fn luminance((r, g, b): Rgb) -> f64 {
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_and_controls_can_be_told_from_what_is_behind_them() {
    let text: &[(&str, &[&str])] = &[
        ("ink", &["paper", "card", "sunk", "brand-wash", "pain-wash", "warn-wash", "good-wash", "line-2"]),
        ("soft", &["paper", "card", "sunk", "line-2"]),
        ("brand", &["paper", "card", "sunk", "brand-wash"]),
        ("brand-strong", &["paper", "card", "brand-wash"]),
        ("brand-ink", &["brand", "brand-strong"]),
        ("done-ink", &["done"]),
        ("pain", &["paper", "card", "pain-wash"]),
        ("warn", &["paper", "card", "warn-wash"]),
        ("good", &["card", "good-wash"]),
    ];
    // borders of things one can operate, and the parts of a chart that carry meaning
    let shapes: &[(&str, &[&str])] = &[
        ("edge", &["paper", "card"]),
        ("focus", &["paper", "card", "brand-wash"]),
        ("done", &["paper", "card", "miss-wash"]),
        ("part", &["card"]),
        ("miss", &["paper", "card"]),
        ("pain-2", &["card"]),
    ];
    let mut weak = Vec::new();
    for (scheme, colours) in schemes() {
        for (pairs, least) in [(text, 4.5), (shapes, 3.0)] {
            for (front, backs) in pairs {
                for back in *backs {
                    let of = |name: &str| *colours.get(name).unwrap_or_else(|| panic!("no --{name}"));
                    let ratio = contrast(of(front), of(back));
                    if ratio < least {
                        weak.push(format!("{scheme}: --{front} on --{back} is {ratio:.2}, needs {least}"));
                    }
                }
            }
        }
    }
    assert!(weak.is_empty(), "{weak:#?}");
}

#[test]
fn both_schemes_have_the_same_roles() {
    let base = css("base.css");
    let (light, dark) = base.split_once("@media screen and (prefers-color-scheme: dark)").expect("both schemes");
    let dark = tokens(dark.split("@layer base").next().expect("the dark block"));
    let missing: Vec<String> = tokens(light).into_keys().filter(|name| !dark.contains_key(name)).collect();
    assert!(missing.is_empty(), "only light: {missing:?}");
}

#[test]
fn colours_stand_in_the_tokens_only() {
    for entry in std::fs::read_dir(folder()).expect("the folder opens") {
        let path = entry.expect("the entry reads").path();
        let text = std::fs::read_to_string(&path).expect("the style sheet reads");
        let text = match text.split_once("@layer base {") {
            Some((_, rules)) => rules.split("@media print").next().unwrap_or_default().to_owned(),
            None => text,
        };
        for line in text.lines().filter(|line| !line.trim().starts_with("--")) {
            let hex = line.split('#').skip(1).any(|rest| rest.len() >= 3 && rest.chars().take(3).all(|c| c.is_ascii_hexdigit()));
            assert!(!hex && !line.contains("rgb("), "{}: {}", path.display(), line.trim());
        }
    }
}
