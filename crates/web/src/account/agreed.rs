//! `/account/consent`: what the patient agreed to, word for word; and agreeing to a wording that has changed.
//!
//! A new wording is asked about on Today and here, and nowhere else: a patient in the middle of a session is never stopped for it. What
//! was agreed to before holds until the patient decides, since the new wording asks for nothing until it is agreed to.

use axum::extract::State;
use domain::person::Language;
use jiff::Timestamp;
use render::{
    Flash, Nav, formats,
    pages::patient::{Agreement, Consent as Shown, Offer},
    words::say,
};
use serde::Deserialize;
use store::{
    account::Consent,
    consent::{self, Agreed},
};

use crate::{
    AppState, PageResult,
    extract::{Form, Now, Pages, Patient},
};

/// What a patient agrees to, in their language. To change it: other words under `consent-…` in `words/en/account.ftl`, and a new
/// `consent-version`; patients are then asked again.
pub(crate) fn wording(language: Language, clinic: &str) -> Consent {
    Consent { version: say(language, "consent-version", &[]), wording: paragraphs(language, clinic).join("\n\n") }
}

/// The same, a paragraph each.
pub(crate) fn paragraphs(language: Language, clinic: &str) -> Vec<String> {
    ["consent-1", "consent-2", "consent-3", "consent-4"]
        .map(|key| say(language, key, &[("clinic", clinic.to_owned().into())]))
        .into()
}

/// `GET /account/consent`
pub(crate) async fn page(State(app): State<AppState>, me: Patient, pages: Pages) -> PageResult {
    let shown = filled(&app, &me).await?;
    pages.at(Nav::Account).show(&shown)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    agree: String,
    consent_version: String,
}

/// `POST /account/consent`: agrees to the wording of now, the one that was shown.
pub(crate) async fn agree(
    State(app): State<AppState>,
    me: Patient,
    Now(now): Now,
    pages: Pages,
    Form(Answer { agree, consent_version }): Form<Answer>,
) -> PageResult {
    let language = me.language;
    let current = wording(language, &me.clinic.name);
    let fault = match (consent_version == current.version, agree == "yes") {
        (false, _) => Some("agreed-changed"),
        (true, false) => Some("agreed-missing"),
        (true, true) => None,
    };
    if let Some(fault) = fault {
        let mut shown = filled(&app, &me).await?;
        if let Some(offer) = &mut shown.offer {
            offer.error = Some(say(language, fault, &[]));
        }
        return pages.at(Nav::Account).refuse(&shown);
    }
    let tx = app.store.begin(&me.scope).await?;
    // Pressed twice, it is one answer.
    match consent::standing(&tx, me.id).await? {
        consent::Standing::Given { version, .. } if version == current.version => {}
        _ => consent::agree(&tx, me.id, &current, now).await?,
    }
    tx.commit().await?;
    Ok(pages.go_saying("/account/consent", &Flash::good(say(language, "agreed-thanks", &[]))))
}

async fn filled(app: &AppState, me: &Patient) -> Result<Shown, crate::PageError> {
    let tx = app.store.begin(&me.scope).await?;
    let agreed = consent::of(&tx, me.id).await?;
    tx.commit().await?;
    let current = wording(me.language, &me.clinic.name);
    let holds = agreed.first().is_some_and(|agreed| agreed.withdrawn_at.is_none() && agreed.to.version == current.version);
    let day = |at: Timestamp| formats::day_and_year(me.language, me.zone.date(at));
    Ok(Shown {
        offer: (!holds).then(|| Offer {
            version: current.version.clone(),
            paragraphs: paragraphs(me.language, &me.clinic.name),
            first: agreed.is_empty(),
            error: None,
        }),
        agreed: agreed
            .iter()
            .map(|Agreed { to, at, withdrawn_at }| Agreement {
                day: day(*at),
                version: to.version.clone(),
                paragraphs: to.wording.split("\n\n").map(str::to_owned).collect(),
                withdrawn: withdrawn_at.map(day),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use ring::digest::{SHA256, digest};

    use super::*;

    /// Every wording that patients were asked to agree to, by its version and language, and the SHA-256 of its words. A line is added for
    /// a new version and none is ever changed: what people agreed to is kept word for word under that version.
    const WORDINGS: &[(&str, Language, &str)] =
        &[("2026-11", Language::En, "7f8c6a152088a9e76e83edc784032449d82f18b81547a06e54a59db6ce841eca")];

    #[test]
    fn the_words_of_the_consent_change_only_with_a_new_version() {
        for language in Language::ALL.iter().copied() {
            let Consent { version, wording } = wording(language, "The clinic");
            let mut sum = String::new();
            for byte in digest(&SHA256, wording.as_bytes()).as_ref() {
                write!(sum, "{byte:02x}").unwrap();
            }
            // A language without words of its own shows the English ones.
            let known = |tongue| WORDINGS.contains(&(version.as_str(), tongue, sum.as_str()));
            assert!(
                known(language) || known(Language::En),
                "the words under consent-1 to consent-4 ({}) are not those of version {version}, which patients have agreed to. \
                 Give them a new consent-version, then add (\"…\", …, \"{sum}\") here.",
                language.tag()
            );
        }
        let mut versions: Vec<_> = WORDINGS.iter().map(|(version, language, _)| (version, language.tag())).collect();
        versions.dedup();
        assert_eq!(versions.len(), WORDINGS.len(), "one version has one wording");
    }
}
