//! What goes on around the process while it lives and dies.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pointsman::clock::Clock;
use pointsman::message::Message;
use pointsman::remote::Remote;
use pointsman::sandbox::jenkins::notifier::{Change, mq_notifier_message};
use pointsman::sandbox::jenkins::{Automatic, BuildRecord, BuildResult, JobSpec};
use pointsman::sandbox::pagure::{Announcement, Push};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use url::Url;

use super::gate::{Gate, Place, Trap};
use crate::world::bus::Bus;
use crate::world::look::Look;
use crate::world::scenery::DOOR_TOKEN;
use crate::world::{JOB, PATIENCE, PROJECT, Scenery, letter};

/// Two builds for each head.
const RULES: &str = r#"
    [[rule]]
    name = "unit"
    on = ["pull_request.opened", "pull_request.updated"]
    build = { on = "jenkins.main", job = "unit", parameters = { HEAD = "{{ head.sha }}" } }
    report = [{ to = "origin", as = "flag" }, { to = "origin", as = "comment" }]

    [[rule]]
    name = "lint"
    on = ["pull_request.opened", "pull_request.updated"]
    build = { on = "jenkins.main", job = "lint", parameters = { HEAD = "{{ head.sha }}" } }
    report = [{ to = "origin", as = "flag" }, { to = "bus" }]
"#;

/// How long a build takes.
pub(super) const BUILD_TIME: Duration = Duration::from_millis(40);

/// How often is looked whether something has come about.
pub(super) const GLANCE: Duration = Duration::from_millis(10);

/// How many pull requests are open at once.
const OPEN_MAX: usize = 6;

/// A pull request and its heads so far, oldest first.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) id: u64,
    pub(super) heads: Vec<String>,
    pub(super) is_open: bool,
}

/// How a build of this head ends: a third of them badly.
pub(super) fn fate(head: &str) -> BuildResult {
    let last = u32::from_str_radix(head.get(..8).unwrap(), 16).unwrap();
    if last.is_multiple_of(3) { BuildResult::Failure } else { BuildResult::Success }
}

/// What goes on around the process.
pub(super) struct Town {
    pub(super) scenery: Scenery,
    pub(super) proposals: Vec<Proposal>,
    /// Ids and topics of the messages that were taken from us.
    pub(super) accepted: Mutex<BTreeMap<String, String>>,
    pub(super) trap: Arc<Trap>,
    _gates: Vec<Gate>,
    /// The host by which the service knows Pagure, in place of its own.
    hosts: (String, String),
    /// Messages that nobody has taken yet.
    outbox: Mutex<VecDeque<Message>>,
    door: SocketAddr,
    changes: broadcast::Receiver<Change>,
    heads_made: usize,
}

impl Town {
    /// Builds it, with a broker or without.
    pub(super) async fn build(bus: Option<Bus>) -> Self {
        let mut scenery = Scenery::build(Scenery::current()).await;
        scenery.jenkins.add_job(JobSpec::new("lint", &["POINTSMAN_RUN", "HEAD"]));
        let end = |build: &BuildRecord| fate(&build.parameters["HEAD"]);
        scenery.jenkins.set_automatic(Automatic::FinishAfter(BUILD_TIME, Arc::new(end)));
        scenery.bus = bus;
        let trap = Arc::<Trap>::default();
        let jenkins = address(scenery.jenkins.url().as_str());
        let pagure = address(&scenery.pagure.url());
        let jenkins_gate = Gate::before(jenkins, Place::Jenkins, &trap).await;
        let pagure_gate = Gate::before(pagure, Place::Forge, &trap).await;
        let door = free_address().await;
        let mut more = format!(
            "[web]\nlisten = '{door}'\n\
             [jenkins.main]\nurl = 'http://{}'\naliases = ['{jenkins}']\n\
             [pagure.forge]\nurl = 'http://{}'\n",
            jenkins_gate.address, pagure_gate.address
        );
        let hosts = (pagure.to_string(), pagure_gate.address.to_string());
        let mut gates = vec![jenkins_gate, pagure_gate];
        if let Some(bus) = &scenery.bus {
            // The first lives may be too short to make the queue.
            bus.keep(&bus.name, "#").await;
            let broker = address(&bus.url);
            let gate = Gate::before(broker, Place::Broker, &trap).await;
            let address = gate.address;
            writeln!(more, "[amqp]\nurl = 'amqp://guest@{address}/%2f'").unwrap();
            gates.push(gate);
        }
        scenery.write(RULES, &more);
        let changes = scenery.jenkins.changes();
        Self {
            scenery,
            proposals: Vec::new(),
            accepted: Mutex::default(),
            trap,
            _gates: gates,
            hosts,
            outbox: Mutex::default(),
            door,
            changes,
            heads_made: 0,
        }
    }

    pub(super) fn has_broker(&self) -> bool {
        self.scenery.bus.is_some()
    }

    pub(super) fn folder(&self) -> &Path {
        self.scenery.folder.path()
    }

    pub(super) fn disarm(&self) {
        self.trap.disarm();
    }

    /// Something happens, or two things.
    pub(super) fn go_on(&mut self, random: &mut fastrand::Rng) {
        for _ in 0..random.u32(1..=2) {
            let open: Vec<_> =
                (0..self.proposals.len()).filter(|n| self.proposals[*n].is_open).collect();
            let any = random.choice(&open).copied();
            match (random.u32(..10), any) {
                (..3, _) | (_, None) if open.len() < OPEN_MAX => self.open(),
                (..9, Some(any)) => self.push(any),
                (_, Some(any)) => self.close(any),
                (_, None) => self.open(),
            }
        }
        if random.bool() {
            self.relay_jenkins();
        }
    }

    fn next_head(&mut self) -> String {
        self.heads_made += 1;
        // They differ at the front, which is what people are shown.
        format!("{:08x}{:032}", self.heads_made, 0)
    }

    fn open(&mut self) {
        let head = self.next_head();
        let (id, announced) = self.scenery.open_at(&head);
        self.proposals.push(Proposal { id, heads: vec![head], is_open: true });
        self.post(announced);
    }

    fn push(&mut self, number: usize) {
        let head = self.next_head();
        let proposal = &mut self.proposals[number];
        proposal.heads.push(head.clone());
        let pushed = self.scenery.pagure.push(PROJECT, proposal.id, &head, Push::Added);
        self.post(pushed.unwrap());
    }

    fn close(&mut self, number: usize) {
        let proposal = &mut self.proposals[number];
        proposal.is_open = false;
        let closed = self.scenery.pagure.close(PROJECT, proposal.id, "ada");
        self.post(closed.unwrap());
    }

    /// What Jenkins has to say since the last time.
    fn relay_jenkins(&mut self) {
        while let Ok(change) = self.changes.try_recv() {
            let (topic, body) = mq_notifier_message(&change);
            // Nobody takes what nobody wants; see `accepted`.
            if topic.starts_with("run.") {
                self.post(vec![(topic, body)]);
            }
        }
    }

    fn post(&self, announced: Vec<Announcement>) {
        let (own, gate) = &self.hosts;
        for (topic, body) in announced {
            let body: Value = serde_json::from_str(&body.to_string().replace(own, gate)).unwrap();
            let message = letter(&uuid::Uuid::new_v4().to_string(), &topic, &body);
            self.outbox.lock().unwrap().push_back(message);
        }
    }

    /// Delivers what waits; for ever, as there may come more.
    pub(super) async fn deliver_and_idle(&self) {
        self.deliver().await;
        std::future::pending::<()>().await;
    }

    /// Delivers what waits.  A message leaves the outbox when it has been taken, and not before.
    async fn deliver(&self) {
        loop {
            let next = self.outbox.lock().unwrap().front().cloned();
            let Some(message) = next else { return };
            match &self.scenery.bus {
                Some(bus) => bus.publish(&message).await,
                None => self.hand_in(&message).await,
            }
            let id = message.identity().as_str().to_owned();
            self.accepted.lock().unwrap().insert(id, message.topic.clone());
            self.outbox.lock().unwrap().pop_front();
        }
    }

    /// Hands a message in at the door, again and again until it is accepted.
    async fn hand_in(&self, message: &Message) {
        let base = Url::parse(&format!("http://{}/", self.door)).unwrap();
        let remote = Remote::new(&base, PATIENCE, Clock::system()).unwrap();
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        let record = json!({
            "id": message.id, "topic": message.topic, "headers": message.headers, "body": body,
        });
        let mut glances = tokio::time::interval(GLANCE);
        loop {
            let url = remote.url(&["api", "v1", "messages"]);
            let request = remote.request(Method::POST, url).bearer_auth(DOOR_TOKEN).json(&record);
            if let Ok(answer) = remote.send(request).await
                && answer.status == 202
            {
                return;
            }
            glances.tick().await;
        }
    }

    /// Waits until everything is delivered, stored and done.
    pub(super) async fn all_done(&self) {
        let mut last = Look::default();
        let wait = async {
            self.deliver().await;
            let accepted = self.accepted.lock().unwrap().keys().cloned().collect();
            let mut glances = tokio::time::interval(GLANCE);
            let mut quiet = 0;
            while quiet < 2 {
                glances.tick().await;
                last = self.look();
                let is_done = last.has_all(&accepted) && last.is_quiet() && last.open_runs() == 0;
                quiet = if is_done { quiet + 1 } else { 0 };
            }
        };
        let is_late = tokio::time::timeout(PATIENCE, wait).await.is_err();
        let accepted = self.accepted.lock().unwrap();
        let missing: Vec<_> =
            accepted.iter().filter(|(id, _)| !last.messages.contains_key(*id)).collect();
        assert!(!is_late, "not done: {:#?}", (missing, &last.open, &last.buried));
    }

    pub(super) fn look(&self) -> Look {
        Look::at(&self.scenery.ledger_path())
    }

    pub(super) async fn leave(self) {
        if let Some(bus) = &self.scenery.bus {
            let _peace = crate::world::peace::shared().await;
            bus.clear_away().await;
        }
    }

    /// The builds of both jobs.
    pub(super) fn builds(&self) -> Vec<BuildRecord> {
        [JOB, "lint"].iter().flat_map(|job| self.scenery.jenkins.builds(job)).collect()
    }
}

/// Host and port in a URL.
pub(super) fn address(url: &str) -> SocketAddr {
    let url = Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()).parse().unwrap()
}

/// An address that is free, and stays so in all likelihood.
pub(super) async fn free_address() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
