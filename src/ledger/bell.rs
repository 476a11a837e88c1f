//! Bells: who is woken by what is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Ledger;
use crate::subject::ConnectionName;

/// A counter that goes up when something was written.
pub type Bell = watch::Receiver<u64>;

/// The bells of a ledger.
///
/// There are several, because each one who wakes looks into the ledger: were all woken by
/// everything, a message would cost a dozen looks that find nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Bells {
    anything: watch::Sender<u64>,
    inbox: watch::Sender<u64>,
    work: Arc<Mutex<BTreeMap<ConnectionName, watch::Sender<u64>>>>,
}

impl Bells {
    /// Something was written.
    pub(super) fn ring(&self) {
        ring(&self.anything);
    }

    /// A message is in the inbox.
    pub(super) fn ring_inbox(&self) {
        ring(&self.inbox);
    }

    /// There is something to do at these connections.
    pub(super) fn ring_at<'a>(&self, connections: impl IntoIterator<Item = &'a ConnectionName>) {
        let work = self.work();
        connections.into_iter().filter_map(|connection| work.get(connection)).for_each(ring);
    }

    /// There is something to do somewhere.
    pub(super) fn ring_everywhere(&self) {
        self.work().values().for_each(ring);
    }

    fn work(&self) -> MutexGuard<'_, BTreeMap<ConnectionName, watch::Sender<u64>>> {
        // A poisoned lock only means that another thread panicked while it looked for a bell.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ring(bell: &watch::Sender<u64>) {
    bell.send_modify(|count| *count = count.wrapping_add(1));
}

impl Ledger {
    /// Rings when anything was written by this process.
    pub fn changes(&self) -> Bell {
        self.bells.anything.subscribe()
    }

    /// Rings when this process has put a message into the inbox.
    pub fn posted(&self) -> Bell {
        self.bells.inbox.subscribe()
    }

    /// Rings when this process has stored something to do at `connection`.
    pub fn work_at(&self, connection: &ConnectionName) -> Bell {
        self.bells.work().entry(connection.clone()).or_default().subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_something_to_do_is_woken() {
        let name = |text: &str| ConnectionName::try_from(text.to_owned()).unwrap();
        let bells = Bells::default();
        let bell = |connection: &str| bells.work().entry(name(connection)).or_default().subscribe();
        let (here, elsewhere) = (bell("builds.main"), bell("forge.main"));
        bells.ring_at([&name("builds.main"), &name("nobody.listens")]);
        assert!(here.has_changed().unwrap());
        assert!(!elsewhere.has_changed().unwrap());
        bells.ring_everywhere();
        assert!(elsewhere.has_changed().unwrap());
    }
}
