//! The message bus: what happens to runs, for programs that listen.

use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::action::{AboutSeries, Form, Notice, Part, Report, Stage};
use crate::clock::Clock;
use crate::event::series::{Branch, SeriesEvent};
use crate::executors::Try;
use crate::message::{Message, computed_id};
use crate::neutral;
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
    let mut body = json!({
        "run": report.run,
        "rule": report.rule,
        "subject": report.subject,
        "revision": report.revision,
        "stage": stage,
        "verdict": verdict,
        "url": report.url,
        "text": report.text,
    });
    if let Some(about) = &report.series {
        put(&mut body, about_series(about));
    }
    Outgoing {
        id: id(&report.marker, report.stage.as_str()),
        topic: format!("pointsman.run.{stage}"),
        headers: Map::new(),
        body,
    }
}

/// Adds `series` to what is told.
fn put(body: &mut Value, series: Value) {
    if let Some(body) = body.as_object_mut() {
        body.insert("series".to_owned(), series);
    }
}

/// What was built: enough to fetch it, and to find the mail that is to blame.
fn about_series(about: &AboutSeries) -> Value {
    let AboutSeries { of, branch, patch, part, was_broken, blamed } = about;
    let mut series = posted(of);
    if let Some(series) = series.as_object_mut() {
        let part = match part {
            Part::Apply => "apply",
            Part::Build => "build",
        };
        series.insert("part".to_owned(), part.into());
        series.insert("patch".to_owned(), patch.map(|patch| mail(of, patch)).into());
        series.insert("branch".to_owned(), branch.as_ref().map(fetched).into());
        series.insert("was_broken".to_owned(), (*was_broken).into());
        series.insert("blamed".to_owned(), blamed.map(|patch| mail(of, patch)).into());
    }
    series
}

/// A series as it was posted.
fn posted(of: &SeriesEvent) -> Value {
    let series = &of.series;
    json!({
        "id": series.id,
        "version": series.version,
        "title": neutral::plain(&series.title),
        "root": series.root,
        "url": series.url,
        "count": series.patches.len(),
    })
}

/// The patch with this number, from 1.
fn mail(of: &SeriesEvent, number: u32) -> Value {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let letter = index.and_then(|index| of.series.patches.get(index));
    json!({ "number": number, "msgid": letter.map(|letter| &letter.msgid) })
}

/// Where a series can be fetched, and what it is upon.
fn fetched(branch: &Branch) -> Value {
    let Branch { url, name, sha, base, .. } = branch;
    json!({ "url": url, "name": name, "sha": sha, "base": base })
}

fn about_nothing_of_ours(notice: &Notice) -> Outgoing {
    let mut body = json!({
        "rule": notice.rule,
        "subject": notice.subject,
        "text": notice.text,
    });
    if let Some(of) = &notice.series {
        put(&mut body, posted(of));
    }
    Outgoing {
        id: id(&notice.marker, "notice"),
        topic: "pointsman.notice".to_owned(),
        headers: Map::new(),
        body,
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
    use crate::reporters::contract::series;
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
            artifact: None,
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
    async fn of_a_series_it_is_told_where_it_is_and_which_mail_is_to_blame() {
        let mut report = series::about(Form::Message);
        let about = report.series.as_deref_mut().unwrap();
        about.blamed = Some(2);
        about.of.series.title = "Oil\u{202e} \u{1b}[31mthe points".to_owned();
        let notice = series::notice_about("m-3");
        let messages = told(async |bus| {
            bus.tell(&report, Try::First).await?;
            bus.notify(&notice, Try::First).await
        })
        .await;
        let series = |message: &Message| {
            let body: Value = serde_json::from_slice(&message.body).unwrap();
            serde_json::to_string_pretty(&body["series"]).unwrap()
        };
        insta::assert_snapshot!(series(&messages[0]), @r#"
        {
          "blamed": {
            "msgid": "20261120-2-ada@points.example",
            "number": 2
          },
          "branch": {
            "base": {
              "branch": "master",
              "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
              "why": "the first that it applies to"
            },
            "name": "pointsman/main/12/v2",
            "sha": "cccccccccccccccccccccccccccccccccccccccc",
            "url": "https://git.example/series.git"
          },
          "count": 2,
          "id": "12",
          "part": "build",
          "patch": null,
          "root": "20261120-0-ada@points.example",
          "title": "Oil the points",
          "url": "https://patches.example/project/signalbox-devel/list/?series=12",
          "version": 2,
          "was_broken": false
        }
        "#);
        insta::assert_snapshot!(series(&messages[1]), @r#"
        {
          "count": 2,
          "id": "12",
          "root": "20261120-0-ada@points.example",
          "title": "Oil the points",
          "url": "https://patches.example/project/signalbox-devel/list/?series=12",
          "version": 2
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
