//! What the tests of the rules are told with: a few rules, a proposal, and a ledger in the mind.

use std::sync::Arc;
use std::time::Duration;

use super::{RuleSet, RuleSource, decide};
use crate::action::Form;
use crate::clock::from_millis;
use crate::command::Command;
use crate::decision::{Decision, Known};
use crate::directory::{Connection, Directory, OptOut, People};
use crate::event::command::{CommandEvent, kind_of};
use crate::event::proposal::{Asked, Comment, Head, PullRequestEvent, Standing};
use crate::event::{Event, EventKind};
use crate::run::Run;
use crate::subject::{CommitSha, ConnectionName, Verdict};

pub(crate) const RULES: &str = r#"
[[rule]]
name = "tests"
on = ["pull_request.opened", "pull_request.updated", "pull_request.reopened"]
where = { project = "signalbox", target = ["main", "stable-*"] }
when = ["not pull_request.draft"]
build = { on = "builds.main", job = "ci/pr", parameters = { BRANCH = "{{ head.branch }}" } }
report = [{ to = "origin" }, { to = "origin", as = "comment", when = "changed" }]
"#;

pub(crate) fn name(text: &str) -> ConnectionName {
    text.to_owned().try_into().unwrap()
}

pub(crate) fn directory() -> Arc<Directory> {
    directory_of(false)
}

/// The directory; whether our comments on the forge can be edited is said.
fn directory_of(edits: bool) -> Arc<Directory> {
    let mut directory = Directory::default();
    let poll = Some(Duration::from_secs(10));
    let host = |host: &str| vec![host.to_owned()];
    let executor = Connection {
        hosts: host("ci.example"),
        builds: poll,
        reserved: vec!["token".to_owned()],
        ..Connection::default()
    };
    let forms: &[Form] = &[Form::Flag, Form::Comment];
    let forge = Connection {
        hosts: host("forge.example"),
        forms,
        is_forge: true,
        edits,
        people: People {
            maintainers: ["1".to_owned()].into(),
            blocked: ["66".to_owned()].into(),
            ..People::default()
        },
        ..Connection::default()
    };
    let lists = Connection {
        hosts: ["lists.example", "other.example"].map(str::to_owned).to_vec(),
        forms: &[Form::Flag],
        is_forge: true,
        has_series: true,
        people: People {
            maintainers: ["1".to_owned()].into(),
            contributors: ["2".to_owned()].into(),
            ..People::default()
        },
        ..Connection::default()
    };
    directory.insert(name("lists.main"), lists);
    let tree = Connection { is_tree: true, ..Connection::default() };
    directory.insert(name("git.points"), tree);
    directory.opt_out =
        OptOut { tags: vec!["RFC".to_owned()], notes: vec!["ci-tag: skip".to_owned()] };
    let chat = Connection { forms: &[Form::Message], ..Connection::default() };
    directory.insert(name("builds.main"), executor);
    directory.insert(name("forge.main"), forge);
    directory.insert(name("chat.ops"), chat);
    Arc::new(directory)
}

pub(crate) fn rules(text: &str) -> RuleSet {
    let source = RuleSource { name: "rules.toml".to_owned(), text: text.to_owned() };
    RuleSet::parse(&[source], directory()).unwrap()
}

pub(crate) fn sha(letter: char) -> CommitSha {
    letter.to_string().repeat(40).try_into().unwrap()
}

pub(crate) fn proposal(event: EventKind, head: char, at: i64) -> PullRequestEvent {
    PullRequestEvent {
        event,
        instance: "forge.example".to_owned(),
        project: "signalbox".to_owned(),
        number: 7,
        url: "https://forge.example/signalbox/pull-request/7".to_owned(),
        title: "Oil the points".to_owned(),
        target: "main".to_owned(),
        author: "ada".to_owned(),
        author_id: None,
        standing: Some(Standing::Contributor),
        asked: None,
        agent: None,
        agent_id: None,
        head: Head { sha: Some(sha(head)), url: None, branch: Some("oil".to_owned()) },
        base: crate::event::proposal::Base::default(),
        pull_request: crate::event::proposal::PullRequestState::default(),
        at: Some(from_millis(at)),
    }
}

pub(crate) fn comment(id: &str, text: &str, author: &str) -> Comment {
    Comment {
        id: id.to_owned(),
        text: text.to_owned(),
        before: None,
        author: author.to_owned(),
        author_id: None,
        standing: None,
        bot: false,
        at: None,
        notification: false,
    }
}

/// A comment with commands.
pub(crate) struct Said<'a> {
    /// The proposal as its forge tells it.
    pub(crate) on: PullRequestEvent,
    pub(crate) text: &'a str,
    /// The giver's id, and what they are.
    pub(crate) id: &'a str,
    pub(crate) standing: Standing,
    pub(crate) at: i64,
}

impl Said<'_> {
    /// What a maintainer says about the proposal with this head.
    pub(crate) fn by_maintainer(text: &str, head: char) -> Said<'_> {
        let standing = Standing::Maintainer;
        Said { on: asked(head, Standing::Stranger), text, id: "7", standing, at: 9 }
    }
}

/// A proposal, by somebody of this standing, as its forge tells it when it is asked.
pub(crate) fn asked(head: char, standing: Standing) -> PullRequestEvent {
    PullRequestEvent {
        author_id: Some("5".to_owned()),
        standing: None,
        asked: Some(Asked { standing: Some(standing), pusher: None }),
        ..proposal(EventKind::PullRequestUpdated, head, 1)
    }
}

/// A proposal by somebody of whom nothing is told.
pub(crate) fn unknown(event: EventKind, head: char, at: i64) -> PullRequestEvent {
    let author_id = Some("5".to_owned());
    PullRequestEvent { author_id, standing: None, ..proposal(event, head, at) }
}

/// A ledger in the mind: what decisions say is remembered, and known to the next one.
pub(crate) struct World {
    pub(crate) rules: RuleSet,
    pub(crate) known: Known,
}

impl World {
    pub(crate) fn new(text: &str) -> Self {
        Self { rules: rules(text), known: Known::default() }
    }

    /// A world whose forge lets comments be edited.
    pub(crate) fn modern(text: &str) -> Self {
        let source = RuleSource { name: "rules.toml".to_owned(), text: text.to_owned() };
        let rules = RuleSet::parse(&[source], directory_of(true)).unwrap();
        Self { rules, known: Known::default() }
    }

    pub(crate) fn hears(&mut self, event: PullRequestEvent) -> Decision {
        self.decides(&Event::PullRequest(event))
    }

    pub(crate) fn decides(&mut self, event: &Event) -> Decision {
        let decision = decide(&self.rules, event, &self.known);
        if let Some(subject) = &decision.subject {
            self.known.subject = Some(subject.clone());
        }
        if let Some(commands) = &decision.commands {
            self.known.commands = Some(commands.clone());
        }
        for run in &decision.runs {
            self.known.runs.retain(|known| known.id != run.id);
            self.known.runs.push(run.clone());
        }
        decision
    }

    /// What somebody says in a comment on the proposal that has this head now, once its forge was
    /// asked: the decisions about each command.
    pub(crate) fn says(&mut self, said: &Said<'_>) -> Vec<Decision> {
        let commands = self.rules.directory().commands.parse(said.text);
        let on = said.on.clone();
        let event = |(number, command): (usize, Command)| {
            Event::Command(CommandEvent {
                on: PullRequestEvent { event: kind_of(command.verb), ..on.clone() },
                is_open: on.event != EventKind::PullRequestClosed,
                comment: Comment {
                    author_id: Some(said.id.to_owned()),
                    at: Some(from_millis(said.at)),
                    ..comment(said.text, said.text, "grace")
                },
                command,
                number,
                standing: said.standing,
                asked_at: from_millis(said.at),
            })
        };
        let events: Vec<_> = commands.into_iter().enumerate().map(event).collect();
        events.iter().map(|event| self.decides(event)).collect()
    }

    /// What the executor tells about the run of `head`.
    pub(crate) fn is_told(
        &mut self,
        head: char,
        event: EventKind,
        verdict: Option<Verdict>,
    ) -> Decision {
        let run = self.run(head);
        let known = Known { run: Some(run.clone()), ..self.known.clone() };
        let build = crate::event::build::BuildEvent {
            id: None,
            of: None,
            thread: crate::event::thread::Thread::default(),
            event,
            instance: Some("ci.example".to_owned()),
            connection: Some(run.connection.clone()),
            job: run.ticket.job.clone(),
            number: Some(12),
            url: Some("https://ci.example/job/ci/job/pr/12/".to_owned()),
            verdict,
            run: Some(run.id),
            queued: None,
            reason: None,
        };
        let decision = decide(&self.rules, &Event::Build(build), &known);
        for run in &decision.runs {
            self.known.runs.retain(|known| known.id != run.id);
            self.known.runs.push(run.clone());
        }
        decision
    }

    pub(crate) fn run(&self, head: char) -> Run {
        let runs = self.known.runs.iter().filter(|run| run.revision == sha(head).as_str());
        runs.max_by_key(|run| run.attempt).unwrap().clone()
    }
}

pub(crate) fn kinds(decision: &Decision) -> Vec<&'static str> {
    decision.actions.iter().map(|action| action.task.kind()).collect()
}
