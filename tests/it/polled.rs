//! Patch series that one poller publishes for all who listen to the broker.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pointsman::clock::Clock;
use pointsman::event::EventKind;
use pointsman::event::series::{Letter, Series, SeriesEvent};
use pointsman::ledger::Ledger;
use pointsman::message::Message;
use pointsman::remote::Failure;
use pointsman::reporters::bus::Post;
use pointsman::sandbox::patchwork::PatchworkStandIn;
use pointsman::service::poll::bus::BusDesk;
use pointsman::service::poll::{Asker, Desk};
use pointsman::source::amqp::plan::Plan;
use pointsman::source::amqp::publish::{Publisher, Unheard};
use pointsman::source::poll::{Look, Polled, PolledBy, Poller, message};
use pointsman::web::health::Health;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::series::town::PROJECT;
use crate::world::bus::{Bus, Ear};
use crate::world::{PATIENCE, World, letter};

const RULES: &str = r#"
    [[rule]]
    name = "news"
    on = "series.posted"
    notify = [{ to = "bus", text = "{{ series.title }}" }]
"#;

/// A source with one series.
struct Source;

#[async_trait]
impl Poller for Source {
    async fn look(&self, cursor: Option<&str>, _now: Timestamp) -> Result<Look, Failure> {
        let messages = cursor.is_none().then(|| message(&posted("1234")));
        let messages = messages.into_iter().collect();
        Ok(Look { messages, cursor: "one".to_owned(), ..Look::default() })
    }

    async fn reconcile(&self, _cursor: Option<&str>, _now: Timestamp) -> Result<Look, Failure> {
        Ok(Look { cursor: "one".to_owned(), ..Look::default() })
    }
}

fn posted(id: &str) -> SeriesEvent {
    let msgid = format!("{id}@mail.example");
    let series = Series {
        id: id.to_owned(),
        version: 1,
        title: format!("Oil the points {id}"),
        root: msgid.clone(),
        patches: vec![Letter { msgid, ..Letter::default() }],
        ..Series::default()
    };
    SeriesEvent {
        event: EventKind::SeriesPosted,
        instance: "patches.example".to_owned(),
        project: "signalbox-devel".to_owned(),
        series,
        request: None,
        test: None,
        at: None,
    }
}

/// A bus on which whoever publishes dies as soon as the broker has the message.
struct Deadly {
    publisher: Publisher,
    death: Arc<Notify>,
}

#[async_trait]
impl Post for Deadly {
    async fn post(&self, message: Message) -> Result<(), Failure> {
        self.publisher.forward(&message).await?;
        self.death.notify_one();
        std::future::pending().await
    }
}

fn plan(bus: &Bus) -> Plan {
    let (url, name) = (&bus.url, &bus.name);
    let settings = format!("url = '{url}'\npublish_exchange = '{name}'\ntopic_prefix = 'org.test'");
    Plan::to_publish(&toml_edit::de::from_str(&settings).unwrap()).unwrap()
}

/// One life of the poller.
fn asker(folder: &tempfile::TempDir, post: Arc<dyn Post>) -> Asker {
    let clock = Clock::system();
    let state = Ledger::open(&folder.path().join("poller.db"), clock.clone()).unwrap();
    let desk: Arc<dyn Desk> =
        Arc::new(BusDesk::new(post, "org.test".to_owned(), (state, clock.clone())));
    let polled = Polled {
        connection: "patches.main".to_owned().try_into().unwrap(),
        poller: Arc::new(Source),
        every: Duration::from_mins(2),
        by: PolledBy::Poller,
    };
    Asker::new(polled, desk, (Arc::new(Health::default()), clock))
}

async fn told(ear: &mut Ear) -> (String, String) {
    let (topic, body) = ear.next().await;
    let id = body["series"]["id"].as_str().unwrap_or_default();
    (topic, id.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_dies_after_publishing_publishes_again_and_is_heard_once() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let bus = world.scenery.bus.as_ref().unwrap();
    let (mut series, mut notices) =
        (bus.listen("#.pointsman.series.#").await, bus.listen("#.pointsman.notice").await);
    let (plan, folder) = (plan(bus), tempfile::tempdir().unwrap());

    let death = Arc::new(Notify::new());
    let publisher = Publisher::new(&plan, Unheard::Gone);
    let deadly = Deadly { publisher, death: Arc::clone(&death) };
    tokio::select! {
        report = asker(&folder, Arc::new(deadly)).once() => panic!("it lives: {report:?}"),
        () = death.notified() => {}
    }
    let post = || Arc::new(Publisher::new(&plan, Unheard::Gone));
    for _ in 0..2 {
        let report = asker(&folder, post()).once().await.unwrap();
        assert_eq!(report.error, None);
    }
    let topic = "org.test.pointsman.series.posted".to_owned();
    assert_eq!(told(&mut series).await, (topic.clone(), "1234".to_owned()));
    assert_eq!(told(&mut series).await, (topic.clone(), "1234".to_owned()));

    // Another one comes behind them, so that all of them were heard once it is.
    let last = serde_json::to_value(posted("1235")).unwrap();
    world.put(letter("the-last-one", &topic, &last)).await;
    let look = world.settle().await;
    assert_eq!(told(&mut series).await, (topic, "1235".to_owned()));
    assert_eq!((look.messages.len(), look.decisions.len()), (2, 2));
    for id in ["1234", "1235"] {
        let (_, notice) = notices.next().await;
        assert_eq!(notice["subject"]["number"].to_string(), id);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_keeps_the_poller_where_it_is() {
    let world = World::of(RULES).await.broker().await.start().await;
    let bus = world.scenery.bus.as_ref().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = format!("url = '{}'\npublish_exchange = 'not-there'", bus.url);
    let elsewhere = Plan::to_publish(&toml_edit::de::from_str(&elsewhere).unwrap()).unwrap();
    let refused = Arc::new(Publisher::new(&elsewhere, Unheard::Gone));
    let report = asker(&folder, refused).once().await.unwrap();
    assert!(report.error.unwrap().contains("not-there"));

    let mut series = bus.listen("#.pointsman.series.#").await;
    let post = Arc::new(Publisher::new(&plan(bus), Unheard::Gone));
    assert_eq!(asker(&folder, post).once().await.unwrap().error, None);
    assert_eq!(told(&mut series).await.1, "1234");
    world.end().await;
}

/// `pointsman poll` as a process of its own, with the settings in `folder`.
fn command(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    let settings = ["settings.toml", "more.toml", "poller.toml"].into_iter();
    command
        .args(settings.flat_map(|file| ["-c", file]))
        .arg("poll")
        .args(more)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Its exit code, and what it has printed.
async fn ended(child: Child) -> (Option<i32>, String) {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.expect("it does not end").unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poller_asks_for_all_and_ends_when_it_is_told_to() {
    let patches = PatchworkStandIn::start(Clock::system()).await.unwrap();
    patches.add_project(PROJECT, "points-devel@points.example");
    let settings = format!(
        "[patchwork.main]\nurl = '{}'\nprojects = ['{PROJECT}']\npoll = '50ms'\n\
         polled_by = 'nobody'\n",
        patches.url()
    );
    let mut world = World::of(RULES).await.broker().await.settings(&settings).start().await;
    let folder = world.scenery.folder.path().to_owned();
    std::fs::write(folder.join("poller.toml"), "[patchwork.main]\npolled_by = 'poller'\n").unwrap();
    let mut ear = world.scenery.bus.as_ref().unwrap().listen("#.pointsman.series.#").await;

    let poller = command(&folder, &[]).spawn().unwrap();
    let source = patches.clone();
    let has_asked =
        move || source.calls().iter().filter(|(path, _)| path.contains("/events/")).count() > 2;
    world.until("a look at the list", |_| has_asked()).await;
    let (code, words) = ended(command(&folder, &["--once"]).spawn().unwrap()).await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("another pointsman is running on it"), "{words}");

    patches.post_series(&crate::series::town::series("oil", 1, 2)).unwrap();
    let (topic, body) = ear.next().await;
    assert_eq!(topic, "org.example.test.pointsman.series.posted");
    assert_eq!(body["series"]["patches"].as_array().unwrap().len(), 2);
    world.until("the series", |look| look.messages.len() == 1 && look.is_quiet()).await;

    let id = poller.id().unwrap().to_string();
    let status = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
    assert!(status.success());
    let (code, words) = ended(poller).await;
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("pointsman poll asks 1 source"), "{words}");

    let (code, words) = ended(command(&folder, &["--once"]).spawn().unwrap()).await;
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("patchwork.main: asked; 0 incomplete"), "{words}");
    patches.stop().await;
    let (code, words) = ended(command(&folder, &["--once"]).spawn().unwrap()).await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("cannot ask patchwork.main: temporary failure"), "{words}");
    world.end().await;
}
