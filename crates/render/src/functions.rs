//! What templates can call: `t`, `asset`, `icon`, `attributes`, `hidden`. Unknown names are refused when templates load.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use fluent_templates::fluent_bundle::FluentValue;
use tera::{Error, Kwargs, State, Tera, TeraResult, Value};

use crate::svg::escape;
use crate::templates::Assets;
use crate::{icons, words};

/// Registers all of them. Must run before the templates are added.
pub(crate) fn register(tera: &mut Tera, assets: Assets) {
    tera.register_function("t", t);
    tera.register_function("icon", icon);
    tera.register_function("attributes", attributes);
    tera.register_function("hidden", hidden);
    tera.register_function("asset", move |kwargs: Kwargs, _: &State| asset(&assets, &kwargs));
}

/// `{{ t(key="today-start", minutes=12) }}`: the reader's words. Inside a component, declare `@lang`.
fn t(kwargs: Kwargs, state: &State) -> TeraResult<String> {
    let key = kwargs.must_get::<&str>("key")?;
    let lang = state
        .get::<String>("lang")?
        .ok_or_else(|| Error::message("`t` needs `lang`; a component that calls it declares `@lang`"))?;
    let mut args = HashMap::new();
    for (name, value) in kwargs.iter() {
        match name.as_str() {
            None | Some("key") => {}
            Some(name) => {
                args.insert(Cow::Owned(name.to_owned()), argument(name, value)?);
            }
        }
    }
    words::look_up(&lang, key, &args).ok_or_else(|| Error::message(format!("no words for `{key}`, or it lacks an argument")))
}

fn argument(name: &str, value: &Value) -> TeraResult<FluentValue<'static>> {
    if let Some(text) = value.as_str() {
        Ok(FluentValue::from(text.to_owned()))
    } else if let Some(n) = value.as_i64() {
        Ok(FluentValue::from(n))
    } else if let Some(n) = value.as_f64() {
        Ok(FluentValue::from(n))
    } else {
        Err(Error::message(format!("`{name}` is neither text nor a number")))
    }
}

/// `{{ asset(name="css/base.css") }}`: the address of a static file, with its content hash.
fn asset(assets: &Assets, kwargs: &Kwargs) -> TeraResult<String> {
    let name = kwargs.must_get::<&str>("name")?;
    assets(name).ok_or_else(|| Error::message(format!("no asset named `{name}`")))
}

/// `{{ icon(name="check") }}`: a small line drawing, decorative, in the colour of the text.
fn icon(kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let name = kwargs.must_get::<&str>("name")?;
    let paths = icons::paths(name).ok_or_else(|| Error::message(format!("no icon named `{name}`")))?;
    Ok(Value::safe_string(&format!(
        "<svg class=\"icon\" viewBox=\"0 0 24 24\" width=\"24\" height=\"24\" fill=\"none\" stroke=\"currentColor\" \
         stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\" \
         focusable=\"false\">{paths}</svg>"
    )))
}

/// `{{ attributes(of=attrs) }}` prints a component's further attributes, sorted, escaped, `_` as `-`
/// (`aria_label="Close"` becomes `aria-label`). `true` prints the bare name; `false`, none and "" nothing.
fn attributes(kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let map = kwargs.must_get::<&tera::Map>("of")?;
    let mut pairs: Vec<(String, &Value)> = Vec::new();
    for (name, value) in map.iter() {
        let name = name.as_str().unwrap_or_default().replace('_', "-");
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(Error::message(format!("`{name}` is no attribute name")));
        }
        pairs.push((name, value));
    }
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = String::new();
    for (name, value) in pairs {
        match value.as_bool() {
            Some(true) => out.push_str(&format!(" {name}")),
            Some(false) => {}
            None => {
                let text = value.to_string();
                if !text.is_empty() && !value.is_none() {
                    let _ = write!(out, " {name}=\"{}\"", escape(&text));
                }
            }
        }
    }
    Ok(Value::safe_string(&out))
}

/// `{{ hidden(of={"version": 3}) }}` prints hidden inputs, sorted by name.
fn hidden(kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let map = kwargs.must_get::<&tera::Map>("of")?;
    let mut pairs: Vec<(&str, String)> =
        map.iter().map(|(name, value)| (name.as_str().unwrap_or_default(), value.to_string())).collect();
    pairs.sort();
    let mut out = String::new();
    for (name, value) in pairs {
        let _ = write!(out, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(&value));
    }
    Ok(Value::safe_string(&out))
}
