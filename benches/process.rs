//! Programs that are measured from outside: time, CPU seconds, memory.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail};
use tokio::time::{Duration, timeout};

/// How long a measured program may take to say what it has to say.
const LINE_LIMIT: Duration = Duration::from_mins(5);

/// A running program; it is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    name: String,
}

/// What a program has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// CPU seconds, those of the kernel included.
    pub(crate) cpu_s: f64,
    /// The most memory that was resident, in MiB.
    pub(crate) peak_mib: f64,
}

impl Process {
    /// Starts `command`, whose standard output is read by [`Process::line`].
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        Ok(Self { child, name })
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The numbers behind `word` in the first line that begins with it.
    pub(crate) async fn line(&mut self, word: &'static str) -> anyhow::Result<f64> {
        let stdout = self.child.stdout.take().context("its output is read already")?;
        let reading = tokio::task::spawn_blocking(move || find(stdout, word));
        match timeout(LINE_LIMIT, reading).await {
            Ok(found) => {
                found?.with_context(|| format!("`{}` ended without saying `{word}`", self.name))
            }
            Err(_elapsed) => bail!("`{}` takes too long", self.name),
        }
    }

    /// What it has used so far.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        /// Linux counts the time of processes in hundredths on every machine.
        const TICKS_PER_SECOND: f64 = 100.0;
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.child.id());
            std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))
        };
        let stat = read("stat")?;
        // The name of the program, which comes before, may have spaces.
        let (_, fields) = stat.rsplit_once(") ").context("no process")?;
        let ticks: f64 =
            fields.split(' ').skip(11).take(2).map(|field| field.parse().unwrap_or(0.0)).sum();
        let status = read("status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak_kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        Ok(Used { cpu_s: ticks / TICKS_PER_SECOND, peak_mib: peak_kib.unwrap_or(0.0) / 1024.0 })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn find(stdout: ChildStdout, word: &str) -> Option<f64> {
    BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}
