//! The process that is killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// A running `pointsman run`.
pub(super) struct Victim {
    child: Child,
    log: PathBuf,
}

impl Victim {
    /// Starts it with the settings in `folder`.
    pub(super) fn start(folder: &Path) -> Self {
        let log = folder.join("log");
        let file = File::options().append(true).create(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["-c", "settings.toml", "-c", "more.toml", "run"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Waits until it ends by itself, which it should not, and gives its last words.
    pub(super) async fn ended(&mut self) -> String {
        let status = self.child.wait().await.unwrap();
        let log = std::fs::read_to_string(&self.log).unwrap();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(10)..].join("\n");
        format!("{status}\n{last}")
    }

    /// SIGKILL.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
