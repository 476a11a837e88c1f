//! What a command sees of the world: its streams, how they look, the time, and when to stop.

use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::table::Table;
use super::words::{Tint, safe_json};
use crate::clock::Clock;
use crate::remote::chain;

/// How wide a text is when nobody says how wide the terminal is.
const WIDTH: usize = 100;

/// The streams of a command, and the time.
pub struct Console {
    input: Box<dyn Read + Send>,
    output: Box<dyn Write + Send>,
    errors: Box<dyn Write + Send>,
    look: Look,
    clock: Clock,
    stop: CancellationToken,
    is_closed: bool,
    /// Standard output of this process, to see when nobody reads it any more.
    output_end: Option<OwnedFd>,
}

/// How what is printed looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether there are colours on standard output.
    pub colours: bool,
    /// Whether there are colours on standard error.
    pub error_colours: bool,
    /// How many columns there are; none where lines may be of any length.
    pub width: Option<usize>,
}

impl Console {
    /// The streams of this process, and the machine's clock.
    pub fn of_process() -> Self {
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        let look = Look {
            colours: stdout.is_terminal() && wants_colours(),
            error_colours: stderr.is_terminal() && wants_colours(),
            width: stdout.is_terminal().then(width),
        };
        let output_end = stdout.as_fd().try_clone_to_owned().ok();
        let streams = (Box::new(stdout) as _, Box::new(stderr) as _);
        Self { output_end, ..Self::new(Box::new(std::io::stdin()), streams, look) }
    }

    /// Any streams: input, then output and errors.
    pub fn new(
        input: Box<dyn Read + Send>,
        (output, errors): (Box<dyn Write + Send>, Box<dyn Write + Send>),
        look: Look,
    ) -> Self {
        let (clock, stop) = (Clock::system(), CancellationToken::new());
        Self { input, output, errors, look, clock, stop, is_closed: false, output_end: None }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// What tells a lasting command to end.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How what is printed looks.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Standard input; whoever asks for it again finds it at its end.
    pub fn take_input(&mut self) -> Box<dyn Read + Send> {
        std::mem::replace(&mut self.input, Box::new(std::io::empty()))
    }

    /// Whether nobody reads standard output any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Waits until nobody reads standard output any more, as far as that can be seen.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let watched = self.output_end.as_ref().and_then(|end| end.try_clone().ok());
        async {
            let watched = watched.and_then(watch);
            // The end of a pipe is told as an error; a file has none, and cannot be watched.
            let is_told = match &watched {
                Some(watched) => watched.ready(Interest::ERROR).await.is_ok(),
                None => false,
            };
            if !is_told {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Prints one line, or several.
    ///
    /// That nobody reads any more (`pointsman … | head`) is no failure.
    pub fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.print(|output| writeln!(output, "{text}"))
    }

    /// Prints one line for people who watch, on standard error.
    pub fn remark(&mut self, text: &str) -> anyhow::Result<()> {
        quiet(writeln!(self.errors, "{text}").and_then(|()| self.errors.flush()))?;
        Ok(())
    }

    /// Prints one line in one colour.
    pub(super) fn tinted(&mut self, tint: Tint, text: &str) -> anyhow::Result<()> {
        let text = tint.paint(text, self.look.colours);
        self.line(&text)
    }

    /// Prints a table.
    pub(super) fn table(&mut self, table: &Table) -> anyhow::Result<()> {
        let lines = table.lines(self.look);
        if lines.is_empty() { Ok(()) } else { self.line(&lines.join("\n")) }
    }

    /// Prints `value` as a document of JSON: in many lines on a terminal, in one elsewhere.
    pub fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> anyhow::Result<()> {
        let text = match self.look.width {
            Some(_) => serde_json::to_string_pretty(value)?,
            None => serde_json::to_string(value)?,
        };
        self.line(&safe_json(&text))
    }

    /// Prints `value` as one line of JSON, whoever reads it.
    pub fn json_line<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> anyhow::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(&safe_json(&text))
    }

    /// Tells of an error, with all its causes.
    pub fn error(&mut self, error: &anyhow::Error) -> Exit {
        let word = if self.look.error_colours { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        let text = crate::neutral::plain(&chain(error.as_ref()));
        // There is nobody left to tell that this could not be told.
        match self.remark(&format!("{word} {text}")) {
            Ok(()) | Err(_) => Exit::Failure,
        }
    }

    /// Tells what is wrong with the arguments; help and version are what was asked for.
    pub(super) fn usage(&mut self, error: &clap::Error) -> Exit {
        let text = error.render();
        let is_wrong = error.use_stderr();
        let colours = if is_wrong { self.look.error_colours } else { self.look.colours };
        let text = if colours { text.ansi().to_string() } else { text.to_string() };
        let told = if is_wrong { self.remark(text.trim_end()) } else { self.line(text.trim_end()) };
        match told {
            Ok(()) if is_wrong => Exit::Usage,
            Ok(()) => Exit::Success,
            Err(_) => Exit::Failure,
        }
    }

    fn print(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        if !self.is_closed {
            let result = write(&mut *self.output).and_then(|()| self.output.flush());
            self.is_closed = quiet(result)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("look", &self.look).finish_non_exhaustive()
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe; what that asks for, an OwnedFd has: it stays what it is"
)]
fn watch(end: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(end, Interest::ERROR).ok()
}

/// Whether the other end is closed; any other error stays one.
fn quiet(result: std::io::Result<()>) -> std::io::Result<bool> {
    match result {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(error),
    }
}

/// What `NO_COLOR` (no-color.org) and `TERM` say.
fn wants_colours() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// The columns of the terminal.
fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0))
}
