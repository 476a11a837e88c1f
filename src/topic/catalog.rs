//! All topics, shipped and the operator's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::differ::differences;
use super::folder::Files;
use super::parse::{Beside, parse_topic};
use super::read::{Selection, read_one};
use super::shared::{Shared, is_shared, is_toml, parse_shared};
use super::{Example, Expect, Topic, TopicFault};
use crate::envelope::{self, Limits};
use crate::event::EventKind;

/// All topics, sorted by name.
#[derive(Clone, Debug)]
pub struct Catalog {
    topics: Arc<[Arc<Topic>]>,
    digest: String,
}

impl Catalog {
    /// The shipped topics, and those in the folders `extra`, of which the last wins: a file there
    /// replaces the shipped one with the same path.
    ///
    /// On failure all faults of all files are told.
    pub fn load(extra: &[PathBuf]) -> Result<Self, Vec<TopicFault>> {
        let files = Files::load(extra)?;
        let mut faults = Vec::new();
        let shared = all_shared(&files, &mut faults);
        let beside = Beside { files: &files, shared: &shared };
        let mut topics = Vec::new();
        for name in files.names().filter(|name| is_toml(name) && !is_shared(name)) {
            match parse_topic(name, &beside) {
                Ok(topic) => topics.push(Arc::new(topic)),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() {
            Ok(Self { topics: topics.into(), digest: files.digest() })
        } else {
            Err(faults)
        }
    }

    /// What tells the files from others; [`Catalog::digest_of`] of the same folders.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// [`Catalog::digest`] of the files as they are, which are not looked into.
    pub fn digest_of(extra: &[PathBuf]) -> Result<String, Vec<TopicFault>> {
        Ok(Files::load(extra)?.digest())
    }

    /// All topics, sorted by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().map(AsRef::as_ref)
    }

    /// The topic with this name, such as `pagure/pull-request.new`.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics().find(|topic| topic.name == name)
    }

    /// The topics that are read into events of these kinds, or told what such events continue.
    pub fn select(&self, kinds: &BTreeSet<EventKind>) -> Selection {
        self.select_asked(kinds, kinds)
    }

    /// As [`Catalog::select`], where somebody has asked for some of `kinds`, and the others are
    /// wanted because of what is done: of those the topics about others' builds are left out.
    pub fn select_asked(
        &self,
        kinds: &BTreeSet<EventKind>,
        asked: &BTreeSet<EventKind>,
    ) -> Selection {
        let serves = |topic: &&Arc<Topic>| topic.serves(kinds, asked);
        let selected = self.topics.iter().filter(serves).map(Arc::clone).collect();
        Selection::new(selected, Arc::clone(&self.topics))
    }

    /// Runs every example, and tells of those that are not read as expected.
    pub fn check(&self, run_parameter: &str) -> Vec<TopicFault> {
        let mut faults = Vec::new();
        for topic in self.topics() {
            for example in &topic.examples {
                if let Err(message) = check_example(topic, example, run_parameter) {
                    faults.push(TopicFault {
                        file: topic.file.clone(),
                        key: Some("example".to_owned()),
                        message: format!("`{}`: {message}", example.body_file),
                        span: None,
                        source_text: "".into(),
                    });
                }
            }
        }
        faults
    }
}

fn all_shared(files: &Files, faults: &mut Vec<TopicFault>) -> BTreeMap<String, Shared> {
    let mut all = BTreeMap::new();
    for name in files.names().filter(|name| is_shared(name)) {
        match files.file(name).map(parse_shared) {
            Some(Ok(shared)) => {
                all.insert(name.to_owned(), shared);
            }
            Some(Err(found)) => faults.extend(found),
            None => {}
        }
    }
    all
}

fn check_example(topic: &Topic, example: &Example, run_parameter: &str) -> Result<(), String> {
    let envelope = envelope::open(&example.message, &Limits::default())
        .map_err(|unreadable| unreadable.to_string())?;
    let read = read_one(topic, &envelope, run_parameter).map_err(|error| error.to_string())?;
    match (&example.expect, read) {
        (Expect::Ignored, None) => Ok(()),
        (Expect::Ignored, Some(_)) => {
            Err("it is read into an event, but should be ignored".to_owned())
        }
        (Expect::Event(_), None) => Err("it is ignored, because `when` does not hold".to_owned()),
        (Expect::Event(expected), Some(event)) if **expected == event => Ok(()),
        (Expect::Event(expected), Some(event)) => Err(differences(expected, &event)),
    }
}
