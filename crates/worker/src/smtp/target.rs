//! Where mail goes: what `SMTP_URL` says.

use std::{fmt, path::PathBuf, str::FromStr};

use lettre::transport::smtp::client::Certificate;
use secrecy::SecretString;

/// Where mail goes.
#[derive(Debug, Clone)]
pub enum Target {
    /// A mail server.
    Smtp(MailServer),
    /// A folder: each mail becomes an `.eml` file in it.
    Folder(PathBuf),
}

/// A mail server and how to speak to it.
#[derive(Debug, Clone)]
pub struct MailServer {
    /// Name or address; also the name its certificate must have.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the connection is encrypted from its first byte (`smtps://`). Otherwise it becomes so when the server offers
    /// STARTTLS.
    pub encrypted: bool,
    /// User and password, when the server wants them.
    pub login: Option<(String, SecretString)>,
    /// An authority (PEM) trusted beside the public ones, for a server with a certificate of the clinic's own.
    pub authority: Option<String>,
}

/// Why an `SMTP_URL` cannot be used. The text is for the operator and never repeats the value, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

impl Target {
    /// Reads `smtp://user:pass@host:port`, `smtps://…` or `file:DIR`. Ports default to 587 with a user and 25 without one, and to
    /// 465 for `smtps`; user and password are percent-decoded.
    ///
    /// # Errors
    /// [`TargetError`] with a sentence that says what is wrong.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let wrong = |why: &str| {
            Err(TargetError(format!(
                "{why}; it should read smtp://user:password@host:port, smtps://user:password@host:port or file:FOLDER"
            )))
        };
        let url = url.trim();
        if let Some(folder) = url.strip_prefix("file:") {
            // file:///var/mail and file:/var/mail are the same folder.
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            return if folder.is_empty() { wrong("it names no folder") } else { Ok(Self::Folder(PathBuf::from(folder))) };
        }
        let (encrypted, rest) = match url.split_once("://") {
            Some(("smtp", rest)) => (false, rest),
            Some(("smtps", rest)) => (true, rest),
            _ => return wrong("it does not begin with smtp://, smtps:// or file:"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return wrong("it has something after the port (write / ? # in a password as %2F %3F %23)");
        }
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, rest),
        };
        let login = match login.map(|login| login.split_once(':')) {
            None => None,
            Some(Some((user, password))) => match (decode(user), decode(password)) {
                (Some(user), Some(password)) if !user.is_empty() => Some((user, SecretString::from(password))),
                (Some(_), Some(_)) => return wrong("its user is empty"),
                _ => return wrong("its user or password has a % that is not followed by two hexadecimal digits"),
            },
            Some(None) => return wrong("it has a user and no password"),
        };
        let (host, port) = match host_and_port(address) {
            Some((host, port)) => (host, port),
            None => return wrong("its port is not a number from 1 to 65535"),
        };
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return wrong("it names no host");
        }
        let port = port.unwrap_or(match (encrypted, login.is_some()) {
            (true, _) => 465,
            (false, true) => 587,
            (false, false) => 25,
        });
        Ok(Self::Smtp(MailServer { host: host.to_owned(), port, encrypted, login, authority: None }))
    }

    /// Trusts this authority (PEM) too when it is a mail server's encryption that is to be checked.
    ///
    /// # Errors
    /// [`TargetError`] when it is no certificate.
    pub fn trusting(mut self, pem: String) -> Result<Self, TargetError> {
        let read = Certificate::from_pem(pem.as_bytes());
        if read.is_err() || !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(TargetError("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()));
        }
        if let Self::Smtp(server) = &mut self {
            server.authority = Some(pem);
        }
        Ok(self)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        Self::parse(url)
    }
}

/// Without the user and the password, so that it can stand in a log.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file:{}", folder.display()),
            Self::Smtp(server) => {
                let scheme = if server.encrypted { "smtps" } else { "smtp" };
                let brackets = server.host.contains(':');
                let (open, close) = if brackets { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{open}{}{close}:{}", server.host, server.port)
            }
        }
    }
}

/// The host without the brackets of an IPv6 address, and the port if one is given; `None` for a port that is no port.
fn host_and_port(address: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else {
        match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    match port {
        None => Some((host, None)),
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port))),
    }
}

/// Percent-decodes; `None` when a `%` is not followed by two hexadecimal digits or the bytes are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn server(url: &str) -> MailServer {
        match Target::parse(url) {
            Ok(Target::Smtp(server)) => server,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn reads_servers_and_folders() {
        let table = [
            ("smtp://mail.test", "smtp://mail.test:25", ""),
            ("smtp://mail.test:1025/", "smtp://mail.test:1025", ""),
            ("smtp://me:secret@mail.test", "smtp://mail.test:587", "me secret"),
            ("smtps://me%40x.test:p%2Fw:1@mail.test", "smtps://mail.test:465", "me@x.test p/w:1"),
            ("smtp://me@x.test:pw@mail.test:26", "smtp://mail.test:26", "me@x.test pw"),
            ("smtp://[::1]:25", "smtp://[::1]:25", ""),
        ];
        for (url, shown, login) in table {
            let read = server(url);
            assert_eq!(Target::Smtp(read.clone()).to_string(), shown, "{url}");
            let given = read.login.map(|(user, password)| format!("{user} {}", password.expose_secret())).unwrap_or_default();
            assert_eq!(given, login, "{url}");
        }
        for (url, folder) in [("file:/var/mail", "/var/mail"), ("file:///var/mail", "/var/mail"), ("file:mail", "mail")] {
            assert!(matches!(Target::parse(url), Ok(Target::Folder(read)) if read.as_os_str() == folder), "{url}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_keeps_the_password_to_itself() {
        let table = [
            ("mail.test:25", "does not begin with"),
            ("http://mail.test", "does not begin with"),
            ("file:", "names no folder"),
            ("smtp://", "names no host"),
            ("smtp://mail.test:port", "port is not a number"),
            ("smtp://mail.test:0", "port is not a number"),
            ("smtp://hush@mail.test", "no password"),
            ("smtp://:hush@mail.test", "user is empty"),
            ("smtp://me:hush%zz@mail.test", "two hexadecimal digits"),
            ("smtp://me:hush/x@mail.test", "after the port"),
        ];
        for (url, why) in table {
            let error = Target::parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("hush"), "{url}: {error}");
        }
    }
}
