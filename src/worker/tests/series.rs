//! Patch series from posted to told, with a repository and builds that are only said to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::{ATTEMPTS_MAX, START, name};
use crate::action::{Lookup, Notice, Order, PushOrder, Report, Ticket};
use crate::clock::{Clock, Hand, from_millis};
use crate::event::series::{Base, Branch, Letter, Refusal, Request, Sender, Series, SeriesEvent};
use crate::event::{Event, EventKind};
use crate::executors::{BuildState, Executor, Sighting, Try};
use crate::git::{Letters, Outcome, Tree, Work};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::rules::decide;
use crate::rules::fixture::rules;
use crate::subject::{CommitSha, Verdict};
use crate::worker::backoff::Backoff;
use crate::worker::{Site, Worker};

const RULES: &str = r#"
[[rule]]
name = "kvm"
on = "series.posted"
where = { project = "points-devel" }
git = "points"
build = { on = "builds.main", job = "kvm", parameters = { BRANCH = "{{ branch.name }}", SHA = "{{ branch.short }}" } }
each_patch = "on_failure"
report = [{ to = "origin", as = "check" }, { to = "chat.ops", when = "changed" }]
"#;

/// A repository, builds and a place to tell: they say what they are told to.
#[derive(Default)]
struct Company {
    did: Mutex<Vec<String>>,
    /// Builds of this many patches, and of more, fail; none when 0.
    bad_from: Mutex<u32>,
    is_base_bad: Mutex<bool>,
    outcome: Mutex<Option<Outcome>>,
    /// A branch that nobody may push.
    protected: Mutex<Option<String>>,
}

impl Company {
    fn notes(&self, what: String) {
        self.did.lock().unwrap().push(what);
    }
}

fn sha(text: &str) -> CommitSha {
    let digits = crate::message::hash(&[text.as_bytes()]);
    format!("{digits}00000000").try_into().unwrap()
}

#[async_trait]
impl Letters for Company {
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        Ok(series.series.patches.iter().map(|letter| letter.msgid.clone().into_bytes()).collect())
    }
}

#[async_trait]
impl Tree for Company {
    async fn apply(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        let on: Vec<_> = work.dependencies.iter().map(|on| on.branch.name.clone()).collect();
        let series = &work.order.series.series;
        self.notes(format!("apply {} v{} on {on:?}", series.id, series.version));
        let said = self.outcome.lock().unwrap().clone();
        let is_held = matches!(said, Some(Outcome::Held(_)));
        if let Some(outcome) = said.filter(|_| !(is_held && work.order.is_approved)) {
            return Ok(outcome);
        }
        let commit = |letter: &Vec<u8>| sha(&String::from_utf8_lossy(letter));
        let commits: Vec<_> = work.letters.iter().map(commit).collect();
        Ok(Outcome::Applied(Branch {
            url: "https://git.example/series.git".to_owned(),
            name: format!("pointsman/lists/{}/v{}", series.id, series.version),
            sha: commits.last().unwrap().clone(),
            base: Base {
                sha: sha("base"),
                branch: "main".to_owned(),
                why: "the first it applies to".to_owned(),
            },
            commits,
            tried: Vec::new(),
            is_merged: false,
        }))
    }

    async fn push(&self, order: &PushOrder) -> Result<(), Failure> {
        self.notes(format!("push {}", order.name));
        match self.protected.lock().unwrap().as_deref() {
            Some(name) if name == order.name => {
                Err(Failure::give_up(anyhow::anyhow!("403 Forbidden")))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn remove(&self, _name: &str, _sha: &CommitSha) -> Result<(), Failure> {
        Ok(())
    }
}

#[async_trait]
impl Executor for Company {
    async fn start(&self, order: &Order, _attempt: Try) -> Result<Sighting, Failure> {
        let branch = order.parameters.get("BRANCH").cloned().unwrap_or_default();
        self.notes(format!("build {branch}"));
        let part = branch.rsplit_once("-p").and_then(|(_, patch)| patch.parse::<u32>().ok());
        let bad_from = *self.bad_from.lock().unwrap();
        let is_bad = match part {
            Some(0) => *self.is_base_bad.lock().unwrap(),
            Some(patch) => bad_from > 0 && patch >= bad_from,
            None => bad_from > 0,
        };
        let verdict = if is_bad { Verdict::Failure } else { Verdict::Success };
        let ticket = Ticket { job: order.job.clone(), ..Ticket::default() };
        Ok(Sighting { state: BuildState::Finished(verdict), ticket, run: None, reason: None })
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        Ok(Sighting {
            state: BuildState::Running,
            ticket: lookup.ticket.clone(),
            run: None,
            reason: None,
        })
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        self.notes(format!("cancel {}", lookup.ticket.job));
        Ok(Sighting {
            state: BuildState::Gone,
            ticket: lookup.ticket.clone(),
            run: None,
            reason: None,
        })
    }
}

#[async_trait]
impl Reporter for Company {
    async fn tell(&self, report: &Report, _attempt: Try) -> Result<(), Failure> {
        let about = report.series.as_ref().unwrap();
        let blamed = about.blamed.map(|patch| format!(", patch {patch} is bad"));
        let broken = if about.was_broken { ", so is the base" } else { "" };
        let patch = about.patch.map(|patch| format!(" {patch}"));
        self.notes(format!(
            "{} {}{}: {}{}{broken}",
            report.form.as_str(),
            report.rule,
            patch.unwrap_or_default(),
            report.stage.as_str(),
            blamed.unwrap_or_default(),
        ));
        Ok(())
    }

    async fn notify(&self, _notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        Ok(())
    }
}

struct World {
    _folder: tempfile::TempDir,
    hand: Hand,
    ledger: Ledger,
    decide: Decide,
    worker: Worker,
    company: Arc<Company>,
}

impl World {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(START));
        let ledger =
            Ledger::open(&folder.path().join("l.db"), Clock::manual(hand.clone())).unwrap();
        let rules = rules(text);
        let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
        let company = Arc::new(Company::default());
        let minute = Backoff { min: Duration::from_mins(1), max: Duration::from_mins(8) };
        let site = || Site { concurrency: 4, poll: minute, ..Site::nowhere() };
        let (reporter, letters): (Arc<dyn Reporter>, Arc<dyn Letters>) =
            (Arc::<Company>::clone(&company), Arc::<Company>::clone(&company));
        let (tree, executor): (Arc<dyn Tree>, Arc<dyn Executor>) =
            (Arc::<Company>::clone(&company), Arc::<Company>::clone(&company));
        let told = || Some(Arc::clone(&reporter));
        let sites = BTreeMap::from([
            (name("builds.main"), Site { executor: Some(executor), ..site() }),
            (name("git.points"), Site { tree: Some(tree), ..site() }),
            (name("lists.main"), Site { letters: Some(letters), reporter: told(), ..site() }),
            (name("chat.ops"), Site { reporter: told(), ..site() }),
        ]);
        let worker =
            Worker::new(ledger.clone(), Arc::clone(&decide), sites, (minute, ATTEMPTS_MAX));
        Self { _folder: folder, hand, ledger, decide, worker, company }
    }

    /// Hears of it, does everything that is due, and says what was done.
    async fn hears(&self, event: SeriesEvent) -> Vec<String> {
        let event = Event::Series(Box::new(event));
        let message = Message { id: Some(event.identity()), ..Message::default() };
        let intake = Intake {
            source: "test",
            id: message.identity(),
            digest: message.digest(),
            message,
            inbox: None,
            found: Found::Events(vec![event], None),
        };
        let (stored, _) = self.ledger.put(vec![intake], Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
        self.did().await
    }

    async fn did(&self) -> Vec<String> {
        self.worker.drain().await.unwrap();
        std::mem::take(&mut *self.company.did.lock().unwrap())
    }
}

/// The version of a series with so many patches, from somebody who is trusted.
fn posted(id: &str, version: u32, patches: u32) -> SeriesEvent {
    let letter = |number: u32| Letter {
        id: Some(format!("{id}{number}")),
        msgid: format!("{id}-v{version}-{number}@points.example"),
        title: format!("Oil point {number}"),
        ..Letter::default()
    };
    SeriesEvent {
        event: EventKind::SeriesPosted,
        instance: "lists.example".to_owned(),
        project: "points-devel".to_owned(),
        series: Series {
            id: id.to_owned(),
            version,
            title: "Oil all points".to_owned(),
            root: format!("{id}-v{version}-0@points.example"),
            patches: (1..=patches).map(letter).collect(),
            submitter: Sender {
                id: Some("2".to_owned()),
                name: "Ada".to_owned(),
                email: "ada@points.example".to_owned(),
                vouched: false,
            },
            ..Series::default()
        },
        request: None,
        test: None,
        at: None,
    }
}

fn asks(of: SeriesEvent, kind: EventKind, by: &str) -> SeriesEvent {
    let by = Sender { id: Some(by.to_owned()), vouched: true, ..Sender::default() };
    let request = Request {
        id: format!("{kind}-by-{}", by.id.as_deref().unwrap()),
        by,
        names: Vec::new(),
        rebase: false,
        standing: None,
        operator: false,
        at: None,
    };
    SeriesEvent { event: kind, request: Some(request), ..of }
}

#[tokio::test]
async fn a_series_is_put_on_a_branch_built_and_told() {
    let world = World::new(RULES);
    let did = world.hears(posted("71", 1, 3)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "message kvm: success",
        "flag kvm: success",
    ]
    "#);
    assert_eq!(world.hears(posted("71", 1, 3)).await, [""; 0]);
}

#[tokio::test]
async fn the_first_bad_patch_is_found_by_halving() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 3;
    let did = world.hears(posted("71", 1, 5)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "push pointsman/lists/71/v1-p0",
        "build pointsman/lists/71/v1-p0",
        "push pointsman/lists/71/v1-p2",
        "flag kvm: failure",
        "build pointsman/lists/71/v1-p2",
        "push pointsman/lists/71/v1-p3",
        "build pointsman/lists/71/v1-p3",
        "message kvm: failure, patch 3 is bad",
        "flag kvm: failure, patch 3 is bad",
    ]
    "#);
    let builds = did.iter().filter(|what| what.starts_with("build")).count();
    assert!(builds <= 1 + 3, "{builds}");
}

#[tokio::test]
async fn every_patch_can_be_the_first_bad_one() {
    for count in 1..=9 {
        for bad in 1..=count {
            let world = World::new(RULES);
            *world.company.bad_from.lock().unwrap() = bad;
            let did = world.hears(posted("71", 1, count)).await;
            let last = did.last().unwrap();
            assert!(last.ends_with(&format!("patch {bad} is bad")), "{bad} of {count}: {did:#?}");
            let words = did.iter().filter(|what| what.starts_with("message")).count();
            assert_eq!(words, 1, "{did:#?}");
        }
    }
}

#[tokio::test]
async fn what_fails_on_its_base_too_is_said_to_and_written_to_nobody() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 1;
    *world.company.is_base_bad.lock().unwrap() = true;
    let did = world.hears(posted("71", 1, 2)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "push pointsman/lists/71/v1-p0",
        "build pointsman/lists/71/v1-p0",
        "flag kvm: failure, so is the base",
    ]
    "#);
    // The next series upon that base finds its verdict in the ledger.
    let did = world.hears(posted("72", 1, 2)).await;
    assert!(!did.iter().any(|what| what.starts_with("build") && what.ends_with("-p0")), "{did:?}");
}

#[tokio::test]
async fn a_branch_that_cannot_be_pushed_blames_nobody() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 1;
    *world.company.protected.lock().unwrap() = Some("pointsman/lists/71/v1-p2".to_owned());
    let did = world.hears(posted("71", 1, 4)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "push pointsman/lists/71/v1-p0",
        "build pointsman/lists/71/v1-p0",
        "push pointsman/lists/71/v1-p2",
        "flag kvm: failure",
        "message kvm: failure",
    ]
    "#);
}

#[tokio::test]
async fn what_does_not_apply_is_told_once_by_all_rules_together() {
    let second = RULES.replace("\"kvm\"", "\"xen\"");
    let world = World::new(&format!("{RULES}{second}"));
    let refusal = Refusal { reason: "drivers/x.c:17".to_owned(), ..Refusal::default() };
    *world.company.outcome.lock().unwrap() = Some(Outcome::Conflict(refusal));
    let did = world.hears(posted("71", 1, 2)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: conflict",
        "message git.points: conflict",
    ]
    "#);
    // Asked again, it is tried again.
    *world.company.outcome.lock().unwrap() = None;
    let again = asks(posted("71", 1, 2), EventKind::SeriesRecheck, "2");
    let did = world.hears(again).await;
    assert_eq!(did.iter().filter(|what| what.starts_with("build")).count(), 2, "{did:#?}");
}

#[tokio::test]
async fn a_new_version_under_another_id_takes_the_place_of_the_old_one() {
    let world = World::new(RULES);
    *world.company.outcome.lock().unwrap() =
        Some(Outcome::Held(Refusal { reason: "it touches CI".to_owned(), ..Refusal::default() }));
    world.hears(posted("71", 1, 2)).await;
    let did = world.hears(posted("80", 2, 2)).await;
    assert!(did.contains(&"flag git.points: cancelled".to_owned()), "{did:#?}");
    let late = world.hears(posted("79", 1, 2)).await;
    assert_eq!(late, [""; 0]);
}

#[tokio::test]
async fn what_touches_ci_waits_for_an_approval_of_this_version() {
    let world = World::new(RULES);
    *world.company.outcome.lock().unwrap() =
        Some(Outcome::Held(Refusal { reason: "it touches CI".to_owned(), ..Refusal::default() }));
    let did = world.hears(posted("71", 1, 1)).await;
    assert_eq!(did, ["apply 71 v1 on []", "flag git.points: held"]);
    assert_eq!(
        world.hears(asks(posted("71", 1, 1), EventKind::SeriesApproved, "2")).await,
        [""; 0]
    );
    let did = world.hears(asks(posted("71", 1, 1), EventKind::SeriesApproved, "1")).await;
    assert!(did.contains(&"build pointsman/lists/71/v1".to_owned()), "{did:#?}");
}

#[tokio::test]
async fn a_stranger_waits_and_is_built_once_approved() {
    let world = World::new(RULES);
    let stranger = |mut event: SeriesEvent| {
        event.series.submitter.id = Some("99".to_owned());
        event
    };
    let did = world.hears(stranger(posted("71", 1, 1))).await;
    assert_eq!(did, ["flag kvm: held"]);
    let again = asks(stranger(posted("71", 1, 1)), EventKind::SeriesRecheck, "99");
    assert_eq!(world.hears(again).await, [""; 0]);
    let approved = asks(stranger(posted("71", 1, 1)), EventKind::SeriesApproved, "1");
    let did = world.hears(approved).await;
    assert!(did.contains(&"build pointsman/lists/71/v1".to_owned()), "{did:#?}");
    // The next version is the stranger's own again.
    let did = world.hears(stranger(posted("71", 2, 1))).await;
    assert_eq!(did, ["flag kvm: held"]);
}

#[tokio::test]
async fn a_series_waits_for_what_it_depends_on() {
    let world = World::new(RULES);
    let mut dependent = posted("72", 1, 1);
    dependent.series.title = "Grease".to_owned();
    dependent.series.hints.depends = vec!["71-v1-0@points.example".to_owned()];
    let did = world.hears(dependent).await;
    assert_eq!(did, ["flag git.points: queued"]);
    world.hears(posted("71", 1, 1)).await;
    world.hand.forward_to(from_millis(START + 3_600_000));
    let did = world.did().await;
    assert_eq!(did[0], "apply 72 v1 on [\"pointsman/lists/71/v1\"]");
    assert!(did.contains(&"build pointsman/lists/72/v1".to_owned()), "{did:#?}");
}

#[tokio::test]
async fn series_that_depend_on_each_other_are_told_so() {
    let world = World::new(RULES);
    let depends = |id: &str, on: &str| {
        let mut event = posted(id, 1, 1);
        event.series.title = format!("Grease {id}");
        event.series.hints.depends = vec![format!("{on}-v1-0@points.example")];
        event
    };
    world.hears(depends("71", "72")).await;
    let did = world.hears(depends("72", "71")).await;
    assert!(did.iter().any(|what| what.contains("conflict")), "{did:#?}");
}

#[tokio::test]
async fn whoever_wants_no_builds_gets_none() {
    let world = World::new(RULES);
    let mut rfc = posted("71", 1, 1);
    rfc.series.tags = vec!["rfc".to_owned()];
    assert_eq!(world.hears(rfc.clone()).await, [""; 0]);
    let mut skipped = posted("72", 1, 1);
    skipped.series.hints.notes = vec!["ci-tag: skip".to_owned()];
    assert_eq!(world.hears(skipped).await, [""; 0]);
    // Who asks for it gets it.
    let did = world.hears(asks(rfc, EventKind::SeriesRecheck, "1")).await;
    assert!(did.contains(&"build pointsman/lists/71/v1".to_owned()), "{did:#?}");
}

#[tokio::test]
async fn each_patch_has_a_verdict_of_its_own_where_the_rule_says_so() {
    let world = World::new(&RULES.replace("on_failure", "always"));
    let did: BTreeSet<_> = world.hears(posted("71", 1, 3)).await.into_iter().collect();
    for wanted in ["flag kvm 1: success", "flag kvm 2: success", "flag kvm: success"] {
        assert!(did.contains(wanted), "{wanted}: {did:#?}");
    }
}
