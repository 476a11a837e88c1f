//! Rules and topics are read again when their files change, or when somebody asks: all or nothing.
//!
//! It does what a new start would do, except that files with which it could not start, and a folder
//! that has been emptied, leave the old rules in force.  The settings are not read again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::{PrepareError, Prepared, Service, wanted_keys};
use crate::clock::Clock;
use crate::remote::chain;
use crate::rules::fault::RuleFault;
use crate::settings::Settings;
use crate::source::amqp::plan::Plan;
use crate::source::amqp::rebind::Rebinder;
use crate::telemetry::metrics::{self, ReloadResult};
use crate::web::health::{Health, RulesReport};

mod folders;

use folders::Folders;

/// How many faults are logged; the command `check` tells all.
const FAULTS_MAX: usize = 20;

/// How long it is waited for the bindings: as long as it takes to connect to the broker, and more.
const REBIND_TIMEOUT: Duration = Duration::from_mins(2);

/// Asks for rules and topics to be read again.
#[derive(Clone, Debug, Default)]
pub struct Ask(Arc<Notify>);

impl Ask {
    /// Asks; the log, the monitors and the metrics tell the answer.
    pub fn again(&self) {
        self.0.notify_one();
    }
}

/// Why the files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Somebody asks, and wants to see an answer.
    Asked,
    /// Something has changed.
    Changed,
    /// It is time to.
    Routine,
}

/// What was found in the files.
#[derive(Debug)]
enum Found {
    /// What was looked at the last time.
    Same,
    /// Something else, which may be used.
    Sound(Box<Prepared>),
    /// Something that cannot be used; the text tells it from others, where it could be read.
    Faulty(Vec<String>, Option<String>),
}

impl Service {
    /// Lets the rules be read again, where they are in files.
    pub(super) fn spawn_reload(
        &mut self,
        prepared: &Prepared,
        rebinding: Option<(Rebinder, Plan)>,
    ) {
        let reloader = Reloader {
            settings: prepared.settings.clone(),
            live: self.live.clone(),
            health: Arc::clone(&self.health),
            clock: self.ledger.clock().clone(),
            rebinding,
            in_force: prepared.digest.clone(),
            looked_at: prepared.digest.clone(),
            faults: Vec::new(),
        };
        reloader.tell();
        if prepared.digest.is_some() {
            let (ask, stop) = (self.reload.clone(), self.stop.clone());
            self.spawn("the reading of the rules", reloader.serve(ask, stop));
        }
    }
}

/// Reads rules and topics again.
struct Reloader {
    settings: Settings,
    live: Live,
    health: Arc<Health>,
    clock: Clock,
    /// What changes the bindings on the broker, and what they are.
    rebinding: Option<(Rebinder, Plan)>,
    /// What tells the files that are in force from others.
    in_force: Option<String>,
    /// The same of those that were looked at last, and told of.
    looked_at: Option<String>,
    /// What is wrong with the files.
    faults: Vec<String>,
}

impl Reloader {
    async fn serve(mut self, ask: Ask, stop: CancellationToken) -> anyhow::Result<()> {
        let mut folders = Folders::new(&self.settings);
        loop {
            let why = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = ask.0.notified() => Why::Asked,
                why = folders.changed() => why,
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                result = self.look(why) => result?,
            }
        }
    }

    /// Reads the files, and puts what is in them into force.
    async fn look(&mut self, why: Why) -> anyhow::Result<()> {
        let settings = self.settings.clone();
        let known = self.looked_at.clone().filter(|_| why != Why::Asked);
        let read = tokio::task::spawn_blocking(move || read(settings, known.as_deref()));
        match read.await.context("the rules could not be read")? {
            Found::Same => self.unchanged(why),
            Found::Sound(prepared) if prepared.digest == self.in_force => {
                self.looked_at.clone_from(&self.in_force);
                self.mended();
                self.unchanged(why);
            }
            Found::Sound(prepared) => match self.admit(&prepared).await {
                Ok(plan) => self.replace(&prepared, plan).await,
                Err(Refusal { fault, is_lasting }) => {
                    let digest = prepared.digest.filter(|_| is_lasting);
                    self.faulty((vec![fault], digest), why);
                }
            },
            Found::Faulty(faults, digest) => self.faulty((faults, digest), why),
        }
        Ok(())
    }

    /// Makes sure that the new rules can be in force.
    ///
    /// What they want is bound before they are: none of their messages is missed.
    async fn admit(&self, prepared: &Prepared) -> Result<Option<Plan>, Refusal> {
        let lasting =
            |error: anyhow::Error| Refusal { fault: chain(error.as_ref()), is_lasting: true };
        // More likely somebody is about to put others there, and messages come meanwhile.
        if prepared.rules.rules().is_empty() && !self.live.current().rules.rules().is_empty() {
            let folder = self.settings.rules.dir.display();
            return Err(lasting(anyhow!("there is no rule in `{folder}` any more")));
        }
        let Some((rebinder, plan)) = &self.rebinding else { return Ok(None) };
        let keys = wanted_keys(&prepared.reader).map_err(lasting)?;
        let plan = plan.with_keys(&keys).map_err(lasting)?;
        match tokio::time::timeout(REBIND_TIMEOUT, rebinder.widen(&plan)).await {
            Ok(Ok(())) => Ok(Some(plan)),
            Ok(Err(error)) => Err(lasting(anyhow!(error).context("cannot change the bindings"))),
            Err(_elapsed) => {
                let fault = "cannot change the bindings: the broker does not answer".to_owned();
                Err(Refusal { fault, is_lasting: false })
            }
        }
    }

    async fn replace(&mut self, prepared: &Prepared, plan: Option<Plan>) {
        let current = self.live.replace(prepared, self.clock.now());
        self.in_force.clone_from(&prepared.digest);
        self.looked_at.clone_from(&prepared.digest);
        self.faults.clear();
        metrics::count_reload(ReloadResult::Ok);
        metrics::begin_rules(prepared.rules.rules().iter().map(|rule| rule.name.as_str()));
        self.tell();
        tracing::info!(
            rules.generation = current.generation,
            rules.count = current.rules.rules().len(),
            "Other rules are in force"
        );
        if let (Some((rebinder, old)), Some(plan)) = (&mut self.rebinding, plan) {
            let narrowed = tokio::time::timeout(REBIND_TIMEOUT, rebinder.narrow(&plan)).await;
            if let Ok(Err(error)) = narrowed {
                tracing::warn!(
                    error = %chain(&error),
                    "The queue stays bound to what no rule wants any more; such messages are not read"
                );
            }
            *old = plan;
        }
    }

    fn faulty(&mut self, (faults, digest): (Vec<String>, Option<String>), why: Why) {
        let is_known = self.faults == faults;
        self.looked_at = digest;
        if is_known && why != Why::Asked {
            return;
        }
        self.faults = faults;
        metrics::count_reload(ReloadResult::Faulty);
        self.tell();
        for fault in self.faults.iter().take(FAULTS_MAX) {
            tracing::error!("{fault}");
        }
        let generation = self.live.current().generation;
        tracing::error!(
            faults = self.faults.len(),
            rules.generation = generation,
            "The rules cannot be used as they are now; the old ones stay in force"
        );
    }

    /// The files are again what is in force.
    fn mended(&mut self) {
        if self.faults.is_empty() {
            return;
        }
        self.faults.clear();
        self.tell();
        tracing::info!("The rules are again those that are in force");
    }

    fn unchanged(&self, why: Why) {
        let generation = self.live.current().generation;
        match why {
            Why::Asked => {
                metrics::count_reload(ReloadResult::Unchanged);
                tracing::info!(rules.generation = generation, "The rules have not changed");
            }
            Why::Changed => metrics::count_reload(ReloadResult::Unchanged),
            Why::Routine => {}
        }
    }

    /// Tells the monitors.
    fn tell(&self) {
        let current = self.live.current();
        let fault = self.faults.first().map(|first| match self.faults.len() {
            1 => first.clone(),
            count => format!("{first} (and {} more)", count - 1),
        });
        metrics::set_rules(current.rules.rules().len(), fault.is_some(), current.loaded_at);
        self.health.set_rules(RulesReport {
            loaded_at: current.loaded_at,
            count: current.rules.rules().len(),
            fault,
            generation: current.generation,
        });
    }
}

/// Why sound rules cannot be put into force.
struct Refusal {
    fault: String,
    /// Whether it is in vain to try the same again unasked.
    is_lasting: bool,
}

/// Reads the files, unless they are those that are `known`.
fn read(settings: Settings, known: Option<&str>) -> Found {
    let digest = Prepared::digest_of_files(&settings).ok();
    if known.is_some() && digest.as_deref() == known {
        return Found::Same;
    }
    match Prepared::new(settings) {
        Ok(prepared) => Found::Sound(Box::new(prepared)),
        Err(error) => Found::Faulty(lines(&error), digest),
    }
}

/// The faults, a line for each, as `check` words them.
fn lines(error: &PrepareError) -> Vec<String> {
    match error {
        PrepareError::Rules(faults) => faults.iter().map(RuleFault::line).collect(),
        PrepareError::Topics(faults) => faults.iter().map(ToString::to_string).collect(),
        PrepareError::Other(error) => vec![chain(error.as_ref())],
    }
}
