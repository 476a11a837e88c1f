mod polling;
mod results;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::clock::Hand;
use crate::directory::People;
use crate::remote::chain;
use crate::reporters::patchwork::{ChecksOn, Fork};
use crate::sandbox::freedesktop::{FreedesktopStandIn, Mood};
use crate::sandbox::mails::NewSeries;
use crate::secret::SecretRef;
use crate::source::poll::{Look, PolledBy};

const PROJECT: &str = "signalbox-gfx";
const PASSWORD: &str = "SECRET0FDO";
const INSTANCE: &str = "patchwork.example";

/// A Patchwork with a project, and an account that is its maintainer.
struct World {
    patchwork: FreedesktopStandIn,
    hand: Hand,
    settings: PatchworkSettings,
    cursor: Option<String>,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        let hand = Hand::at("2026-11-20T08:00:00Z".parse().unwrap());
        let patchwork = FreedesktopStandIn::start(Clock::manual(hand.clone())).await.unwrap();
        patchwork.add_project(PROJECT);
        patchwork.add_user("pointsman", PASSWORD, &[PROJECT]);
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let settings = PatchworkSettings {
            url: Url::parse(&patchwork.url()).unwrap(),
            fork: Fork::Freedesktop,
            projects: vec![PROJECT.to_owned()],
            token: None,
            username: Some("pointsman".to_owned()),
            password: Some(SecretRef::File(file)),
            polled_by: PolledBy::Service,
            poll: Duration::from_mins(2),
            incomplete: Duration::from_hours(24),
            age_max: Duration::from_hours(24),
            checks_on: ChecksOn::Every,
            authserv_id: None,
            context_prefix: "bus/".to_owned(),
            concurrency: 1,
            timeout: Duration::from_secs(30),
            people: People::default(),
        };
        Self { patchwork, hand, settings, cursor: None, _secrets: secrets }
    }

    fn clock(&self) -> Clock {
        Clock::manual(self.hand.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn pass(&self, minutes: i64) {
        self.hand.forward_to(self.now() + SignedDuration::from_mins(minutes));
    }

    fn freedesktop(&self) -> Freedesktop {
        Freedesktop::new("fdo", INSTANCE.to_owned(), &self.settings, self.clock()).unwrap()
    }

    fn poller(&self) -> Arc<dyn Poller> {
        Freedesktop::poller("fdo", INSTANCE.to_owned(), &self.settings, self.clock()).unwrap()
    }

    /// A series that is sent now.
    fn series(&self, stem: &str, patches: u32) -> NewSeries {
        NewSeries::of(PROJECT, stem, patches, self.now())
    }

    async fn look(&mut self) -> Look {
        let look = self.poller().look(self.cursor.as_deref(), self.now()).await.unwrap();
        self.cursor = Some(look.cursor.clone());
        look
    }

    /// What is heard by one look, one line for each event.
    async fn hear(&mut self) -> String {
        lines(&self.look().await)
    }

    async fn reconcile(&self) -> Look {
        self.poller().reconcile(self.cursor.as_deref(), self.now()).await.unwrap()
    }
}

fn events(look: &Look) -> Vec<SeriesEvent> {
    look.messages.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
}

fn lines(look: &Look) -> String {
    let mut lines = String::new();
    for event in events(look) {
        let SeriesEvent { event, series, request, .. } = event.told().unwrap();
        let (id, version, root) = (&series.id, series.version, &series.root);
        write!(lines, "{event} {id} v{version} {} {root}", series.patches.len()).unwrap();
        if let Some(request) = request {
            write!(lines, " {} by {}", request.id, request.by.id.unwrap_or_default()).unwrap();
        }
        lines.push('\n');
    }
    lines
}

fn refusal(failure: &Failure) -> String {
    let text = chain(failure);
    assert!(!text.contains(PASSWORD) && !text.contains("Basic "), "{text}");
    text
}
