//! The process that is killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::world::PATIENCE;

/// A running `pointsman run`.
pub(crate) struct Victim {
    child: Child,
    log: PathBuf,
}

impl Victim {
    /// Starts it with the settings in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
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

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits until its log has these words.
    pub(crate) async fn until_log(&mut self, words: &str) {
        let log = self.log.clone();
        let has_come = async {
            while !std::fs::read_to_string(&log).unwrap().contains(words) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            come = tokio::time::timeout(PATIENCE, has_come) => come.expect("it does not say so"),
            end = self.ended() => panic!("it ended by itself: {end}"),
        }
    }

    /// SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
