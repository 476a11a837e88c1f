//! From publishing to the request at Jenkins, one message after another.

use std::path::Path;

use anyhow::{Context as _, bail};
use pointsman::sandbox::jenkins::notifier::{Change, Phase};
use pointsman::sandbox::jenkins::{JenkinsStandIn, JobSpec};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::broker::Broker;
use crate::drain;
use crate::messages::Messages;
use crate::process::Process;
use crate::service::{Outside, Service};
use crate::table::{Row, Target, median};

/// The queue that the service consumes from.
const OUR_QUEUE: &str = "pointsman.bench.ours";

/// The queue that the peer consumes from.
const PEER_QUEUE: &str = "pointsman.bench.peer";

/// How long one message may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The pause between two messages: each finds both sides idle, with nothing left to do of the last.
const PAUSE: Duration = Duration::from_millis(5);

/// Messages that come first and are not counted: connections are made then.
const WARM_UP: u64 = 50;

/// The times of one run, in microseconds, in order.
struct Times(Vec<f64>);

impl Times {
    fn quantile(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list of a thousand"
        )]
        let place = (self.0.len() as f64 * part) as usize;
        self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }
}

/// Measures `count` messages, `runs` times each.
///
/// Both sides are up at the same time and take turns, message by message, so that whatever else
/// the machine has to do hits both.
pub(crate) async fn measure(
    broker: &Broker,
    (count, runs): (u64, usize),
    python: &Path,
) -> anyhow::Result<Vec<Row>> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut us = Side::new(broker, OUR_QUEUE).await?;
        let mut them = Side::new(broker, PEER_QUEUE).await?;
        let url = us.jenkins.url().to_string();
        let amqp = Some((broker.url(), us.queue));
        let mut service = Service::start(&Outside { amqp, jenkins: &url })?;
        service.ready().await?;
        let folder = tempfile::tempdir()?;
        let mut command =
            drain::peer(broker.url(), them.queue, (python, folder.path()), "build.py:Build")?;
        command.env("BENCH_JENKINS", them.jenkins.url().as_str());
        let _process = Process::start(command)?;
        for number in 1..=count + WARM_UP {
            us.pass(broker, number).await?;
            them.pass(broker, number).await?;
        }
        ours.push(us.times());
        peer.push(them.times());
    }
    for queue in [OUR_QUEUE, PEER_QUEUE] {
        broker.delete(queue).await?;
    }
    let of =
        |runs: &[Times], part: f64| median(runs.iter().map(|times| times.quantile(part)).collect());
    let row = |measure: &str, part: f64, target| Row {
        measure: measure.to_owned(),
        ours: format!("{:.0} µs", of(&ours, part)),
        other: format!("{:.0} µs", of(&peer, part)),
        value: of(&ours, part) / of(&peer, part),
        target,
    };
    Ok(vec![
        row("publish to POST at Jenkins, p50, to the peer's", 0.5, Target::AtMost(1.0)),
        row("publish to POST at Jenkins, p99, to the peer's", 0.99, Target::None),
    ])
}

/// One of the two that are compared: its queue, its Jenkins, and what was measured.
struct Side {
    queue: &'static str,
    messages: Messages,
    jenkins: JenkinsStandIn,
    changes: Receiver<Change>,
    times: Vec<f64>,
}

impl Side {
    async fn new(broker: &Broker, queue: &'static str) -> anyhow::Result<Self> {
        broker.make(queue).await?;
        let jenkins = jenkins().await?;
        let changes = jenkins.changes();
        Ok(Self { queue, messages: Messages::new()?, jenkins, changes, times: Vec::new() })
    }

    /// Publishes message `number` and waits until it has ordered a build.
    async fn pass(&mut self, broker: &Broker, number: u64) -> anyhow::Result<()> {
        sleep(PAUSE).await;
        let published = Instant::now();
        broker.publish(self.queue, &self.messages, number).await?;
        match timeout(LIMIT, order(&mut self.changes)).await {
            Ok(arrived) => arrived?,
            Err(_elapsed) => bail!("message {number} in {} ordered no build", self.queue),
        }
        if number > WARM_UP {
            self.times.push(published.elapsed().as_secs_f64() * 1e6);
        }
        Ok(())
    }

    fn times(mut self) -> Times {
        self.times.sort_by(f64::total_cmp);
        Times(self.times)
    }
}

/// A Jenkins with one job, whose builds stay in the queue.
async fn jenkins() -> anyhow::Result<JenkinsStandIn> {
    let jenkins = JenkinsStandIn::start().await?;
    jenkins.add_job(JobSpec::new("pull-request", &["BRANCH", "HEAD", "POINTSMAN_RUN"]));
    Ok(jenkins)
}

/// Waits until a build is ordered.
async fn order(changes: &mut Receiver<Change>) -> anyhow::Result<()> {
    loop {
        let change = changes.recv().await.context("the Jenkins is gone")?;
        if change.phase == Phase::Queued {
            return Ok(());
        }
    }
}
