//! The service: builds all parts, joins them, and shuts them down in order.

use std::sync::Arc;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::envelope::Limits;
use crate::ledger::prune::Keep;
use crate::ledger::{Decide, Ledger};
use crate::message::hash;
use crate::remote::chain;
use crate::rules::fault::RuleFault;
use crate::rules::{RuleSet, RuleSource, decide};
use crate::settings::Settings;
use crate::source::Source;
use crate::source::amqp::AmqpSource;
use crate::source::amqp::plan::Plan;
use crate::source::amqp::rebind::Rebinder;
use crate::source::embedded::Embedded;
use crate::telemetry::metrics::{self, Metrics};
use crate::topic::catalog::Catalog;
use crate::web::health::Health;
use crate::worker::backoff::Backoff;
use crate::worker::{Site, Worker};
use crate::{registry, web};

mod buses;
mod files;
pub mod inbox;
pub mod live;
pub mod poll;
pub mod receive;
pub mod reconcile;
pub mod reload;
mod sweep;
mod watch;

pub use files::rule_files;

use buses::Buses;
use live::Live;
use receive::{Reader, Receiver};

/// How often old rows are forgotten.
const PRUNE_EVERY: std::time::Duration = std::time::Duration::from_hours(1);

/// Everything that is decided before the first message comes.
#[derive(Debug)]
pub struct Prepared {
    /// The settings.
    pub settings: Settings,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// How messages are read.
    pub reader: Arc<Reader>,
    /// What tells the files of rules and topics from others; none where the rules are in no files.
    pub digest: Option<String>,
}

/// What keeps the service from being prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Rules are faulty.
    #[error("{} in the rules", faults(.0.len()))]
    Rules(Vec<RuleFault>),
    /// Topic files are faulty.
    #[error("{} in the topics", faults(.0.len()))]
    Topics(Vec<crate::topic::TopicFault>),
    /// Something else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn faults(count: usize) -> String {
    if count == 1 { "one fault".to_owned() } else { format!("{count} faults") }
}

impl Prepared {
    /// Reads topics and rules; reaches nothing outside.
    pub fn new(settings: Settings) -> Result<Self, PrepareError> {
        let sources = rule_files(&settings.rules.dir)?;
        let (prepared, topics) = Self::read(settings, &sources)?;
        Ok(Self { digest: Some(digest(&sources, &topics)), ..prepared })
    }

    /// What tells the files of rules and topics from others, as they are now; they are not looked
    /// into.
    pub fn digest_of_files(settings: &Settings) -> Result<String, PrepareError> {
        let sources = rule_files(&settings.rules.dir)?;
        let topics = Catalog::digest_of(&settings.topics.dirs).map_err(PrepareError::Topics)?;
        Ok(digest(&sources, &topics))
    }

    /// As [`Prepared::new`], with rules that are not in files.
    pub fn with_rules(settings: Settings, sources: &[RuleSource]) -> Result<Self, PrepareError> {
        Ok(Self::read(settings, sources)?.0)
    }

    /// Reads them; the text tells the topic files from others.
    fn read(settings: Settings, sources: &[RuleSource]) -> Result<(Self, String), PrepareError> {
        let directory: Arc<Directory> = Arc::new(registry::directory(&settings)?);
        let catalog = Catalog::load(&settings.topics.dirs).map_err(PrepareError::Topics)?;
        let rules = RuleSet::parse(sources, Arc::clone(&directory)).map_err(PrepareError::Rules)?;
        let reader = Reader {
            selection: catalog.select_asked(&rules.kinds(), &rules.asked()),
            directory,
            limits: limits(&settings),
            run_parameter: settings.service.run_parameter.clone(),
            name: registry::own_name(&settings),
        };
        let (rules, reader) = (Arc::new(rules), Arc::new(reader));
        Ok((Self { settings, rules, reader, digest: None }, catalog.digest().to_owned()))
    }

    /// The rules, as the ledger asks them.
    pub fn decide(&self) -> Decide {
        let rules = Arc::clone(&self.rules);
        Arc::new(move |event, known| decide(&rules, event, known))
    }
}

fn digest(sources: &[RuleSource], topics: &str) -> String {
    let parts = sources.iter().flat_map(|source| [source.name.as_bytes(), source.text.as_bytes()]);
    hash(&parts.chain([topics.as_bytes()]).collect::<Vec<_>>())
}

/// What of a message is read at all.
fn limits(settings: &Settings) -> Limits {
    Limits { body_bytes: settings.service.message_size_max.bytes(), ..Limits::default() }
}

/// The service, with all its parts started.
pub struct Service {
    /// The ledger, for whoever wants to look while it runs.
    pub ledger: Ledger,
    /// Where the web pages are, if anywhere.
    pub address: Option<std::net::SocketAddr>,
    /// Whether it is being listened to its sources.
    pub health: Arc<Health>,
    /// The rules in force.
    pub live: Live,
    /// Asks for the rules to be read again.
    pub reload: reload::Ask,
    tracker: TaskTracker,
    stop: CancellationToken,
    ended: tokio::sync::mpsc::Receiver<(&'static str, anyhow::Result<()>)>,
    report_end: tokio::sync::mpsc::Sender<(&'static str, anyhow::Result<()>)>,
    grace: std::time::Duration,
    _tenancy: crate::ledger::Tenancy,
}

impl Service {
    /// Starts all parts; when this returns the service takes messages.
    pub async fn start(prepared: Prepared, clock: Clock) -> anyhow::Result<Self> {
        let metrics = metrics::start();
        metrics::begin_rules(prepared.rules.rules().iter().map(|rule| rule.name.as_str()));
        let settings = &prepared.settings;
        let ledger = Ledger::open(&settings.ledger.path, clock.clone())?;
        let tenancy = ledger.occupy()?;
        let recovered = ledger.recover().await?;
        if recovered > 0 {
            tracing::info!(actions = recovered, "Found actions that were in hand at the last end");
        }
        let plan = amqp_plan(settings, &prepared.reader)?;
        let buses = Buses::new(plan.as_ref(), &ledger);
        let listener = match settings.web.listen {
            Some(address) => Some(web::listen(address).await?),
            None => None,
        };
        let (report_end, ended) = tokio::sync::mpsc::channel(32);
        let mut service = Self {
            live: Live::new(&prepared, clock.now()),
            reload: reload::Ask::default(),
            ledger,
            address: listener.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?,
            health: Arc::new(Health::default()),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            ended,
            report_end,
            grace: settings.worker.grace,
            _tenancy: tenancy,
        };
        service.spawn_worker(&prepared, &buses, &clock).await?;
        let rebinding = service.spawn_sources(&prepared, plan);
        service.spawn_reload(&prepared, rebinding);
        service.spawn_pollers(registry::series::pollers(settings, &clock)?, &clock);
        service.spawn_prune(settings);
        if let Some(listener) = listener {
            service.spawn_web((listener, buses, metrics), &prepared)?;
        }
        Ok(service)
    }

    /// Waits until `until` is cancelled or a part fails, then ends all parts in order.
    pub async fn run(mut self, until: CancellationToken) -> anyhow::Result<()> {
        let end = tokio::select! {
            () = until.cancelled() => Ok(()),
            Some((part, result)) = self.ended.recv() => match result {
                Ok(()) => Err(anyhow::anyhow!("{part} has ended")),
                Err(error) => Err(error.context(format!("{part} failed"))),
            },
        };
        self.end().await;
        end
    }

    /// Ends all parts: no new messages, then what is in hand, bounded by the grace time.
    async fn end(self) {
        tracing::info!("Shutting down");
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(self.grace, self.tracker.wait()).await.is_err() {
            tracing::warn!(
                grace_s = self.grace.as_secs(),
                "Something in hand takes longer than a shutdown waits; it is found again"
            );
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where tasks are spawned")]
    fn spawn<F>(&mut self, part: &'static str, work: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (report, stop) = (self.report_end.clone(), self.stop.clone());
        self.tracker.spawn(async move {
            // A panic in a part ends the service like an error does: nothing runs on half alive.
            let result = match tokio::spawn(work).await {
                Ok(result) => result,
                Err(panic) => Err(anyhow::Error::new(panic)),
            };
            if let Err(error) = &result {
                tracing::error!(error = %chain(error.as_ref()), "{part} failed");
            }
            if !stop.is_cancelled() && report.send((part, result)).await.is_err() {
                tracing::debug!("{part} ended after the service");
            }
        });
    }

    async fn spawn_worker(
        &mut self,
        prepared: &Prepared,
        buses: &Buses,
        clock: &Clock,
    ) -> anyhow::Result<()> {
        let settings = &prepared.settings;
        let bus = (Arc::clone(&buses.reports), buses.prefix.clone());
        let mut sites = registry::sites(settings, bus, clock)?;
        // What waits for a connection that is gone is given up, so that its runs come to an end.
        for connection in self.ledger.connections_with_work().await? {
            sites.entry(connection).or_insert_with(Site::nowhere);
        }
        self.spawn_reconcile(settings, &sites);
        self.spawn_sweep(settings, &sites);
        let WorkerLimits { backoff, attempts_max } = worker_limits(settings);
        let limits = (backoff, attempts_max);
        let worker = Worker::new(self.ledger.clone(), self.live.decide(), sites, limits);
        for connection in worker.connections() {
            let (worker, stop) = (worker.clone(), self.stop.clone());
            self.spawn("the worker", async move { Ok(worker.serve(connection, stop).await?) });
        }
        Ok(())
    }

    /// Answers with what changes the bindings on the broker, if there is one.
    fn spawn_sources(
        &mut self,
        prepared: &Prepared,
        plan: Option<Plan>,
    ) -> Option<(Rebinder, Plan)> {
        let mut rebinding = None;
        let batch_max = prepared.settings.ledger.batch_max;
        let inbox_max = u32::try_from(batch_max).unwrap_or(u32::MAX);
        let embedded = Embedded::new(self.ledger.clone(), inbox_max);
        let mut sources: Vec<(&'static str, Box<dyn Source>)> =
            vec![("the inbox", Box::new(embedded))];
        self.health.source("the inbox", true);
        if let Some(plan) = plan {
            let live = self.live.clone();
            let wants = Box::new(move |topic: &str| live.wants(topic));
            self.health.source("the broker", false);
            let source = AmqpSource::new(plan.clone(), wants);
            rebinding = Some((source.rebinder(), plan));
            sources.push(("the broker", Box::new(source)));
        }
        for (name, source) in sources {
            let receiver = Receiver {
                name,
                live: self.live.clone(),
                ledger: self.ledger.clone(),
                batch_max,
                health: Arc::clone(&self.health),
            };
            let stop = self.stop.clone();
            self.spawn(name, async move { receiver.receive(source, stop).await });
        }
        rebinding
    }

    fn spawn_prune(&mut self, settings: &Settings) {
        let keep = Keep { ordinary: settings.ledger.keep, dead: settings.ledger.keep_dead };
        let (ledger, stop) = (self.ledger.clone(), self.stop.clone());
        self.spawn("forgetting", watch::prune(ledger, keep, PRUNE_EVERY, stop));
    }

    fn spawn_web(
        &mut self,
        (listener, buses, metrics): (tokio::net::TcpListener, Buses, Metrics),
        prepared: &Prepared,
    ) -> anyhow::Result<()> {
        let (settings, live) = (&prepared.settings, self.live.clone());
        let token = settings.web.token.as_ref().map(crate::secret::SecretRef::read).transpose();
        let site = web::Site {
            bus: buses.door,
            token: token.context("cannot read `web.token`")?,
            announcers: Arc::new(registry::labs::announcers(settings)?),
            prefix: buses.prefix,
            room: web::body::Room::new(settings.web.body_max.bytes()),
            hook_room: web::body::Room::new(settings.web.body_max.bytes()),
            hooks: Arc::new(registry::hooks(settings, self.ledger.clock())?),
            weigh: Arc::new(move |connection, speaker, message| {
                live.current().reader.weigh((connection, speaker), message)
            }),
            ended: registry::ended_door(settings)?.map(web::runs::Ended::new),
            quiet: Arc::default(),
            limits: limits(settings),
            ledger: self.ledger.clone(),
            health: Arc::clone(&self.health),
            connections: prepared.rules.directory().iter().map(|(name, _)| name.clone()).collect(),
            metrics,
        };
        let stop = self.stop.clone();
        self.spawn("the web pages", async move { Ok(web::serve(listener, site, stop).await?) });
        Ok(())
    }
}

/// How the worker tries.
pub struct WorkerLimits {
    /// The pauses.
    pub backoff: Backoff,
    /// The number of tries.
    pub attempts_max: u32,
}

/// What the settings say about trying.
pub fn worker_limits(settings: &Settings) -> WorkerLimits {
    let worker = &settings.worker;
    let backoff = Backoff { min: worker.backoff_min, max: worker.backoff_max };
    WorkerLimits { backoff, attempts_max: worker.attempts_max }
}

/// How the broker is used, if there is one.
pub fn amqp_plan(settings: &Settings, reader: &Reader) -> anyhow::Result<Option<Plan>> {
    let Some(amqp) = &settings.amqp else { return Ok(None) };
    Ok(Some(Plan::new(amqp, &wanted_keys(reader)?)?))
}

/// The binding keys that the rules want, of which there has to be one.
fn wanted_keys(reader: &Reader) -> anyhow::Result<Vec<String>> {
    let keys = reader.selection.bindings();
    if keys.is_empty() {
        bail!("no rule wants any message, so there is nothing to ask the broker for");
    }
    Ok(keys)
}
