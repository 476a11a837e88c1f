//! Which boards there are, and which of them can be used now.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::Lava;
use super::wire::{self, Device, Tag, Worker};
use crate::executors::Lab;
use crate::remote::Failure;

/// How many entries of a list are asked for at once, and how often.
const PAGES: (usize, usize) = (200, 20);

/// The boards that were asked for.
pub(super) struct Boards {
    /// How many there are, whether they can be used or not.
    pub(super) known: usize,
    /// Those that can be used now, or are being used.
    pub(super) online: Vec<Device>,
}

impl Lava {
    /// The boards that `query` selects.
    ///
    /// LAVA gives jobs to boards of good or unknown health whose worker is there; that a worker is
    /// gone is not told of its boards.
    pub(super) async fn boards_by(&self, query: &[(&str, &str)]) -> Result<Boards, Failure> {
        let what = self.what("list the boards of");
        let (devices, count): (Vec<Device>, u64) =
            self.client.all((&["devices"], query), PAGES, &what).await?;
        self.tell_of_more(devices.len(), count, "boards");
        let known = devices.len();
        if known == 0 {
            return Ok(Boards { known, online: devices });
        }
        let what = self.what("list the workers of");
        let (workers, _): (Vec<Worker>, u64) =
            self.client.all((&["workers"], &[]), PAGES, &what).await?;
        let workers: BTreeSet<String> =
            (workers.into_iter()).filter(Worker::is_online).map(|worker| worker.hostname).collect();
        let is_usable = |device: &Device| {
            let worker = device.worker_host.as_ref();
            device.is_healthy() && worker.is_some_and(|worker| workers.contains(worker))
        };
        Ok(Boards { known, online: devices.into_iter().filter(is_usable).collect() })
    }

    /// The tags of boards, by their names.
    async fn tags(&self) -> Result<BTreeMap<String, Tag>, Failure> {
        let what = self.what("list the tags of");
        let (tags, _): (Vec<Tag>, u64) = self.client.all((&["tags"], &[]), PAGES, &what).await?;
        Ok(tags.into_iter().map(|tag| (tag.name.clone(), tag)).collect())
    }

    /// The first of these tags that LAVA does not know.
    pub(super) async fn unknown_tag(&self, wanted: &[String]) -> Result<Option<String>, Failure> {
        if wanted.is_empty() {
            return Ok(None);
        }
        let tags = self.tags().await?;
        let unknown = wanted.iter().find(|tag| !tags.contains_key(*tag));
        Ok(unknown.map(|tag| wire::words(tag)))
    }

    fn tell_of_more(&self, read: usize, count: u64, what: &str) {
        if (read as u64) < count {
            let called = self.client.called();
            tracing::warn!("`{called}` has {count} {what}, of which the first {read} are heeded");
        }
    }
}

#[async_trait]
impl Lab for Lava {
    async fn boards(&self, tags: &[String]) -> Result<Vec<String>, Failure> {
        let mut wanted = Vec::new();
        if !tags.is_empty() {
            let mut known = self.tags().await?;
            for tag in tags {
                // No board has what LAVA does not know.
                let Some(tag) = known.remove(tag) else { return Ok(Vec::new()) };
                wanted.push(tag);
            }
        }
        let boards = self.boards_by(&[]).await?;
        let has_all = |device: &&Device| wanted.iter().all(|tag| device.has(tag));
        let kinds = boards.online.iter().filter(has_all);
        let kinds = kinds.filter_map(|device| device.kind.clone());
        let kinds: BTreeSet<String> = kinds.filter(|kind| is_kind(kind)).collect();
        Ok(kinds.into_iter().collect())
    }
}

/// Whether it is the name of a kind of board, as LAVA has them.
fn is_kind(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._:+-".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(is_part)
}
