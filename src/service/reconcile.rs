//! Finding what no message has told: a message may be lost, and a forge may forget to send one.
//!
//! From time to time the open proposals of every project that a rule names are compared with what
//! was heard.  What is missing becomes an event, and goes the way that events of messages go; the
//! message itself, should it come after all, is no news then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Service;
use super::live::Live;
use crate::forges::Forge;
use crate::ledger::{Ledger, LedgerError};
use crate::remote::{Failure, chain};
use crate::settings::{ReconcileSettings, Settings};
use crate::subject::ConnectionName;
use crate::telemetry::metrics;
use crate::web::health::{Health, ReconcileReport};
use crate::worker::Site;

mod compare;
mod look;

use compare::{Place, places};

/// What its messages are said to have come from.
pub const SOURCE: &str = "reconcile";

/// What the names of our cursors begin with.
const CURSORS: &str = "reconcile/";

/// How long no message must have come before the first look, and how long it is waited for that:
/// what waits on the broker since the last end is told first.
const QUIET: Duration = Duration::from_secs(1);
const QUIET_WITHIN: Duration = Duration::from_mins(2);

/// After so many failures in a row that may pass, a forge is left alone until the next round.
const FAILURES_MAX: u32 = 3;

/// How many failing projects are told by name.
const TOLD_MAX: usize = 10;

impl Service {
    /// Lets somebody look for what no message has told, on every forge that can be asked.
    pub(super) fn spawn_reconcile(
        &mut self,
        settings: &Settings,
        sites: &BTreeMap<ConnectionName, Site>,
    ) {
        let forges = sites.iter().filter_map(|(name, site)| Some((name, site.forge.as_ref()?)));
        let forges: BTreeMap<_, _> =
            forges.map(|(name, forge)| (name.clone(), Arc::clone(forge))).collect();
        let settings = settings.reconcile.clone();
        if let Some(every) = settings.every.filter(|_| !forges.is_empty()) {
            let (live, ledger) = (self.live.clone(), self.ledger.clone());
            let health = Arc::clone(&self.health);
            let reconcile = Reconcile::new((settings, forges), (live, ledger, health));
            let stop = self.stop.clone();
            self.spawn("the looking for missed events", reconcile.serve(every, stop));
        }
    }
}

/// Looks for what no message has told.
struct Reconcile {
    settings: ReconcileSettings,
    forges: BTreeMap<ConnectionName, Arc<dyn Forge>>,
    live: Live,
    ledger: Ledger,
    health: Arc<Health>,
    /// The projects that were looked at in this life.
    known: BTreeSet<Place>,
    /// Those that cannot be looked at, and why not.
    failing: BTreeMap<Place, String>,
    /// How often all were looked at.
    rounds: usize,
    done_at: Option<Timestamp>,
    has_too_many: bool,
}

impl Reconcile {
    fn new(
        (settings, forges): (ReconcileSettings, BTreeMap<ConnectionName, Arc<dyn Forge>>),
        (live, ledger, health): (Live, Ledger, Arc<Health>),
    ) -> Self {
        let reconcile = Self {
            settings,
            forges,
            live,
            ledger,
            health,
            known: BTreeSet::new(),
            failing: BTreeMap::new(),
            rounds: 0,
            done_at: None,
            has_too_many: false,
        };
        reconcile.tell(0);
        reconcile
    }

    async fn serve(mut self, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = self.quiet() => {}
        }
        let mut changes = self.live.changes();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            self.look_at_all(&stop).await?;
            let pause = tokio::time::sleep(every);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = &mut pause => break,
                    Ok(()) = changes.changed() => self.look_at_new(&stop).await?,
                }
            }
        }
        Ok(())
    }

    /// Waits until nothing comes from the sources any more, for a while.
    async fn quiet(&self) {
        let quiet = async {
            let mut last = None;
            loop {
                let received = self.health.is_ready().then(|| self.health.received());
                if received.is_some() && received == last {
                    return;
                }
                last = received;
                tokio::time::sleep(QUIET).await;
            }
        };
        if tokio::time::timeout(QUIET_WITHIN, quiet).await.is_err() {
            tracing::debug!("Messages come without end, or a source is away");
        }
    }

    /// The projects to be looked at.
    fn places(&mut self) -> BTreeSet<Place> {
        let current = self.live.current();
        let mut places = places(&current.rules, &current.reader.directory, &self.forges.keys());
        let has_too_many = places.len() > self.settings.projects_max;
        if has_too_many && !self.has_too_many {
            tracing::warn!(
                projects = places.len(),
                projects_max = self.settings.projects_max,
                "Rules name more projects than are looked at for missed events"
            );
        }
        self.has_too_many = has_too_many;
        if let Some(beyond) = places.iter().nth(self.settings.projects_max).cloned() {
            places.split_off(&beyond);
        }
        places
    }

    async fn look_at_all(&mut self, stop: &CancellationToken) -> Result<(), LedgerError> {
        let places = self.places();
        // What happens while no rule names a project is not missed: should one do so again, that
        // is a first look.
        let cursors = places.iter().map(cursor).collect();
        self.ledger.keep_cursors(CURSORS, cursors).await?;
        self.failing.retain(|place, _| places.contains(place));
        self.known.clone_from(&places);
        self.round(&places, stop).await?;
        self.rounds = self.rounds.wrapping_add(1);
        self.done_at = Some(self.ledger.clock().now());
        self.tell(places.len());
        Ok(())
    }

    /// Looks at the projects that no rule named before.
    async fn look_at_new(&mut self, stop: &CancellationToken) -> Result<(), LedgerError> {
        let places = self.places();
        let new: BTreeSet<_> = places.difference(&self.known).cloned().collect();
        self.known.extend(new.iter().cloned());
        self.round(&new, stop).await?;
        self.tell(places.len());
        Ok(())
    }

    /// Looks at `places`, one after the other.
    async fn round(
        &mut self,
        places: &BTreeSet<Place>,
        stop: &CancellationToken,
    ) -> Result<(), LedgerError> {
        let mut failures = BTreeMap::<&ConnectionName, u32>::new();
        for place in places {
            let in_a_row = failures.entry(&place.connection).or_default();
            let Some(forge) = self.forges.get(&place.connection).map(Arc::clone) else { continue };
            if *in_a_row >= FAILURES_MAX {
                continue;
            }
            let looked = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                looked = self.look(place, forge.as_ref()) => looked?,
            };
            match &looked {
                Ok(()) | Err(Failure::GiveUp(_)) => *in_a_row = 0,
                // It asks for a rest.
                Err(Failure::Retry { after: Some(_), .. }) => *in_a_row = FAILURES_MAX,
                Err(Failure::Retry { after: None, .. }) => *in_a_row += 1,
            }
            self.note(place, looked);
            self.tell(self.known.len());
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.settings.pause) => {}
            }
        }
        Ok(())
    }

    /// Notes how a look went, and logs it where that has changed.
    fn note(&mut self, place: &Place, looked: Result<(), Failure>) {
        let Place { connection, project } = place;
        metrics::count_reconcile(connection, looked.is_ok());
        match looked {
            Ok(()) => {
                if self.failing.remove(place).is_some() {
                    tracing::info!(
                        "Can look at the open proposals of {project} at {connection} again"
                    );
                }
            }
            Err(failure) => {
                let error = chain(&failure);
                if self.failing.insert(place.clone(), error.clone()).is_none() {
                    tracing::warn!(
                        error,
                        "Cannot look at the open proposals of {project} at {connection}; what no message tells is missed"
                    );
                }
            }
        }
    }

    /// Tells the monitors.
    fn tell(&self, projects: usize) {
        let name = |place: &Place| format!("{} {}", place.connection, place.project);
        let told = self.failing.iter().take(TOLD_MAX);
        self.health.set_reconcile(ReconcileReport {
            done_at: self.done_at,
            projects,
            failing: self.failing.len(),
            failures: told.map(|(place, error)| (name(place), error.clone())).collect(),
        });
    }
}

/// The name under which is remembered how a project was looked at.
fn cursor(place: &Place) -> String {
    format!("{CURSORS}{}/{}", place.connection, place.project)
}

#[cfg(test)]
mod tests;
