//! The message bus: what happens to runs, for programs that listen.

use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use serde_json::{Map, json};

use crate::action::{Form, Notice, Report, Stage};
use crate::clock::Clock;
use crate::executors::Try;
use crate::message::{Message, computed_id};
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::source::amqp::publish::{Outgoing, Publisher};

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

/// Tells the bus: `pointsman.run.queued`, `.started`, `.finished`, and `pointsman.notice`.
pub struct Bus {
    post: Arc<dyn Post>,
    prefix: String,
    clock: Clock,
}

impl Bus {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Message];

    /// A reporter that writes to `post`, with `prefix` before each topic.
    pub fn new(post: Arc<dyn Post>, prefix: String, clock: Clock) -> Self {
        Self { post, prefix, clock }
    }

    async fn send(&self, letter: &Outgoing) -> Result<(), Failure> {
        let message = letter.message(&self.prefix, self.clock.now());
        self.post.post(message).await
    }
}

#[async_trait]
impl Reporter for Bus {
    /// A report that may have arrived is sent again: it has the same id, and a bus cannot be
    /// searched.
    async fn tell(&self, report: &Report, _attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Message => self.send(&about_run(report)).await,
            Form::Flag | Form::Comment => Err(Failure::give_up(anyhow!(
                "the bus cannot tell it as a {}",
                report.form.as_str()
            ))),
        }
    }

    async fn notify(&self, notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        self.send(&about_nothing_of_ours(notice)).await
    }
}

fn about_run(report: &Report) -> Outgoing {
    let (stage, verdict) = match report.stage {
        Stage::Held => ("held", None),
        Stage::Queued => ("queued", None),
        Stage::Running => ("started", None),
        Stage::Done(verdict) => ("finished", Some(verdict)),
    };
    Outgoing {
        id: id(&report.marker, report.stage.as_str()),
        topic: format!("pointsman.run.{stage}"),
        headers: Map::new(),
        body: json!({
            "run": report.run,
            "rule": report.rule,
            "subject": report.subject,
            "revision": report.revision,
            "stage": stage,
            "verdict": verdict,
            "url": report.url,
            "text": report.text,
        }),
    }
}

fn about_nothing_of_ours(notice: &Notice) -> Outgoing {
    Outgoing {
        id: id(&notice.marker, "notice"),
        topic: "pointsman.notice".to_owned(),
        headers: Map::new(),
        body: json!({
            "rule": notice.rule,
            "subject": notice.subject,
            "text": notice.text,
        }),
    }
}

/// The id of what is told at `stage`, the same whenever it is told.
fn id(marker: &str, stage: &str) -> String {
    computed_id(&[marker.as_bytes(), stage.as_bytes()])
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::Value;

    use super::*;
    use crate::clock::Hand;
    use crate::subject::{RunId, Subject, SubjectKind, Verdict};

    /// Keeps what it is given.
    #[derive(Default)]
    struct Mailbox(Mutex<Vec<Message>>);

    #[async_trait]
    impl Post for Mailbox {
        async fn post(&self, message: Message) -> Result<(), Failure> {
            self.0.lock().unwrap().push(message);
            Ok(())
        }
    }

    fn subject() -> Subject {
        Subject {
            kind: SubjectKind::PullRequest,
            instance: "forge.example".to_owned(),
            project: "signalbox".to_owned(),
            number: 7,
            name: None,
        }
    }

    fn report(form: Form, stage: Stage) -> Report {
        Report {
            run: RunId::of(&subject(), "c0ffee", "points", 1),
            rule: "points".to_owned(),
            subject: subject(),
            revision: "c0ffee".to_owned(),
            form,
            stage,
            text: "points: failure".to_owned(),
            url: Some("https://ci.example/job/points/3/".to_owned()),
            marker: "m-1".to_owned(),
            board: None,
            flag: "f-1".to_owned(),
            series: None,
        }
    }

    async fn told(what: impl AsyncFn(&Bus) -> Result<(), Failure>) -> Vec<Message> {
        let kept = Arc::new(Mailbox::default());
        let post: Arc<dyn Post> = Arc::<Mailbox>::clone(&kept);
        let hand = Hand::at("2026-11-20T08:24:32Z".parse().unwrap());
        let bus = Bus::new(post, "org.example.dev".to_owned(), Clock::manual(hand));
        what(&bus).await.unwrap();
        std::mem::take(&mut kept.0.lock().unwrap())
    }

    #[tokio::test]
    async fn a_finished_run_is_told_with_its_verdict() {
        let done = report(Form::Message, Stage::Done(Verdict::Failure));
        let messages = told(async |bus| bus.tell(&done, Try::First).await).await;
        let body: Value = serde_json::from_slice(&messages[0].body).unwrap();
        assert_eq!(messages[0].topic, "org.example.dev.pointsman.run.finished");
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap(), @r#"
        {
          "revision": "c0ffee",
          "rule": "points",
          "run": "e01a192699d3f5b8287da183357d8c97",
          "stage": "finished",
          "subject": {
            "instance": "forge.example",
            "kind": "pull_request",
            "number": 7,
            "project": "signalbox"
          },
          "text": "points: failure",
          "url": "https://ci.example/job/points/3/",
          "verdict": "failure"
        }
        "#);
    }

    #[tokio::test]
    async fn a_repetition_is_known_by_its_id() {
        let running = report(Form::Message, Stage::Running);
        let messages = told(async |bus| {
            bus.tell(&running, Try::First).await?;
            bus.tell(&running, Try::Again).await?;
            bus.tell(&report(Form::Message, Stage::Queued), Try::First).await
        })
        .await;
        let ids: Vec<_> = messages.iter().map(|m| m.id.clone().unwrap()).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert!(uuid::Uuid::try_parse(&ids[0]).is_ok_and(|id| id.get_version_num() == 8));
        assert_eq!(messages[2].topic, "org.example.dev.pointsman.run.queued");
    }

    #[tokio::test]
    async fn a_notice_is_told_too() {
        let notice = Notice {
            rule: "nightly".to_owned(),
            subject: subject(),
            text: "broken".to_owned(),
            marker: "m-2".to_owned(),
            board: None,
            series: None,
        };
        let messages = told(async |bus| bus.notify(&notice, Try::First).await).await;
        assert_eq!(messages[0].topic, "org.example.dev.pointsman.notice");
    }

    #[tokio::test]
    async fn a_flag_is_nothing_for_a_bus() {
        let kept: Arc<dyn Post> = Arc::new(Mailbox::default());
        let bus = Bus::new(kept, String::new(), Clock::system());
        let refused = bus.tell(&report(Form::Flag, Stage::Running), Try::First).await;
        assert!(matches!(refused, Err(Failure::GiveUp(_))));
    }
}
