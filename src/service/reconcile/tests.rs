//! A forge of our own mind, a real ledger, and what is found between them.

use std::sync::Mutex;

use anyhow::anyhow;
use async_trait::async_trait;

use super::*;
use crate::clock::{Clock, Hand, from_millis};
use crate::directory::Directory;
use crate::envelope::Limits;
use crate::event::proposal::PullRequestEvent;
use crate::event::{Event, EventKind};
use crate::forges::{Account, Person};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::view::events::EventView;
use crate::message::Message;
use crate::reporters::bus::OwnName;
use crate::rules::RuleSet;
use crate::rules::fixture::{directory, name, proposal, rules};
use crate::service::receive::Reader;
use crate::settings::FirstLook;
use crate::subject::Subject;
use crate::topic::catalog::Catalog;
use EventKind::{
    PullRequestClosed as Closed, PullRequestOpened as Opened, PullRequestUpdated as Updated,
};

const NOW: i64 = 1_795_162_907_000;
/// Long enough ago for every message to have come.
const THEN: i64 = NOW - 600_000;

const RULES: &str = r#"
[[rule]]
name = "unit"
on = ["pull_request.opened", "pull_request.updated", "pull_request.reopened"]
where = { project = "signalbox" }
build = { on = "builds.main", job = "unit" }
"#;

/// What the forge has, and how it answers.
#[derive(Default)]
struct Script {
    proposals: Mutex<BTreeMap<u64, PullRequestEvent>>,
    /// Those that the list leaves out, as if it were cut.
    cut: Mutex<BTreeSet<u64>>,
    /// What the project is called now.
    name: Mutex<Option<String>>,
    failure: Mutex<Option<fn() -> Failure>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn has(&self, number: u64, kind: EventKind, (head, at): (char, i64)) {
        let event = PullRequestEvent { number, ..proposal(kind, head, at) };
        self.proposals.lock().unwrap().insert(number, event);
    }

    fn cuts(&self, number: u64) {
        self.cut.lock().unwrap().insert(number);
    }

    fn fails(&self, failure: Option<fn() -> Failure>) {
        *self.failure.lock().unwrap() = failure;
    }

    /// What was asked for since the last time.
    fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).join(" ")
    }

    fn is_asked(&self, what: String) -> Result<(), Failure> {
        self.asked.lock().unwrap().push(what);
        self.failure.lock().unwrap().map_or(Ok(()), |failure| Err(failure()))
    }
}

#[async_trait]
impl Forge for Script {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        self.is_asked(format!("#{}", subject.number))?;
        let found = self.proposals.lock().unwrap().get(&subject.number).cloned();
        found.ok_or_else(|| Failure::give_up(anyhow!("404")))
    }

    async fn person(&self, _project: &str, _account: &Account) -> Result<Person, Failure> {
        Err(Failure::give_up(anyhow!("nobody asks")))
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        self.is_asked(project.to_owned())?;
        let (all, cut) = (self.proposals.lock().unwrap(), self.cut.lock().unwrap());
        let is_listed = |told: &&PullRequestEvent| {
            told.project == project
                && told.event != EventKind::PullRequestClosed
                && !cut.contains(&told.number)
        };
        let name = self.name.lock().unwrap().clone().unwrap_or_else(|| project.to_owned());
        let named =
            |told: &PullRequestEvent| PullRequestEvent { project: name.clone(), ..told.clone() };
        Ok(all.values().filter(is_listed).map(named).collect())
    }
}

struct World {
    _folder: tempfile::TempDir,
    hand: Hand,
    forge: Arc<Script>,
    reconcile: Reconcile,
}

impl World {
    fn new(first: FirstLook) -> Self {
        Self::of(RULES, first)
    }

    fn of(text: &str, first: FirstLook) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(NOW));
        let clock = Clock::manual(hand.clone());
        let ledger = Ledger::open(&folder.path().join("l.db"), clock).unwrap();
        let forge = Arc::new(Script::default());
        let scripted: Arc<dyn Forge> = Arc::<Script>::clone(&forge);
        let settings = ReconcileSettings {
            every: None,
            first,
            patience: Duration::from_mins(2),
            pause: Duration::ZERO,
            projects_max: 3,
        };
        let forges = BTreeMap::from([(name("forge.main"), scripted)]);
        let live = live(rules(text), directory());
        let parts = (live, ledger, Arc::new(Health::default()));
        let reconcile = Reconcile::new((settings, forges), parts);
        Self { _folder: folder, hand, forge, reconcile }
    }

    /// One look at everything; what it has made of it.
    async fn look(&mut self) -> String {
        let before = self.events().await.len();
        self.reconcile.look_at_all(&CancellationToken::new()).await.unwrap();
        let events = self.events().await;
        events[before..].join("\n")
    }

    /// A message is read, and decided upon as usual.
    async fn hears(&self, number: u64, kind: EventKind, (head, at): (char, i64)) -> String {
        let event = PullRequestEvent { number, ..proposal(kind, head, at) };
        let event = Event::PullRequest(event);
        let body = serde_json::to_vec(&event).unwrap();
        let message = Message { topic: "told".to_owned(), body, ..Message::default() };
        let intake = Intake {
            source: "test",
            id: message.identity(),
            digest: message.digest(),
            message,
            inbox: None,
            found: Found::Events(vec![event], None),
        };
        let decide = self.reconcile.live.current().decide();
        let (stored, _) = self.reconcile.ledger.put(vec![intake], decide).await.unwrap();
        drop(stored);
        self.events().await.pop().unwrap()
    }

    /// A line for each event, oldest first: what it is, and what was decided.
    async fn events(&self) -> Vec<String> {
        let mut events = Vec::new();
        for number in 1..=60 {
            let subject = subject(number).key();
            events.extend(self.reconcile.ledger.events_about(subject, 100).await.unwrap());
        }
        events.sort_by_key(|event| event.seq);
        let line = |event: &EventView| {
            let decision = &event.decision;
            let outcome = decision.considered.first().map(|one| one.outcome.as_str());
            let end = decision.not_news.as_deref().or(outcome).unwrap_or("nothing");
            let number = event.subject.rsplit('#').next().unwrap_or_default();
            format!("#{number} {}: {end}", event.kind)
        };
        events.iter().map(line).collect()
    }

    fn report(&self) -> ReconcileReport {
        self.reconcile.health.reconcile().unwrap()
    }
}

fn live(rules: RuleSet, directory: Arc<Directory>) -> Live {
    let reader = Reader {
        selection: Catalog::load(&[]).unwrap().select(&rules.kinds()),
        directory,
        limits: Limits::default(),
        run_parameter: "POINTSMAN_RUN".to_owned(),
        name: OwnName::new(None),
    };
    Live::begin((Arc::new(rules), Arc::new(reader)), from_millis(NOW))
}

fn subject(number: u64) -> Subject {
    PullRequestEvent { number, ..proposal(Opened, 'a', THEN) }.subject()
}

#[tokio::test]
async fn proposals_that_were_there_before_are_noted_and_only_changes_of_them_are_news() {
    let mut world = World::new(FirstLook::Note);
    world.forge.has(1, Updated, ('a', THEN));
    world.forge.has(2, Updated, ('b', THEN));
    insta::assert_snapshot!(world.look().await, @r"
    #1 pull_request.opened: it was there when its project was looked at for the first time
    #2 pull_request.opened: it was there when its project was looked at for the first time
    ");
    assert_eq!(world.look().await, "");
    // The message of before comes late; one of a change does not.
    insta::assert_snapshot!(world.hears(1, Opened, ('a', THEN)).await, @"#1 pull_request.opened: this was told before");
    world.forge.has(2, Updated, ('c', THEN + 1));
    world.forge.has(3, Updated, ('d', THEN));
    insta::assert_snapshot!(world.look().await, @r"
    #2 pull_request.updated: fired
    #3 pull_request.opened: fired
    ");
    assert_eq!(world.look().await, "");
}

#[tokio::test]
async fn where_the_operator_says_so_what_was_there_before_is_built() {
    let mut world = World::new(FirstLook::Build);
    world.forge.has(1, Updated, ('a', THEN));
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.opened: fired");
}

#[tokio::test]
async fn what_was_there_before_and_appears_later_is_noted_too() {
    let mut world = World::new(FirstLook::Note);
    for number in [1, 5] {
        world.forge.has(number, Updated, ('a', THEN));
    }
    world.forge.cuts(1);
    world.look().await;
    world.forge.cut.lock().unwrap().clear();
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.opened: it was there when its project was looked at for the first time");
}

#[tokio::test]
async fn the_message_that_comes_after_all_is_no_news() {
    let mut world = World::new(FirstLook::Note);
    world.look().await;
    world.hears(1, Opened, ('a', THEN)).await;
    world.forge.has(1, Updated, ('b', THEN + 5));
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.updated: fired");
    insta::assert_snapshot!(world.hears(1, Updated, ('b', THEN + 5)).await, @"#1 pull_request.updated: this was told before");
    insta::assert_snapshot!(world.hears(1, Updated, ('b', THEN + 4)).await, @"#1 pull_request.updated: it is older than what is known already");
    insta::assert_snapshot!(world.hears(1, Updated, ('b', THEN + 6)).await, @"#1 pull_request.updated: its head is known already");
}

#[tokio::test]
async fn what_is_young_is_left_to_its_message() {
    let mut world = World::new(FirstLook::Build);
    world.forge.has(1, Updated, ('a', NOW - 1_000));
    assert_eq!(world.look().await, "");
    world.hand.forward_to(from_millis(NOW + 300_000));
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.opened: fired");
}

#[tokio::test]
async fn a_proposal_that_was_closed_unheard_is_closed_once_the_forge_has_said_so() {
    let mut world = World::new(FirstLook::Note);
    for number in 1..=3 {
        world.hears(number, Opened, ('a', THEN)).await;
        world.forge.has(number, Updated, ('a', THEN));
    }
    world.forge.has(1, Closed, ('a', THEN + 1));
    // The list is cut: the second one is as open as before.
    world.forge.cuts(2);
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.closed: nothing");
    assert_eq!(world.forge.asked(), "signalbox #1 #2");
    assert_eq!(world.look().await, "");
    assert_eq!(world.forge.asked(), "signalbox #2");
}

#[tokio::test]
async fn a_proposal_that_was_reopened_unheard_is_asked_for_and_told() {
    let mut world = World::new(FirstLook::Note);
    world.hears(1, Opened, ('a', THEN)).await;
    world.hears(1, Closed, ('a', THEN + 1)).await;
    world.forge.has(1, Updated, ('a', THEN + 2));
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.reopened: fired");
    assert_eq!(world.forge.asked(), "signalbox #1");
}

#[tokio::test]
async fn one_that_cannot_be_asked_for_does_not_keep_the_others_from_their_turn() {
    let mut world = World::new(FirstLook::Note);
    for number in 1..=52 {
        world.hears(number, Opened, ('a', THEN)).await;
    }
    world.forge.has(52, Closed, ('a', THEN + 1));
    assert_eq!(world.look().await, "");
    insta::assert_snapshot!(world.look().await, @"#52 pull_request.closed: nothing");
}

#[tokio::test]
async fn what_was_missed_is_a_message_that_can_be_looked_at() {
    let mut world = World::new(FirstLook::Build);
    world.forge.has(1, Updated, ('a', THEN));
    world.look().await;
    let ledger = &world.reconcile.ledger;
    let events = ledger.events_about(subject(1).key(), 1).await.unwrap();
    let id = events[0].message.clone().unwrap();
    let crate::ledger::view::Found::One(whole) = ledger.message(id).await.unwrap() else {
        panic!("it is not there");
    };
    assert_eq!(whole.view.source, "reconcile");
    assert_eq!(whole.message.topic, "pointsman.reconcile.pull_request.opened");
    let event: Event = serde_json::from_slice(&whole.message.body).unwrap();
    assert_eq!(event, events[0].event);
}

/// Three projects, of which nothing is known.
const THREE: &str = "[[rule]]\nname = 'three'\non = 'pull_request.opened'\n\
                     where = { project = ['a', 'b', 'c'] }\nnotify = [{ to = 'chat.ops', text = 'x' }]\n";

#[tokio::test]
async fn a_project_that_fails_does_not_stop_the_others_and_is_told() {
    let mut world = World::of(THREE, FirstLook::Note);
    world.forge.fails(Some(|| Failure::give_up(anyhow!("404"))));
    world.look().await;
    assert_eq!(world.forge.asked(), "a b c");
    let report = world.report();
    assert_eq!((report.projects, report.failing), (3, 3));
    assert_eq!(report.failures["forge.main a"], "permanent failure: 404");
    world.forge.fails(None);
    world.look().await;
    assert_eq!(world.report().failing, 0);
}

#[tokio::test]
async fn a_forge_that_asks_for_a_rest_is_left_alone() {
    let mut world = World::of(THREE, FirstLook::Note);
    let after = || Failure::Retry { source: anyhow!("429"), after: Some(Duration::from_mins(1)) };
    world.forge.fails(Some(after));
    world.look().await;
    assert_eq!(world.forge.asked(), "a");
}

#[tokio::test]
async fn a_first_look_that_failed_is_still_to_come() {
    let mut world = World::new(FirstLook::Note);
    world.forge.has(1, Updated, ('a', THEN));
    world.forge.fails(Some(|| Failure::retry(anyhow!("502"))));
    world.look().await;
    world.forge.fails(None);
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.opened: it was there when its project was looked at for the first time");
}

#[tokio::test]
async fn what_a_renamed_project_tells_is_not_taken_for_its_own() {
    let mut world = World::new(FirstLook::Build);
    world.forge.has(1, Updated, ('a', THEN));
    *world.forge.name.lock().unwrap() = Some("interlocking".to_owned());
    assert_eq!(world.look().await, "");
    let failures: Vec<String> = world.report().failures.into_values().collect();
    insta::assert_snapshot!(failures.join(" "), @"permanent failure: the forge calls it `interlocking`: rules have to do so, too");
}

#[tokio::test]
async fn more_projects_than_the_settings_allow_are_not_looked_at() {
    let rules = THREE.replace("'c'", "'c', 'd'");
    let mut world = World::of(&rules, FirstLook::Note);
    world.look().await;
    assert_eq!(world.forge.asked(), "a b c");
    assert_eq!(world.report().projects, 3);
}

#[tokio::test]
async fn while_no_rule_names_a_project_nothing_of_it_is_missed() {
    let mut world = World::new(FirstLook::Note);
    world.look().await;
    world.reconcile.live = live(rules(THREE), directory());
    world.look().await;
    world.reconcile.live = live(rules(RULES), directory());
    world.forge.has(1, Updated, ('a', THEN));
    insta::assert_snapshot!(world.look().await, @"#1 pull_request.opened: it was there when its project was looked at for the first time");
}

#[tokio::test]
async fn a_project_that_a_new_rule_names_is_looked_at_alone() {
    let mut world = World::new(FirstLook::Note);
    world.look().await;
    world.forge.asked();
    world.reconcile.live = live(rules(&(RULES.to_owned() + THREE)), directory());
    world.reconcile.look_at_new(&CancellationToken::new()).await.unwrap();
    // There is room for three.
    assert_eq!(world.forge.asked(), "a b c");
}
