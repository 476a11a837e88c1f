//! Running git: with nothing of the machine's settings, with limits, and gone when nobody waits.
//!
//! Limits are set by a shell between us and git, whose script never changes.  Set from here they
//! would come after git has begun, and after it has begun others; set in ourselves they would be
//! ours too; and set between `fork` and `exec` they would need `unsafe`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::call::{Call, End, Output, Protocol};
use super::scratch::{self, Occupied};
use crate::neutral;
use crate::remote::Failure;

/// Sets the limits, as far as they are not stricter already, and becomes git.  Who computes for too
/// long is to be ended by the signal that says so: beyond the hard limit it would be another.
const SCRIPT: &str = "ulimit -c 0 2>/dev/null; ulimit -v \"$1\" 2>/dev/null; \
    ulimit -f \"$2\" 2>/dev/null; ulimit -S -t \"$3\" 2>/dev/null; shift 3; exec \"$@\"";

/// How much of what git complains is kept; the rest is read and dropped.
const COMPLAINT_MAX_BYTES: u64 = 16 * 1024;

/// What every call is given.  What a repository says itself does not count against it.
const CONFIG: &[&str] = &[
    "core.symlinks=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=",
    "core.excludesFile=",
    "core.autocrlf=false",
    // Windows onto packs of their usual size, one gigabyte, would not fit below the limit.
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
    "core.logAllRefUpdates=false",
    "credential.helper=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "push.gpgSign=false",
    "gc.auto=0",
    "gc.autoDetach=false",
    "maintenance.auto=false",
    "transfer.fsckObjects=true",
    "i18n.commitEncoding=UTF-8",
    "advice.detachedHead=false",
    "protocol.allow=never",
];

/// One repository, and the way in which git is run for it.
#[derive(Clone, Debug)]
pub struct Git {
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    program: PathBuf,
    path: OsString,
    root: PathBuf,
    protocols: Vec<Protocol>,
    #[expect(dead_code, reason = "it says that we are at work, for as long as it is there")]
    occupied: Occupied,
}

impl Git {
    /// The oldest git that is good enough, as major and minor number: one that applies to an
    /// index with a merge, and knows all the settings of ours that keep it safe.
    pub const VERSION_MIN: (u32, u32) = (2, 40);

    /// Git for the repository in the folder `root`, which is made where it is missing, but for
    /// the repository itself.  Other repositories are reached by `protocols` only.
    pub fn open(root: &Path, protocols: &[Protocol]) -> anyhow::Result<Self> {
        let path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let program = std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("git"))
            .find(|program| program.is_file())
            .ok_or_else(Self::missing)?;
        let place = |source| format!("cannot make `{}`: {source}", root.display());
        std::fs::create_dir_all(root).map_err(|error| anyhow!(place(error)))?;
        let root = root.canonicalize().map_err(|error| anyhow!(place(error)))?;
        for folder in ["empty", "scratch"].map(|name| root.join(name)) {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make `{}`", folder.display()))?;
        }
        let occupied = scratch::occupy(&root)?;
        let protocols = protocols.to_vec();
        let git = Self { place: Arc::new(Place { program, path, root, protocols, occupied }) };
        let file = git.empty_file();
        // Somebody else's, of a command run by hand, is as good.
        if std::fs::metadata(&file).map_or(true, |found| found.len() > 0) {
            let what = || format!("cannot write `{}`", file.display());
            std::fs::write(&file, "").with_context(what)?;
        }
        Ok(git)
    }

    /// The folder of the bare repository.
    pub fn repository(&self) -> PathBuf {
        self.place.root.join("repository.git")
    }

    /// The folder for what is needed for a while only.
    pub(super) fn scratch_folder(&self) -> PathBuf {
        self.place.root.join("scratch")
    }

    /// A folder with nothing in it: where git looks for hooks, and at home.
    fn empty_folder(&self) -> PathBuf {
        self.place.root.join("empty")
    }

    /// A file with nothing in it.  Not `/dev/null`: git replaces the file that it is to write
    /// settings to, and root may replace that one.
    fn empty_file(&self) -> PathBuf {
        self.place.root.join("empty.config")
    }

    fn missing() -> anyhow::Error {
        let (major, minor) = Self::VERSION_MIN;
        anyhow!("git is not installed: install git {major}.{minor} or newer")
    }

    /// Sees to it that git is there and new enough, and returns its version.
    pub async fn version(&self) -> anyhow::Result<String> {
        let output = self.run(Call::new(["version"])).await?;
        let text = output.text();
        let version = text.strip_prefix("git version ").unwrap_or_default().to_owned();
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found < Self::VERSION_MIN {
            let (major, minor) = Self::VERSION_MIN;
            let found = neutral::line(&text);
            bail!("git is too old (`{found}`): install git {major}.{minor} or newer");
        }
        Ok(version)
    }

    /// Runs git, and says how it ended: any code is an answer.
    ///
    /// Not to begin, not to end in time, and to answer without end are failures.  When the
    /// future is dropped, git and all that it has begun is killed.
    pub async fn run(&self, call: Call) -> Result<Output, Failure> {
        let name = call.name();
        let mut child = self.command(&call).spawn().map_err(|error| {
            Failure::retry(anyhow::Error::new(error).context(format!("cannot begin `{name}`")))
        })?;
        let mut group = Group::of(&child);
        let attended = tokio::time::timeout(call.limits.time, attend(&mut child, &call)).await;
        let Ok(attended) = attended else {
            group.kill();
            return Err(Failure::retry(anyhow!(
                "`{name}` was killed after {:?}: it takes too long",
                call.limits.time
            )));
        };
        let Attended { status, stdout, stderr } = attended
            .map_err(|error| Failure::retry(error.context(format!("cannot run `{name}`"))))?;
        group.forget();
        let output = Output { end: end(status), stdout, stderr };
        match output.end {
            // The shell's own: not to be found, and not to be run.
            End::Code(126 | 127) => Err(Failure::retry(Self::missing())),
            End::Code(_) | End::Signal(_) => Ok(output),
        }
    }

    /// Runs git for what always succeeds: any other code than 0 is a failure that may pass.
    pub async fn succeed(&self, call: Call) -> Result<Output, Failure> {
        let name = call.name();
        let output = self.run(call).await?;
        if output.is_done() {
            return Ok(output);
        }
        Err(Failure::retry(anyhow!("`{name}` ended with {}: {}", output.end, output.complaint())))
    }

    fn command(&self, call: &Call) -> Command {
        let limits = &call.limits;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "sh"])
            // In units of 1024 bytes, 512 bytes and seconds, as POSIX has it.
            .arg((limits.memory_bytes / 1024).to_string())
            .arg((limits.file_bytes / 512).to_string())
            .arg(limits.cpu.as_secs().to_string())
            .arg(&self.place.program);
        for setting in CONFIG {
            command.args(["-c", setting]);
        }
        for protocol in &self.place.protocols {
            command.args(["-c", &format!("protocol.{}.allow=always", protocol.as_str())]);
        }
        let mut hooks = OsString::from("core.hooksPath=");
        hooks.push(self.empty_folder());
        command.arg("-c").arg(hooks);
        for setting in &call.settings {
            command.args(["-c", setting]);
        }
        command.args(&call.args);
        self.environment(&mut command, call);
        command
            .current_dir(self.empty_folder())
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn environment(&self, command: &mut Command, call: &Call) {
        command
            .env_clear()
            .env("PATH", &self.place.path)
            .env("HOME", self.empty_folder())
            .env("XDG_CONFIG_HOME", self.empty_folder())
            .env("TMPDIR", self.scratch_folder())
            .env("GIT_DIR", self.repository())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.empty_file())
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("SSH_ASKPASS", "true")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            // Each arena of the allocator maps 64 megabytes, and counts as memory.
            .env("MALLOC_ARENA_MAX", "2")
            .env("GIT_CONFIG_COUNT", call.secrets.len().to_string())
            .envs(call.env.iter().map(|(name, value)| (name, value)));
        for (number, (key, value)) in call.secrets.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), key)
                .env(format!("GIT_CONFIG_VALUE_{number}"), value.expose_secret());
        }
    }
}

fn end(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    status.code().map_or_else(|| End::Signal(status.signal().unwrap_or(0)), End::Code)
}

struct Attended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Hands over what is to be read, takes all that is said, and waits for the end.
async fn attend(child: &mut Child, call: &Call) -> anyhow::Result<Attended> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // Whoever does not read to the end has reasons, and its code says which.
            if let Err(error) = stdin.write_all(&call.stdin).await {
                tracing::trace!(%error, "git did not read to the end");
            }
        }
        Ok(())
    };
    let read = async {
        let limit = call.limits.output_bytes;
        let (bytes, is_all) = take(stdout, limit).await?;
        anyhow::ensure!(is_all, "it answers more than {limit} bytes");
        Ok(bytes)
    };
    let listen = async {
        let Some(mut stderr) = stderr else { return Ok(Vec::new()) };
        let (bytes, _) = take(Some(&mut stderr), COMPLAINT_MAX_BYTES).await?;
        tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
        Ok(bytes)
    };
    let ((), stdout, stderr): ((), Vec<u8>, Vec<u8>) = tokio::try_join!(write, read, listen)?;
    Ok(Attended { status: child.wait().await?, stdout, stderr })
}

/// At most `limit` bytes, and whether that is all.
async fn take(from: Option<impl AsyncRead + Unpin>, limit: u64) -> anyhow::Result<(Vec<u8>, bool)> {
    let Some(mut from) = from else { return Ok((Vec::new(), true)) };
    let mut bytes = Vec::new();
    (&mut from).take(limit).read_to_end(&mut bytes).await?;
    let is_all = u64::try_from(bytes.len())? < limit || from.read(&mut [0]).await? == 0;
    Ok((bytes, is_all))
}

/// A process with all that it has begun, killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The process has ended by itself: its number may be another's by now.
    fn forget(&mut self) {
        self.0 = None;
    }

    fn kill(&mut self) {
        if let Some(pid) = self.0.take()
            && let Err(error) = kill_process_group(pid, Signal::KILL)
        {
            tracing::debug!(%error, "The processes of git are gone already");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
