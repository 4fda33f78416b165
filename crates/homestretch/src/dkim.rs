//! The settings of DKIM: which key signs the mails, and what the operator publishes for it.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use secrecy::{ExposeSecret as _, SecretString};
use worker::{Signer, SignerError};

use crate::config::{SettingError, Settings};

/// `HOMESTRETCH_DKIM_KEY`, `_SELECTOR` and `_DOMAIN` as given. The key is read when mails are to be signed: `serve` needs none.
#[derive(Debug, Clone)]
pub struct Dkim {
    key: PathBuf,
    selector: String,
    domain: Option<String>,
}

impl Dkim {
    /// The settings, when mails are to be signed; `text` looks one up.
    pub(crate) fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, SettingError> {
        let [key, selector, domain] = ["KEY", "SELECTOR", "DOMAIN"].map(|name| text(&format!("HOMESTRETCH_DKIM_{name}")));
        match (key, selector) {
            (Some(key), Some(selector)) => {
                Ok(Some(Self { key: PathBuf::from(key), selector: selector.to_owned(), domain: domain.map(str::to_owned) }))
            }
            (Some(_), None) => Err(SettingError(
                "HOMESTRETCH_DKIM_SELECTOR is not set, and HOMESTRETCH_DKIM_KEY is. It says under which name the public key stands in DNS, such as mail2026.".to_owned(),
            )),
            (None, None) if domain.is_none() => Ok(None),
            (None, _) => Err(SettingError(
                "HOMESTRETCH_DKIM_KEY is not set, and another HOMESTRETCH_DKIM setting is. It says in which file the private key is.".to_owned(),
            )),
        }
    }

    /// Reads the key. `from` is `HOMESTRETCH_MAIL_FROM`, whose domain signs unless another is set.
    ///
    /// # Errors
    /// [`SettingError`], one line that names the setting and repeats nothing of the key.
    pub fn signer(&self, from: &str) -> Result<Signer, SettingError> {
        let domain = self.domain.as_deref().unwrap_or_else(|| domain_of(from));
        let key = std::fs::read_to_string(&self.key)
            .map(SecretString::from)
            .map_err(|why| SettingError(format!("HOMESTRETCH_DKIM_KEY: {} cannot be read: {why}.", self.key.display())))?;
        Signer::new(key.expose_secret(), &self.selector, domain).map_err(|why| {
            let name = match why {
                SignerError::Key(_) => "KEY",
                SignerError::Selector(_) => "SELECTOR",
                SignerError::Domain(_) => "DOMAIN",
            };
            SettingError(format!("HOMESTRETCH_DKIM_{name}: {why}."))
        })
    }
}

/// What `homestretch check` says: what to publish, or why receivers would not take the signature for the sender's.
pub(crate) fn check(settings: &Settings) -> Result<String> {
    let Some(dkim) = &settings.dkim else {
        return Ok("no key is set; your mail server must sign".to_owned());
    };
    let from = settings.mail_from()?;
    let signer = dkim.signer(from)?;
    if !signer.vouches_for(domain_of(from)) {
        return Err(anyhow!(
            "HOMESTRETCH_DKIM_DOMAIN: {} cannot vouch for mail from {}. It must be that domain or the one above it.",
            signer.domain(),
            domain_of(from)
        ));
    }
    let record = signer.record();
    Ok(format!("{}. DNS must have this TXT record:\n           {}\n           {}", signer.kind(), record.name, record.value))
}

/// What follows the @, without the > of an address with a name.
fn domain_of(from: &str) -> &str {
    from.rsplit_once('@').map_or(from, |(_, domain)| domain.trim_end_matches('>').trim())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, SettingError> {
        let mut map = BTreeMap::from([("HOME".to_owned(), "/home/mei".to_owned())]);
        map.insert("HOMESTRETCH_MAIL_FROM".to_owned(), "Riverside <hello@mail.riverside.example>".to_owned());
        map.extend(pairs.iter().map(|(name, value)| (format!("HOMESTRETCH_DKIM_{name}"), (*value).to_owned())));
        Settings::read(&map, false)
    }

    /// A file that is there as long as the value.
    struct File(PathBuf);

    impl File {
        fn with(text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("homestretch-dkim-{}", uuid::Uuid::now_v7()));
            std::fs::write(&path, text).unwrap();
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

    #[test]
    fn the_record_to_publish_is_told() {
        let key = File::with(SEED);
        let told = check(&settings(&[("KEY", key.path()), ("SELECTOR", "brisbane")]).unwrap()).unwrap();
        // The key of RFC 8463 and its public half.
        assert!(told.contains("brisbane._domainkey.mail.riverside.example"), "{told}");
        assert!(told.contains("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), "{told}");
        let above = [("KEY", key.path()), ("SELECTOR", "a"), ("DOMAIN", "riverside.example")];
        assert!(check(&settings(&above).unwrap()).unwrap().contains("a._domainkey.riverside.example"));
        assert!(check(&settings(&[]).unwrap()).unwrap().contains("no key is set"));
    }

    #[test]
    fn what_cannot_sign_is_one_clear_line_without_the_key() {
        let (good, bad, half, public, locked) = (
            File::with(SEED),
            File::with("hunter2"),
            File::with("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"),
            File::with("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
            File::with("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"),
        );
        let one = ("SELECTOR", "a");
        for (pairs, says) in [
            (vec![("KEY", good.path())], "HOMESTRETCH_DKIM_SELECTOR is not set"),
            (vec![one], "HOMESTRETCH_DKIM_KEY is not set"),
            (vec![("DOMAIN", "a.example")], "HOMESTRETCH_DKIM_KEY is not set"),
            (vec![("KEY", "/none/there"), one], "HOMESTRETCH_DKIM_KEY: /none/there cannot be read"),
            (vec![("KEY", bad.path()), one], "HOMESTRETCH_DKIM_KEY: there is no private key in it"),
            (vec![("KEY", half.path()), one], "HOMESTRETCH_DKIM_KEY: the RSA key is not usable (InvalidEncoding)"),
            (vec![("KEY", public.path()), one], "HOMESTRETCH_DKIM_KEY: it holds a public key"),
            (vec![("KEY", locked.path()), one], "HOMESTRETCH_DKIM_KEY: the key is locked with a password"),
            (vec![("KEY", good.path()), ("SELECTOR", "a b")], "HOMESTRETCH_DKIM_SELECTOR: the selector “a b”"),
            (vec![("KEY", good.path()), one, ("DOMAIN", "nowhere")], "HOMESTRETCH_DKIM_DOMAIN: “nowhere” is not a domain"),
            (
                vec![("KEY", good.path()), one, ("DOMAIN", "other.example")],
                "other.example cannot vouch for mail from mail.riverside.example",
            ),
        ] {
            let said = match settings(&pairs) {
                Ok(settings) => check(&settings).map_err(|error| error.to_string()).unwrap_err(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(says), "{pairs:?}: {said}");
            assert!(!said.contains('\n') && !said.contains("hunter2") && !said.contains("MIIE"), "{said}");
        }
    }
}
