//! The tests that rules carry: a message, and what it is expected to cause.
//!
//! They stand in a rules file as `[[test]]`, or in a file of their own, `*.test.toml`, beside it.
//! Here they are only read; the `rehearsal` plays them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde_json::Value;

use crate::action::Form;
use crate::event::proposal::Standing;
use crate::subject::Verdict;

/// A message, and what it is expected to cause.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSpec {
    /// What it shows, in a sentence.
    pub name: String,
    /// The message: an example of a topic, such as `pagure/pull-request.new`, or a file, relative
    /// to this one.  `TOPIC#NAME` is the example whose body is in `NAME.json`.
    #[serde(default)]
    pub message: Option<String>,
    /// What is different in the message: dotted paths such as `body.pullrequest.title`, which
    /// have to be there, and their values.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Instead of a message: the builds that are under way end so.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Which builds end: those of this rule only.
    #[serde(default)]
    pub of: Option<String>,
    /// Which builds end: those on this kind of board only.
    #[serde(default)]
    pub board: Option<String>,
    /// What happened before, in order: messages, or `{ verdict = … }`.
    #[serde(default)]
    pub after: Vec<TextOr<StepSpec>>,
    /// What the forge says of people when it is asked, by their names or lasting ids; whoever is
    /// not listed is a stranger.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub people: BTreeMap<String, Standing>,
    /// What comes of putting a series on a branch: `applied`, `conflict`, or `held`.
    #[serde(default)]
    pub branch: Landing,
    /// The kinds of boards that a lab has, whatever it is asked for; two when absent.
    #[serde(default)]
    pub boards: Option<Vec<String>>,
    /// What follows.
    pub expect: ExpectSpec,
}

/// What comes of putting a series on a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Landing {
    /// It is put on one.
    #[default]
    Applied,
    /// It applies to no base.
    Conflict,
    /// It touches what somebody has to look at first: it waits until somebody lets it be built.
    Held,
}

/// One thing that happens.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// As in a test.
    #[serde(default)]
    pub message: Option<String>,
    /// As in a test.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// As in a test.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// As in a test.
    #[serde(default)]
    pub of: Option<String>,
    /// As in a test.
    #[serde(default)]
    pub board: Option<String>,
}

/// What is expected to follow.  Of a list that is not empty each entry has to be found, and others
/// may be there; an empty list says that there are none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectSpec {
    /// Rules that fire.
    #[serde(default)]
    pub fires: Option<Vec<String>>,
    /// Rules that do not fire, whatever the reason.
    #[serde(default)]
    pub silent: Option<Vec<String>>,
    /// Rules whose build waits until somebody lets it run.
    #[serde(default)]
    pub held: Option<Vec<String>>,
    /// Builds that are started: a job, or a table.
    #[serde(default)]
    pub builds: Option<Vec<TextOr<BuildWanted>>>,
    /// What people are told: a connection, or a table.
    #[serde(default)]
    pub reports: Option<Vec<TextOr<ReportWanted>>>,
    /// Whether a forge is asked about somebody first.
    #[serde(default)]
    pub asks: Option<bool>,
    /// Whether it is no news, so that no rule is asked.
    #[serde(default)]
    pub not_news: Option<bool>,
}

/// A build that is expected.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildWanted {
    /// The job.
    pub job: String,
    /// The connection that runs it.
    #[serde(default)]
    pub on: Option<String>,
    /// The rule that orders it.
    #[serde(default)]
    pub rule: Option<String>,
    /// The kind of board that it runs on.
    #[serde(default)]
    pub board: Option<String>,
    /// Some of its parameters, with their values.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// Something that people are expected to be told.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportWanted {
    /// The connection, or `origin`: any forge.
    pub to: String,
    /// How.
    #[serde(default, rename = "as")]
    pub form: Option<Form>,
    /// The rule that has it told.
    #[serde(default)]
    pub rule: Option<String>,
    /// How far the build is: `held`, `queued`, `running`, or a verdict.
    #[serde(default)]
    pub stage: Option<String>,
    /// Words that stand in it.
    #[serde(default)]
    pub says: Option<String>,
}

impl From<String> for StepSpec {
    fn from(message: String) -> Self {
        Self { message: Some(message), ..Self::default() }
    }
}

impl From<String> for BuildWanted {
    fn from(job: String) -> Self {
        Self { job, ..Self::default() }
    }
}

impl From<String> for ReportWanted {
    fn from(to: String) -> Self {
        Self { to, ..Self::default() }
    }
}

/// A table, or its most important value alone.
///
/// Written by hand instead of `untagged`, whose errors do not say what is wrong.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum TextOr<T> {
    /// The value.
    Text(String),
    /// The table.
    Whole(T),
}

impl<T: Clone + From<String>> TextOr<T> {
    /// The table, or what it would be.
    pub fn whole(&self) -> T {
        match self {
            Self::Text(text) => T::from(text.clone()),
            Self::Whole(whole) => whole.clone(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

struct TextOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for TextOrVisitor<T> {
    type Value = TextOr<T>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a text or a table")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(v.to_owned()))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Whole)
    }
}

/// A test, checked: every rule that it names exists.
#[derive(Clone, Debug)]
pub struct Test {
    /// The rules file it stands in.
    pub file: String,
    /// What it says.
    pub spec: TestSpec,
    /// Where what stands, by the keys that lead to it.
    pub(super) places: BTreeMap<Vec<String>, Place>,
}

/// A place in a rules file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) span: Range<usize>,
    pub(super) line: usize,
}

impl Test {
    /// Where it stands: file and line.
    pub fn at(&self) -> String {
        self.at_key(&["name"])
    }

    /// Where what `path` leads to stands; where the test does, if that is nowhere.
    pub fn at_key(&self, path: &[&str]) -> String {
        let line = self.place(path).map_or(1, |place| place.line);
        format!("{}:{line}", self.file)
    }

    /// The place of what `path` leads to, or of what it is in.
    pub(super) fn place(&self, path: &[&str]) -> Option<&Place> {
        let mut path: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
        while !path.is_empty() {
            if let Some(place) = self.places.get(&path) {
                return Some(place);
            }
            path.pop();
        }
        self.places.get(["name".to_owned()].as_slice())
    }

    /// The steps: what happened before, and at the end what is looked at.
    pub fn steps(&self) -> Vec<StepSpec> {
        let TestSpec { message, set, verdict, of, board, .. } = self.spec.clone();
        let last = StepSpec { message, set, verdict, of, board };
        self.spec.after.iter().map(TextOr::whole).chain([last]).collect()
    }

    /// The rules that it names, with the keys that lead there.
    pub fn rules(&self) -> Vec<(Vec<String>, String)> {
        let mut named: Vec<(Vec<String>, String)> = Vec::new();
        let mut add = |path: &[&str], rule: &str| {
            named.push((path.iter().map(|step| (*step).to_owned()).collect(), rule.to_owned()));
        };
        let expect = &self.spec.expect;
        let lists = [("fires", &expect.fires), ("silent", &expect.silent), ("held", &expect.held)];
        for (key, rules) in lists {
            for (number, rule) in rules.iter().flatten().enumerate() {
                add(&["expect", key, &number.to_string()], rule);
            }
        }
        for (number, build) in expect.builds.iter().flatten().enumerate() {
            if let Some(rule) = &build.whole().rule {
                add(&["expect", "builds", &number.to_string(), "rule"], rule);
            }
        }
        for (number, report) in expect.reports.iter().flatten().enumerate() {
            if let Some(rule) = &report.whole().rule {
                add(&["expect", "reports", &number.to_string(), "rule"], rule);
            }
        }
        for (number, step) in self.spec.after.iter().enumerate() {
            if let Some(rule) = &step.whole().of {
                add(&["after", &number.to_string(), "of"], rule);
            }
        }
        if let Some(rule) = &self.spec.of {
            add(&["of"], rule);
        }
        named
    }
}
