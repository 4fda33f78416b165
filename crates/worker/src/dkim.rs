//! Signing mails with DKIM (RFC 6376, RFC 8463), so that receivers can tell that a mail is the clinic's and was not changed.
//!
//! lettre can sign too, but signs before the mail is put together: it reaches neither the Content-Type of a mail with two parts nor
//! the absence of a second From, it reads the clock, and it brings the `rsa` crate with its unfixed timing leak. Here the finished bytes
//! are signed, with ring, which speaks TLS for us anyway.
//!
//! Both canonicalisations are `relaxed`: a server on the way may fold headers anew and strip spaces at line ends.

mod canonical;
mod key;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};

pub use key::KeyError;
use key::PrivateKey;

/// What a signature covers. Each name is listed once more than the mail has it, so that nobody can add another one: what a mail
/// program shows would be the added one. RFC 8058 wants both List-Unsubscribe headers covered, or the button is not offered.
const COVERED: [&str; 12] = [
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "auto-submitted",
    "list-unsubscribe",
    "list-unsubscribe-post",
];

/// Why mails cannot be signed with what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The selector is no name that DNS can hold.
    #[error("the selector “{0}” is not made of letters, digits and hyphens, such as mail2026")]
    Selector(String),
    /// The domain is no domain.
    #[error("“{0}” is not a domain such as clinic.example")]
    Domain(String),
}

/// Signs mails as one domain with one key.
#[derive(Debug)]
pub struct Signer {
    key: PrivateKey,
    selector: String,
    domain: String,
}

/// What the operator publishes in DNS, so that receivers find the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name of the TXT record, without a dot at its end.
    pub name: String,
    /// Its value, in one piece. A zone file takes at most 255 characters in a string: there it is cut into several.
    pub value: String,
}

impl Signer {
    /// A signer for mails from `domain`, whose public key stands in DNS under `selector`. `key` is the text of a key file: RSA of 2048
    /// to 4096 bits as PKCS#1 or PKCS#8 PEM, or Ed25519 as PKCS#8 PEM or as the base64 of its 32 bytes.
    ///
    /// # Errors
    /// [`SignerError`]; it never repeats the key.
    pub fn new(key: &str, selector: &str, domain: &str) -> Result<Self, SignerError> {
        let (selector, domain) = (selector.trim().to_ascii_lowercase(), domain.trim().trim_end_matches('.').to_ascii_lowercase());
        if !selector.split('.').all(is_label) {
            return Err(SignerError::Selector(selector));
        }
        if !domain.contains('.') || !domain.split('.').all(is_label) {
            return Err(SignerError::Domain(domain));
        }
        Ok(Self { key: PrivateKey::read(key)?, selector, domain })
    }

    /// The domain that signs.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The kind of its key: "RSA, 2048 bits" or "Ed25519".
    pub fn kind(&self) -> String {
        self.key.kind()
    }

    /// Whether a receiver that looks for alignment (DMARC) counts the signature for mail from `from`, an address's domain: it is the
    /// same domain or one below it.
    pub fn vouches_for(&self, from: &str) -> bool {
        let from = from.to_ascii_lowercase();
        from.strip_suffix(&self.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The record to publish.
    pub fn record(&self) -> Record {
        let value = format!("v=DKIM1; k={}; p={}", self.key.algorithm(), STANDARD.encode(self.key.public()));
        Record { name: format!("{}._domainkey.{}", self.selector, self.domain), value }
    }

    /// Whether a signature takes so long (RSA: about half a millisecond of 2048 bits, seven times that of 4096) that it should not
    /// hold up other tasks of its thread. Ed25519 takes about 20 µs.
    pub fn takes_long(&self) -> bool {
        self.key.takes_long()
    }

    /// The mail with its signature before it. `now` is the time of signing.
    ///
    /// # Errors
    /// [`KeyError::Signing`] when the key fails, which a key that was read does not.
    pub fn sign(&self, mail: &[u8], now: Timestamp) -> Result<Vec<u8>, KeyError> {
        let (headers, body) = canonical::split(mail);
        let mut listed = Vec::new();
        let mut text = String::new();
        for name in COVERED {
            // From the last to the first, as receivers take them; then once more, for the one that must not come.
            for header in headers.iter().rev().filter(|header| header.name.eq_ignore_ascii_case(name)) {
                text.push_str(&canonical::header(header));
                text.push_str("\r\n");
                listed.push(name);
            }
            listed.push(name);
        }
        let mut header = format!(
            "DKIM-Signature: v=1; a={}-sha256; c=relaxed/relaxed; d={};\r\n\ts={}; t={};\r\n\th={};\r\n\tbh={};\r\n\tb=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            now.as_second(),
            folded_list(&listed),
            STANDARD.encode(digest(&SHA256, &canonical::body(body))),
        );
        // The signature signs its own header too, without its value and without a line end.
        if let [own] = canonical::split(header.as_bytes()).0.as_slice() {
            text.push_str(&canonical::header(own));
        }
        let signature = STANDARD.encode(self.key.sign(text.as_bytes())?);
        for (n, piece) in signature.as_bytes().chunks(72).enumerate() {
            header.push_str(if n == 0 { "" } else { "\r\n\t" });
            header.push_str(&String::from_utf8_lossy(piece));
        }
        header.push_str("\r\n");
        let mut signed = header.into_bytes();
        signed.extend_from_slice(mail);
        Ok(signed)
    }
}

/// Names with colons between them, on lines of at most 76 characters.
fn folded_list(names: &[&str]) -> String {
    let mut list = String::new();
    let mut used = "\th=".len();
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            list.push(':');
            used += 1;
        }
        if used + name.len() + 1 > 76 {
            list.push_str("\r\n\t ");
            used = 2;
        }
        list.push_str(name);
        used += name.len();
    }
    list
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
