//! The rules: which events, under which conditions, cause what.
//!
//! This part only thinks.  [`decide`](decide::decide) is a function of the rules, an event and
//! what is known about it, and its answer is a value that can be stored and shown.

use std::sync::Arc;

use crate::directory::Directory;
use crate::event::proposal::PullRequestEvent;
use crate::event::{Event, EventKind, Family};
use crate::expression::{Expression, Text};
use crate::run::ReportTo;
use crate::subject::ConnectionName;

mod again;
mod answer;
mod artifact;
mod case;
mod command;
pub mod coverage;
pub mod decide;
pub mod each;
pub mod fault;
pub mod index;
mod order;
mod parse;
mod progress;
mod proposal;
mod push;
mod report;
mod series;
pub mod spec;
pub mod test;
mod text;
mod texts;
mod trust;

pub use decide::decide;
pub use series::series_state;

use decide::Breadth;
use fault::RuleFault;
use index::{Index, Place};
use spec::{EachPatch, Mode, Trust};
use test::Test;
use texts::Texts;

/// A rule, checked: every name in it exists.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Where it stands: file and line.
    pub at: String,
    /// The kinds of events it is about, as written.
    pub on: Vec<EventKind>,
    /// The kinds of events it is asked about: those, and the commands that it heeds.
    pub heeds: Vec<EventKind>,
    /// What the event must be about.
    pub places: Vec<Place>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Expression>,
    /// Whose changes it builds.
    pub trust: Trust,
    /// The repository that a series is put on a branch of before it is built.
    pub git: Option<ConnectionName>,
    /// Whether the patches of a series are built one by one, too.
    pub each_patch: EachPatch,
    /// Whether a failure of a series is compared with a build of its base before it is told.
    pub baseline: bool,
    /// Whether a series is left alone whose author says so.
    pub opt_out: bool,
    /// The build it starts.
    pub build: Option<Build>,
    /// Where the build is reported.
    pub reports: Vec<ReportRule>,
    /// Who is told at once.
    pub notices: Vec<NoticeRule>,
    /// Whether a newer revision cancels the build of an older one.
    pub supersede: bool,
    /// Whether it does what it decides.
    pub mode: Mode,
    /// Where its parts stand.
    pub spots: Spots,
}

/// Where the parts of a rule stand: file and line of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spots {
    /// The entries of `where`, in the order of [`Rule::places`].
    pub places: Vec<String>,
    /// The conditions.
    pub conditions: Vec<String>,
}

/// The build that a rule starts.
#[derive(Debug)]
pub struct Build {
    /// The executor.
    pub on: ConnectionName,
    /// The job.
    pub job: String,
    /// The branch or tag to build.
    pub reference: Option<Text>,
    /// Names and texts of the parameters.
    pub parameters: Vec<(String, Text)>,
    /// The whole definition of the job, for executors that are given one.
    pub definition: Option<Text>,
    /// What there is a build for each of.
    pub each: Option<each::Each>,
    /// How often it is ordered again when its infrastructure fails.
    pub retries: u32,
}

impl Build {
    /// The most that a build is ordered again.
    pub const RETRIES_MAX: u32 = 10;
}

/// Where a report or a notice goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To where the event came from.
    Origin,
    /// To a connection.
    Connection(ConnectionName),
}

/// Where, how and when a build is reported.
#[derive(Clone, Debug)]
pub struct ReportRule {
    /// Where.
    pub to: Target,
    /// How and when; for [`Target::Origin`] the connection is filled in for each event.
    pub how: spec::ReportSpec,
}

/// Who is told at once, and what.
#[derive(Debug)]
pub struct NoticeRule {
    /// Where.
    pub to: Target,
    /// The words.
    pub text: Text,
}

/// All rules in force, and the connections they speak of.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    texts: Texts,
    tests: Vec<Test>,
    index: Index,
    directory: Arc<Directory>,
}

/// A rules file: its name for people, and its text.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The name.
    pub name: String,
    /// The text.
    pub text: String,
}

impl RuleSet {
    /// Reads and checks rules; answers with every fault that there is.
    pub fn parse(
        sources: &[RuleSource],
        directory: Arc<Directory>,
    ) -> Result<Self, Vec<RuleFault>> {
        let parse::Parsed { rules, texts, tests } = parse::files(sources, &directory)?;
        let index =
            Index::build(&rules.iter().map(|rule| (rule.heeds.as_slice(), rule.places.as_slice())))
                .map_err(|error| {
                    vec![RuleFault {
                        message: format!("the `where` entries of all rules together: {error}"),
                        file: miette::NamedSource::new("rules", String::new()),
                        span: None,
                        help: None,
                    }]
                })?;
        Ok(Self { rules, texts, tests, index, directory })
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that `event` can concern, in order.
    fn about(&self, event: &Event, breadth: Breadth) -> impl Iterator<Item = &Rule> {
        let numbers = match breadth {
            Breadth::Indexed => self.index.candidates(event),
            Breadth::All => (0..self.rules.len()).collect(),
        };
        let kind = event.kind();
        let rules = numbers.into_iter().filter_map(|number| self.rules.get(number));
        rules.filter(move |rule| rule.heeds.contains(&kind))
    }

    /// The rules that build the proposal of `event`, whatever kind of event they wait for.
    fn building(&self, event: &Event) -> impl Iterator<Item = &Rule> {
        let rules = self.rules.iter().filter(|rule| rule.is_commanded());
        rules.filter(|rule| rule.places.iter().all(|place| place.covers(event)))
    }

    /// Whether some rule may build this proposal when somebody asks for it.  A message about a
    /// comment may not tell the target.
    fn builds(&self, on: &PullRequestEvent) -> bool {
        let event = Event::PullRequest(on.clone());
        self.rules.iter().filter(|rule| rule.is_commanded()).any(|rule| {
            rule.places.iter().all(|place| {
                (place.name == "target" && on.target.is_empty()) || place.covers(&event)
            })
        })
    }

    /// The tests that the files carry, in order.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// Makes every rule do what it decides, for tests: what a rule in shadow mode would do is
    /// what its tests are about.
    pub fn leave_the_shadow(&mut self) {
        for rule in &mut self.rules {
            rule.mode = Mode::Live;
        }
    }

    /// The kinds of events that rules name.
    pub fn asked(&self) -> std::collections::BTreeSet<EventKind> {
        self.rules.iter().flat_map(|rule| rule.on.iter().copied()).collect()
    }

    /// The kinds of events that must be heard of for these rules to work.
    ///
    /// A rule that builds needs to hear of what changes its subject and of what becomes of its
    /// builds, whatever it says in `on`.
    pub fn kinds(&self) -> std::collections::BTreeSet<EventKind> {
        let mut kinds = self.asked();
        let builds = |family: &[Family]| {
            let mut kinds = self
                .rules
                .iter()
                .filter(|rule| rule.build.is_some())
                .flat_map(|rule| rule.on.iter());
            kinds.any(|kind| family.contains(&kind.family()))
        };
        if builds(&[Family::Series]) {
            kinds.extend([EventKind::SeriesRecheck, EventKind::SeriesApproved]);
        }
        if builds(&[Family::PullRequest, Family::Comment, Family::Command]) {
            kinds.extend([
                EventKind::PullRequestUpdated,
                EventKind::PullRequestReopened,
                EventKind::PullRequestReady,
                EventKind::PullRequestDrafted,
                EventKind::PullRequestClosed,
                EventKind::CommentAdded,
                EventKind::CommentEdited,
            ]);
        }
        if self.rules.iter().any(|rule| rule.build.is_some()) {
            kinds.extend([
                EventKind::BuildQueued,
                EventKind::BuildStarted,
                EventKind::BuildFinished,
            ]);
        }
        kinds
    }

    /// The connections that the rules speak of.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The jobs that rules start on `connection`.
    pub fn jobs_on(&self, connection: &ConnectionName) -> Vec<String> {
        let builds = self.rules.iter().filter_map(|rule| rule.build.as_ref());
        let mut jobs: Vec<_> =
            builds.filter(|build| build.on == *connection).map(|build| build.job.clone()).collect();
        jobs.sort();
        jobs.dedup();
        jobs
    }

    /// The projects that rules name exactly.
    pub fn projects(&self) -> Vec<String> {
        let places = self.rules.iter().flat_map(|rule| &rule.places);
        let named = places.filter(|place| place.name == "project" && place.is_exact());
        let mut projects: Vec<_> = named.flat_map(|place| place.wanted.clone()).collect();
        projects.sort();
        projects.dedup();
        projects
    }
}

impl Rule {
    /// Whether it builds when somebody asks for it.
    fn is_commanded(&self) -> bool {
        let is_asked =
            |kind: &EventKind| matches!(kind, EventKind::CommandTest | EventKind::CommandRetest);
        self.build.is_some() && self.heeds.iter().any(is_asked)
    }
}

impl ReportRule {
    /// The report with its connection, or what is missing for an event from `instance`.
    fn resolve(&self, directory: &Directory, instance: &str) -> Result<ReportTo, String> {
        let to = self.to.resolve(directory, instance)?;
        let forms = directory.find(&to).map(|connection| connection.forms).unwrap_or_default();
        let usual = forms.first().copied().unwrap_or(crate::action::Form::Message);
        Ok(ReportTo {
            to,
            form: self.how.form.unwrap_or(usual),
            when: self.how.when,
            text: self.how.text.clone(),
        })
    }
}

impl Target {
    /// The connection meant for an event from `instance`, or what is missing.
    fn resolve(&self, directory: &Directory, instance: &str) -> Result<ConnectionName, String> {
        match self {
            Self::Connection(name) => Ok(name.clone()),
            Self::Origin => directory
                .forge_at(instance)
                .cloned()
                .ok_or_else(|| format!("a connection for `{instance}`, where the event came from")),
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
