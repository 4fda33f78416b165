//! One client talking to the test mail server, from the greeting to the end.

use std::{
    io,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use super::{Answer, Phase, State, lock, tls::Handshake};

/// No test sends more than this; a client that never ends its line must not fill the memory.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Accepts connections until the task is aborted; aborting it cuts the running conversations too.
pub(super) fn listen(listener: TcpListener, state: Arc<State>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut conversations = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        let state = state.clone();
                        // A client that went away is the end of a conversation, nothing more.
                        conversations.spawn(async move { _ = Conversation::new(Box::new(stream), state).converse().await });
                    }
                    // Out of file descriptors, perhaps; a client that goes makes room.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = conversations.join_next() => {}
            }
        }
    })
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

struct Conversation {
    stream: BufReader<Box<dyn Stream>>,
    /// Replies not written yet: those to a group of commands go out together.
    replies: Vec<u8>,
    state: Arc<State>,
    encrypted: bool,
    signed_in: bool,
    from: Option<String>,
    to: Vec<String>,
    content: Vec<u8>,
}

/// How a step ended. To break is to close the connection.
type Step = io::Result<ControlFlow<(), Done>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// As the client wanted.
    Yes,
    /// Not.
    No,
}

const DONE: ControlFlow<(), Done> = ControlFlow::Continue(Done::Yes);
const REFUSED: ControlFlow<(), Done> = ControlFlow::Continue(Done::No);
const CLOSE: ControlFlow<(), Done> = ControlFlow::Break(());

impl Conversation {
    fn new(stream: Box<dyn Stream>, state: Arc<State>) -> Self {
        Self {
            stream: BufReader::new(stream),
            replies: Vec::new(),
            state,
            encrypted: false,
            signed_in: false,
            from: None,
            to: Vec::new(),
            content: Vec::new(),
        }
    }

    async fn converse(&mut self) -> io::Result<()> {
        if let Some(handshake) = self.state.smtps.clone()
            && self.shake(handshake).await? == CLOSE
        {
            return Ok(());
        }
        if self.step(Phase::Greeting, "220 testkit.test ESMTP").await? != DONE {
            return self.flush().await;
        }
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            let verb = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
            let step = match verb.as_str() {
                "EHLO" | "HELO" => self.hello().await?,
                "STARTTLS" if self.state.starttls.is_some() && !self.encrypted => self.starttls().await?,
                "AUTH" => self.auth(text).await?,
                "MAIL" => self.mail(text).await?,
                "RCPT" => self.rcpt(text).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.forget();
                    self.tell("250 2.0.0 forgotten")
                }
                "NOOP" => self.tell("250 2.0.0 still here"),
                "QUIT" => {
                    self.put("221 2.0.0 goodbye");
                    CLOSE
                }
                _ => self.tell("502 5.5.2 not understood"),
            };
            if step == CLOSE {
                return self.flush().await;
            }
        }
    }

    async fn hello(&mut self) -> Step {
        self.forget();
        let mut lines = vec!["testkit.test", "8BITMIME", "SMTPUTF8"];
        if lock(&self.state.login).is_some() {
            lines.push("AUTH PLAIN LOGIN");
        }
        if self.state.pipelining.load(Ordering::Relaxed) {
            lines.push("PIPELINING");
        }
        if self.state.starttls.is_some() && !self.encrypted {
            lines.push("STARTTLS");
        }
        let text = lines.iter().map(|line| format!("250-{line}\r\n")).collect::<String>() + "250 ENHANCEDSTATUSCODES";
        self.step(Phase::Hello, &text).await
    }

    async fn starttls(&mut self) -> Step {
        let step = self.step(Phase::StartTls, "220 2.0.0 ready").await?;
        match self.state.starttls.clone() {
            Some(handshake) if step == DONE => {
                self.flush().await?;
                self.shake(handshake).await
            }
            _ => Ok(step),
        }
    }

    async fn shake(&mut self, handshake: Handshake) -> Step {
        self.encrypted = true;
        match handshake {
            Handshake::Plain => Ok(DONE),
            Handshake::HangUp => Ok(CLOSE),
            Handshake::Silence => self.silence(None).await,
            Handshake::Shake(acceptor) => {
                // What came before the handshake is thrown away with the buffer (RFC 3207): it was not encrypted.
                let nothing: Box<dyn Stream> = Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink()));
                let stream = std::mem::replace(&mut self.stream, BufReader::new(nothing)).into_inner();
                self.stream = BufReader::new(Box::new(acceptor.accept(stream).await?));
                Ok(DONE)
            }
        }
    }

    /// `AUTH PLAIN` with its initial response, which is what lettre sends first.
    async fn auth(&mut self, line: &str) -> Step {
        use mail_parser::decoders::base64::base64_decode;
        let given = line.split_whitespace().nth(2).and_then(|text| base64_decode(text.as_bytes())).unwrap_or_default();
        let wanted = lock(&self.state.login).as_ref().map(|(user, password)| format!("\0{user}\0{password}"));
        if wanted.is_some_and(|wanted| wanted.into_bytes() == given) {
            let step = self.step(Phase::Auth, "235 2.7.0 welcome").await?;
            self.signed_in = step == DONE;
            Ok(step)
        } else {
            self.step(Phase::Auth, "535 5.7.8 wrong user or password").await
        }
    }

    async fn mail(&mut self, line: &str) -> Step {
        if lock(&self.state.login).is_some() && !self.signed_in {
            return Ok(self.tell("530 5.7.0 sign in first"));
        }
        self.forget();
        let step = self.step(Phase::Mail, "250 2.1.0 sender fine").await?;
        if step == DONE {
            self.from = Some(address(line));
        }
        Ok(step)
    }

    async fn rcpt(&mut self, line: &str) -> Step {
        if self.from.is_none() {
            return Ok(self.tell("503 5.5.1 MAIL first"));
        }
        self.to.push(address(line));
        let step = self.step(Phase::Rcpt, "250 2.1.5 recipient fine").await?;
        if step != DONE {
            self.to.pop();
        }
        Ok(step)
    }

    async fn data(&mut self) -> Step {
        if self.to.is_empty() {
            return Ok(self.tell("503 5.5.1 RCPT first"));
        }
        let step = self.step(Phase::Data, "354 go on").await?;
        if step != DONE {
            return Ok(step);
        }
        self.flush().await?;
        if self.read_content().await? == CLOSE {
            return Ok(CLOSE);
        }
        let (answer, kept) = match self.state.answer(Phase::Dot, &self.to) {
            Some(Answer::KeepAndDrop) => (Some(Answer::Drop), Some(self.keep())),
            Some(Answer::Keep(then)) => (Some(*then), Some(self.keep())),
            answer => (answer, None),
        };
        match &answer {
            Some(Answer::Late(wait)) => tokio::time::sleep(*wait).await,
            Some(Answer::Held(gate)) => gate.pass().await,
            _ => {}
        }
        let usual = "250 2.0.0 kept";
        let step = match answer {
            None | Some(Answer::Late(_) | Answer::Held(_) | Answer::Lines(_)) => {
                let kept = kept.unwrap_or_else(|| self.keep());
                let lines = if let Some(Answer::Lines(lines)) = answer { lines } else { 1 };
                self.put(&repeated(usual, lines));
                self.promise(kept).await?;
                DONE
            }
            Some(answer) => self.obey(answer, usual).await?,
        };
        self.forget();
        Ok(step)
    }

    /// Writes the reply that accepts a mail, and counts it. Counted first: a client that read it may look at once.
    async fn promise(&mut self, id: String) -> io::Result<()> {
        *lock(&self.state.counted).promised.entry(id.clone()).or_default() += 1;
        let written = self.flush().await;
        if written.is_err()
            && let Some(times) = lock(&self.state.counted).promised.get_mut(&id)
        {
            *times -= 1;
        }
        written
    }

    /// Reads the content up to the final dot, with the doubled dots taken off.
    async fn read_content(&mut self) -> Step {
        self.content.clear();
        let mut first = true;
        loop {
            let start = self.content.len();
            let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut self.content).await?;
            if read == 0 || !self.content.ends_with(b"\n") || self.content.len() as u64 > LONGEST {
                return Ok(CLOSE);
            }
            if std::mem::take(&mut first)
                && let Some(answer) = self.state.answer(Phase::Content, &self.to)
            {
                if let Answer::Late(wait) = answer {
                    tokio::time::sleep(wait).await;
                } else if let Answer::Held(gate) = answer {
                    gate.pass().await;
                } else {
                    _ = self.obey(answer, "").await?;
                    self.flush().await?;
                    // A socket closed with bytes unread is reset, and the client might not see what was said.
                    let _ = tokio::time::timeout(Duration::from_millis(50), self.silence(None)).await;
                    return Ok(CLOSE);
                }
            }
            match &self.content[start..] {
                b".\r\n" => {
                    self.content.truncate(start);
                    return Ok(DONE);
                }
                [b'.', ..] => {
                    self.content.remove(start);
                }
                _ => {}
            }
        }
    }

    fn keep(&self) -> String {
        self.state.keep(self.from.as_deref().unwrap_or_default(), &self.to, &self.content)
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// Does what was ordered at this phase, else says `usual`.
    async fn step(&mut self, phase: Phase, usual: &str) -> Step {
        match self.state.answer(phase, &self.to) {
            None => Ok(self.tell(usual)),
            Some(answer) => self.obey(answer, usual).await,
        }
    }

    async fn obey(&mut self, answer: Answer, usual: &str) -> Step {
        match answer {
            Answer::Refuse(code, text) => {
                let lines: Vec<&str> = text.lines().collect();
                for (at, line) in lines.iter().enumerate() {
                    let dash = if at + 1 < lines.len() { '-' } else { ' ' };
                    self.put(&format!("{code}{dash}{line}"));
                }
                // 421 is a goodbye, whenever it comes.
                Ok(if code == 421 { CLOSE } else { REFUSED })
            }
            Answer::Say(text) => {
                self.put(&text);
                Ok(REFUSED)
            }
            Answer::Drop | Answer::KeepAndDrop | Answer::Keep(_) => Ok(CLOSE),
            Answer::Silence => self.silence(None).await,
            Answer::SilenceFor(wait) => self.silence(Some(wait)).await,
            Answer::Half => {
                self.replies.extend_from_slice(&usual.as_bytes()[..usual.len() / 2]);
                self.silence(None).await
            }
            Answer::Lines(lines) => Ok(self.tell(&repeated(usual, lines))),
            Answer::Held(gate) => {
                self.flush().await?;
                gate.pass().await;
                Ok(self.tell(usual))
            }
            Answer::Late(wait) => {
                self.flush().await?;
                tokio::time::sleep(wait).await;
                Ok(self.tell(usual))
            }
        }
    }

    /// Says nothing until the client has gone, or for this long. Then the connection ends.
    async fn silence(&mut self, wait: Option<Duration>) -> Step {
        self.flush().await?;
        let mut nowhere = tokio::io::sink();
        let gone = tokio::io::copy_buf(&mut self.stream, &mut nowhere);
        match wait {
            Some(wait) => _ = tokio::time::timeout(wait, gone).await,
            None => _ = gone.await,
        }
        Ok(CLOSE)
    }

    /// Puts a reply behind the others; it goes out when there is nothing more to read.
    fn put(&mut self, text: &str) {
        self.replies.extend_from_slice(text.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    /// [`Self::put`], as a step that is done.
    fn tell(&mut self, text: &str) -> ControlFlow<(), Done> {
        self.put(text);
        DONE
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.replies.is_empty() {
            self.stream.write_all(&self.replies).await?;
            self.stream.flush().await?;
            self.replies.clear();
        }
        Ok(())
    }

    async fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        if !self.stream.buffer().contains(&b'\n') {
            self.flush().await?;
        }
        (&mut self.stream).take(LONGEST).read_until(b'\n', line).await
    }
}

/// A reply of one line, as one of several.
fn repeated(reply: &str, lines: u32) -> String {
    match reply.split_once(' ') {
        Some((code, text)) if !reply.contains('\n') => {
            format!("{code}-{text}\r\n").repeat(lines.saturating_sub(1) as usize) + reply
        }
        _ => reply.to_owned(),
    }
}

/// What stands between the angle brackets, lower-case.
fn address(line: &str) -> String {
    let after = line.split_once('<').map_or("", |(_, rest)| rest);
    after.split('>').next().unwrap_or_default().to_lowercase()
}
