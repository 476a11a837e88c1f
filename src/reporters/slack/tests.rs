mod series;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::mrkdwn::written;
use super::*;
use crate::action::Stage;
use crate::neutral;
use crate::remote::chain;
use crate::reporters::chat::SEARCH_MAX;
use crate::reporters::contract::{
    Bench, HOSTILE, Limit, Weather, hostile_text, notice, pull_request, report,
};
use crate::sandbox::slack::{Message, Mood, SlackStandIn};
use crate::subject::Verdict;

const TOKEN: &str = "xoxb-SIGNALBOX0SECRET";
const SECRET: &str = "HOOK0SIGNALBOX0SECRET";
const SCOPES: &[&str] = &["chat:write", "channels:history"];

/// A Slack, and a reporter that posts to its channel.
struct World {
    slack: SlackStandIn,
    reporter: Slack,
    _secrets: TempDir,
}

impl World {
    async fn with_token() -> Self {
        Self::new(|slack| {
            slack.add_token(TOKEN, SCOPES);
            (TOKEN.to_owned(), |settings, secret| SlackSettings {
                token: Some(secret),
                channel: Some(SlackStandIn::CHANNEL.to_owned()),
                ..settings
            })
        })
        .await
    }

    async fn with_webhook() -> Self {
        Self::new(|slack| {
            (slack.webhook(SECRET), |settings, secret| SlackSettings {
                webhook: Some(secret),
                ..settings
            })
        })
        .await
    }

    async fn new(
        set_up: impl Fn(&SlackStandIn) -> (String, fn(SlackSettings, SecretRef) -> SlackSettings),
    ) -> Self {
        let slack = SlackStandIn::start().await.unwrap();
        let (secret, with) = set_up(&slack);
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("secret");
        std::fs::write(&file, secret).unwrap();
        let settings = SlackSettings {
            webhook: None,
            token: None,
            channel: None,
            url: Some(Url::parse(&slack.url()).unwrap()),
            concurrency: 1,
            timeout: Duration::from_secs(30),
        };
        let settings = with(settings, SecretRef::File(file));
        let reporter = Slack::new("ops", &settings, Clock::system()).unwrap();
        Self { slack, reporter, _secrets: secrets }
    }

    async fn keeps_its_promises(&self, limits: &[Limit]) {
        let weather = |weather| match weather {
            Weather::Fair => self.slack.set_mood(Mood::Normal),
            Weather::LosesAnswer => self.slack.lose_answers(1),
            Weather::TooMany => self.slack.set_mood(Mood::TooMany { retry_after: 7 }),
            Weather::Broken => self.slack.set_mood(Mood::Failing(503)),
            Weather::Refuses => self.slack.set_mood(Mood::Refusing("invalid_auth")),
        };
        let seen = || {
            let messages = self.slack.messages().into_iter();
            messages.map(|Message { text, metadata, .. }| format!("{text}\n{metadata}")).collect()
        };
        let report = told(Stage::Done(Verdict::Success));
        let bench = Bench { reporter: &self.reporter, report, weather: &weather, seen: &seen };
        bench.keeps_its_promises_within(limits).await;
    }

    async fn tell(&self, stage: Stage) -> Result<(), Failure> {
        self.reporter.tell(&told(stage), Try::First).await
    }

    /// What people see in the channel, a message on each line.
    fn seen(&self) -> String {
        let lines = self.slack.messages().into_iter().map(|message| {
            let thread = if message.thread.is_some() { "  " } else { "" };
            let shown = if message.is_broadcast { ", for all" } else { "" };
            let text = message.text.replace('\n', " / ");
            format!("{thread}{text} ({} edits{shown})", message.edits)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A report of one run at a stage; the marker is among its words where only words arrive.
fn told(stage: Stage) -> Report {
    let subject = pull_request("forge.example", "rail/signalbox", 7);
    let mut report = report(&subject, "abc", Form::Message);
    report.stage = stage;
    let marker = &report.marker;
    report.text = format!("**tests** of {marker}: {}\n\n`{marker}`", stage.as_str());
    report
}

#[tokio::test]
async fn a_message_keeps_the_promises_of_a_report() {
    World::with_token().await.keeps_its_promises(&[]).await;
}

#[tokio::test]
async fn a_webhook_keeps_the_promises_that_it_can() {
    World::with_webhook().await.keeps_its_promises(&[Limit::Blind]).await;
}

#[tokio::test]
async fn a_run_is_one_message_and_a_failure_is_said_once_more() {
    let world = World::with_token().await;
    for stage in [Stage::Queued, Stage::Running, Stage::Done(Verdict::Error)] {
        world.tell(stage).await.unwrap();
    }
    world.tell(Stage::Done(Verdict::Success)).await.unwrap();
    let marker = told(Stage::Queued).marker;
    insta::assert_snapshot!(world.seen().replace(&marker, "…"), @r"
    *tests* of …: success (3 edits)
      *tests* of …: error (0 edits, for all)
      *tests* of …: success (0 edits, for all)
    ");
}

#[tokio::test]
async fn a_lost_answer_doubles_nothing_at_any_stage() {
    let world = World::with_token().await;
    let stages = [Stage::Queued, Stage::Running, Stage::Done(Verdict::Failure)];
    for stage in stages {
        // A verdict is said in the thread, and then edited: both answers get lost.
        world.slack.lose_answers(1);
        world.tell(stage).await.unwrap_err();
        world.slack.lose_answers(1);
        let again = world.reporter.tell(&told(stage), Try::Again).await;
        assert_eq!(again.is_err(), stage == Stage::Done(Verdict::Failure), "{again:?}");
        world.slack.lose_answers(0);
        world.reporter.tell(&told(stage), Try::Again).await.unwrap();
    }
    let messages = world.slack.messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0].edits, 2);
}

#[tokio::test]
async fn what_cannot_be_edited_any_more_is_said_anew() {
    let world = World::with_token().await;
    world.tell(Stage::Queued).await.unwrap();
    world.slack.close_edits();
    world.tell(Stage::Done(Verdict::Success)).await.unwrap();
    world.reporter.tell(&told(Stage::Done(Verdict::Success)), Try::Again).await.unwrap();
    assert_eq!(world.slack.messages().len(), 2);
}

#[tokio::test]
async fn a_search_has_an_end() {
    let world = World::with_token().await;
    world.tell(Stage::Queued).await.unwrap();
    for _ in 0..SEARCH_MAX - 1 {
        world.slack.say("U0ADA", "Good morning", Value::Null);
    }
    world.tell(Stage::Running).await.unwrap();
    assert_eq!(world.slack.messages()[0].edits, 1);
    world.slack.say("U0ADA", "Good evening", Value::Null);
    world.tell(Stage::Done(Verdict::Success)).await.unwrap();
    assert_eq!(world.slack.messages()[0].edits, 1);
    assert_eq!(world.slack.messages().len(), SEARCH_MAX + 2);
}

#[tokio::test]
async fn somebody_elses_message_is_not_ours() {
    let world = World::with_token().await;
    let report = told(Stage::Done(Verdict::Success));
    let mark = json!({ "marker": report.marker, "stage": "success" });
    let metadata = json!({ "event_type": "pointsman_report", "event_payload": mark });
    world.slack.say("U0MALLORY", "All is well", metadata);
    world.slack.say("U0BOB", "x", json!({ "event_type": 1, "event_payload": [] }));
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.slack.messages().len(), 3);
}

#[tokio::test]
async fn nobody_sees_a_marker() {
    let notice = notice(&told(Stage::Queued).subject, "pointsman:1");
    for world in [World::with_token().await, World::with_webhook().await] {
        world.reporter.notify(&notice, Try::First).await.unwrap();
        assert_eq!(world.slack.messages()[0].text, "The nightly build is broken.");
    }
    let world = World::with_token().await;
    world.slack.lose_answers(1);
    world.reporter.notify(&notice, Try::First).await.unwrap_err();
    world.reporter.notify(&notice, Try::Again).await.unwrap();
    assert_eq!(world.slack.messages().len(), 1);
}

#[tokio::test]
async fn a_webhook_has_no_message_for_the_wait_in_the_queue() {
    let world = World::with_webhook().await;
    for stage in [Stage::Held, Stage::Queued, Stage::Running, Stage::Done(Verdict::Success)] {
        world.tell(stage).await.unwrap();
    }
    let marker = told(Stage::Queued).marker;
    insta::assert_snapshot!(world.seen().replace(&marker, "…"), @r"
    *tests* of …: held (0 edits)
    *tests* of …: running (0 edits)
    *tests* of …: success (0 edits)
    ");
}

#[tokio::test]
async fn a_refusal_has_slacks_word_and_no_secret() {
    let mut seen = Vec::new();
    let mut told_of = async |world: &World| {
        let failure = world.tell(Stage::Done(Verdict::Success)).await.unwrap_err();
        let kind = if matches!(failure, Failure::GiveUp(_)) { "no" } else { "later" };
        let text = chain(&failure);
        let all = format!("{text} {failure:?} {:?}", world.reporter);
        assert!(!all.contains(SECRET) && !all.contains(TOKEN), "{all}");
        seen.push(format!("{kind}: {}", text.replace(&world.slack.url(), "…")));
    };
    let world = World::with_token().await;
    world.slack.archive();
    told_of(&world).await;
    world.slack.add_token(TOKEN, &["chat:write"]);
    told_of(&world).await;
    for word in ["internal_error", "ratelimited", "<!channel> https://x.example", "token_revoked"] {
        world.slack.set_mood(Mood::Refusing(word));
        told_of(&world).await;
    }
    let world = World::with_webhook().await;
    world.slack.archive();
    told_of(&world).await;
    world.slack.webhook("another");
    told_of(&world).await;
    world.slack.set_mood(Mood::Refusing("action_prohibited"));
    told_of(&world).await;
    world.slack.set_mood(Mood::Failing(500));
    told_of(&world).await;
    world.slack.lose_answers(1);
    world.slack.stop().await;
    let failure = world.tell(Stage::Done(Verdict::Success)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    assert!(!format!("{failure:?} {}", chain(&failure)).contains(SECRET));
    insta::assert_snapshot!(seen.join("\n"), @r"
    no: permanent failure: cannot post to channel `C0SIGNALBOX` of `slack.ops`: is_archived
    no: permanent failure: cannot read channel `C0SIGNALBOX` of `slack.ops`: missing_scope (it needs channels:history)
    later: temporary failure: cannot read channel `C0SIGNALBOX` of `slack.ops`: internal_error
    later: temporary failure: cannot read channel `C0SIGNALBOX` of `slack.ops`: ratelimited: 429 Too Many Requests
    no: permanent failure: cannot read channel `C0SIGNALBOX` of `slack.ops`: refused
    no: permanent failure: cannot read channel `C0SIGNALBOX` of `slack.ops`: token_revoked
    no: permanent failure: cannot post to the webhook of `slack.ops`: channel_is_archived: 410 Gone
    no: permanent failure: cannot post to the webhook of `slack.ops`: no_service: 404 Not Found
    no: permanent failure: cannot post to the webhook of `slack.ops`: action_prohibited: 403 Forbidden
    later: temporary failure: cannot post to the webhook of `slack.ops`: 500 Internal Server Error
    ");
}

#[tokio::test]
async fn what_is_kept_in_the_wrong_place_is_not_shown() {
    let secrets = TempDir::new().unwrap();
    let file = secrets.path().join("secret");
    for wrong in ["hooks.slack.com/services/HOOK0SIGNALBOX0SECRET", "ftp://HOOK0SIGNALBOX0SECRET/"]
    {
        std::fs::write(&file, wrong).unwrap();
        let settings = SlackSettings {
            webhook: Some(SecretRef::File(file.clone())),
            token: None,
            channel: None,
            url: None,
            concurrency: 1,
            timeout: Duration::from_secs(1),
        };
        let error = Slack::new("ops", &settings, Clock::system()).unwrap_err();
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        let text = chain(error.as_ref());
        assert!(text.starts_with("cannot use `slack.ops.webhook`: what is kept there"), "{text}");
    }
}

#[tokio::test]
async fn a_flag_has_no_place_here() {
    let world = World::with_token().await;
    let mut report = told(Stage::Queued);
    report.form = Form::Flag;
    let failure = world.reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let world = World::with_token().await;
    let mut seen = world.reporter.probe().await;
    world.slack.add_token(TOKEN, &["chat:write"]);
    seen.extend(world.reporter.probe().await);
    let stranger = World::with_token().await;
    stranger.slack.set_mood(Mood::Refusing("invalid_auth"));
    seen.extend(stranger.reporter.probe().await);
    seen.extend(World::with_webhook().await.reporter.probe().await);
    let lines = seen.into_iter().map(|Finding { subject, problem }| {
        format!("{subject}: {}", problem.unwrap_or_else(|| "fine".to_owned()))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    the token in `slack.ops.token`: fine
    channel `C0SIGNALBOX`: fine
    the token in `slack.ops.token`: fine
    channel `C0SIGNALBOX`: cannot read channel `C0SIGNALBOX` of `slack.ops`: missing_scope (it needs channels:history)
    the token in `slack.ops.token`: cannot use the token in `slack.ops.token`: invalid_auth
    the webhook, which only a message could try: fine
    ");
}

#[test]
fn markdown_becomes_mrkdwn() {
    insta::assert_snapshot!(written(
        "# Nightly\n\n**rail/signalbox** at `abc`: *failed* ([build 7](https://ci.example/?a=1&b=2))\n\
         see https://ci.example/job/a_b/7/.\n\n- one\n- two\n  1. three\n\n> quote & <b>\n\n```\nmake x <y>\n```\n\n---\n"
    ), @r"
    *Nightly*

    *rail/signalbox* at `abc`: _failed_ (<https://ci.example/?a=1&amp;b=2|build 7>)
    see <https://ci.example/job/a_b/7/>.

    • one
    • two
      1. three

    > quote &amp; &lt;b&gt;

    ```
    make x &lt;y&gt;
    ```

    * * *
    ");
    insta::assert_snapshot!(written("[x](javascript:alert(1)) ![pic](https://x.example/a|b>c)"), @"x <https://x.example/a%7Cb%3Ec|pic>");
}

#[test]
fn a_message_is_not_longer_than_slack_takes() {
    let long = written(&"a & b <c> ".repeat(10_000));
    assert!(long.chars().count() <= 3_900, "{}", long.len());
    assert_eq!(written(""), "");
}

/// What Slack would obey in a text.
fn obeyed(text: &str) -> Option<&str> {
    let is_link = |inner: &str| inner.starts_with("https://") || inner.starts_with("http://");
    let commands = text.split('<').skip(1).find(|inner| !is_link(inner));
    let mentions = text
        .split('@')
        .skip(1)
        .find(|rest| rest.chars().next().is_none_or(|c| c != neutral::SEAM && !c.is_whitespace()));
    commands.or(mentions.filter(|rest| !rest.is_empty()))
}

proptest! {
    #[test]
    fn nothing_from_outside_is_obeyed(text in hostile_text()) {
        for markdown in [
            neutral::line(&text),
            format!("**{}**: x", neutral::line(&text)),
            format!("- {}", neutral::line(&text)),
            format!("[{}](https://ci.example/)", neutral::line(&text)),
            format!("`{}`", neutral::line(&text)),
            text.clone(),
        ] {
            let out = written(&markdown);
            prop_assert_eq!(obeyed(&out), None, "{} from {}", out, markdown);
        }
    }
}

#[test]
fn a_hostile_title_is_words() {
    let out = written(&neutral::line(HOSTILE));
    assert_eq!(obeyed(&out), None, "{out}");
    assert_eq!(obeyed("hi <!channel>"), Some("!channel>"));
}
