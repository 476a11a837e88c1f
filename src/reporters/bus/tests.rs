use serde_json::Value;

use super::*;
use crate::action::{AboutArtifact, OnBoard};
use crate::clock::Hand;
use crate::event::artifact::message::Announcement;
use crate::reporters::contract::series;
use crate::subject::{Subject, SubjectKind};

mod cdevents;
mod eiffel;
mod heard;
mod languages;

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

/// What is posted in our own language.
async fn told(what: impl AsyncFn(&Bus) -> Result<(), Failure>) -> Vec<Message> {
    told_as(Language::Pointsman, what).await
}

async fn told_as(
    language: Language,
    what: impl AsyncFn(&Bus) -> Result<(), Failure>,
) -> Vec<Message> {
    let kept = Arc::new(Mailbox::default());
    let post: Arc<dyn Post> = Arc::<Mailbox>::clone(&kept);
    let hand = Hand::at("2026-11-20T08:24:32Z".parse().unwrap());
    let languages = vec![language];
    let page_url = Url::parse("https://pointsman.example/ci/").unwrap();
    let name = OwnName::new(Some(&page_url));
    let speech = Speech { prefix: "org.example.dev".to_owned(), languages, name };
    let bus = Bus::new(post, speech, Clock::manual(hand));
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
    let languages = vec![Language::Pointsman, Language::Cdevents, Language::Eiffel];
    let speech = Speech { prefix: String::new(), languages, name: OwnName::new(None) };
    let bus = Bus::new(kept, speech, Clock::system());
    let refused = bus.tell(&report(Form::Flag, Stage::Running), Try::First).await;
    assert!(matches!(refused, Err(Failure::GiveUp(_))));
}

/// A report about an image on two boards.
fn about_boards(stage: Stage, boards: &[(&str, Stage, Option<&str>)]) -> Report {
    let body = br#"{"name": "nano", "build": "3", "url": "https://images.example/3/"}"#;
    let of = Announcement::parse(body).unwrap().into_event("images".to_owned()).unwrap();
    let boards = boards.iter().map(|(board, stage, reason)| OnBoard {
        board: (*board).to_owned(),
        stage: *stage,
        reason: reason.map(str::to_owned),
        url: Some(format!("https://lab.example/{board}")),
        attempt: 1,
    });
    let boards = boards.collect();
    let subject = of.subject();
    let artifact = Some(Box::new(AboutArtifact { of, boards }));
    Report { subject, revision: "3".to_owned(), artifact, ..report(Form::Message, stage) }
}

#[tokio::test]
async fn of_an_artifact_each_board_is_told() {
    let reason = Some("boot\u{1b}[31m timed\nout");
    let boards =
        [("qemu-arm64", Stage::Running, None), ("x86", Stage::Done(Verdict::Error), reason)];
    let first = about_boards(Stage::Running, &[boards[0]]);
    let second = about_boards(Stage::Running, &boards);
    let messages = told(async |bus| {
        bus.tell(&first, Try::First).await?;
        bus.tell(&second, Try::First).await
    })
    .await;
    assert_ne!(messages[0].id, messages[1].id, "it is another stage of the same stage");
    let body: Value = serde_json::from_slice(&messages[1].body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&body["artifact"]).unwrap(), @r#"
    {
      "build": "3",
      "name": "nano",
      "url": "https://images.example/3/"
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&body["boards"]).unwrap(), @r#"
    [
      {
        "attempt": 1,
        "board": "qemu-arm64",
        "reason": null,
        "stage": "started",
        "url": "https://lab.example/qemu-arm64",
        "verdict": null
      },
      {
        "attempt": 1,
        "board": "x86",
        "reason": "boot timed\nout",
        "stage": "finished",
        "url": "https://lab.example/x86",
        "verdict": "error"
      }
    ]
    "#);
}
