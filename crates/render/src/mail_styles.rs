//! Writes the styles of the mails into their elements, once, in the templates' own text when they load.
//!
//! Mail clients drop or rewrite the head's style sheet, so every element carries its style. Doing it to the templates
//! instead of to each finished mail costs nothing per mail, and finds a class without a rule before anything is sent.

use std::collections::HashMap;

use crate::RenderError;

const LAYOUT: &str = "layouts/mail.html";

/// Inlines into the layout, the components and the bodies of the mails among `sources` (path, text).
pub(crate) fn inline(sources: &mut [(String, String)]) -> Result<(), RenderError> {
    let fault = |template: &str, reason: String| RenderError::Style { template: template.to_owned(), reason };
    let Some((_, layout)) = sources.iter_mut().find(|(path, _)| path == LAYOUT) else { return Ok(()) };
    let (Some(open), Some(close)) = (layout.find("<style>"), layout.find("</style>")) else {
        return Err(fault(LAYOUT, "has no style block".into()));
    };
    let css = layout[open + "<style>".len()..close].to_owned();
    let (plain, dark) = css.split_at(css.find("@media").unwrap_or(css.len()));
    let rules = rules(plain).map_err(|reason| fault(LAYOUT, reason))?;
    layout.replace_range(open + "<style>".len()..close, &format!("\n{dark}"));

    for (path, text) in sources {
        if path == LAYOUT || path == "components/mail.html" || (path.starts_with("mail/") && path.ends_with(".html")) {
            *text = write_into(text, &rules).map_err(|reason| fault(path, reason))?;
        }
    }
    Ok(())
}

/// `.name { declarations }` one after the other.
fn rules(css: &str) -> Result<HashMap<String, String>, String> {
    let mut rules = HashMap::new();
    for rule in css.split('}').map(str::trim).filter(|rule| !rule.is_empty()) {
        let (selector, declarations) = rule.split_once('{').ok_or_else(|| format!("`{rule}` is no rule"))?;
        let name = selector.trim().strip_prefix('.').unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            return Err(format!("`{}` is not one class", selector.trim()));
        }
        if declarations.contains('"') {
            return Err(format!(".{name} has a double quote, which would end the attribute"));
        }
        rules.insert(name.to_owned(), declarations.trim().to_owned());
    }
    Ok(rules)
}

fn write_into(text: &str, rules: &HashMap<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("class=\"") {
        let (names, tail) = after.split_once('"').ok_or("a class attribute does not end")?;
        let mut style = String::new();
        for name in names.split_whitespace() {
            let rule = rules.get(name).ok_or_else(|| format!("no rule for .{name}"))?;
            style.push_str(rule);
        }
        out.push_str(&format!("{before}class=\"{names}\" style=\"{style}\""));
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inlined(layout: &str, body: &str) -> Result<String, RenderError> {
        let mut sources = vec![(LAYOUT.to_owned(), layout.to_owned()), ("mail/x/body.html".to_owned(), body.to_owned())];
        inline(&mut sources)?;
        Ok(format!("{}|{}", sources[0].1, sources[1].1))
    }

    #[test]
    fn rules_go_into_elements_and_media_stays() {
        let all = inlined("<style>.a { color: red; }@media x{.a{color:blue}}</style><i class=\"a\">", "<b class=\"a\">{{ x }}</b>")
            .unwrap();
        assert_eq!(
            all,
            "<style>\n@media x{.a{color:blue}}</style><i class=\"a\" style=\"color: red;\">|<b class=\"a\" style=\"color: red;\">{{ x }}</b>"
        );
    }

    #[test]
    fn a_class_without_a_rule_is_refused() {
        let fault = inlined("<style>.a { color: red; }</style>", "<b class=\"typo\">").unwrap_err().to_string();
        assert_eq!(fault, "mail/x/body.html: no rule for .typo");
    }

    #[test]
    fn a_rule_for_more_than_a_class_is_refused() {
        let fault = inlined("<style>.a p { color: red; }</style>", "").unwrap_err().to_string();
        assert!(fault.contains("`.a p` is not one class"), "{fault}");
    }
}
