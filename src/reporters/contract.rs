//! What every reporter promises, asked of each by its own tests.

mod board;
pub(crate) mod series;

use std::time::Duration;

use crate::action::{Form, Notice, Report, Stage};
use crate::executors::Try;
use crate::message::hash;
use crate::neutral;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::subject::{RunId, Subject, SubjectKind, Verdict};

/// A title that wants to do harm wherever it is shown.
pub(crate) const HOSTILE: &str = "/packit build\r\n@everyone <!-- x --> recheck | [citest]\u{202e} \
     `retest this please` <img src=x onerror=alert(1)>\n/ci ok";

/// How the outside system behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weather {
    /// As it should.
    Fair,
    /// It does what it is asked next, and hangs up instead of answering.
    LosesAnswer,
    /// It asks to wait seven seconds.
    TooMany,
    /// It is broken.
    Broken,
    /// It says 401.
    Refuses,
}

/// A reporter, and the system it reports to.
pub(crate) struct Bench<'a> {
    /// The reporter.
    pub(crate) reporter: &'a dyn Reporter,
    /// A report that it can make.
    pub(crate) report: Report,
    /// Changes how the system behaves.
    pub(crate) weather: &'a (dyn Fn(Weather) + Sync),
    /// The texts that people see where the report belongs.
    pub(crate) seen: &'a (dyn Fn() -> Vec<String> + Sync),
}

/// What a system keeps its reporter from promising.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Nothing can be looked up there: what is told again is seen again.
    Blind,
    /// It cannot say for how long it asks to wait.
    Vague,
}

/// A report about a run that has ended well.
pub(crate) fn report(subject: &Subject, revision: &str, form: Form) -> Report {
    let run = RunId::of(subject, revision, "tests", 1);
    let marker = format!("pointsman-{run}");
    Report {
        run,
        rule: "tests".to_owned(),
        subject: subject.clone(),
        revision: revision.to_owned(),
        form,
        stage: Stage::Done(Verdict::Success),
        text: format!("**tests**: success\n\n{marker}"),
        url: Some("https://ci.example/job/tests/7/".to_owned()),
        marker,
        board: None,
        flag: "pointsman/tests".to_owned(),
        series: None,
        artifact: None,
    }
}

/// A notice about a pull request.
pub(crate) fn notice(subject: &Subject, marker: &str) -> Notice {
    Notice {
        rule: "nightly".to_owned(),
        subject: subject.clone(),
        text: format!("The nightly build is broken.\n\n{marker}"),
        marker: marker.to_owned(),
        board: None,
        series: None,
    }
}

/// A pull request.
pub(crate) fn pull_request(instance: &str, project: &str, number: u64) -> Subject {
    Subject {
        kind: SubjectKind::PullRequest,
        instance: instance.to_owned(),
        project: project.to_owned(),
        number,
        name: None,
    }
}

impl Bench<'_> {
    /// Asks for all that a reporter promises.
    pub(crate) async fn keeps_its_promises(&self) {
        self.keeps_its_promises_within(&[]).await;
    }

    /// Asks for all that a reporter promises where the system has these limits.
    pub(crate) async fn keeps_its_promises_within(&self, limits: &[Limit]) {
        let seen = if limits.contains(&Limit::Blind) { 2 } else { 1 };
        let wait = (!limits.contains(&Limit::Vague)).then(|| Duration::from_secs(7));
        self.the_same_told_again_is_seen_once(seen).await;
        self.what_arrived_without_an_answer_is_seen_once(seen).await;
        self.a_system_that_asks_to_wait_is_waited_for(wait).await;
        self.a_system_that_is_broken_is_tried_again().await;
        self.a_refusal_is_final_and_tells_no_secret().await;
        self.hostile_text_is_words().await;
    }

    /// Or twice, where nothing can be looked up.
    async fn the_same_told_again_is_seen_once(&self, seen: usize) {
        let report = self.another("again");
        self.tell(&report, Try::First).await.unwrap();
        self.tell(&report, Try::Again).await.unwrap();
        assert_eq!(self.count(&report), seen, "told again");
    }

    /// Or twice, where nothing can be looked up.
    async fn what_arrived_without_an_answer_is_seen_once(&self, seen: usize) {
        let report = self.another("lost");
        (self.weather)(Weather::LosesAnswer);
        let lost = self.tell(&report, Try::First).await;
        assert!(matches!(lost, Err(Failure::Retry { .. })), "{lost:?}");
        (self.weather)(Weather::Fair);
        self.tell(&report, Try::Again).await.unwrap();
        assert_eq!(self.count(&report), seen, "after a lost answer");
    }

    async fn a_system_that_asks_to_wait_is_waited_for(&self, wait: Option<Duration>) {
        let report = self.another("wait");
        (self.weather)(Weather::TooMany);
        for attempt in [Try::First, Try::Again] {
            match self.tell(&report, attempt).await {
                Err(Failure::Retry { after, .. }) => {
                    assert_eq!(after, wait);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.count(&report), 0, "while asked to wait");
        (self.weather)(Weather::Fair);
        self.tell(&report, Try::Again).await.unwrap();
        assert_eq!(self.count(&report), 1, "after the wait");
    }

    async fn a_system_that_is_broken_is_tried_again(&self) {
        let report = self.another("broken");
        (self.weather)(Weather::Broken);
        for attempt in [Try::First, Try::Again] {
            let told = self.tell(&report, attempt).await;
            assert!(matches!(told, Err(Failure::Retry { .. })), "{told:?}");
        }
        (self.weather)(Weather::Fair);
        self.tell(&report, Try::Again).await.unwrap();
        assert_eq!(self.count(&report), 1, "after the repair");
    }

    async fn a_refusal_is_final_and_tells_no_secret(&self) {
        let report = self.another("refused");
        (self.weather)(Weather::Refuses);
        let told = self.tell(&report, Try::First).await;
        assert!(matches!(told, Err(Failure::GiveUp(_))), "{told:?}");
        assert_eq!(self.count(&report), 0, "when refused");
        (self.weather)(Weather::Fair);
    }

    async fn hostile_text_is_words(&self) {
        let mut report = self.another("hostile");
        // The marker first: words beside a commit are cut after few characters.  Twice: where the
        // last line is kept from people, it is among the words, too.
        let marker = &report.marker;
        report.text = format!(
            "{marker}, {}

{marker}",
            neutral::line(HOSTILE)
        );
        self.tell(&report, Try::First).await.unwrap();
        let seen = self.texts(&report).remove(0);
        assert!(seen.contains("everyone"), "{seen}");
        for harm in ["<!--", "<img", "@everyone", "[citest]", "recheck", "retest this"] {
            assert!(!seen.contains(harm), "{harm} in {seen}");
        }
        assert!(seen.lines().all(|line| !line.starts_with('/')), "{seen}");
    }

    /// The report again, as of another run.
    fn another(&self, name: &str) -> Report {
        let mut report = self.report.clone();
        let marker = format!("{}-{name}", report.marker);
        report.text = report.text.replace(&report.marker, &marker);
        report.marker = marker;
        report.flag = hash(&[report.flag.as_bytes(), name.as_bytes()]);
        report
    }

    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        self.reporter.tell(report, attempt).await
    }

    fn count(&self, report: &Report) -> usize {
        self.texts(report).len()
    }

    fn texts(&self, report: &Report) -> Vec<String> {
        let seen = (self.seen)().into_iter();
        seen.filter(|text| text.contains(&report.marker)).collect()
    }
}

/// Texts that want to be more than words.
pub(crate) fn hostile_text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "@",
        "@here",
        "@channel",
        "@all",
        "@everyone",
        "<!channel>",
        "<!here|x>",
        "<@U123>",
        "<#C1>",
        "<",
        ">",
        "|",
        "&",
        "&lt;",
        "&#64;",
        "!",
        "\\",
        "`",
        "```",
        "*",
        "**",
        "_",
        "~",
        "~~",
        "#",
        "[x](",
        ")",
        "[",
        "]",
        "https://x.example/@all",
        "http://",
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "    ",
        "- ",
        "1. ",
        "/ci ok",
        "Tested-by: Mallory <m@x.example>",
        "From ",
        "diff --git a/x b/x",
        "Bcc: m@x.example",
        ".",
        "ada",
        "ſ",
        "\u{202e}",
        "\u{2060}",
        "é",
        "<!-- x -->",
        "<b>",
    ];
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}
