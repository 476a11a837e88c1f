mod encrypted;
mod series;

use insta::assert_snapshot;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::neutral;
use crate::remote::chain;
use crate::reporters::contract::{
    Bench, HOSTILE, Limit, Weather, hostile_text, notice, pull_request, report,
};
use crate::sandbox::mail::{MailStandIn, Mood};
use crate::subject::{SubjectKind, Verdict};

const PASSWORD: &str = "SIGNALBOX0SECRET";

/// A mail server, and a reporter that writes to two people through it.
struct World {
    server: MailStandIn,
    settings: MailSettings,
    reporter: Mail,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        let server = MailStandIn::start().await.unwrap();
        server.add_user("pointsman", PASSWORD);
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let settings = MailSettings {
            port: Some(server.port()),
            password: Some(SecretRef::File(file)),
            ..settings()
        };
        let reporter = Mail::new("list", &settings, clock()).unwrap();
        Self { server, settings, reporter, _secrets: secrets }
    }

    async fn tell(&self, report: &Report) -> Result<(), Failure> {
        self.reporter.tell(report, Try::First).await
    }

    async fn fails(&self) -> String {
        let failure = self.tell(&told(Verdict::Success)).await.unwrap_err();
        let kind = if matches!(failure, Failure::GiveUp(_)) { "no" } else { "later" };
        let text = chain(&failure);
        let all = format!("{text} {failure:?} {:?}", self.reporter);
        assert!(!all.contains(PASSWORD), "{all}");
        format!("{kind}: {}", text.replace(&self.server.port().to_string(), "PORT"))
    }
}

fn clock() -> Clock {
    Clock::manual(Hand::at(from_millis(1_795_162_907_000)))
}

fn settings() -> MailSettings {
    MailSettings {
        host: "127.0.0.1".to_owned(),
        port: None,
        security: Security::None,
        ca: None,
        username: Some("pointsman".to_owned()),
        password: None,
        from: "Pointsman <ci@forge.example>".to_owned(),
        to: vec!["signalbox@lists.example".to_owned(), "Grace <grace@forge.example>".to_owned()],
        cc: vec!["ada@forge.example".to_owned()],
        to_author: false,
        reply_to: Some("help@forge.example".to_owned()),
        prefix: "CI".to_owned(),
        hello: Some("ci.example".to_owned()),
        concurrency: 1,
        timeout: Duration::from_secs(30),
    }
}

fn told(verdict: Verdict) -> Report {
    let subject = pull_request("forge.example", "rail/signalbox", 7);
    let mut report = report(&subject, "abc", Form::Message);
    report.stage = Stage::Done(verdict);
    let marker = &report.marker;
    report.text = format!(
        "**tests** at abc: {verdict} ([build 7](https://ci.example/job/tests/7/))\n\n`{marker}`"
    );
    report
}

#[tokio::test]
async fn a_letter_keeps_the_promises_of_a_report_for_who_knows_letters_by_their_id() {
    let world = World::new().await;
    let server = &world.server;
    let says = |to, reply| server.set_mood(Mood::Says { to, reply });
    let weather = |weather| match weather {
        Weather::Fair => server.set_mood(Mood::Normal),
        Weather::LosesAnswer => server.lose_answers(1),
        Weather::TooMany => says("MAIL", "451 4.7.1 Greylisted, come back in 7 seconds"),
        Weather::Broken => says("GREETING", "421 4.3.2 Going down"),
        Weather::Refuses => says("AUTH", "535 5.7.8 No"),
    };
    let seen = || {
        let letters = server.inbox().into_iter();
        letters.map(|letter| format!("{}\n{}", letter.text(), letter.source)).collect()
    };
    let report = told(Verdict::Success);
    let bench = Bench { reporter: &world.reporter, report, weather: &weather, seen: &seen };
    bench.keeps_its_promises_within(&[Limit::Vague]).await;
}

#[tokio::test]
async fn a_letter_whose_answer_was_lost_comes_twice_with_one_id() {
    let world = World::new().await;
    world.server.lose_answers(1);
    let failure = world.tell(&told(Verdict::Success)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    world.reporter.tell(&told(Verdict::Success), Try::Again).await.unwrap();
    let letters = world.server.letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0].source, letters[1].source);
    assert_eq!(world.server.inbox().len(), 1);
}

#[tokio::test]
async fn a_letter_as_it_travels() {
    let world = World::new().await;
    let report = told(Verdict::Failure);
    world.tell(&report).await.unwrap();
    let letter = &world.server.letters()[0];
    assert_eq!(letter.from, "ci@forge.example");
    let to = ["signalbox@lists.example", "grace@forge.example", "ada@forge.example"];
    assert_eq!(letter.to, to);
    assert_snapshot!(letter.source.replace("\r\n", "\n"), @r"
    From: Pointsman <ci@forge.example>
    To: signalbox@lists.example, Grace <grace@forge.example>
    Cc: ada@forge.example
    Reply-To: help@forge.example
    Subject: [CI] tests: failure for rail/signalbox#7
    Date: Fri, 20 Nov 2026 08:21:47 +0000
    Message-ID: <pointsman-8db8de13436ffbda23afc349c6c6ae93.failure@forge.example>
    MIME-Version: 1.0
    Content-Type: text/plain; charset=utf-8
    In-Reply-To: <pointsman.subject.344feaf95bf15675c9a9f56de64df17e@forge.example>
    References: <pointsman.subject.344feaf95bf15675c9a9f56de64df17e@forge.example>
    Auto-Submitted: auto-generated
    Precedence: bulk
    X-Patchwork-Hint: ignore
    X-Pointsman-Run: 8db8de13436ffbda23afc349c6c6ae93
    Content-Transfer-Encoding: 7bit

    tests at abc: failure (build 7 <https://ci.example/job/tests/7/>)
    ");
}

#[tokio::test]
async fn all_letters_about_one_subject_are_one_thread() {
    let world = World::new().await;
    world.tell(&told(Verdict::Failure)).await.unwrap();
    world.tell(&told(Verdict::Success)).await.unwrap();
    let notice = notice(&told(Verdict::Success).subject, "pointsman:1");
    world.reporter.notify(&notice, Try::First).await.unwrap();
    let mut other = told(Verdict::Success);
    other.subject.number = 8;
    other.marker = "pointsman:2".to_owned();
    world.tell(&other).await.unwrap();
    let letters = world.server.inbox();
    let header = |name: &str| -> Vec<_> {
        letters.iter().map(|letter| letter.header(name).unwrap()).collect()
    };
    let parents = header("In-Reply-To");
    assert_eq!(parents, header("References"));
    assert!(parents[0] == parents[1] && parents[1] == parents[2], "{parents:?}");
    assert_ne!(parents[2], parents[3]);
    assert_eq!(
        header("Subject")[..3],
        [
            "[CI] tests: failure for rail/signalbox#7",
            "[CI] tests: success for rail/signalbox#7",
            "[CI] nightly: rail/signalbox#7",
        ]
    );
    assert_eq!(letters[2].text(), "The nightly build is broken.");
    assert_eq!(letters[2].header("X-Pointsman-Run"), None);
}

#[tokio::test]
async fn of_a_run_that_goes_on_nothing_is_written() {
    let world = World::new().await;
    for stage in [Stage::Held, Stage::Queued, Stage::Running] {
        world.tell(&Report { stage, ..told(Verdict::Success) }).await.unwrap();
    }
    assert_eq!(world.server.letters().len(), 0);
    let flag = Report { form: Form::Flag, ..told(Verdict::Success) };
    let failure = world.tell(&flag).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}

#[tokio::test]
async fn what_the_server_says_is_told_without_secrets() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for (to, reply) in [
        ("GREETING", "554 No service for 127.0.0.1"),
        ("EHLO", "421 Too busy"),
        ("AUTH", "500 Unknown command AUTH PLAIN AHBvaW50c21hbgBTSUdOQUxCT1gwU0VDUkVU"),
        ("MAIL", "452 4.3.1 Insufficient system storage"),
        ("RCPT", "550-5.1.1 <signalbox@lists.example>\r\n550 5.1.1 User \u{1b}[31munknown"),
        ("DATA", "554 5.7.1 Not for you"),
        ("END", "552 5.3.4 Too large"),
        ("END", "450 4.2.0 Try later"),
        ("MAIL", "no SMTP at all"),
    ] {
        world.server.set_mood(Mood::Says { to, reply });
        seen.push(world.fails().await);
    }
    assert_eq!(world.server.letters().len(), 0);
    world.server.set_mood(Mood::Normal);
    world.server.add_user("pointsman", "changed");
    seen.push(world.fails().await);
    assert_snapshot!(seen.join("\n"), @r"
    no: permanent failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): permanent error (554): No service for 127.0.0.1
    later: temporary failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): transient error (421): Too busy
    no: permanent failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): it does not let `username` in (500)
    later: temporary failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): transient error (452): 4.3.1 Insufficient system storage
    no: permanent failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): permanent error (550): 5.1.1 <signalbox@lists.example> User unknown
    no: permanent failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): permanent error (554): 5.7.1 Not for you
    no: permanent failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): permanent error (552): 5.3.4 Too large
    later: temporary failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): transient error (450): 4.2.0 Try later
    later: temporary failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): response error: error Tag at: no SMTP at all
    no: permanent failure: cannot send a letter by `mail.list` (127.0.0.1:PORT): it does not let `username` in (535)
    ");
}

#[tokio::test]
async fn a_server_that_never_answers_is_left() {
    let mut world = World::new().await;
    world.server.set_mood(Mood::Silent);
    world.settings.timeout = Duration::from_millis(20);
    world.reporter = Mail::new("list", &world.settings, clock()).unwrap();
    let text = world.fails().await;
    assert!(text.starts_with("later:"), "{text}");
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_where_tls_is_wanted() {
    let mut world = World::new().await;
    for security in [Security::StartTls, Security::Tls] {
        world.settings.security = security;
        world.reporter = Mail::new("list", &world.settings, clock()).unwrap();
        world.tell(&told(Verdict::Success)).await.unwrap_err();
    }
    assert_eq!(world.server.letters().len(), 0);
}

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let world = World::new().await;
    let mut seen = world.reporter.probe().await;
    world.server.add_user("pointsman", "changed");
    seen.extend(world.reporter.probe().await);
    let lines = seen.into_iter().map(|Finding { subject, problem }| {
        format!("{subject}: {}", problem.unwrap_or_else(|| "fine".to_owned()))
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    assert_snapshot!(lines.replace(&world.server.port().to_string(), "PORT"), @r"
    mail server 127.0.0.1:PORT: fine
    mail server 127.0.0.1:PORT: cannot use it by `mail.list` (127.0.0.1:PORT): it does not let `username` in (535)
    ");
    assert_eq!(world.server.letters().len(), 0);
}

/// Everything that somebody outside can write at once, in every place.
fn hostile(text: &str) -> Report {
    let mut report = told(Verdict::Success);
    report.rule = text.to_owned();
    report.subject.project = text.to_owned();
    report.text = format!("{0}\n\n- {0}\n- x\n\n{0}", neutral::line(text));
    report
}

#[tokio::test]
async fn a_hostile_title_adds_no_header_and_no_recipient() {
    let world = World::new().await;
    world.tell(&told(Verdict::Success)).await.unwrap();
    let usual = world.server.letters()[0].header_names();
    let injected = format!("x\r\nBcc: mallory@x.example\r\n\r\n{HOSTILE}");
    for kind in [SubjectKind::PullRequest, SubjectKind::Branch, SubjectKind::Job] {
        let mut report = hostile(&injected);
        report.subject.kind = kind;
        report.subject.name = Some(injected.clone());
        report.marker = format!("a b\r\nBcc: m@x.example {kind:?}");
        world.tell(&report).await.unwrap();
    }
    for letter in world.server.inbox() {
        assert_eq!(letter.header_names(), usual, "{}", letter.source);
        assert_eq!(letter.to.len(), 3);
    }
    assert_snapshot!(world.server.inbox()[1].header("Subject").unwrap(), @"[CI] x Bcc: mallory@x.example /packit build @everyone <!-- x --> recheck | [citest] `retest this please` <img src=x onerror=alert(1)> /ci ok: success…");
    let wrong =
        MailSettings { to: vec!["x@y.example\r\nBcc: z@y.example".to_owned()], ..settings() };
    assert!(Mail::new("list", &wrong, clock()).is_err());
}

/// What some program would obey in a letter.
fn obeyed(text: &str) -> Option<&str> {
    let is_obeyed = |line: &&str| {
        let words = line.trim_start();
        let word = words.split(':').next().unwrap_or_default().to_lowercase();
        ["/", "#", "From ", "diff ", "+++ ", "--- "].iter().any(|start| words.starts_with(start))
            || (words.contains(':') && ["tested-by", "bcc", "cc"].contains(&word.as_str()))
            || words.split('@').skip(1).any(|rest| rest.starts_with(char::is_alphanumeric))
    };
    text.lines().find(is_obeyed)
}

proptest! {
    #[test]
    fn nothing_from_outside_is_obeyed(text in hostile_text(), padding in 0..80_usize) {
        let report = hostile(&format!("{}{text}", "x ".repeat(padding / 2)));
        let letter = Letter::of(&report);
        prop_assert_eq!(obeyed(&letter.text), None, "{}", letter.text);
        let raw = plain::written(&text);
        prop_assert_eq!(obeyed(&raw), None, "{}", raw);
        let written = Sender::new(&settings()).unwrap().write(&letter, clock().now()).unwrap();
        let source = String::from_utf8(written.message.formatted()).unwrap();
        let (head, _) = source.split_once("\r\n\r\n").unwrap();
        let is_header = |line: &str| {
            line.starts_with([' ', '\t'])
                || ["From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To",
                    "References", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
                    "Auto-Submitted", "Precedence", "X-Patchwork-Hint", "X-Pointsman-Run"]
                    .iter().any(|name| line.starts_with(&format!("{name}: ")))
        };
        prop_assert!(head.split("\r\n").all(is_header), "{}", head);
        prop_assert!(head.is_ascii() && !head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
    }
}

#[test]
fn lines_are_short_and_addresses_whole() {
    let text = plain::written(
        "# Nightly\n\n**rail/signalbox** at `abc`: failed, as the blades were not locked in time and the lever stuck \
         ([build 7](https://ci.example/job/tests-of-all-the-blades-and-levers/7/console?with=a&long=query))\n\n\
         1. one\n2. two is a longer item that needs more than one line, so that its second line is indented\n   - three\n\n\
         > quote\n\n```\nmake check   --keep-going --with-a-long-line --that-is-not-broken --whatever-its-length\n```\n\n\
         pungi-tests: passed\nTested\\-by: Mallory\n",
    );
    assert_snapshot!(text.replace(neutral::SEAM, "·"), @r"
    Nightly

    rail/signalbox at abc: failed, as the blades were not locked in time and
    the lever stuck (build 7
    <https://ci.example/job/tests-of-all-the-blades-and-levers/7/console?with=a&long=query>)

    1. one
    2. two is a longer item that needs more than one line, so that its
       second line is indented
       - three

    > quote

        make check   --keep-going --with-a-long-line --that-is-not-broken --whatever-its-length

    pungi-tests: passed
    Tested-by·: Mallory
    ");
}

#[test]
fn an_id_is_computed_from_the_marker() {
    let report = told(Verdict::Success);
    assert_eq!(Letter::of(&report).id, format!("{}.success", report.marker));
    let mut odd = told(Verdict::Success);
    odd.marker = "<x@y>".to_owned();
    let id = Letter::of(&odd).id;
    assert!(id.starts_with("pointsman.") && id.len() == 50, "{id}");
}
