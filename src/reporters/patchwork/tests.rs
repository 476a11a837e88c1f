mod checks;
mod letters;
mod night;
mod poll;
mod probe;
mod said;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::clock::Hand;
use crate::event::series::SeriesEvent;
use crate::message::Message;
use crate::remote::{Failure, chain};
use crate::sandbox::patchwork::{NewPatch, NewSeries, PatchworkStandIn, Posted};
use crate::source::poll::Look;

const PROJECT: &str = "signalbox-devel";
const LIST: &str = "signalbox-devel@lists.example";
const TOKEN: &str = "5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2";
const ADA: &str = "Ada <ada@points.example>";
const GRACE: &str = "Grace <grace@signals.example>";

/// A Patchwork with one project, and somebody who asks it, at a time that does not pass.
struct World {
    stand_in: PatchworkStandIn,
    hand: Hand,
    settings: PatchworkSettings,
    poller: Arc<dyn Poller>,
    cursor: Option<String>,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    async fn with(change: impl FnOnce(&mut PatchworkSettings)) -> Self {
        let hand = Hand::at("2026-11-20T08:00:00Z".parse().unwrap());
        let clock = Clock::manual(hand.clone());
        let stand_in = PatchworkStandIn::start(clock.clone()).await.unwrap();
        stand_in.add_project(PROJECT, LIST);
        stand_in.add_user("pointsman", TOKEN);
        stand_in.set_maintainer(PROJECT, "pointsman", true);
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let mut settings: PatchworkSettings = serde_json::from_value(serde_json::json!({
            "url": stand_in.url(),
            "projects": [PROJECT],
            "token": format!("file:{}", file.display()),
        }))
        .unwrap();
        change(&mut settings);
        let poller = poller(&settings, clock);
        Self { stand_in, hand, settings, poller, cursor: None, _secrets: secrets }
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

    /// As after a restart of the service: what is not in the cursor is forgotten.
    fn restart(&mut self) {
        self.poller = poller(&self.settings, self.clock());
    }

    /// Looks, a minute later, and keeps the cursor.
    async fn look(&mut self) -> Look {
        self.pass(1);
        let look = self.poller.look(self.cursor.as_deref(), self.now()).await.unwrap();
        self.cursor = Some(look.cursor.clone());
        look
    }

    /// Looks until there is nothing more to be had, and gives what was told.
    async fn told(&mut self) -> Vec<SeriesEvent> {
        let mut told = Vec::new();
        for _ in 0..100 {
            let look = self.look().await;
            told.extend(events(&look.messages));
            if !look.has_more {
                return told;
            }
        }
        panic!("there is always more");
    }

    async fn reconciled(&mut self) -> Vec<SeriesEvent> {
        let look = self.poller.reconcile(self.cursor.as_deref(), self.now()).await.unwrap();
        self.cursor = Some(look.cursor.clone());
        events(&look.messages)
    }

    /// Says in one line what a look fails with.
    async fn fails(&self) -> String {
        failure(self.poller.look(self.cursor.as_deref(), self.now()).await)
    }

    fn post(&self, new: &NewSeries) -> Posted {
        self.stand_in.post_series(new).unwrap()
    }

    /// How many calls there were of this beginning.
    fn calls(&self, beginning: &str) -> usize {
        let calls = self.stand_in.calls();
        calls.iter().filter(|(call, _)| call.starts_with(beginning)).count()
    }
}

fn poller(settings: &PatchworkSettings, clock: Clock) -> Arc<dyn Poller> {
    let grammar = Arc::new(Grammar::default());
    Patchwork::poller("main", "patches.example".to_owned(), settings, (grammar, clock)).unwrap()
}

fn failure<T>(result: Result<T, Failure>) -> String {
    let Err(failure) = result else { panic!("it does not fail") };
    let text = chain(&failure);
    assert!(!text.contains(TOKEN), "{text}");
    text
}

/// A series of so many patches with a cover letter, by Ada.
fn series(msgid: &str, count: usize) -> NewSeries {
    let patch = |number: usize| NewPatch {
        title: format!("points: Oil blade {number}"),
        message: format!("They squeak: {number}.\n\nSigned-off-by: {ADA}"),
        diff: diff(number),
    };
    NewSeries {
        project: PROJECT.to_owned(),
        from: ADA.to_owned(),
        msgid: msgid.to_owned(),
        cover: (count > 1).then(|| ("Oil the blades".to_owned(), "Hello.".to_owned())),
        patches: (1..=count).map(patch).collect(),
        ..NewSeries::default()
    }
}

fn diff(number: usize) -> String {
    format!(
        "diff --git a/blade{number} b/blade{number}\nindex 1111111..2222222 100644\n\
         --- a/blade{number}\n+++ b/blade{number}\n@@ -1 +1 @@\n-dry\n+oiled\n"
    )
}

fn events(messages: &[Message]) -> Vec<SeriesEvent> {
    let event = |message: &Message| {
        let event: SeriesEvent = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(message.topic, format!("pointsman.{}", event.event));
        assert_eq!(event.clone().told().as_ref(), Ok(&event));
        event
    };
    messages.iter().map(event).collect()
}

/// What was told, in a few words each.
fn shown(told: &[SeriesEvent]) -> String {
    let one = |event: &SeriesEvent| {
        let series = &event.series;
        let titles: Vec<_> = series.patches.iter().map(|patch| patch.title.as_str()).collect();
        format!("{} {} {}: {}", event.event, series.revision(), series.title, titles.join(", "))
    };
    told.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// A value without what is different each time.
fn masked(event: &SeriesEvent, world: &World) -> Value {
    let text = serde_json::to_string(event).unwrap();
    serde_json::from_str(&text.replace(&world.stand_in.url(), "https://patches.example")).unwrap()
}
