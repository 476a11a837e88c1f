//! A rules file as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::each::EachSpec;
use super::test::TestSpec;
use crate::action::Form;
use crate::event::proposal::Standing;
use crate::event::{EventKind, Family};
use crate::run::When;

/// A file of rules.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// The rules, in the order in which they are asked.
    #[serde(default)]
    pub rule: Vec<RuleSpec>,
    /// Sentences of your own instead of those in `config/texts.toml`, by name.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
    /// Their tests, which `pointsman test` runs.
    #[serde(default)]
    pub test: Vec<TestSpec>,
}

/// Which events, under which conditions, cause what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Its name: what people see as the name of the check.  No two rules share one.
    pub name: String,
    /// The kinds of events it is about.
    pub on: OneOrMany<EventKind>,
    /// What the event must be about: names and their values, exact or with `*`, `?`, `[…]`, `{a,b}`.
    #[serde(default, rename = "where")]
    pub place: BTreeMap<String, OneOrMany<String>>,
    /// Conditions, all of which must hold.
    #[serde(default)]
    pub when: Option<OneOrMany<String>>,
    /// Whose changes may be built.
    #[serde(default)]
    pub trust: Trust,
    /// The build it starts.
    #[serde(default)]
    pub build: Option<BuildSpec>,
    /// The repository, `[git.NAME]`, that a series is put on a branch of before it is built.
    #[serde(default)]
    pub git: Option<String>,
    /// Whether the patches of a series are built one by one, too.
    #[serde(default)]
    pub each_patch: EachPatch,
    /// Whether a failure of a series is compared with a build of its base before it is told.
    #[serde(default = "RuleSpec::yes")]
    pub baseline: bool,
    /// Whether a series is left alone whose author says so (`[series]` in the settings).
    #[serde(default = "RuleSpec::yes")]
    pub opt_out: bool,
    /// Where the build is reported.
    #[serde(default)]
    pub report: Vec<ReportSpec>,
    /// Who is told at once, whether anything is built or not.
    #[serde(default)]
    pub notify: Vec<NotifySpec>,
    /// Whether a newer revision cancels the build of an older one.
    #[serde(default = "RuleSpec::yes")]
    pub supersede: bool,
    /// `live`, or `shadow`: decide and record, and do nothing.
    #[serde(default)]
    pub mode: Mode,
}

impl RuleSpec {
    /// The kinds of events that the rule is asked about: one that builds proposals heeds commands.
    pub fn heeds(&self) -> Vec<EventKind> {
        let mut kinds = self.on.as_slice().to_vec();
        let builds_heads = |kind: &EventKind| {
            kind.family() == Family::PullRequest && *kind != EventKind::PullRequestClosed
        };
        // A rule that is built by command only heeds just the commands that it names.
        if self.build.is_some() && kinds.iter().any(builds_heads) {
            kinds.extend([EventKind::CommandTest, EventKind::CommandRetest, EventKind::CommandOk]);
        }
        if self.build.is_some() && kinds.contains(&EventKind::SeriesPosted) {
            kinds.extend([EventKind::SeriesRecheck, EventKind::SeriesApproved]);
        }
        if self.build.is_some() && self.git.is_some() {
            kinds.push(EventKind::SeriesApplied);
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn yes() -> bool {
        true
    }
}

/// One value, or a list of them.
///
/// Written by hand instead of `untagged`, whose errors do not say what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
    }
}

struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a text or a list of texts")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Self::Value, E> {
        T::deserialize(serde::de::value::StrDeserializer::new(v)).map(OneOrMany::One)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = seq.next_element()? {
            many.push(one);
        }
        Ok(OneOrMany::Many(many))
    }
}

/// Whose changes may be built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Everybody's, a stranger's too.
    Anyone,
    /// Those of people whom the project lets do something.
    #[default]
    Contributors,
    /// Those of people who may merge.
    Maintainers,
}

impl Trust {
    /// Whether somebody of this standing is trusted.
    pub fn covers(self, standing: Standing) -> bool {
        match self {
            Self::Anyone => true,
            Self::Contributors => standing >= Standing::Contributor,
            Self::Maintainers => standing >= Standing::Maintainer,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Contributors => "contributors",
            Self::Maintainers => "maintainers",
        }
    }
}

/// A build to start.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildSpec {
    /// The connection that runs it.
    pub on: String,
    /// The full name of the job, folders separated by `/`; or, for executors that are given
    /// definitions, the file in the folder of rules that has it.
    pub job: String,
    /// The branch or tag to build, for executors that build those; the branch of the series when
    /// absent, or the branch that was pushed to.  A text with `{{ names }}`.
    #[serde(default, rename = "ref")]
    pub reference: Option<String>,
    /// What the job is told; texts with `{{ names }}`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Of an artifact: one build for each of these, under a name that texts may use.
    #[serde(default)]
    pub for_each: Option<BTreeMap<String, EachSpec>>,
    /// How often it is ordered again when its infrastructure fails; as the connection says when
    /// absent.
    #[serde(default)]
    pub retries: Option<u32>,
}

impl BuildSpec {
    /// The name of `for_each`, as long-lived as the rule's text.
    pub(super) fn name_of_each(&self, name: &str) -> Option<&str> {
        self.for_each.as_ref()?.get_key_value(name).map(|(name, _)| name.as_str())
    }
}

/// Whether the patches of a series are built one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EachPatch {
    /// The series is built as a whole.
    #[default]
    Never,
    /// Each patch is built, with those before it, and has a verdict of its own.
    Always,
    /// When the whole fails, the first bad patch is looked for by halving.
    OnFailure,
}

/// A place where the build is reported.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSpec {
    /// A connection, or `origin`: where the event came from.
    pub to: String,
    /// How; the usual way of the connection when absent.
    #[serde(default, rename = "as")]
    pub form: Option<Form>,
    /// When.
    #[serde(default)]
    pub when: When,
    /// Your own words instead of the default ones; a text with `{{ names }}`.
    #[serde(default)]
    pub text: Option<String>,
}

/// Somebody to tell at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySpec {
    /// A connection, or `origin`: where the event came from.
    pub to: String,
    /// What to say; a text with `{{ names }}`.
    pub text: String,
}

/// Whether a rule does what it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It does.
    #[default]
    Live,
    /// It only decides, and what it would have done is recorded.
    Shadow,
}
