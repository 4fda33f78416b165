//! One conversation with a mail server, step by step, each within its own time.
//!
//! lettre's `send` hides how far it got, and its timeout bounds connecting only. Here every command is given by hand, so that it is
//! known whether the server can have the mail, and the caller can commit what it is about to do between the server's 354 and the
//! final dot.
//!
//! Where the server offers it (RFC 2920), `MAIL`, `RCPT` and `DATA` go out together: two round trips a mail instead of four. They cannot
//! become one, because the content has to wait for the 354 and the commit.

use std::{future::Future, net::IpAddr, time::Duration};

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters},
        commands::{Data, Ehlo, Mail, Rcpt, Rset},
        extension::ClientId,
        response::Response,
    },
};
use secrecy::ExposeSecret as _;
use store::outbox::SendPermit;
use tokio::time::timeout;

use super::{
    outcome::{Failure, Outcome, Phase, words},
    stream,
    target::MailServer,
};

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Finding the host, opening and encrypting the connection.
    pub connect: Duration,
    /// Every command up to `DATA`.
    pub command: Duration,
    /// From the first byte of the content to the reply after the final dot.
    pub content: Duration,
}

impl Default for Patience {
    /// Together well below the two minutes for which a notice is claimed.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), command: Duration::from_secs(15), content: Duration::from_secs(60) }
    }
}

/// An open conversation, ready for the next mail.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    patience: Patience,
    /// Whether the server takes several commands at once.
    pipelining: bool,
    /// Whether replies and commands can no longer be told to belong together.
    out_of_step: bool,
}

impl Connection {
    /// Connects, encrypts where possible, signs in where asked for.
    pub(super) async fn open(server: &MailServer, patience: Patience) -> Result<Self, Failure> {
        let hello = ClientId::default();
        let tcp = stream::open(&server.host, server.port, patience.connect)
            .await
            .map_err(|why| Failure::broken(Phase::Connect, format!("no connection to {}:{}: {why}", server.host, server.port)))?;
        let local = tcp.peer_addr().is_ok_and(|peer| is_loopback(peer.ip()));
        let stream: Box<dyn AsyncTokioStream> = if server.encrypted {
            let tls = tls(server)?;
            Box::new(within(patience.connect, Phase::Encrypt, stream::encrypt(tcp, tls)).await?)
        } else {
            Box::new(tcp)
        };
        let greeting = AsyncSmtpConnection::connect_with_transport(stream, &hello);
        let mut smtp = within(patience.command, Phase::Hello, greeting).await?;
        if !server.encrypted && smtp.can_starttls() {
            let tls = tls(server)?;
            within(patience.connect, Phase::Encrypt, smtp.starttls(tls, &hello)).await?;
        }
        if let Some((user, password)) = &server.login {
            if !server.encrypted && !smtp.is_encrypted() && !local {
                let why = "the server offers no encryption, and the password is not sent without it";
                return Err(Failure::broken(Phase::Auth, why));
            }
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            within(patience.command, Phase::Auth, smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)).await?;
        }
        // lettre keeps to itself whether the server offers this, so it is asked once more.
        let offers = within(patience.command, Phase::Hello, smtp.command(Ehlo::new(hello))).await?;
        let pipelining = offers.message().any(|line| line.trim().eq_ignore_ascii_case("PIPELINING"));
        Ok(Self { smtp, patience, pipelining, out_of_step: false })
    }

    /// Announces the mail to its one recipient: `MAIL`, `RCPT` and `DATA`, up to the server's 354. Our addresses are ASCII, so no
    /// extension is asked for. After an error [`Connection::reset`] tells whether the conversation can go on.
    pub(super) async fn announce(&mut self, envelope: &Envelope) -> Result<(), Failure> {
        let mail = Mail::new(envelope.from().cloned(), Vec::new());
        let recipients: Vec<Rcpt> = envelope.to().iter().map(|to| Rcpt::new(to.clone(), Vec::new())).collect();
        if !self.pipelining {
            self.command(Phase::Mail, mail).await?;
            for recipient in recipients {
                self.command(Phase::Rcpt, recipient).await?;
            }
            let reply = self.command(Phase::Data, Data).await?;
            return self.invited(&reply);
        }
        let together = recipients.iter().fold(mail.to_string(), |all, recipient| all + &recipient.to_string()) + &Data.to_string();
        let mut refused = self.command(Phase::Mail, together).await.err();
        let phases = recipients.iter().map(|_| Phase::Rcpt).chain([Phase::Data]);
        for phase in phases {
            if refused.as_ref().is_some_and(Failure::is_broken) {
                break;
            }
            // Every command has its reply, also after a refusal; the first one says why.
            let reply = within(self.patience.command, phase, self.smtp.read_response()).await;
            match (reply, &refused) {
                // The server wants content although it refused the recipient; only closing the connection tells it that none will come.
                (Ok(_), Some(_)) if phase == Phase::Data => self.out_of_step = true,
                (Err(failure), Some(_)) if failure.is_broken() => self.out_of_step = true,
                (Err(failure), None) => refused = Some(failure),
                (Ok(reply), None) if phase == Phase::Data => refused = self.invited(&reply).err(),
                _ => {}
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Whether `DATA` was answered with 354. After any other reply, however friendly, content would be read as commands.
    fn invited(&mut self, reply: &Response) -> Result<(), Failure> {
        if u16::from(reply.code()) == 354 {
            return Ok(());
        }
        self.out_of_step = true;
        Err(Failure::broken(Phase::Data, format!("the server answered DATA with {}", words(reply))))
    }

    /// Sends the announced mail. `intent` runs after the server's 354 and before the first byte of content; the content goes out only
    /// with the permit it gives. Says whether the conversation can be used again.
    pub(super) async fn transmit(&mut self, content: &[u8], intent: impl Future<Output = Option<SendPermit>>) -> (Outcome, bool) {
        match intent.await {
            Some(permit) => self.send(content, permit).await,
            // The server waits for content now; only closing the connection tells it that none will come.
            None => (Outcome::Withheld, false),
        }
    }

    /// The only place at which content goes out. It uses the permit up.
    async fn send(&mut self, content: &[u8], _permit: SendPermit) -> (Outcome, bool) {
        // lettre puts a line end before the final dot; one of the mail's own would leave an empty line at its end.
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        match within(self.patience.content, Phase::Dot, self.smtp.message(content)).await {
            Ok(response) if u16::from(response.code()) != 250 => {
                let reply = format!("the server answered neither yes nor no: {}", words(&response));
                (Outcome::Unanswered { reply }, false)
            }
            Ok(response) => (Outcome::Accepted { reply: words(&response) }, true),
            Err(failure) => {
                let usable = !failure.is_broken();
                (failure.outcome(), usable)
            }
        }
    }

    /// Forgets a mail that was announced and refused, so that the next one can follow. Says whether that worked.
    pub(super) async fn reset(&mut self) -> bool {
        !self.out_of_step && self.command(Phase::Mail, Rset).await.is_ok()
    }

    /// Says goodbye; whether the server hears it does not matter.
    pub(super) async fn quit(mut self) {
        let _ = timeout(Duration::from_secs(1), self.smtp.quit()).await;
    }

    async fn command(&mut self, phase: Phase, command: impl std::fmt::Display) -> Result<Response, Failure> {
        within(self.patience.command, phase, self.smtp.command(command)).await
    }
}

/// A step within its time; being late is a failure of that phase.
async fn within<T>(patience: Duration, phase: Phase, step: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match timeout(patience, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::new(phase, &error)),
        Err(_) => Err(Failure::broken(phase, format!("no reply within {} s", patience.as_secs_f32()))),
    }
}

fn tls(server: &MailServer) -> Result<TlsParameters, Failure> {
    let wrong = |error| Failure::new(Phase::Encrypt, &error);
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(pem) = &server.authority {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(wrong)?);
    }
    parameters.build().map_err(wrong)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
