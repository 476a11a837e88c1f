//! A whole Pointsman in this process, with everything around it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pointsman::clock::Clock;
use pointsman::ledger::Ledger;
use pointsman::message::Message;
use pointsman::sandbox::jenkins::notifier::{Change, mq_notifier_message};
use pointsman::sandbox::pagure::{Announcement, Push};
use pointsman::service::live::Live;
use pointsman::service::reload::Ask;
use pointsman::service::{Prepared, Service};
use pointsman::settings::Settings;
use pointsman::web::health::RulesReport;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) mod bus;
pub(crate) mod look;
pub(crate) mod peace;
pub(crate) mod scenery;

use look::Look;
pub(crate) use scenery::{JOB, PROJECT, Scenery, sha, sha_of};

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How often is looked at what tells of no changes.
const GLANCE: Duration = Duration::from_millis(10);

/// One rule, one build, a flag and a comment.
pub(crate) const RULES: &str = r#"
    [[rule]]
    name = "unit"
    on = ["pull_request.opened", "pull_request.updated", "pull_request.reopened"]
    where = { project = "signalbox" }
    build = { on = "jenkins.main", job = "unit", parameters = { BRANCH = "{{ head.branch }}", HEAD = "{{ head.sha }}" } }
    report = [{ to = "origin", as = "flag" }, { to = "origin", as = "comment", when = "changed" }]
"#;

/// Settings with which nobody looks after builds: only messages tell.
pub(crate) const NO_POLLING: &str = "[jenkins.main]\npoll_min = '1h'\npoll_max = '1h'\n";

/// What a world is to be like.
pub(crate) struct Setup {
    rules: String,
    settings: String,
    scenery: Scenery,
}

impl Setup {
    /// More settings, over those that every world has.
    pub(crate) fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self
    }

    /// Where the files of the service are.
    pub(crate) fn folder(&self) -> &Path {
        self.scenery.folder.path()
    }

    /// The door has no token.
    pub(crate) fn without_token(mut self) -> Self {
        self.scenery.has_token = false;
        self
    }

    /// Messages come from a broker.
    pub(crate) async fn broker(mut self) -> Self {
        self.scenery.bus = Some(bus::Bus::new(&bus::address(), peace::shared().await).await);
        self
    }

    /// As [`Setup::broker`], in a vhost that nobody else uses.
    pub(crate) async fn own_vhost(mut self) -> Self {
        let peace = peace::shared().await;
        self.scenery.bus = Some(bus::Bus::new(&bus::own_address().await, peace).await);
        self
    }

    /// As [`Setup::broker`], with nobody else using it at the same time.
    pub(crate) async fn own_broker(mut self) -> Self {
        self.scenery.bus = Some(bus::Bus::new(&bus::address(), peace::alone().await).await);
        self
    }

    /// Starts the service.
    pub(crate) async fn start(self) -> World {
        self.scenery.write(&self.rules, &self.settings);
        let changes = self.scenery.jenkins.changes();
        let running = Running::start(self.scenery.settings_files()).await;
        let mut world =
            World { scenery: self.scenery, running, changes, expected: BTreeSet::new() };
        world.until_ready().await;
        world
    }
}

/// A service that runs.
pub(crate) struct Running {
    pub(crate) ledger: Ledger,
    pub(crate) address: std::net::SocketAddr,
    health: Arc<pointsman::web::health::Health>,
    pub(crate) live: Live,
    pub(crate) reload: Ask,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    async fn start(files: [PathBuf; 2]) -> Self {
        let settings = Settings::load(&files).unwrap_or_else(|faults| panic!("{faults:?}"));
        let prepared = Prepared::new(settings).unwrap_or_else(|fault| panic!("{fault:?}"));
        let service = Service::start(prepared, Clock::system()).await.unwrap();
        let stop = CancellationToken::new();
        let (ledger, health) = (service.ledger.clone(), Arc::clone(&service.health));
        let (live, reload) = (service.live.clone(), service.reload.clone());
        let address = service.address.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(service.run(stop.clone()));
        Self { ledger, address, health, live, reload, stop, tasks }
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// A service, and everything around it.
pub(crate) struct World {
    pub(crate) scenery: Scenery,
    pub(crate) running: Running,
    changes: broadcast::Receiver<Change>,
    expected: BTreeSet<String>,
}

impl World {
    /// A world with these rules.
    pub(crate) async fn of(rules: &str) -> Setup {
        Setup {
            rules: rules.to_owned(),
            settings: String::new(),
            scenery: Scenery::build(Scenery::current()).await,
        }
    }

    /// A world with these rules and a Pagure of before 2018.
    pub(crate) async fn of_old(rules: &str) -> Setup {
        let scenery = Scenery::build(Scenery::old()).await;
        Setup { rules: rules.to_owned(), settings: String::new(), scenery }
    }

    /// Ends the service in good order, and starts it again on the same ledger.
    pub(crate) async fn restart(&mut self) {
        self.running.stop.cancel();
        self.running.tasks.join_next().await.unwrap().unwrap().unwrap();
        self.running = Running::start(self.scenery.settings_files()).await;
        self.until_ready().await;
    }

    /// As [`World::restart`], with these settings over those that every world has.
    pub(crate) async fn restart_with(&mut self, settings: &str) {
        self.scenery.write_more(settings);
        self.restart().await;
    }

    /// Ends the service, which has to end well.
    pub(crate) async fn end(self) {
        self.running.end().await;
        if let Some(bus) = &self.scenery.bus {
            bus.clear_away().await;
        }
    }

    // --- what happens -------------------------------------------------------------------------

    /// Somebody opens a pull request; its number.
    pub(crate) async fn open(&mut self, head: char) -> u64 {
        let (id, announced) = self.scenery.open(head);
        self.tell(&announced).await;
        id
    }

    /// Somebody pushes.
    pub(crate) async fn push(&mut self, id: u64, head: char) {
        let announced = self.scenery.pagure.push(PROJECT, id, &sha(head), Push::Added).unwrap();
        self.tell(&announced).await;
    }

    /// Publishes what Pagure announces, each with an id of its own.
    pub(crate) async fn tell(&mut self, announced: &[Announcement]) {
        for (topic, body) in announced {
            self.publish(topic, body).await;
        }
    }

    /// Publishes what the plugin of Jenkins has to say since the last time.
    pub(crate) async fn relay_jenkins(&mut self) {
        while let Ok(change) = self.changes.try_recv() {
            let (key, body) = mq_notifier_message(&change);
            self.publish(&key, &body).await;
        }
    }

    /// Publishes a message with an id of its own.
    pub(crate) async fn publish(&mut self, topic: &str, body: &Value) {
        self.publish_message(&uuid::Uuid::new_v4().to_string(), topic, body).await;
    }

    /// Publishes a message in the form of fedora-messaging.
    pub(crate) async fn publish_message(&mut self, id: &str, topic: &str, body: &Value) {
        self.put(letter(id, topic, body)).await;
    }

    /// Publishes a message as it is: to the broker, or where there is none into the inbox.
    pub(crate) async fn put(&mut self, message: Message) {
        if self.running.live.wants(&message.topic) {
            self.expected.insert(message.identity().as_str().to_owned());
        }
        match &self.scenery.bus {
            Some(bus) => bus.publish(&message).await,
            None => {
                self.running.ledger.post(message).await.unwrap();
            }
        }
    }

    // --- waiting ------------------------------------------------------------------------------

    /// Waits until all sources are listened to.
    pub(crate) async fn until_ready(&mut self) {
        let health = Arc::clone(&self.running.health);
        self.until("the sources", |_| health.is_ready()).await;
    }

    /// Waits until the rules that the service tells of are so.
    pub(crate) async fn until_rules(
        &mut self,
        what: &str,
        is_so: impl Fn(&RulesReport) -> bool + Send + Sync,
    ) {
        let health = Arc::clone(&self.running.health);
        self.until(what, |_| health.rules().is_some_and(|rules| is_so(&rules))).await;
    }

    /// Waits until somebody has looked for what no message has told.
    pub(crate) async fn until_looked(&mut self) {
        let health = Arc::clone(&self.running.health);
        let has_looked = || health.reconcile().is_some_and(|report| report.done_at.is_some());
        self.until("a look at the forges", |_| has_looked()).await;
    }

    /// Waits until every message is stored and nothing is left to do but to look after builds.
    pub(crate) async fn settle(&mut self) -> Look {
        let expected = self.expected.clone();
        self.until("quiet", |look| look.has_all(&expected) && look.is_quiet()).await
    }

    /// As [`World::settle`], and until every run has its verdict.
    pub(crate) async fn finish(&mut self) -> Look {
        let expected = self.expected.clone();
        let is_finished =
            |look: &Look| look.has_all(&expected) && look.is_quiet() && look.open_runs() == 0;
        self.until("all verdicts", is_finished).await
    }

    /// Waits until it is so.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        is_so: impl Fn(&Look) -> bool + Send + Sync,
    ) -> Look {
        let path = self.scenery.ledger_path();
        let mut changes = self.running.ledger.changes();
        let mut last = Look::at(&path);
        let wait = async {
            loop {
                changes.mark_unchanged();
                last = Look::at(&path);
                if is_so(&last) {
                    return;
                }
                tokio::select! {
                    heard = tokio::time::timeout(GLANCE, changes.changed()) => {
                        if let Ok(heard) = heard { heard.unwrap(); }
                    }
                    Some(end) = self.running.tasks.join_next() => panic!("it has ended: {end:?}"),
                }
            }
        };
        let is_late = tokio::time::timeout(PATIENCE, wait).await.is_err();
        assert!(!is_late, "still waiting for {what}: {last:#?}");
        last
    }

    // --- what can be seen -----------------------------------------------------------------------

    /// The builds that were asked for.
    pub(crate) fn asked(&self) -> String {
        self.scenery.masked(&self.scenery.jenkins.asked().join("\n"))
    }

    /// The flags on a commit, a line for each.
    pub(crate) fn flags(&self, head: char) -> String {
        self.scenery.flags(head)
    }

    /// The comments of ours on a pull request.
    pub(crate) fn comments(&self, id: u64) -> String {
        self.scenery.comments(id)
    }
}

/// A message in the form of fedora-messaging.
pub(crate) fn letter(id: &str, topic: &str, body: &Value) -> Message {
    let headers = json!({
        "fedora_messaging_schema": "base.message",
        "fedora_messaging_severity": 20,
        "sent-at": "2026-11-20T08:21:47+00:00",
    });
    let Value::Object(headers) = headers else { panic!("headers are an object") };
    Message {
        id: Some(id.to_owned()),
        topic: topic.to_owned(),
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        headers,
        body: body.to_string().into_bytes(),
    }
}
