use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::markdown::written;
use super::*;
use crate::action::Stage;
use crate::neutral;
use crate::remote::chain;
use crate::reporters::contract::{
    Bench, HOSTILE, Limit, Weather, hostile_text, notice, pull_request, report,
};
use crate::sandbox::mattermost::{MattermostStandIn, Mood, Post};
use crate::subject::Verdict;

const TOKEN: &str = "signalbox0secret0token0000";
const SECRET: &str = "signalbox0secret0hook00000";

/// A Mattermost, and a reporter that posts to its channel.
struct World {
    mattermost: MattermostStandIn,
    reporter: Mattermost,
    _secrets: TempDir,
}

impl World {
    async fn with_token() -> Self {
        let mattermost = MattermostStandIn::start().await.unwrap();
        mattermost.add_token(TOKEN);
        let url = Url::parse(&mattermost.url()).unwrap();
        Self::new(mattermost, TOKEN, |settings, secret| MattermostSettings {
            url: Some(url),
            token: Some(secret),
            channel_id: Some(MattermostStandIn::CHANNEL.to_owned()),
            ..settings
        })
    }

    async fn with_webhook() -> Self {
        let mattermost = MattermostStandIn::start().await.unwrap();
        let webhook = mattermost.webhook(SECRET);
        Self::new(mattermost, &webhook, |settings, secret| MattermostSettings {
            webhook: Some(secret),
            ..settings
        })
    }

    fn new(
        mattermost: MattermostStandIn,
        secret: &str,
        with: impl FnOnce(MattermostSettings, SecretRef) -> MattermostSettings,
    ) -> Self {
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("secret");
        std::fs::write(&file, secret).unwrap();
        let settings = MattermostSettings {
            webhook: None,
            url: None,
            token: None,
            channel_id: None,
            concurrency: 1,
            timeout: Duration::from_secs(30),
        };
        let settings = with(settings, SecretRef::File(file));
        let reporter = Mattermost::new("town", &settings, Clock::system()).unwrap();
        Self { mattermost, reporter, _secrets: secrets }
    }

    async fn keeps_its_promises(&self, limits: &[Limit]) {
        let weather = |weather| match weather {
            Weather::Fair => self.mattermost.set_mood(Mood::Normal),
            Weather::LosesAnswer => self.mattermost.lose_answers(1),
            Weather::TooMany => self.mattermost.set_mood(Mood::TooMany { retry_after: 7 }),
            Weather::Broken => self.mattermost.set_mood(Mood::Failing(502)),
            Weather::Refuses => {
                self.mattermost.set_mood(Mood::Refusing("api.context.session_expired.app_error"));
            }
        };
        let seen = || {
            // As if half a minute had passed since each post.
            self.mattermost.forget_pending();
            let posts = self.mattermost.posts().into_iter();
            posts.map(|Post { message, props, .. }| format!("{message}\n{props}")).collect()
        };
        let report = told(Stage::Done(Verdict::Success));
        let bench = Bench { reporter: &self.reporter, report, weather: &weather, seen: &seen };
        bench.keeps_its_promises_within(limits).await;
    }

    async fn tell(&self, stage: Stage) -> Result<(), Failure> {
        self.reporter.tell(&told(stage), Try::First).await
    }

    /// What people see in the channel, a post on each line.
    fn seen(&self) -> String {
        let lines = self.mattermost.posts().into_iter().map(|post| {
            let thread = if post.root.is_empty() { "" } else { "  " };
            format!("{thread}{} ({} edits)", post.message.replace('\n', " / "), post.edits)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn told(stage: Stage) -> Report {
    let subject = pull_request("forge.example", "rail/signalbox", 7);
    let mut report = report(&subject, "abc", Form::Message);
    report.stage = stage;
    report.text = format!("**tests**: {}\n\n`{}`", stage.as_str(), report.marker);
    report
}

#[tokio::test]
async fn a_post_keeps_the_promises_of_a_report() {
    World::with_token().await.keeps_its_promises(&[]).await;
}

#[tokio::test]
async fn a_webhook_keeps_the_promises_that_it_can() {
    World::with_webhook().await.keeps_its_promises(&[Limit::Blind]).await;
}

#[tokio::test]
async fn a_run_is_one_post_and_a_failure_is_said_once_more() {
    let world = World::with_token().await;
    for stage in [Stage::Held, Stage::Queued, Stage::Running, Stage::Done(Verdict::Error)] {
        world.tell(stage).await.unwrap();
    }
    world.tell(Stage::Done(Verdict::Success)).await.unwrap();
    insta::assert_snapshot!(world.seen(), @r"
    **tests**: success (4 edits)
      **tests**: error (0 edits)
      **tests**: success (0 edits)
    ");
}

#[tokio::test]
async fn a_lost_answer_doubles_nothing_at_any_stage() {
    let world = World::with_token().await;
    for stage in [Stage::Queued, Stage::Running, Stage::Done(Verdict::Unstable)] {
        world.mattermost.lose_answers(1);
        world.tell(stage).await.unwrap_err();
        world.mattermost.forget_pending();
        world.reporter.tell(&told(stage), Try::Again).await.unwrap();
    }
    let posts = world.mattermost.posts();
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert_eq!(posts[0].edits, 2);
}

#[tokio::test]
async fn what_cannot_be_edited_any_more_is_said_anew() {
    let world = World::with_token().await;
    world.tell(Stage::Queued).await.unwrap();
    world.mattermost.close_edits();
    world.tell(Stage::Done(Verdict::Success)).await.unwrap();
    world.reporter.tell(&told(Stage::Done(Verdict::Success)), Try::Again).await.unwrap();
    assert_eq!(world.mattermost.posts().len(), 2);
}

#[tokio::test]
async fn an_older_page_is_looked_at_and_somebody_elses_post_is_not_ours() {
    let world = World::with_token().await;
    world.tell(Stage::Queued).await.unwrap();
    let mark = json!({ "marker": told(Stage::Queued).marker, "stage": "success" });
    world.mattermost.say("mallory", "All is well", json!({ "pointsman": mark }));
    for _ in 0..300 {
        world.mattermost.say("ada", "Good morning", Value::Null);
    }
    world.tell(Stage::Done(Verdict::Success)).await.unwrap();
    assert_eq!(world.mattermost.posts()[0].message, "**tests**: success");
    assert_eq!(world.mattermost.posts().len(), 302);
}

#[tokio::test]
async fn nobody_sees_a_marker() {
    let notice = notice(&told(Stage::Queued).subject, "pointsman:1");
    for world in [World::with_token().await, World::with_webhook().await] {
        world.reporter.notify(&notice, Try::First).await.unwrap();
        world.tell(Stage::Queued).await.unwrap();
        world.tell(Stage::Running).await.unwrap();
        let seen = world.seen();
        assert!(seen.starts_with("The nightly build is broken. (0"), "{seen}");
        assert!(!seen.contains("pointsman") && seen.lines().count() == 2, "{seen}");
    }
}

#[tokio::test]
async fn a_refusal_has_mattermosts_word_and_no_secret() {
    let mut seen = Vec::new();
    let mut told_of = async |world: &World| {
        let failure = world.tell(Stage::Done(Verdict::Success)).await.unwrap_err();
        let text = chain(&failure);
        let all = format!("{text} {failure:?} {:?}", world.reporter);
        assert!(!all.contains(SECRET) && !all.contains(TOKEN), "{all}");
        seen.push(text);
    };
    let world = World::with_token().await;
    for word in ["api.context.session_expired.app_error", "@all"] {
        world.mattermost.set_mood(Mood::Refusing(word));
        told_of(&world).await;
    }
    world.mattermost.set_mood(Mood::Failing(500));
    told_of(&world).await;
    let world = World::with_webhook().await;
    world.mattermost.webhook("another");
    told_of(&world).await;
    world.mattermost.stop().await;
    let failure = world.tell(Stage::Done(Verdict::Success)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    assert!(!format!("{failure:?} {}", chain(&failure)).contains(SECRET));
    insta::assert_snapshot!(seen.join("\n"), @r"
    permanent failure: cannot use the token in `mattermost.town.token`: api.context.session_expired.app_error: 401 Unauthorized
    permanent failure: cannot use the token in `mattermost.town.token`: 401 Unauthorized
    temporary failure: cannot use the token in `mattermost.town.token`: 500 Internal Server Error
    permanent failure: cannot post to the webhook of `mattermost.town`: web.incoming_webhook.invalid.app_error: 400 Bad Request
    ");
}

#[tokio::test]
async fn a_flag_has_no_place_here() {
    let world = World::with_token().await;
    let mut report = told(Stage::Queued);
    report.form = Form::Comment;
    let failure = world.reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let world = World::with_token().await;
    let mut seen = world.reporter.probe().await;
    world.mattermost.set_mood(Mood::Refusing("api.context.session_expired.app_error"));
    let stranger = World::with_token().await;
    stranger.mattermost.set_mood(Mood::Refusing("api.context.session_expired.app_error"));
    seen.extend(stranger.reporter.probe().await);
    seen.extend(World::with_webhook().await.reporter.probe().await);
    let lines = seen.into_iter().map(|Finding { subject, problem }| {
        format!("{subject}: {}", problem.unwrap_or_else(|| "fine".to_owned()))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    the token in `mattermost.town.token`: fine
    channel `signalboxsignalboxsignalbo`: fine
    the token in `mattermost.town.token`: cannot use the token in `mattermost.town.token`: api.context.session_expired.app_error: 401 Unauthorized
    the webhook, which only a post could try: fine
    ");
}

#[test]
fn markdown_is_written_anew() {
    insta::assert_snapshot!(written(
        "# Nightly\n\n**rail/signalbox** at `abc`: *failed* ([build 7](https://ci.example/a_(b)?c=1))\n\
         see https://ci.example/job/a_b/7/, job a_b, 1 - 2 and 2.5 s.\n\n1. one\n2. two\n\n> quote\n\n```\nmake x\n```\n"
    ), @r"
    **Nightly**

    **rail/signalbox** at `abc`: *failed* ([build 7](https://ci.example/a_%28b%29?c=1))
    see https://ci.example/job/a_b/7/, job a_b, 1 - 2 and 2.5 s.

    1. one
    2. two

    > quote

    ```
    make x
    ```
    ");
    let seen =
        written("\\# x @ada \\~town a~b #tag &lt;b&gt; \\*x\\* \\[y\\](z) &vert; 1\\. `@all`");
    insta::assert_snapshot!(seen.replace(neutral::SEAM, "·"), @r"\# x @·ada \~·town a\~·b #·tag <·b> \*x\* \[y\](z) \| 1. `@·all`");
}

/// What Mattermost would obey in a text: a mention, a tag or a channel.
fn obeyed(text: &str) -> Option<&str> {
    text.match_indices(['@', '#', '~']).map(|(at, _)| text.split_at(at)).find_map(
        |(before, rest)| {
            // An address may have a `#` or a `~` in it, and is nothing but an address.
            let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            let is_in_address = word.contains("http") && !rest.starts_with('@');
            let is_name = rest.chars().nth(1).is_some_and(char::is_alphanumeric);
            (is_name && !is_in_address).then_some(rest)
        },
    )
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
    assert_eq!(obeyed("hi @all"), Some("@all"));
}

#[test]
fn what_is_told_of_a_series_is_links_and_words() {
    let text = "**tests** on [Oil the \\[points\\] @\u{2060}all](https://patches.example/list/?series=12) v2: \
                **failed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))\nPatch 2 of 2";
    insta::assert_snapshot!(written(text).replace(neutral::SEAM, "·"), @r"
    **tests** on [Oil the \[points\] @·all](https://patches.example/list/?series=12) v2: **failed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    Patch 2 of 2
    ");
}
