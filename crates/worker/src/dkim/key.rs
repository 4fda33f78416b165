//! The private key of DKIM signatures: reading it as people have it, signing, and its public half as DNS wants it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};

/// Why a key cannot be used. None of these repeats anything of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor base64.
    #[error("there is no private key in it: a PEM file begins with -----BEGIN PRIVATE KEY-----")]
    NotAKey,
    /// PEM of something else.
    #[error("it holds a {0}, and a private key is needed: -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----")]
    Other(String),
    /// A private key under a password.
    #[error("the key is locked with a password; take it off with: openssl pkey -in KEY -out NEW-KEY")]
    Locked,
    /// RSA that is too short or too long to be trusted, or broken; with the reason in ring's word.
    #[error("the RSA key is not usable ({0}): it must have 2048 to 4096 bits, such as one from: openssl genrsa -out dkim.pem 2048")]
    Rsa(String),
    /// Neither RSA nor Ed25519, or broken.
    #[error("the key is neither RSA of 2048 to 4096 bits nor Ed25519, or it is damaged ({0})")]
    Kind(String),
    /// The signature could not be made.
    #[error("the key does not sign")]
    Signing,
}

/// A key that can sign. What is shown of it is its public half.
#[derive(Debug)]
pub(super) enum PrivateKey {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl PrivateKey {
    pub(super) fn read(text: &str) -> Result<Self, KeyError> {
        let Some((label, rest)) = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----")) else {
            let seed = decode(text).filter(|seed| seed.len() == 32).ok_or(KeyError::NotAKey)?;
            let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|why| KeyError::Kind(why.to_string()))?;
            return Ok(Self::Ed25519(Box::new(key)));
        };
        let (inner, _) = rest.split_once("-----END ").ok_or(KeyError::NotAKey)?;
        if label == "ENCRYPTED PRIVATE KEY" || inner.contains("ENCRYPTED") {
            return Err(KeyError::Locked);
        }
        let der = || decode(inner).ok_or(KeyError::NotAKey);
        match label {
            "RSA PRIVATE KEY" => {
                RsaKeyPair::from_der(&der()?).map(|key| Self::Rsa(Box::new(key))).map_err(|why| KeyError::Rsa(why.to_string()))
            }
            "PRIVATE KEY" => {
                let der = der()?;
                // openssl writes Ed25519 without the public half, which ring then works out.
                match (Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der), RsaKeyPair::from_pkcs8(&der)) {
                    (Ok(key), _) => Ok(Self::Ed25519(Box::new(key))),
                    (_, Ok(key)) => Ok(Self::Rsa(Box::new(key))),
                    (_, Err(why)) if why.to_string() == "WrongAlgorithm" => Err(KeyError::Kind(why.to_string())),
                    (_, Err(why)) => Err(KeyError::Rsa(why.to_string())),
                }
            }
            other => Err(KeyError::Other(other.to_lowercase())),
        }
    }

    /// As `a=` and `k=` name it.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa",
            Self::Ed25519(_) => "ed25519",
        }
    }

    pub(super) fn kind(&self) -> String {
        match self {
            Self::Rsa(key) => format!("RSA, {} bits", key.public().modulus_len() * 8),
            Self::Ed25519(_) => "Ed25519".to_owned(),
        }
    }

    pub(super) fn takes_long(&self) -> bool {
        matches!(self, Self::Rsa(_))
    }

    /// As `p=` holds it: RSA as a SubjectPublicKeyInfo, Ed25519 as its 32 bytes.
    pub(super) fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => subject_public_key_info(key.public().as_ref()),
            Self::Ed25519(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// Signs the SHA-256 of a text.
    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).map_err(|_| KeyError::Signing)?;
                Ok(signature)
            }
            Self::Ed25519(key) => {
                // RFC 8463: the hash is what is signed, and Ed25519 hashes it once more in its own way.
                let hash = ring::digest::digest(&ring::digest::SHA256, text);
                Ok(key.sign(hash.as_ref()).as_ref().to_vec())
            }
        }
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(dense).ok().filter(|bytes| !bytes.is_empty())
}

/// Wraps a bare RSA public key: `SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { key } }`.
fn subject_public_key_info(key: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 15] = [0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
    let bits = [&[0], key].concat();
    der(0x30, &[&RSA_ENCRYPTION[..], &der(0x03, &bits)].concat())
}

/// One DER value: its tag, its length in as few bytes as it needs, its content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let mut out = vec![tag];
    if content.len() < 128 {
        out.push(length[length.len() - 1]);
    } else {
        let length = &length[first..];
        out.push(0x80 | length.len() as u8);
        out.extend_from_slice(length);
    }
    out.extend_from_slice(content);
    out
}
