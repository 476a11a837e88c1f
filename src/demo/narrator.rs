//! The one who carries messages from the stand-ins to the service, and tells what happens.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::screen::{Look, Part, Screen, part};
use super::words::{flag_part, look_of, readable, short};
use super::world::{JOB, OURSELVES, World};
use crate::ledger::Ledger;
use crate::ledger::inbox::Posted;
use crate::message::Message;
use crate::sandbox::jenkins::notifier::{Change, Phase, mq_notifier_message};
use crate::sandbox::pagure::Announcement;

/// How long the story may take, or one part of it when it is told slowly.
const PATIENCE: Duration = Duration::from_secs(30);

/// How fast the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as it happens.
    Fast,
    /// So that it can be followed.
    Slow,
}

/// Whether Jenkins' messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// They do.
    Up,
    /// They do not.
    Down,
    /// They do not, and it was told that Jenkins is asked instead.
    Silent,
}

/// What was waited for and did not happen.
#[derive(Debug, thiserror::Error)]
#[error("waited {} seconds in vain until {what}", PATIENCE.as_secs())]
pub(super) struct InVain {
    what: String,
}

/// Carries messages, waits, and tells.
pub(super) struct Narrator<'a> {
    /// Folder and stand-ins.
    pub(super) world: &'a World,
    /// The ledger of the service.
    pub(super) ledger: Ledger,
    /// Where it is told.
    pub(super) screen: Screen,
    pace: Pace,
    deadline: Instant,
    written: watch::Receiver<u64>,
    from_jenkins: broadcast::Receiver<Change>,
    from_pagure: broadcast::Receiver<Announcement>,
    /// How many of the requests that Jenkins got were looked at.
    requests: usize,
    line: Line,
    /// The last message of each topic.
    last: BTreeMap<String, Message>,
    /// State and words of the flags that were told, by commit.
    flags: BTreeMap<String, (String, String)>,
    /// How many comments were told, by pull request.
    comments: BTreeMap<u64, usize>,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(world: &'a World, ledger: Ledger, screen: Screen, pace: Pace) -> Self {
        let written = ledger.changes();
        Self {
            world,
            ledger,
            screen,
            pace,
            deadline: Instant::now() + PATIENCE,
            written,
            from_jenkins: world.jenkins.changes(),
            from_pagure: world.pagure.announcements(),
            requests: 0,
            line: Line::Up,
            last: BTreeMap::new(),
            flags: BTreeMap::new(),
            comments: BTreeMap::new(),
        }
    }

    /// Begins a part of the story.
    pub(super) async fn chapter(&mut self, number: u8, title: &str) -> anyhow::Result<()> {
        if self.pace == Pace::Slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.deadline = Instant::now() + PATIENCE;
        }
        self.screen.line(&[])?;
        let number = part(Look::Ours, format!("{number}  "));
        Ok(self.screen.line(&[number, part(Look::Strong, title)])?)
    }

    /// Says something that is nobody's message.
    pub(super) async fn remark(&mut self, look: Look, words: &str) -> anyhow::Result<()> {
        self.pause().await;
        Ok(self.screen.line(&[part(look, format!("   {words}"))])?)
    }

    /// Tells that one actor speaks to another, and what: a request, a topic, or the state of a flag.
    pub(super) async fn arrow(
        &mut self,
        (from, to): (&str, &str),
        (look, what): Part,
        detail: Part,
    ) -> anyhow::Result<()> {
        self.pause().await;
        Ok(self.screen.line(&[
            part(look_of(from), format!("   {from:<9} ")),
            part(Look::Quiet, "─▶ "),
            part(look_of(to), format!("{to:<9}  ")),
            part(look, format!("{what:<20}  ")),
            detail,
        ])?)
    }

    async fn pause(&self) {
        if self.pace == Pace::Slow {
            tokio::time::sleep(Duration::from_millis(220)).await;
        }
    }

    /// Lets Pagure's messages reach the service, in order.
    pub(super) async fn publish(&mut self, announcements: &[Announcement]) -> anyhow::Result<()> {
        for (topic, body) in announcements {
            let head = body.pointer("/pullrequest/commit_stop").and_then(Value::as_str);
            let number = body.pointer("/pullrequest/id").and_then(Value::as_u64);
            let detail = format!("#{} at {}", number.unwrap_or(0), short(head.unwrap_or("")));
            let topic_end = topic.rsplit_once("pull-request.").map_or("", |(_, end)| end);
            let what = match topic_end {
                "comment.added" => part(Look::Plain, topic_end),
                _ => part(Look::Plain, format!("pull-request.{topic_end}")),
            };
            self.arrow(("pagure", OURSELVES), what, part(Look::Plain, detail)).await?;
            self.post(message(topic, body)).await?;
        }
        Ok(())
    }

    /// Lets the last message of `topic` arrive once more, as it is or under another id.
    pub(super) async fn repeat(
        &mut self,
        topic: &str,
        (from, id, words): (&str, Option<String>, &str),
    ) -> anyhow::Result<()> {
        let found = self.last.iter().find(|(known, _)| known.ends_with(topic));
        let mut message = found.map(|(_, message)| message.clone()).context("no such message")?;
        message.id = id.or(message.id);
        let what = part(Look::Plain, topic);
        self.arrow((from, OURSELVES), what, part(Look::Quiet, words)).await?;
        self.post(message).await
    }

    async fn post(&mut self, message: Message) -> anyhow::Result<()> {
        self.last.insert(message.topic.clone(), message.clone());
        match self.ledger.post(message).await? {
            Posted::Accepted(_) => Ok(()),
            Posted::Full => Err(anyhow::anyhow!("the embedded bus is full")),
        }
    }

    /// From now on the messages of Jenkins do not arrive.
    pub(super) fn lose_messages(&mut self) {
        self.line = Line::Down;
    }

    /// They arrive again.
    pub(super) fn restore_messages(&mut self) {
        self.line = Line::Up;
    }

    /// Waits until `look` sees what it looks for; meanwhile carries messages and tells of them.
    pub(super) async fn until<T: Send>(
        &mut self,
        what: &str,
        look: impl Fn(&Self) -> Option<T> + Send,
    ) -> anyhow::Result<T> {
        loop {
            self.written.mark_unchanged();
            self.catch_up().await?;
            if let Some(seen) = look(self) {
                return Ok(seen);
            }
            self.wait(what).await?;
        }
    }

    /// State and words of the flag on a commit, as far as it was told.
    pub(super) fn flag(&self, head: &str) -> Option<(&str, &str)> {
        self.flags.get(head).map(|(status, words)| (status.as_str(), words.as_str()))
    }

    /// How many comments were told on a pull request.
    pub(super) fn comments(&self, number: u64) -> usize {
        self.comments.get(&number).copied().unwrap_or_default()
    }

    /// Waits until nothing is left to be read or done.
    pub(super) async fn until_idle(&mut self) -> anyhow::Result<()> {
        loop {
            self.written.mark_unchanged();
            self.catch_up().await?;
            if self.ledger.left_to_do().await? == 0 {
                return self.catch_up().await;
            }
            self.wait("nothing is left to do").await?;
        }
    }

    /// Tells whatever happens, until it is dropped.
    pub(super) async fn go_on(&mut self) -> anyhow::Result<()> {
        loop {
            self.deadline = Instant::now() + PATIENCE;
            self.catch_up().await?;
            if let Err(error) = self.wait("something happens").await
                && !error.is::<InVain>()
            {
                return Err(error);
            }
            if self.screen.is_gone() {
                return Ok(());
            }
        }
    }

    /// Waits until something happens.
    async fn wait(&mut self, what: &str) -> anyhow::Result<()> {
        tokio::select! {
            written = self.written.changed() => Ok(written?),
            change = self.from_jenkins.recv() => match change {
                Ok(change) => self.hear_jenkins(&change).await,
                Err(RecvError::Lagged(_) | RecvError::Closed) => Ok(()),
            },
            told = self.from_pagure.recv() => match told {
                Ok(told) => self.hear_pagure(&told).await,
                Err(RecvError::Lagged(_) | RecvError::Closed) => Ok(()),
            },
            () = tokio::time::sleep_until(self.deadline) => {
                Err(InVain { what: what.to_owned() }.into())
            },
        }
    }

    /// Carries and tells everything that has happened so far.
    async fn catch_up(&mut self) -> anyhow::Result<()> {
        loop {
            match self.from_jenkins.try_recv() {
                Ok(change) => self.hear_jenkins(&change).await?,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.notice_requests().await?;
        loop {
            match self.from_pagure.try_recv() {
                Ok(told) => self.hear_pagure(&told).await?,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    /// Tells which builds Jenkins was asked to stop; and, once, that it is asked when it says
    /// nothing.  It is asked now and then in any case, which is beside the point of a story.
    async fn notice_requests(&mut self) -> anyhow::Result<()> {
        let requests = self.world.jenkins.requests();
        let new = requests.get(self.requests..).unwrap_or_default();
        self.requests = requests.len();
        for request in new {
            let path = request.split([' ', '?']).nth(1).unwrap_or_default();
            if let Some((_, number)) = path.strip_suffix("/stop").and_then(|p| p.rsplit_once('/')) {
                let detail = part(Look::Plain, format!("{JOB} #{number}"));
                self.arrow((OURSELVES, "jenkins"), part(Look::Plain, "stop"), detail).await?;
            } else if self.line == Line::Down
                && request.starts_with("GET")
                && path.contains("/job/")
            {
                self.line = Line::Silent;
                let what = part(Look::Plain, "GET …/api/json");
                let detail = part(Look::Plain, "what became of it?");
                self.arrow((OURSELVES, "jenkins"), what, detail).await?;
            }
        }
        Ok(())
    }

    async fn hear_jenkins(&mut self, change: &Change) -> anyhow::Result<()> {
        if let Phase::Finished { .. } = change.phase {
            self.notice_requests().await?;
        }
        let (topic, body) = mq_notifier_message(change);
        let value = |name| change.parameters.iter().find(|(given, _)| given == name);
        let head = value("HEAD").map(|(_, head)| format!("HEAD={}", short(head)));
        let branch = || value("BRANCH").map(|(_, branch)| format!("BRANCH={branch}"));
        let head = head.or_else(branch).unwrap_or_default();
        let is_ours = value("POINTSMAN_RUN").is_some_and(|(_, run)| !run.is_empty());
        let number = change.number.map(|number| format!(" #{number}")).unwrap_or_default();
        let job = format!("{}{number}", change.job);
        let detail = match &change.phase {
            Phase::Queued if is_ours => {
                let detail = part(Look::Plain, format!("{job} {head}"));
                let what = part(Look::Plain, "buildWithParameters");
                return self.arrow((OURSELVES, "jenkins"), what, detail).await;
            }
            Phase::Queued => {
                let what = part(Look::Plain, "“Build now”");
                return self.arrow(("grace", "jenkins"), what, part(Look::Plain, job)).await;
            }
            Phase::Started => part(Look::Plain, job),
            Phase::Finished { result, .. } => {
                let look = if result.as_str() == "SUCCESS" { Look::Good } else { Look::Bad };
                part(look, format!("{job} {}", result.as_str()))
            }
        };
        let is_lost = self.line != Line::Up;
        let to = if is_lost { "(lost)" } else { OURSELVES };
        self.arrow(("jenkins", to), part(Look::Plain, topic.as_str()), detail).await?;
        if is_lost {
            return Ok(());
        }
        self.post(message(&topic, &body)).await
    }

    async fn hear_pagure(&mut self, (topic, body): &Announcement) -> anyhow::Result<()> {
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if topic.contains(".flag.") {
            let (head, words) = (text("/flag/commit_hash"), text("/flag/comment"));
            let status = text("/flag/status");
            let short_words = words.split_once(": ").map_or(words, |(_rule, words)| words);
            let (look, sign) = flag_part(status);
            let detail = part(Look::Plain, format!("{}  {short_words}", short(head)));
            let what = part(look, format!("flag {sign}"));
            self.arrow((OURSELVES, "pagure"), what, detail).await?;
            self.flags.insert(head.to_owned(), (status.to_owned(), words.to_owned()));
        } else if let Some(comments) =
            body.pointer("/pullrequest/comments").and_then(Value::as_array)
        {
            let last = comments.last().and_then(|last| last.get("comment")).and_then(Value::as_str);
            let words = readable(last.unwrap_or_default());
            let detail = part(Look::Plain, format!("“{words}”"));
            self.arrow((OURSELVES, "pagure"), part(Look::Plain, "comment"), detail).await?;
            let number =
                body.pointer("/pullrequest/id").and_then(Value::as_u64).unwrap_or_default();
            *self.comments.entry(number).or_default() += 1;
        }
        self.ledger.post(message(topic, body)).await?;
        Ok(())
    }
}

/// A message of a bus, under an id of its own.
fn message(topic: &str, body: &Value) -> Message {
    Message {
        id: Some(Uuid::new_v4().to_string()),
        topic: topic.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: body.to_string().into_bytes(),
        ..Message::default()
    }
}
