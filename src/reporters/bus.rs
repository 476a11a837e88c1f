//! The message bus: what happens to runs, for programs that listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::action::{Form, Notice, Report, Stage};
use crate::clock::Clock;
use crate::envelope::Envelope;
use crate::executors::Try;
use crate::message::Message;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::source::amqp::publish::Publisher;
use crate::subject::{RunId, Verdict};

mod cdevents;
mod eiffel;
mod plain;

/// Somewhere a message can be put for others to read: a broker, or our own inbox.
#[async_trait]
pub trait Post: Send + Sync {
    /// Puts it there, durably.  Put there twice, readers know it by its id.
    async fn post(&self, message: Message) -> Result<(), Failure>;
}

#[async_trait]
impl Post for Publisher {
    async fn post(&self, message: Message) -> Result<(), Failure> {
        self.forward(&message).await
    }
}

/// A language in which the bus is told what happens to runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Our own: `pointsman.run.*`.
    Pointsman,
    /// That of the Continuous Delivery Foundation: `dev.cdevents.pipelinerun.*`.
    Cdevents,
    /// That of the Eiffel community: `EiffelActivity*Event`.
    Eiffel,
}

/// What we call ourselves in languages in which events have a source.
///
/// It is the address of our pages; those who have none all go by the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnName {
    name: String,
    host: Option<String>,
}

impl OwnName {
    /// Who has no address.
    const NAMELESS: &str = "urn:pointsman";

    /// The name of the service whose pages are at `page_url`.
    pub fn new(page_url: Option<&Url>) -> Self {
        Self {
            name: page_url.map_or(Self::NAMELESS, Url::as_str).to_owned(),
            host: page_url.and_then(Url::host_str).map(str::to_owned),
        }
    }

    /// The name: an address, or a URN.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether an event with this content is one of those that we publish.
    ///
    /// On a bus everybody hears everything, also themselves; what we have said is no news.
    pub fn has_said(&self, envelope: &Envelope) -> bool {
        cdevents::is_by(self, &envelope.body) || eiffel::is_by(self, &envelope.body)
    }
}

/// How the bus is spoken to.
#[derive(Clone, Debug)]
pub struct Speech {
    /// What stands before each topic of our own.
    pub prefix: String,
    /// The languages; each says the same.
    pub languages: Vec<Language>,
    /// What we call ourselves.
    pub name: OwnName,
}

/// Tells the bus what happens to runs, in each of its languages, and `pointsman.notice`.
pub struct Bus {
    post: Arc<dyn Post>,
    speech: Speech,
    clock: Clock,
    /// What was told last of which runs, for languages in which a stage is told once, and all else
    /// refers to the first.
    told: Mutex<HashMap<RunId, Stage>>,
}

impl Bus {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Message];

    /// Of how many runs it remembers that they were told of.  One that is forgotten is told of
    /// once more, under the same id.
    const TRIGGERED_MAX: usize = 4096;

    /// A reporter that writes to `post`.
    pub fn new(post: Arc<dyn Post>, speech: Speech, clock: Clock) -> Self {
        Self { post, speech, clock, told: Mutex::default() }
    }

    async fn say(&self, language: Language, report: &Report) -> Result<(), Failure> {
        let Speech { prefix, name, .. } = &self.speech;
        let now = self.clock.now();
        match language {
            Language::Pointsman => {
                self.post.post(plain::about_run(report).message(prefix, now)).await
            }
            Language::Cdevents => match cdevents::about_run(report, name, now) {
                Some(event) => self.post.post(event.message(prefix, now)).await,
                None => Ok(()),
            },
            Language::Eiffel => {
                let is_told = self.told_last(&report.run).is_some();
                for event in eiffel::about_run(report, name, (now, is_told)) {
                    self.post.post(event).await?;
                }
                Ok(())
            }
        }
    }

    fn told_last(&self, run: &RunId) -> Option<Stage> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(run).copied()
    }

    fn remember(&self, report: &Report) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match report.stage {
            // Nothing was said.
            Stage::Held => {}
            Stage::Queued | Stage::Running => {
                if told.len() >= Self::TRIGGERED_MAX {
                    told.clear();
                }
                told.insert(report.run.clone(), report.stage);
            }
            // Nothing more will be said of it.
            Stage::Done(_) => {
                told.remove(&report.run);
            }
        }
    }
}

#[async_trait]
impl Reporter for Bus {
    /// A report that may have arrived is sent again: it has the same id, and a bus cannot be
    /// searched.
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Message => {
                let is_told =
                    attempt == Try::First && self.told_last(&report.run) == Some(report.stage);
                for language in &self.speech.languages {
                    // That one more board has ended is no stage in the words of others.
                    if *language == Language::Pointsman || !is_told {
                        self.say(*language, report).await?;
                    }
                }
                self.remember(report);
                Ok(())
            }
            Form::Flag | Form::Comment => Err(Failure::give_up(anyhow!(
                "the bus cannot tell it as a {}",
                report.form.as_str()
            ))),
        }
    }

    /// Of what is no run the other languages have no word, so this is said in ours.
    async fn notify(&self, notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        let letter = plain::about_nothing_of_ours(notice);
        self.post.post(letter.message(&self.speech.prefix, self.clock.now())).await
    }
}

/// How far a run is, in one word, and how it ended if it has.
fn stage(stage: Stage) -> (&'static str, Option<Verdict>) {
    match stage {
        Stage::Held => ("held", None),
        Stage::Queued => ("queued", None),
        Stage::Running => ("started", None),
        Stage::Done(verdict) => ("finished", Some(verdict)),
    }
}

#[cfg(test)]
mod tests;
