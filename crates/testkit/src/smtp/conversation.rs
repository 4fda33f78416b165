//! One client talking to the test mail server, from the greeting to the end.

use std::{ops::ControlFlow, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{Answer, Mail, Phase, State, lock};

/// No test sends more than this; a client that never ends its line must not fill the memory.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Accepts connections until the task is aborted; aborting it cuts the running conversations too.
pub(super) fn listen(listener: TcpListener, state: Arc<State>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut conversations = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            conversations.spawn(Conversation::new(stream, state.clone()).run());
            while conversations.try_join_next().is_some() {}
        }
    })
}

struct Conversation {
    stream: BufReader<TcpStream>,
    state: Arc<State>,
    signed_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// What a step decided: go on, or close the connection.
type Step = std::io::Result<ControlFlow<()>>;

impl Conversation {
    fn new(stream: TcpStream, state: Arc<State>) -> Self {
        Self { stream: BufReader::new(stream), state, signed_in: false, from: None, to: Vec::new() }
    }

    async fn run(mut self) {
        // A client that went away is the end of a conversation, nothing more.
        let _ = self.converse().await;
    }

    async fn converse(&mut self) -> std::io::Result<()> {
        if self.step(Phase::Greeting, "220 testkit.test ESMTP").await?.is_break() {
            return Ok(());
        }
        while let Some(line) = self.line().await? {
            let verb = line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
            let step = match verb.as_str() {
                "EHLO" | "HELO" => self.hello().await?,
                "AUTH" => self.auth(&line).await?,
                "MAIL" => self.mail(&line).await?,
                "RCPT" => self.rcpt(&line).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.forget();
                    self.say("250 2.0.0 forgotten").await?
                }
                "NOOP" => self.say("250 2.0.0 still here").await?,
                "QUIT" => {
                    let _ = self.say("221 2.0.0 goodbye").await?;
                    ControlFlow::Break(())
                }
                _ => self.say("502 5.5.2 not understood").await?,
            };
            if step.is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn hello(&mut self) -> Step {
        self.forget();
        let login = lock(&self.state.login).is_some();
        let auth = if login { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
        self.step(Phase::Hello, &format!("250-testkit.test\r\n{auth}250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")).await
    }

    /// `AUTH PLAIN` with its initial response, which is what lettre sends first.
    async fn auth(&mut self, line: &str) -> Step {
        use mail_parser::decoders::base64::base64_decode;
        let given = line.split_whitespace().nth(2).and_then(|text| base64_decode(text.as_bytes())).unwrap_or_default();
        let wanted = lock(&self.state.login).as_ref().map(|(user, password)| format!("\0{user}\0{password}"));
        if wanted.is_some_and(|wanted| wanted.into_bytes() == given) {
            self.signed_in = true;
            self.step(Phase::Auth, "235 2.7.0 welcome").await
        } else {
            self.step(Phase::Auth, "535 5.7.8 wrong user or password").await
        }
    }

    async fn mail(&mut self, line: &str) -> Step {
        if lock(&self.state.login).is_some() && !self.signed_in {
            return self.say("530 5.7.0 sign in first").await;
        }
        self.forget();
        let accepted = self.granted(Phase::Mail).await?;
        if let Some(step) = accepted {
            return Ok(step);
        }
        self.from = Some(address(line));
        self.say("250 2.1.0 sender fine").await
    }

    async fn rcpt(&mut self, line: &str) -> Step {
        if self.from.is_none() {
            return self.say("503 5.5.1 MAIL first").await;
        }
        self.to.push(address(line));
        if let Some(step) = self.granted(Phase::Rcpt).await? {
            self.to.pop();
            return Ok(step);
        }
        self.say("250 2.1.5 recipient fine").await
    }

    async fn data(&mut self) -> Step {
        if self.to.is_empty() {
            return self.say("503 5.5.1 RCPT first").await;
        }
        if let Some(step) = self.granted(Phase::Data).await? {
            return Ok(step);
        }
        if self.say("354 go on").await?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let Some(raw) = self.content().await? else { return Ok(ControlFlow::Break(())) };
        let answer = self.state.answer(Phase::Dot, &self.to);
        if let Some(Answer::KeepAndDrop) = answer {
            self.keep(raw);
            return Ok(ControlFlow::Break(()));
        }
        if let Some(step) = self.obey(answer).await? {
            self.forget();
            return Ok(step);
        }
        self.keep(raw);
        self.say("250 2.0.0 kept").await
    }

    /// The content up to the final dot, with the doubled dots taken off; `None` when the client went away before it.
    async fn content(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut raw = Vec::new();
        loop {
            let mut line = Vec::new();
            let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut line).await?;
            if read == 0 || !line.ends_with(b"\n") {
                return Ok(None);
            }
            if line == b".\r\n" {
                return Ok(Some(raw));
            }
            raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn keep(&mut self, raw: Vec<u8>) {
        let from = self.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.to);
        self.state.keep(Mail { from, to, raw });
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// Does what was ordered at this phase, else says `usual`.
    async fn step(&mut self, phase: Phase, usual: &str) -> Step {
        match self.granted(phase).await? {
            Some(step) => Ok(step),
            None => self.say(usual).await,
        }
    }

    /// `None` when the step may go on as usual.
    async fn granted(&mut self, phase: Phase) -> std::io::Result<Option<ControlFlow<()>>> {
        let answer = self.state.answer(phase, &self.to);
        self.obey(answer).await
    }

    async fn obey(&mut self, answer: Option<Answer>) -> std::io::Result<Option<ControlFlow<()>>> {
        match answer {
            None => Ok(None),
            Some(Answer::Refuse(code, text)) => self.say(&format!("{code} {text}")).await.map(Some),
            Some(Answer::Drop | Answer::KeepAndDrop) => Ok(Some(ControlFlow::Break(()))),
            Some(Answer::Silence) => std::future::pending().await,
            Some(Answer::Late(wait)) => {
                tokio::time::sleep(wait).await;
                Ok(None)
            }
        }
    }

    async fn say(&mut self, text: &str) -> Step {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.stream.flush().await?;
        Ok(ControlFlow::Continue(()))
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut line).await?;
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

/// What stands between the angle brackets, lower-case.
fn address(line: &str) -> String {
    let after = line.split_once('<').map_or("", |(_, rest)| rest);
    after.split('>').next().unwrap_or_default().to_lowercase()
}
