//! Encryption for the test mail server, good and bad.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// What happens in the handshake, be it after `STARTTLS` or on an `smtps://` port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// A good certificate for 127.0.0.1 and localhost by the server's own authority ([`super::Server::authority`]).
    Good,
    /// A good certificate by an authority nobody has heard of.
    UnknownAuthority,
    /// A certificate signed by itself.
    SelfSigned,
    /// A certificate by the server's authority for another host.
    WrongHost,
    /// A certificate by the server's authority that ended in 2020.
    Expired,
    /// The connection is closed instead of a handshake.
    HangsUp,
    /// The client waits for the handshake in vain.
    Silent,
    /// The server goes on in plain text.
    Plain,
}

/// What the server does when the client begins a handshake.
#[derive(Clone)]
pub(super) enum Handshake {
    Shake(TlsAcceptor),
    HangUp,
    Silence,
    Plain,
}

/// The handshake of this kind, and the PEM of the authority a client has to trust for [`Tls::Good`].
pub(super) fn handshake(tls: Tls) -> Result<(Handshake, String)> {
    let (authority, stranger) = (authority("Test authority")?, authority("Somebody else")?);
    let pem = authority.pem();
    let hosts = if tls == Tls::WrongHost { ["elsewhere.test", "other.test"] } else { ["127.0.0.1", "localhost"] };
    let mut params = CertificateParams::new(hosts.map(str::to_owned))?;
    if tls == Tls::Expired {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate()?;
    let certificate = match tls {
        Tls::HangsUp => return Ok((Handshake::HangUp, pem)),
        Tls::Silent => return Ok((Handshake::Silence, pem)),
        Tls::Plain => return Ok((Handshake::Plain, pem)),
        Tls::SelfSigned => params.self_signed(&key)?,
        Tls::UnknownAuthority => params.signed_by(&key, &stranger)?,
        Tls::Good | Tls::WrongHost | Tls::Expired => params.signed_by(&key, &authority)?,
    };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))?;
    Ok((Handshake::Shake(TlsAcceptor::from(Arc::new(config))), pem))
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}
