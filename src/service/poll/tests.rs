//! A source of our own mind, a real ledger, and what comes of asking the one for the other.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::envelope::Limits;
use crate::event::EventKind;
use crate::event::series::{Letter, Series, SeriesEvent};
use crate::ledger::Ledger;
use crate::reporters::bus::OwnName;
use crate::rules::fixture::{directory, name, rules};
use crate::service::live::Live;
use crate::service::receive::Reader;
use crate::source::poll::message;
use crate::topic::catalog::Catalog;

/// Noon.
const NOW: i64 = 1_795_176_000_000;
const EVERY: Duration = Duration::from_mins(2);

const RULES: &str = r#"
[[rule]]
name = "news"
on = "series.posted"
notify = [{ to = "chat.ops", text = "{{ series.title }}" }]
"#;

/// How the source answers.
type Answer = Result<Look, Failure>;

/// What the source says, and what it was asked.
#[derive(Default)]
struct Script {
    looks: Mutex<VecDeque<Answer>>,
    wholes: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn says(&self, answer: Answer) {
        self.looks.lock().unwrap().push_back(answer);
    }

    fn has(&self, answer: Answer) {
        self.wholes.lock().unwrap().push_back(answer);
    }

    /// What it was asked since the last time.
    fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).join(" ")
    }

    /// The next answer; what is not said is that nothing is new.
    fn next(&self, what: &str, cursor: Option<&str>, answers: &Mutex<VecDeque<Answer>>) -> Answer {
        let asked = format!("{what}:{}", cursor.unwrap_or("-"));
        self.asked.lock().unwrap().push(asked);
        let nothing = Look { cursor: cursor.unwrap_or("0").to_owned(), ..Look::default() };
        answers.lock().unwrap().pop_front().unwrap_or(Ok(nothing))
    }
}

#[async_trait]
impl Poller for Script {
    async fn look(&self, cursor: Option<&str>, _now: Timestamp) -> Answer {
        self.next("look", cursor, &self.looks)
    }

    async fn reconcile(&self, cursor: Option<&str>, _now: Timestamp) -> Answer {
        self.next("whole", cursor, &self.wholes)
    }
}

struct World {
    folder: tempfile::TempDir,
    hand: Hand,
    source: Arc<Script>,
    ledger: Ledger,
    asker: Asker,
}

impl World {
    fn new() -> Self {
        Self::of(RULES)
    }

    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (hand, source) = (Hand::at(from_millis(NOW)), Arc::new(Script::default()));
        let (ledger, asker) = begin((text, &folder), &hand, &source);
        Self { folder, hand, source, ledger, asker }
    }

    /// The process dies, and begins anew.
    fn begins_anew(&mut self) {
        (self.ledger, self.asker) = begin((RULES, &self.folder), &self.hand, &self.source);
    }

    /// One turn: what the source was asked, how it went, and how long it is let alone.
    async fn turn(&mut self) -> String {
        let Turn { pause, is_ok } = self.asker.turn().await.unwrap();
        let word = if is_ok { "ok" } else { "failed" };
        let (least, most) = (EVERY.mul_f64(0.9), EVERY.mul_f64(1.1));
        let pause = match pause {
            Duration::ZERO => "at once".to_owned(),
            pause if (least..=most).contains(&pause) => "as usual".to_owned(),
            pause => format!("{} s", pause.as_secs()),
        };
        format!("{} {word}, {pause}", self.source.asked())
    }

    /// The events about the series that is called so.
    async fn heard(&self, id: &str) -> usize {
        let subject = posted(id).subject().key();
        self.ledger.events_about(subject, 10).await.unwrap().len()
    }

    fn goes_on(&self, hours: u64) {
        let now = from_millis(NOW + i64::try_from(hours * 3_600_000).unwrap());
        self.hand.forward_to(now);
    }

    fn report(&self) -> PollReport {
        self.asker.health.polled().remove(&name("forge.main")).unwrap()
    }
}

fn begin(
    (text, folder): (&str, &tempfile::TempDir),
    hand: &Hand,
    source: &Arc<Script>,
) -> (Ledger, Asker) {
    let clock = Clock::manual(hand.clone());
    let ledger = Ledger::open(&folder.path().join("l.db"), clock.clone()).unwrap();
    let health = Arc::new(Health::default());
    let desk =
        Arc::new(OwnDesk { live: live(text), ledger: ledger.clone(), health: Arc::clone(&health) });
    let polled = Polled {
        connection: name("forge.main"),
        poller: Arc::<Script>::clone(source),
        every: EVERY,
        by: PolledBy::Service,
    };
    let asker = Asker { night: Night::by_chance(0.5), ..Asker::new(polled, desk, (health, clock)) };
    (ledger, asker)
}

fn live(text: &str) -> Live {
    let rules = rules(text);
    let reader = Reader {
        selection: Catalog::load(&[]).unwrap().select(&rules.kinds()),
        directory: directory(),
        limits: Limits::default(),
        run_parameter: "POINTSMAN_RUN".to_owned(),
        name: OwnName::new(None),
    };
    Live::begin((Arc::new(rules), Arc::new(reader)), from_millis(NOW))
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
        instance: "forge.example".to_owned(),
        project: "signalbox-devel".to_owned(),
        series,
        request: None,
        test: None,
        at: Some(from_millis(NOW)),
    }
}

/// A look that has found these series, and has come this far.
fn found(ids: &[&str], cursor: &str) -> Look {
    let messages = ids.iter().map(|id| message(&posted(id))).collect();
    Look { messages, cursor: cursor.to_owned(), ..Look::default() }
}

#[tokio::test]
async fn what_is_found_is_heard_and_the_next_look_begins_where_this_one_ended() {
    let mut world = World::new();
    world.source.says(Ok(Look { has_more: true, ..found(&["1", "2"], "a") }));
    world.source.says(Ok(found(&["3"], "b")));
    assert_eq!(world.turn().await, "look:- ok, at once");
    assert_eq!(world.turn().await, "look:a ok, as usual");
    assert_eq!(world.turn().await, "look:b ok, as usual");
    for id in ["1", "2", "3"] {
        assert_eq!(world.heard(id).await, 1, "{id}");
    }
}

#[tokio::test]
async fn what_is_told_again_after_a_crash_is_heard_once() {
    let mut world = World::new();
    world.source.says(Ok(found(&["1"], "a")));
    world.turn().await;
    world.begins_anew();
    // The source, too, has forgotten what it told: it tells it again, and one more.
    world.source.says(Ok(found(&["1", "2"], "b")));
    assert_eq!(world.turn().await, "look:a ok, as usual");
    assert_eq!((world.heard("1").await, world.heard("2").await), (1, 1));
}

#[tokio::test]
async fn a_source_that_says_it_has_more_and_comes_no_further_is_let_alone() {
    let mut world = World::new();
    world.source.says(Ok(found(&[], "a")));
    world.turn().await;
    world.source.says(Ok(Look { has_more: true, ..found(&[], "a") }));
    assert_eq!(world.turn().await, "look:a ok, as usual");
}

#[tokio::test]
async fn a_source_that_has_more_without_end_is_given_a_rest() {
    let mut world = World::new();
    let mut at_once = 0;
    for round in 0..AT_ONCE_MAX {
        world.source.says(Ok(Look { has_more: true, ..found(&[], &round.to_string()) }));
        at_once += u32::from(world.turn().await.ends_with("at once"));
    }
    assert_eq!(at_once, AT_ONCE_MAX - 1);
}

#[tokio::test]
async fn a_source_that_fails_is_asked_again_later_and_later_and_never_given_up() {
    let mut world = World::new();
    let mut longest = Duration::ZERO;
    for _ in 0..40 {
        world.source.says(Err(Failure::give_up(anyhow!("401"))));
        let turn = world.asker.turn().await.unwrap();
        assert!(!turn.is_ok);
        assert!(turn.pause >= FAILURE_PAUSE_MIN / 2 && turn.pause <= FAILURE_PAUSE_MAX, "{turn:?}");
        longest = longest.max(turn.pause);
    }
    assert!(longest >= FAILURE_PAUSE_MAX / 2, "{longest:?}");
    let report = world.report();
    assert_eq!((report.failures, report.succeeded_at), (40, None));
    assert_eq!(report.error.unwrap(), "permanent failure: 401");
    // It is logged once, and nothing is kept of the others.
    assert_eq!(world.asker.told.len(), 1);

    world.source.asked();
    assert_eq!(world.turn().await, "look:- ok, as usual");
    let report = world.report();
    assert_eq!((report.failures, report.error), (0, None));
    assert_eq!(report.succeeded_at, Some(from_millis(NOW)));
}

#[tokio::test]
async fn a_source_that_asks_for_a_rest_gets_it() {
    let mut world = World::new();
    let after = Some(Duration::from_secs(1_234));
    world.source.says(Err(Failure::Retry { source: anyhow!("429"), after }));
    assert_eq!(world.turn().await, "look:- failed, 1234 s");
}

#[tokio::test]
async fn a_cursor_without_end_is_not_kept() {
    let mut world = World::new();
    world.source.says(Ok(found(&["1"], &"x".repeat(CURSOR_MAX_BYTES + 1))));
    assert!(world.turn().await.starts_with("look:- failed"));
    assert!(world.turn().await.starts_with("look:- ok"));
}

#[tokio::test]
async fn what_was_there_before_the_first_look_is_not_gone_through() {
    let mut world = World::new();
    assert_eq!(world.turn().await, "look:- ok, as usual");
    world.goes_on(1);
    assert_eq!(world.turn().await, "look:0 ok, as usual");
}

#[tokio::test]
async fn everything_is_gone_through_once_a_night() {
    let mut world = World::new();
    world.turn().await;
    world.goes_on(15);
    world.source.has(Ok(Look { has_more: true, ..found(&["1"], "0") }));
    world.source.has(Ok(found(&["2"], "x")));
    assert_eq!(world.turn().await, "look:0 whole:0 ok, at once");
    assert_eq!(world.turn().await, "look:0 whole:0 ok, as usual");
    assert_eq!((world.heard("1").await, world.heard("2").await), (1, 1));
    assert_eq!(world.turn().await, "look:x ok, as usual");
    world.goes_on(24 + 15);
    assert_eq!(world.turn().await, "look:x whole:x ok, as usual");
}

#[tokio::test]
async fn who_was_away_over_night_goes_through_everything_at_its_start() {
    let mut world = World::new();
    world.turn().await;
    world.goes_on(24);
    world.begins_anew();
    assert_eq!(world.turn().await, "look:0 whole:0 ok, as usual");
    world.begins_anew();
    assert_eq!(world.turn().await, "look:0 ok, as usual");
}

#[tokio::test]
async fn that_not_everything_can_be_gone_through_does_not_keep_from_what_is_new() {
    let mut world = World::new();
    world.turn().await;
    world.goes_on(15);
    world.source.has(Err(Failure::retry(anyhow!("502"))));
    assert_eq!(world.turn().await, "look:0 whole:0 ok, as usual");
    world.source.says(Ok(found(&["1"], "a")));
    assert_eq!(world.turn().await, "look:0 ok, as usual");
    assert_eq!(world.heard("1").await, 1);
    world.goes_on(16);
    assert_eq!(world.turn().await, "look:a whole:a ok, as usual");
}

#[tokio::test]
async fn a_monitor_sees_how_far_and_how_late_a_source_is_heard() {
    let mut world = World::new();
    let newest = Some(from_millis(NOW - 90_000));
    world.source.says(Ok(Look { waiting: 3, newest, ..found(&["1"], "a") }));
    world.turn().await;
    let report = world.report();
    assert_eq!((report.newest, report.lag_s, report.waiting), (newest, Some(90), 3));
    // What is quiet is not late.
    world.goes_on(5);
    world.source.says(Ok(Look { newest, ..found(&[], "a") }));
    world.turn().await;
    let report = world.report();
    assert_eq!((report.lag_s, report.waiting), (Some(90), 0));
}

#[tokio::test]
async fn what_no_rule_wants_is_passed_over_and_may_be_told_again() {
    let others = RULES.replace("series.posted", "build.finished").replace("series.title", "event");
    let mut world = World::of(&others);
    world.source.says(Ok(found(&["1"], "a")));
    world.turn().await;
    assert_eq!(world.asker.health.received(), 1);
    let id = message(&posted("1")).identity();
    assert!(!world.ledger.has_message(id.clone()).await.unwrap());

    world.begins_anew();
    world.source.says(Ok(found(&["1"], "a")));
    world.turn().await;
    assert!(world.ledger.has_message(id).await.unwrap());
    assert_eq!(world.heard("1").await, 1);
}

#[tokio::test]
async fn it_stops_at_once_in_the_middle_of_a_look() {
    /// Takes its time, and tells when it was asked.
    struct Slow(CancellationToken);

    #[async_trait]
    impl Poller for Slow {
        async fn look(&self, _: Option<&str>, _: Timestamp) -> Answer {
            self.0.cancel();
            std::future::pending().await
        }

        async fn reconcile(&self, _: Option<&str>, _: Timestamp) -> Answer {
            Ok(Look::default())
        }
    }
    let world = World::new();
    let stop = CancellationToken::new();
    let asker = Asker { poller: Arc::new(Slow(stop.clone())), ..world.asker };
    asker.serve(stop).await.unwrap();
}
