//! SMTP, as far as letters need it.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Letter, Memory, Mood, locked};

/// The longest line that is read.
const LINE_MAX_BYTES: u64 = 4_096;
/// The most lines of one connection.
const LINES_MAX: usize = 100_000;
/// How many connections are served at once.
const CONNECTIONS_MAX: usize = 64;

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, memory: Arc<Mutex<Memory>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let memory = Arc::clone(&memory);
        connections.spawn(async move {
            let mut talk = Talk { lines: BufReader::new(stream), memory, state: State::default() };
            if let Err(error) = talk.hold().await {
                tracing::trace!(%error, "somebody hung up on the mail server");
            }
        });
    }
}

/// What was said so far.
#[derive(Default)]
struct State {
    is_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

struct Talk {
    lines: BufReader<TcpStream>,
    memory: Arc<Mutex<Memory>>,
    state: State,
}

impl Talk {
    async fn hold(&mut self) -> io::Result<()> {
        if self.mood() == Mood::Silent {
            // Until the other side gives up.
            self.line().await?;
            return Ok(());
        }
        if !self.reply("GREETING", "220 mail.example ESMTP").await? {
            return Ok(());
        }
        for _ in 0..LINES_MAX {
            let Some(line) = self.line().await? else {
                return Ok(());
            };
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match word.as_str() {
                "DATA" => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                "QUIT" => {
                    self.say("221 2.0.0 Bye").await?;
                    return Ok(());
                }
                word => {
                    let reply = self.command(word, &line);
                    self.reply(word, reply).await?;
                }
            }
        }
        Ok(())
    }

    fn command(&mut self, word: &str, line: &str) -> &'static str {
        let needs_login = !locked(&self.memory).users.is_empty() && !self.state.is_in;
        match word {
            "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN",
            "HELO" => "250 mail.example",
            "NOOP" => "250 2.0.0 Ok",
            "RSET" => {
                self.state = State { is_in: self.state.is_in, ..State::default() };
                "250 2.0.0 Ok"
            }
            "AUTH" if self.is_right(line) => {
                self.state.is_in = true;
                "235 2.7.0 Welcome"
            }
            "AUTH" => "535 5.7.8 Authentication credentials invalid",
            "MAIL" | "RCPT" if needs_login => "530 5.7.0 Authentication required",
            "MAIL" => {
                self.state.from = Some(address(line));
                self.state.to.clear();
                "250 2.1.0 Ok"
            }
            "RCPT" if self.state.from.is_none() => "503 5.5.1 Bad sequence of commands",
            "RCPT" => {
                let to = address(line);
                if let Some(reply) = locked(&self.memory).refused.get(&to) {
                    return reply;
                }
                self.state.to.push(to);
                "250 2.1.5 Ok"
            }
            _ => "502 5.5.2 Command not recognized",
        }
    }

    fn is_right(&self, line: &str) -> bool {
        let response = line.split(' ').nth(2).and_then(|text| STANDARD.decode(text).ok());
        let response = response.and_then(|bytes| String::from_utf8(bytes).ok());
        let response = response.unwrap_or_default();
        let mut parts = response.split('\0').skip(1);
        let (Some(user), Some(password)) = (parts.next(), parts.next()) else {
            return false;
        };
        locked(&self.memory).users.get(user).is_some_and(|right| right == password)
    }

    /// Takes a letter; tells whether the conversation goes on.
    async fn data(&mut self) -> io::Result<bool> {
        let (Some(from), false) = (self.state.from.take(), self.state.to.is_empty()) else {
            return self.reply("DATA", "503 5.5.1 Bad sequence of commands").await;
        };
        if !self.reply("DATA", "354 End data with <CR><LF>.<CR><LF>").await? {
            return Ok(true);
        }
        let mut source = String::new();
        loop {
            let Some(line) = self.line().await? else {
                return Ok(false);
            };
            if line == "." {
                break;
            }
            source.push_str(line.strip_prefix('.').unwrap_or(&line));
            source.push_str("\r\n");
        }
        if matches!(self.mood(), Mood::Says { to: "END", .. }) {
            self.reply("END", "").await?;
            return Ok(true);
        }
        let to = std::mem::take(&mut self.state.to);
        let is_lost = {
            let mut memory = locked(&self.memory);
            memory.letters.push(Letter { from, to, source });
            let is_lost = memory.answers_to_lose > 0;
            memory.answers_to_lose = memory.answers_to_lose.saturating_sub(1);
            is_lost
        };
        if !is_lost {
            self.say("250 2.0.0 Ok: queued").await?;
        }
        Ok(!is_lost)
    }

    /// Says `usual` to a command, or what the mood says; tells whether it was the usual.
    async fn reply(&mut self, word: &str, usual: &str) -> io::Result<bool> {
        let unusual = match self.mood() {
            Mood::Says { to, reply } if to == word => Some(reply),
            Mood::Says { .. } | Mood::Normal | Mood::Silent => None,
        };
        self.say(unusual.unwrap_or(usual)).await?;
        Ok(unusual.is_none())
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.lines.get_mut().write_all(format!("{text}\r\n").as_bytes()).await
    }

    /// The next line, without its end.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.lines).take(LINE_MAX_BYTES).read_until(b'\n', &mut line).await?;
        let text = String::from_utf8_lossy(&line);
        Ok((read > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn mood(&self) -> Mood {
        locked(&self.memory).mood
    }
}

/// What stands between `<` and `>`.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
