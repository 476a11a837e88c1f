//! One call of git: what it is told, what it may use, and what came of it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::neutral;

/// A way in which git may reach another repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `https://`
    Https,
    /// `http://`, which anybody on the way can change.
    Http,
    /// `ssh://` and `user@host:path`
    Ssh,
    /// A path on this machine.
    File,
}

impl Protocol {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// How much one call may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may take.
    pub time: Duration,
    /// How much memory it may map; the same for each process that it begins.
    pub memory_bytes: u64,
    /// How large a file it may write.
    pub file_bytes: u64,
    /// How long it may compute: less than it may take, where it matters which of both it was.
    pub cpu: Duration,
    /// How much it may answer.
    pub output_bytes: u64,
}

impl Limits {
    /// For what is done here, such as to apply a patch.
    pub const LOCAL: Self = Self {
        time: Duration::from_mins(1),
        memory_bytes: 1024 * 1024 * 1024,
        file_bytes: 512 * 1024 * 1024,
        cpu: Duration::from_secs(45),
        output_bytes: 64 * 1024 * 1024,
    };
    /// To fetch from others: the index of a large repository's first pack is made in memory.
    pub const FETCH: Self = Self {
        time: Duration::from_mins(10),
        memory_bytes: 8 * 1024 * 1024 * 1024,
        file_bytes: 64 * 1024 * 1024 * 1024,
        cpu: Duration::from_mins(20),
        ..Self::LOCAL
    };
    /// To push to others.
    pub const PUSH: Self =
        Self { time: Duration::from_mins(5), cpu: Duration::from_mins(5), ..Self::FETCH };
}

/// One call of git.
pub struct Call {
    pub(super) args: Vec<OsString>,
    pub(super) stdin: Vec<u8>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) settings: Vec<String>,
    pub(super) secrets: Vec<(String, SecretString)>,
    pub(super) limits: Limits,
}

/// Neither what is handed in, nor what is in the environment: there may be secrets in it.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("args", &self.args)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// A call with these arguments, the first of which is git's command.  Arguments are seen by
    /// everybody on the machine: nothing secret may be among them.
    pub fn new<T: AsRef<OsStr>>(args: impl IntoIterator<Item = T>) -> Self {
        Self {
            args: args.into_iter().map(|arg| arg.as_ref().to_owned()).collect(),
            stdin: Vec::new(),
            env: Vec::new(),
            settings: Vec::new(),
            secrets: Vec::new(),
            limits: Limits::LOCAL,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// What it reads.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// A variable of its environment, which is otherwise empty but for what [`Git`](super::process::Git) sets.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// A setting of git's, which counts more than ours.  It is seen by everybody on the machine.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// A setting that nobody may see, such as `http.extraHeader`: it travels in the environment.
    #[must_use]
    pub fn secret(mut self, key: impl Into<String>, value: SecretString) -> Self {
        self.secrets.push((key.into(), value));
        self
    }

    /// What it may use; [`Limits::LOCAL`] otherwise.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is called, for people.
    pub(super) fn name(&self) -> String {
        let name = self.args.first().map(|arg| arg.to_string_lossy()).unwrap_or_default();
        format!("git {name}")
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By a signal: it crashed, or wanted more than it may have.
    Signal(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub end: End,
    /// What it answered.
    pub stdout: Vec<u8>,
    /// What it complained, as much as is kept: text from outside.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether it says that it has done what it was to do.
    pub fn is_done(&self) -> bool {
        self.end == End::Code(0)
    }

    /// The answer as text, without the white space around it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// What it complained, harmless, in one line of at most [`neutral::LINE_MAX_CHARS`]
    /// characters.
    pub fn complaint(&self) -> String {
        let text = neutral::plain(&String::from_utf8_lossy(&self.stderr));
        let is_grave = |line: &&str| line.starts_with("error: ") || line.starts_with("fatal: ");
        let grave: Vec<&str> = text.lines().filter(is_grave).collect();
        let line = if grave.is_empty() { text.replace('\n', "; ") } else { grave.join("; ") };
        line.chars().take(neutral::LINE_MAX_CHARS).collect()
    }
}
