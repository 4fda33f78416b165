//! The clinic's settings, for its owner.

use axum::extract::State;
use domain::{
    person::{PersonName, Zone},
    reminder::QuietHours,
};
use jiff::civil::Time;
use render::{
    Field, Flash, Nav,
    pages::account::clinic::{Proof, Settings as SettingsPage},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError,
    clinic::{self, Settings},
    session::SignedIn,
};

use super::confirm::{self, Proved};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Lately, Owner, Pages, Staff, Viewer},
    visit::Visit,
    zones,
};

/// `GET /settings`
pub(crate) async fn page(State(app): State<AppState>, Owner(owner): Owner, pages: Pages) -> PageResult {
    let settings = current(&app, &owner).await?;
    pages.at(Nav::Clinic).show(&Typed::from(settings).page())
}

/// `POST /settings`. What decides who sees what and how staff sign in asks for the password in the form itself, so that nothing that was
/// typed is lost.
pub(crate) async fn save(
    State(app): State<AppState>,
    Owner(owner): Owner,
    lately: Lately,
    visit: Visit,
    Viewer(viewer): Viewer,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let pages = pages.at(Nav::Clinic);
    let Some(me) = viewer else { return Err(PageError::NotFound) };
    // Whoever asks the staff for a second factor would be the first to be shut out.
    if typed.second_factor == "yes" && !me.second_factor {
        let mut page = typed.parse().map_or_else(|page| *page, |_| typed.page());
        let sentence = "Please set up your own second factor first: without it this would shut you out, too.";
        (page.second_factor_wrong, page.wrong) = (Some(sentence.into()), true);
        return pages.refuse(&page);
    }
    let settings = match typed.parse() {
        Ok(settings) => settings,
        Err(page) => return pages.refuse(&*page),
    };
    if !lately.is_confirmed() {
        let kept = current(&app, &owner).await?;
        let matters = (kept.own_caseload, kept.second_factor) != (settings.own_caseload, settings.second_factor);
        if matters && let Some(proof) = asked(&app, &visit, &me, &typed).await? {
            let page = SettingsPage { proof: Some(proof), wrong: true, ..typed.page() };
            return pages.refuse(&page);
        }
    }
    let tx = app.store.begin(&owner.scope).await?;
    clinic::save(&tx, &settings, visit.now()).await?;
    tx.commit().await?;
    Ok(pages.go_saying("/settings", &Flash::good("The settings are saved.")))
}

/// The settings as they are saved.
async fn current(app: &AppState, owner: &Staff) -> Result<Settings, StoreError> {
    let tx = app.store.begin(&owner.scope).await?;
    let settings = clinic::settings(&tx).await?;
    tx.commit().await?;
    Ok(settings)
}

/// The fields for proving who is there; `None` when what was typed into them proves it.
async fn asked(app: &AppState, visit: &Visit, me: &SignedIn, typed: &Typed) -> Result<Option<Proof>, PageError> {
    let mut proof = Proof {
        email: me.email.as_str().to_owned(),
        password: Field::default(),
        code: Field::default(),
        asks_code: me.second_factor,
    };
    if typed.password.is_empty() {
        return Ok(Some(proof));
    }
    match confirm::prove(app, visit, me, typed.password.clone(), typed.code.clone()).await? {
        Proved::Yes => return Ok(None),
        Proved::WrongPassword => proof.password = Field::refused("", say(me.language, "account-current-wrong", &[])),
        Proved::WrongCode => proof.code = Field::refused("", say(me.language, "code-wrong", &[])),
    }
    Ok(Some(proof))
}

/// The form as it is typed.
#[derive(Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    whatsapp: String,
    #[serde(default)]
    quiet_from: String,
    #[serde(default)]
    quiet_to: String,
    #[serde(default)]
    pain_high: String,
    #[serde(default)]
    missed_run: String,
    #[serde(default)]
    own_caseload: String,
    #[serde(default)]
    second_factor: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
}

impl From<Settings> for Typed {
    fn from(settings: Settings) -> Self {
        let Settings { name, zone, phone, whatsapp, quiet, pain_high, missed_run, own_caseload, second_factor } = settings;
        let clock = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        Self {
            name: name.to_string(),
            zone: zone.to_string(),
            phone: phone.unwrap_or_default(),
            whatsapp: whatsapp.map(|digits| format!("+{digits}")).unwrap_or_default(),
            quiet_from: clock(quiet.from),
            quiet_to: clock(quiet.to),
            pain_high: pain_high.to_string(),
            missed_run: missed_run.to_string(),
            own_caseload: if own_caseload { "yes" } else { "" }.to_owned(),
            second_factor: if second_factor { "yes" } else { "" }.to_owned(),
            password: String::new(),
            code: String::new(),
        }
    }
}

impl Typed {
    fn page(&self) -> SettingsPage {
        let field = |text: &String| Field::holding(text);
        SettingsPage {
            name: field(&self.name),
            zone: field(&self.zone),
            zones: zones::names().to_vec(),
            phone: field(&self.phone),
            whatsapp: field(&self.whatsapp),
            quiet_from: field(&self.quiet_from),
            quiet_to: field(&self.quiet_to),
            pain_high: field(&self.pain_high),
            missed_run: field(&self.missed_run),
            own_caseload: self.own_caseload == "yes",
            second_factor: self.second_factor == "yes",
            second_factor_wrong: None,
            proof: None,
            wrong: false,
        }
    }

    /// The settings, or the page with a sentence at each field that is wrong.
    fn parse(&self) -> Result<Settings, Box<SettingsPage>> {
        let mut page = self.page();
        let name = keep(PersonName::parse(&self.name).map_err(|fault| fault.to_string()), &mut page.name);
        let zone = keep(Zone::parse(&self.zone).map_err(|fault| fault.to_string()), &mut page.zone);
        let phone = keep(phone(&self.phone), &mut page.phone);
        let whatsapp = keep(whatsapp(&self.whatsapp), &mut page.whatsapp);
        let from = keep(time(&self.quiet_from), &mut page.quiet_from);
        let to = keep(time(&self.quiet_to), &mut page.quiet_to);
        let pain_high = keep(number(&self.pain_high, 1, 10), &mut page.pain_high);
        let missed_run = keep(number(&self.missed_run, 1, 30), &mut page.missed_run);
        match (name, zone, phone, whatsapp, from, to, pain_high, missed_run) {
            (Some(name), Some(zone), Some(phone), Some(whatsapp), Some(from), Some(to), Some(pain_high), Some(missed_run)) => {
                Ok(Settings {
                    name,
                    zone,
                    phone,
                    whatsapp,
                    quiet: QuietHours { from, to },
                    pain_high,
                    missed_run,
                    own_caseload: page.own_caseload,
                    second_factor: page.second_factor,
                })
            }
            _ => {
                page.wrong = true;
                Err(Box::new(page))
            }
        }
    }
}

fn keep<T>(parsed: Result<T, String>, field: &mut Field) -> Option<T> {
    parsed.map_err(|sentence| field.error = Some(sentence)).ok()
}

fn phone(typed: &str) -> Result<Option<String>, String> {
    let number = typed.trim();
    if number.is_empty() {
        return Ok(None);
    }
    let written = number.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
    if written && number.len() <= 40 && number.chars().any(|c| c.is_ascii_digit()) {
        Ok(Some(number.to_owned()))
    } else {
        Err("Please write digits, as in +60 12-345 6789.".into())
    }
}

/// Digits with the country's code, as `https://wa.me/` wants them.
fn whatsapp(typed: &str) -> Result<Option<String>, String> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let digits: String = typed.chars().filter(|c| !" +-().".contains(*c)).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    let plausible = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if plausible { Ok(Some(digits.to_owned())) } else { Err("Please begin with the country code, as in +60 12-345 6789.".into()) }
}

fn time(typed: &str) -> Result<Time, String> {
    // Browsers send 21:00, some 21:00:00.
    typed.trim().parse().map_err(|_| "Please give an hour such as 21:00.".into())
}

fn number(typed: &str, least: u8, most: u8) -> Result<u8, String> {
    match typed.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("Please give a number from {least} to {most}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(whatsapp("+60 12-345 6789"), Ok(Some("60123456789".into())));
        assert_eq!(whatsapp("0060123456789"), Ok(Some("60123456789".into())));
        assert_eq!(whatsapp("  "), Ok(None));
        for bad in ["012-345 6789", "60", "+60 12 abc", "1234567890123456"] {
            assert!(whatsapp(bad).is_err(), "{bad}");
        }
        assert_eq!(phone(" 03-1234 5678 "), Ok(Some("03-1234 5678".into())));
        assert!(phone("call me").is_err());
        assert!(number("11", 1, 10).is_err());
        assert!(number("", 1, 10).is_err());
        assert!(time("25:00").is_err());
        assert_eq!(time("21:00"), Ok(jiff::civil::time(21, 0, 0, 0)));
    }
}
