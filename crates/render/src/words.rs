//! The words of the product, by language, from the Fluent files under `crates/render/words`.
//!
//! `en` holds every key; another language may hold fewer, and what it lacks is said in English. To add a
//! language, add its folder. In templates: `{{ t(key="today-start") }}`; in Rust: [`say`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

pub use domain::person::Language;
pub use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader};

fluent_templates::static_loader! {
    static WORDS = {
        locales: "./words",
        fallback_language: "en",
        // Isolation marks are for mixed writing directions, which none of our languages has.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

static IDENTIFIERS: LazyLock<HashMap<&'static str, LanguageIdentifier>> =
    LazyLock::new(|| ["en", "ms", "zh", "ta"].into_iter().filter_map(|tag| Some((tag, tag.parse().ok()?))).collect());

/// The sentence for `key` in `language`, with its arguments put in.
///
/// A key that English lacks, or a missing argument, is our mistake: it stops a test and a debug build. A
/// release shows nothing in its place rather than a key.
pub fn say(language: Language, key: &str, args: &[(&'static str, FluentValue<'_>)]) -> String {
    let args = args.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect();
    let said = look_up(language.tag(), key, &args);
    debug_assert!(said.is_some(), "no English words for {key:?}, or an argument of it is missing");
    said.unwrap_or_default()
}

/// The sentence for `key`, or `None` when English lacks it too or an argument is missing.
pub(crate) fn look_up(tag: &str, key: &str, args: &HashMap<Cow<'static, str>, FluentValue<'_>>) -> Option<String> {
    let identifier = IDENTIFIERS.get(tag).or_else(|| IDENTIFIERS.get("en"))?;
    // The loader's own fallback would print a key; try_lookup falls back to English and then says None.
    WORDS.try_lookup_with_args(identifier, key, &owned(args))
}

// The loader wants arguments of one lifetime; they are few and short.
fn owned(args: &HashMap<Cow<'static, str>, FluentValue<'_>>) -> HashMap<Cow<'static, str>, FluentValue<'static>> {
    args.iter()
        .map(|(name, value)| {
            let value = match value {
                FluentValue::String(s) => FluentValue::String(Cow::Owned(s.clone().into_owned())),
                FluentValue::Number(n) => FluentValue::Number(n.clone()),
                _ => FluentValue::None,
            };
            (name.clone(), value)
        })
        .collect()
}
