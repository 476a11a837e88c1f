//! The folders of rules and topics, and when something in them changes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::Why;
use crate::remote::chain;
use crate::settings::Settings;

/// How long it has to be quiet after a change: editors and checkouts write several files.
const QUIET: Duration = Duration::from_millis(200);

/// How long it is waited for quiet at most.
const QUIET_WITHIN: Duration = Duration::from_secs(2);

/// How long it waits at most before it looks: some file systems tell nothing, and nobody tells
/// that the folder above the folder was exchanged.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What is watched.
pub(super) struct Folders {
    all: Vec<(PathBuf, RecursiveMode)>,
    /// The folders that are watched, and which ones they were: a name can be given to another.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    watcher: Option<RecommendedWatcher>,
    bell: Arc<Notify>,
    is_new: bool,
    has_complained: bool,
}

impl Folders {
    /// The folders that the settings name.
    pub(super) fn new(settings: &Settings) -> Self {
        let rules = (&settings.rules.dir, RecursiveMode::Recursive);
        let topics = settings.topics.dirs.iter().map(|dir| (dir, RecursiveMode::Recursive));
        let absolute = |dir: &Path| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let own: Vec<_> =
            [rules].into_iter().chain(topics).map(|(dir, mode)| (absolute(dir), mode)).collect();
        // What happens to the folder itself is told by the one above it.
        let above = own.iter().filter_map(|(dir, _)| Some(dir.parent()?.to_owned()));
        let above: Vec<_> = above
            .filter(|above| !own.iter().any(|(dir, _)| dir == above))
            .map(|above| (above, RecursiveMode::NonRecursive))
            .collect();
        let bell = Arc::new(Notify::new());
        let names: Vec<_> = own.iter().map(|(dir, _)| dir.clone()).collect();
        let watcher = watcher(names, Arc::clone(&bell));
        Self {
            all: own.into_iter().chain(above).collect(),
            watched: BTreeMap::new(),
            has_complained: watcher.is_none(),
            watcher,
            bell,
            is_new: true,
        }
    }

    /// Waits until something has changed, or may have; the first time it does not wait.
    ///
    /// It may be cancelled by whoever then reads the folders.
    pub(super) async fn changed(&mut self) -> Why {
        if self.is_new {
            self.is_new = false;
            self.watch(Why::Changed);
            return Why::Routine;
        }
        let why = tokio::select! {
            () = self.bell.notified() => Why::Changed,
            () = tokio::time::sleep(LOOK_AGAIN) => Why::Routine,
        };
        if why == Why::Changed {
            let quiet =
                async { while tokio::time::timeout(QUIET, self.bell.notified()).await.is_ok() {} };
            if tokio::time::timeout(QUIET_WITHIN, quiet).await.is_err() {
                tracing::debug!("The folders of rules and topics change without end");
            }
        }
        // Before they are read: what changes after that is told.
        self.watch(why);
        why
    }

    /// Watches every folder, also one that has come back under its old name.
    fn watch(&mut self, why: Why) {
        let Some(watcher) = &mut self.watcher else { return };
        for (folder, mode) in &self.all {
            let found = std::fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()));
            let known = self.watched.get(folder).copied();
            // A new folder may have been given the number of the old one.
            if found == known && why == Why::Routine {
                continue;
            }
            if known.is_some() && watcher.unwatch(folder).is_err() {
                tracing::trace!("A folder of rules or topics was not watched any more");
            }
            self.watched.remove(folder);
            let Some(found) = found else { continue };
            match watcher.watch(folder, *mode) {
                Ok(()) => {
                    self.watched.insert(folder.clone(), found);
                }
                Err(error) if !self.has_complained => {
                    self.has_complained = true;
                    complain(&error);
                }
                Err(_) => {}
            }
        }
    }
}

/// Watches nothing yet, and rings for what concerns one of `folders`.
fn watcher(folders: Vec<PathBuf>, bell: Arc<Notify>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let is_news = match &event {
            // Reading is an access too, and would have us read for ever.
            Ok(event) => {
                let is_in = |path: &PathBuf| folders.iter().any(|folder| path.starts_with(folder));
                event.need_rescan() || (!event.kind.is_access() && event.paths.iter().any(is_in))
            }
            Err(_) => true,
        };
        if is_news {
            bell.notify_one();
        }
    });
    watcher.inspect_err(complain).ok()
}

fn complain(error: &notify::Error) {
    tracing::warn!(
        error = %chain(error),
        look_again_s = LOOK_AGAIN.as_secs(),
        "Cannot watch the folders of rules and topics; they are looked at now and then"
    );
}
