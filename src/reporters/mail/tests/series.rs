//! Letters about patch series: in whose thread, under which subject, to whom.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::event::series::SeriesEvent;
use crate::reporters::contract::series::{about, notice_about, posted};

/// A report about a series after `change`.
fn told_of(change: impl FnOnce(&mut SeriesEvent)) -> Report {
    let mut report = about(Form::Message);
    if let Some(about) = report.series.as_deref_mut() {
        change(&mut about.of);
    }
    report
}

fn told_of_patch(patch: Option<u32>, blamed: Option<u32>) -> Report {
    let mut report = about(Form::Message);
    if let Some(about) = report.series.as_deref_mut() {
        (about.patch, about.blamed) = (patch, blamed);
    }
    report
}

fn source(settings: &MailSettings, report: &Report) -> String {
    let sender = Sender::new(settings).unwrap();
    let written = sender.write(&Letter::of(report), clock().now()).unwrap();
    String::from_utf8(written.message.formatted()).unwrap().replace("\r\n", "\n")
}

/// One header, unfolded.
fn header(source: &str, name: &str) -> String {
    let (head, _) = source.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ");
    let start = format!("{name}: ");
    head.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}

fn subject_of(change: impl FnOnce(&mut SeriesEvent)) -> String {
    header(&source(&settings(), &told_of(change)), "Subject")
}

fn to_author() -> MailSettings {
    MailSettings { to_author: true, ..settings() }
}

#[tokio::test]
async fn a_letter_answers_the_cover_letter() {
    let world = World::new().await;
    let report = told_of(|_| ());
    world.tell(&report).await.unwrap();
    let letter = &world.server.letters()[0];
    assert_eq!(letter.to, ["signalbox@lists.example", "grace@forge.example", "ada@forge.example"]);
    let source = letter.source.replace("\r\n", "\n").replace(report.run.as_str(), "RUN");
    assert_snapshot!(source, @r"
    From: Pointsman <ci@forge.example>
    To: signalbox@lists.example, Grace <grace@forge.example>
    Cc: ada@forge.example
    Reply-To: help@forge.example
    Subject: Re: [PATCH signalbox-next v2 0/2] Oil the points
    Date: Fri, 20 Nov 2026 08:21:47 +0000
    Message-ID: <pointsman-RUN.success@forge.example>
    MIME-Version: 1.0
    Content-Type: text/plain; charset=utf-8
    In-Reply-To: <20261120-0-ada@points.example>
    References: <20261120-0-ada@points.example>
    Auto-Submitted: auto-generated
    Precedence: bulk
    X-Patchwork-Hint: ignore
    X-Pointsman-Run: RUN
    Content-Transfer-Encoding: 7bit

    tests: success
    ");
}

#[test]
fn what_is_said_of_a_series_keeps_its_form() {
    let text = plain::written(
        "tests: failed (before: passed)\n\nOil the points, v2, 2 patches\n\
         https://patches.example/project/signalbox-devel/list/?series=12\n\n\
         Build 7: https://ci.example/job/tests/7/\n\n\
         Patch 2 of 2 is the first bad one: points: Oil the lock\n\n\
         It is based on master at bbbbbbbbbbbb (the first that it applies to), and can be fetched:\n\n\
         \u{20}   git fetch https://git.example/series.git pointsman/main/12/v2\n\n\
         Tried before:\n\n- next at eeeeeeeeeeee: drivers/points.c:17\n- and 3 more\n\n\
         Answer with a line \"Recheck-request: tests\" to have it tried again.",
    );
    assert_snapshot!(text, @r#"
    tests: failed (before: passed)

    Oil the points, v2, 2 patches
    https://patches.example/project/signalbox-devel/list/?series=12

    Build 7: https://ci.example/job/tests/7/

    Patch 2 of 2 is the first bad one: points: Oil the lock

    It is based on master at bbbbbbbbbbbb (the first that it applies to),
    and can be fetched:

        git fetch https://git.example/series.git pointsman/main/12/v2

    Tried before:

    - next at eeeeeeeeeeee: drivers/points.c:17
    - and 3 more

    Answer with a line "Recheck-request: tests" to have it tried again.
    "#);
    assert_eq!(obeyed(&text), None);
}

#[test]
fn one_about_a_patch_answers_that_patch() {
    for report in [told_of_patch(Some(2), None), told_of_patch(None, Some(2))] {
        let source = source(&settings(), &report);
        assert_eq!(header(&source, "In-Reply-To"), "<20261120-2-ada@points.example>");
        let thread = "<20261120-0-ada@points.example> <20261120-2-ada@points.example>";
        assert_eq!(header(&source, "References"), thread);
        let subject = "Re: [PATCH signalbox-next v2 2/2] points: Oil the lock";
        assert_eq!(header(&source, "Subject"), subject);
    }
    // The patch that a report is about counts more than the one that is to blame.
    let both = source(&settings(), &told_of_patch(Some(1), Some(2)));
    assert_eq!(header(&both, "In-Reply-To"), "<20261120-1-ada@points.example>");
    for strange in [0, 3, u32::MAX] {
        let source = source(&settings(), &told_of_patch(Some(strange), None));
        assert_eq!(header(&source, "In-Reply-To"), "<20261120-0-ada@points.example>");
    }
}

#[test]
fn the_subject_is_that_of_the_mail() {
    assert_snapshot!(subject_of(|of| of.series.version = 1), @"Re: [PATCH signalbox-next 0/2] Oil the points");
    assert_snapshot!(subject_of(|of| {
        of.series.tags = ["RFC", "bpf"].map(str::to_owned).to_vec();
    }), @"Re: [RFC PATCH bpf v2 0/2] Oil the points");
    assert_snapshot!(subject_of(|of| {
        of.series.tags = ["bpf", "Patch"].map(str::to_owned).to_vec();
    }), @"Re: [bpf Patch v2 0/2] Oil the points");
    // Without a cover letter it is the first patch's; alone, it has no number.
    let without_cover = |of: &mut SeriesEvent| {
        of.series.cover = None;
        of.series.root = of.series.patches[0].msgid.clone();
    };
    assert_snapshot!(subject_of(without_cover), @"Re: [PATCH signalbox-next v2 1/2] points: Oil the blades");
    assert_snapshot!(subject_of(|of| {
        without_cover(of);
        of.series.patches.truncate(1);
    }), @"Re: [PATCH signalbox-next v2] points: Oil the blades");
    // As `git format-patch` writes numbers.
    assert_snapshot!(subject_of(|of| {
        let patch = of.series.patches[0].clone();
        of.series.patches.resize(12, patch);
    }), @"Re: [PATCH signalbox-next v2 00/12] Oil the points");
}

#[test]
fn all_letters_about_a_series_stand_in_its_thread_and_are_others_each() {
    let sender = Sender::new(&settings()).unwrap();
    let notice = Letter::notice(&notice_about("pointsman:1"));
    let notice = sender.write(&notice, clock().now()).unwrap();
    let notice = String::from_utf8(notice.message.formatted()).unwrap().replace("\r\n", "\n");
    let mut failed = told_of(|_| ());
    failed.stage = Stage::Done(Verdict::Failure);
    let all = [source(&settings(), &told_of(|_| ())), source(&settings(), &failed), notice];
    let of_all = |name: &str| -> Vec<_> { all.iter().map(|one| header(one, name)).collect() };
    assert_eq!(of_all("In-Reply-To"), vec!["<20261120-0-ada@points.example>"; 3]);
    assert_eq!(of_all("Subject"), vec!["Re: [PATCH signalbox-next v2 0/2] Oil the points"; 3]);
    let mut ids = of_all("Message-ID");
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn a_message_id_that_is_none_is_not_answered() {
    let long = "x".repeat(600);
    for odd in ["", "a b@c.example", "a@c.example>\r\nBcc: <m@x.example", "ä@c.example", &long] {
        let report = told_of(|of| odd.clone_into(&mut of.series.root));
        let source = source(&settings(), &report);
        assert_eq!(header(&source, "Bcc"), "");
        assert!(header(&source, "In-Reply-To").ends_with("@forge.example>"), "{source}");
        let subject = "[CI] tests: success for signalbox-devel series 12";
        assert_eq!(header(&source, "Subject"), subject);
        let mut report = told_of_patch(Some(2), None);
        let about = report.series.as_deref_mut().unwrap();
        odd.clone_into(&mut about.of.series.patches[1].msgid);
        let source = self::source(&settings(), &report);
        assert_eq!(header(&source, "References"), "<20261120-0-ada@points.example>");
    }
    // These are real ones.
    for root in ["ZQ1L/LOtJn1ewOG/@gofer.mess.org", "a%b+c=d@[192.0.2.1]", &"x".repeat(300)] {
        let report = told_of(|of| root.clone_into(&mut of.series.root));
        let source = source(&settings(), &report);
        assert_eq!(header(&source, "In-Reply-To"), format!("<{root}>"));
    }
}

#[tokio::test]
async fn the_author_is_written_to_where_the_settings_say_so() {
    let mut world = World::new().await;
    world.settings.to_author = true;
    world.reporter = Mail::new("list", &world.settings, clock()).unwrap();
    world.tell(&told_of(|_| ())).await.unwrap();
    world.reporter.notify(&notice_about("pointsman:1"), Try::First).await.unwrap();
    for letter in world.server.letters() {
        let others = "signalbox@lists.example, Grace <grace@forge.example>";
        let to = format!("\"Ada Lovelace\" <ada@points.example>, {others}");
        assert_eq!(letter.header("To").unwrap(), to);
        assert!(letter.to.contains(&"ada@points.example".to_owned()), "{:?}", letter.to);
        assert_eq!(letter.to.len(), 4);
    }
    // Of what is no series, nobody is the author.
    world.tell(&told(Verdict::Success)).await.unwrap();
    assert_eq!(world.server.letters()[2].to.len(), 3);
}

#[tokio::test]
async fn an_author_whom_the_server_refuses_keeps_nothing_back() {
    let mut world = World::new().await;
    world.settings.to_author = true;
    world.reporter = Mail::new("list", &world.settings, clock()).unwrap();
    for reply in ["550 5.1.1 No such user", "450 4.1.2 Domain not found"] {
        world.server.refuse("ada@points.example", reply);
        let report = told_of(|of| of.series.id = reply.to_owned());
        world.tell(&report).await.unwrap();
        let letter = world.server.letters().pop().unwrap();
        assert_eq!(letter.to.len(), 3, "{:?}", letter.to);
        assert!(letter.header("To").unwrap().contains("ada@points.example"));
    }
    // Another is a reason.
    world.server.refuse("grace@forge.example", "550 5.1.1 No such user");
    let failure = world.tell(&told_of(|_| ())).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    assert_eq!(world.server.letters().len(), 2);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of addresses")]
fn an_address_that_is_odd_or_known_is_not_written_to() {
    let seen = |email: &str, name: &str| {
        let report = told_of(|of| {
            email.clone_into(&mut of.series.submitter.email);
            name.clone_into(&mut of.series.submitter.name);
        });
        let sender = Sender::new(&to_author()).unwrap();
        let written = sender.write(&Letter::of(&report), clock().now()).unwrap();
        match (written.author, written.not_to_author) {
            (Some((author, _)), None) => format!("{}: {author}", email.escape_debug()),
            (None, Some(why)) => format!("{}: {why}", email.escape_debug()),
            other => panic!("{other:?}"),
        }
    };
    let long = format!("{}@points.example", "x".repeat(250));
    let emails = [
        "ada@points.example",
        "o'brien+patches@points.example",
        "",
        "ada",
        "ada@points.example, mallory@x.example",
        "Ada <ada@points.example>",
        "ada@points.example\r\nBcc: mallory@x.example",
        "\"a b\"@points.example",
        "ada%points.example@relay.example",
        "points.example!ada@relay.example",
        "-oQtmp@points.example",
        "root@localhost",
        "root@127.0.0.1",
        "root@[127.0.0.1]",
        "ada@points.example.",
        "ada@pöints.example",
        "NoReply@points.example",
        "1+ada@users.noreply.forge.example",
        "mailer-daemon@points.example",
        "signalbox-bounces+ada=points@lists.example",
        "CI@Forge.Example",
        "ci+series@forge.example",
        "help@forge.example",
        "signalbox@lists.example",
        "ada@forge.example",
    ];
    let mut lines: Vec<_> = emails.iter().map(|email| seen(email, "Ada")).collect();
    assert!(seen(&long, "Ada").ends_with("has no address"));
    lines.push(seen("devel@points.example", "Ada Lovelace via Devel"));
    assert_snapshot!(lines.join("\n"), @r#"
    ada@points.example: ada@points.example
    o\'brien+patches@points.example: o'brien+patches@points.example
    : its author has no address
    ada: its author has no address
    ada@points.example, mallory@x.example: the address of its author is none that is written to
    Ada <ada@points.example>: the address of its author is none that is written to
    ada@points.example\r\nBcc: mallory@x.example: the address of its author is none that is written to
    \"a b\"@points.example: the address of its author is none that is written to
    ada%points.example@relay.example: the address of its author is none that is written to
    points.example!ada@relay.example: the address of its author is none that is written to
    -oQtmp@points.example: the address of its author is none that is written to
    root@localhost: the address of its author is none that is written to
    root@127.0.0.1: the address of its author is none that is written to
    root@[127.0.0.1]: the address of its author is none that is written to
    ada@points.example.: the address of its author is none that is written to
    ada@pöints.example: the address of its author is none that is written to
    NoReply@points.example: nobody reads what is sent to the address of its author
    1+ada@users.noreply.forge.example: nobody reads what is sent to the address of its author
    mailer-daemon@points.example: nobody reads what is sent to the address of its author
    signalbox-bounces+ada=points@lists.example: nobody reads what is sent to the address of its author
    CI@Forge.Example: the address of its author is ours, or gets the letter anyway
    ci+series@forge.example: the address of its author is ours, or gets the letter anyway
    help@forge.example: the address of its author is ours, or gets the letter anyway
    signalbox@lists.example: the address of its author is ours, or gets the letter anyway
    ada@forge.example: the address of its author is ours, or gets the letter anyway
    devel@points.example: the address of its author is that of a list, which wrote it over
    "#);
}

#[test]
fn a_name_is_a_name_or_left_out() {
    for (name, shown) in [
        ("Ada Lovelace", "\"Ada Lovelace\" <ada@points.example>, signalbox@lists.example"),
        ("Ada, Lovelace <m@x.example>", "ada@points.example, signalbox@lists.example"),
        ("\"\r\nBcc: m@x.example", "ada@points.example, signalbox@lists.example"),
        ("", "ada@points.example, signalbox@lists.example"),
    ] {
        let report = told_of(|of| name.clone_into(&mut of.series.submitter.name));
        let to = header(&source(&to_author(), &report), "To");
        assert!(to.starts_with(shown), "{name}: {to}");
    }
}

proptest! {
    #[test]
    fn what_a_mail_claims_adds_no_header_and_one_recipient_at_most(
        text in hostile_text(),
        email in "[a-z@.,<>\" \r\n]{0,12}",
    ) {
        let report = told_of(|of| {
            for place in [&mut of.series.title, &mut of.series.submitter.name] {
                place.clone_from(&text);
            }
            of.series.cover = None;
            of.series.tags = vec![text.clone(), text.clone()];
            of.series.submitter.email = format!("{email}{text}");
        });
        let usual = source(&to_author(), &told_of(|_| ()));
        let odd = source(&to_author(), &report);
        let names = |source: &str| -> Vec<String> {
            let (head, _) = source.split_once("\n\n").unwrap();
            let lines = head.lines().filter(|line| !line.starts_with(' '));
            lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
        };
        prop_assert_eq!(names(&usual), names(&odd));
        let sender = Sender::new(&to_author()).unwrap();
        let written = sender.write(&Letter::of(&report), clock().now()).unwrap();
        let count = 3 + usize::from(written.author.is_some());
        prop_assert_eq!(written.message.envelope().to().len(), count);
        prop_assert!(odd.contains("\nIn-Reply-To: <20261120-0-ada@points.example>\n"));
    }
}

#[test]
fn the_series_of_these_tests_is_one() {
    assert_eq!(posted().subject().key(), "patches.example/signalbox-devel/series/12");
}
