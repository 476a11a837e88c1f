mod letters;
mod login;
mod queue;
mod results;
mod search;

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::clock::Hand;
use crate::event::series::SeriesEvent;
use crate::remote::chain;
use crate::sandbox::mails::NewSeries;
use crate::sandbox::patchew::{Mood, Options, PatchewStandIn, Test};
use crate::source::poll::{Look, Poller as _};

const PROJECT: &str = "Signalbox Points";
const PASSWORD: &str = "SECRET0PATCHEW";
const INSTANCE: &str = "patchew.example";

/// A Patchew with a project that has a test, and an account that may do everything there.
struct World {
    patchew: PatchewStandIn,
    hand: Hand,
    settings: PatchewSettings,
    cursor: Option<String>,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let hand = Hand::at("2026-11-20T08:00:00Z".parse().unwrap());
        let clock = Clock::manual(hand.clone());
        let patchew = PatchewStandIn::start(Options { clock, ..options }).await.unwrap();
        patchew.add_project(PROJECT, &[Test::named("asan")]);
        patchew.set_mirror(PROJECT, "https://bot:SECRET0PUSH@git.example/points");
        patchew.add_user("pointsman", PASSWORD, &["importers", "testers"]);
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let settings = PatchewSettings {
            url: Url::parse(&patchew.url()).unwrap(),
            projects: vec![PROJECT.to_owned()],
            username: Some("pointsman".to_owned()),
            password: Some(SecretRef::File(file)),
            roles: vec![Role::Search],
            target_repo: None,
            tester: "bus-1".to_owned(),
            capabilities: Vec::new(),
            polled_by: PolledBy::Service,
            poll: Duration::from_mins(2),
            age_max: Duration::from_hours(24),
            concurrency: 1,
            timeout: Duration::from_secs(30),
            authserv_id: None,
            people: People::default(),
        };
        Self { patchew, hand, settings, cursor: None, _secrets: secrets }
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

    fn reporter(&self) -> Patchew {
        Patchew::new("main", INSTANCE.to_owned(), &self.settings, self.clock()).unwrap()
    }

    /// A series that is sent now.
    fn series(&self, stem: &str, patches: u32) -> NewSeries {
        NewSeries::of(PROJECT, stem, patches, self.now())
    }

    /// A look, whatever comes of it; where it has come to is kept if all went well.
    async fn try_to_look(&mut self) -> Result<Look, Failure> {
        let poller =
            Patchew::poller("main", INSTANCE.to_owned(), &self.settings, self.clock()).unwrap();
        let look = poller.look(self.cursor.as_deref(), self.now()).await?;
        for secret in [PASSWORD, "SECRET0PUSH"] {
            assert!(!look.cursor.contains(secret));
        }
        self.cursor = Some(look.cursor.clone());
        Ok(look)
    }

    async fn look(&mut self) -> Look {
        self.try_to_look().await.unwrap()
    }

    /// What is heard by one look, one line for each event.
    async fn hear(&mut self) -> String {
        lines(&self.look().await)
    }

    async fn reconcile(&self) -> String {
        let poller =
            Patchew::poller("main", INSTANCE.to_owned(), &self.settings, self.clock()).unwrap();
        lines(&poller.reconcile(self.cursor.as_deref(), self.now()).await.unwrap())
    }
}

fn events(look: &Look) -> Vec<SeriesEvent> {
    look.messages.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
}

fn lines(look: &Look) -> String {
    let mut lines = String::new();
    for event in events(look) {
        let told = event.clone().told().unwrap();
        assert_eq!(told.series.id, event.series.id);
        let SeriesEvent { event, series, test, .. } = told;
        let count = series.patches.len();
        write!(lines, "{event} {} v{} {count}", series.id, series.version).unwrap();
        if let Some(test) = test {
            write!(lines, " {} {} {}", test.name, test.repo, test.head).unwrap();
        }
        lines.push('\n');
    }
    lines
}

fn refusal(failure: &Failure) -> String {
    let text = chain(failure);
    for secret in [PASSWORD, "SECRET0PUSH", "Token "] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}
