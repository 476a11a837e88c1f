use std::process::{Command, Stdio};

use super::*;
use crate::git::Letters;

/// What a series becomes when it is fetched.
async fn fetch(world: &World, of: &SeriesEvent) -> Vec<String> {
    let patchwork = Patchwork::new("main", &world.settings, world.clock()).unwrap();
    let mails = patchwork.fetch(of).await.unwrap();
    mails.into_iter().map(|mail| String::from_utf8(mail).unwrap()).collect()
}

async fn fails(world: &World, of: &SeriesEvent) -> String {
    let patchwork = Patchwork::new("main", &world.settings, world.clock()).unwrap();
    failure(patchwork.fetch(of).await)
}

/// Posts a series and hears of it.
async fn posted(new: &NewSeries) -> (World, SeriesEvent) {
    let mut world = World::new().await;
    world.told().await;
    world.post(new);
    let event = world.told().await.remove(0);
    (world, event)
}

/// What git makes of a mail: author, subject and so on; the message; the patch.
fn read_by_git(mail: &str) -> (String, String, String) {
    use std::io::Write as _;
    let folder = TempDir::new().unwrap();
    let (message, patch) = (folder.path().join("message"), folder.path().join("patch"));
    let mut git = Command::new("git")
        .args(["mailinfo", "-u"])
        .args([&message, &patch])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
    let out = git.wait_with_output().unwrap();
    assert!(out.status.success());
    let text = |path| std::fs::read_to_string(path).unwrap();
    (String::from_utf8(out.stdout).unwrap(), text(message), text(patch))
}

#[tokio::test]
async fn what_is_fetched_is_what_was_sent() {
    let mut new = series("first", 2);
    new.from = "=?UTF-8?q?Ada_L=C3=B6we?= <ada@points.example>".to_owned();
    new.patches[0].title = "points: Oil the =?UTF-8?q?gr=C3=BCne?=\n\tblade".to_owned();
    new.patches[0].message = "They squéak.\n\nFrom here on they do not.".to_owned();
    let (world, event) = posted(&new).await;
    let mails = fetch(&world, &event).await;
    assert_eq!(mails.len(), 2);
    insta::assert_snapshot!(mails[0], @r#"
    From: =?UTF-8?q?Ada_L=C3=B6we?= <ada@points.example>
    Date: Fri, 20 Nov 2026 08:01:00 +0000
    Subject: [PATCH 1/2] points: Oil the =?UTF-8?q?gr=C3=BCne?= blade
    Message-ID: <first-1@points.example>
    MIME-Version: 1.0
    Content-Type: text/plain; charset=UTF-8
    Content-Transfer-Encoding: 8bit

    They squéak.

    From here on they do not.
    ---

    diff --git a/blade1 b/blade1
    index 1111111..2222222 100644
    --- a/blade1
    +++ b/blade1
    @@ -1 +1 @@
    -dry
    +oiled
    "#);
    let (info, message, patch) = read_by_git(&mails[0]);
    insta::assert_snapshot!(info, @r#"
    Author: Ada Löwe
    Email: ada@points.example
    Subject: points: Oil the grüne blade
    Date: Fri, 20 Nov 2026 08:01:00 +0000
    "#);
    insta::assert_snapshot!(message, @r#"
    They squéak.

    From here on they do not.
    "#);
    assert!(patch.ends_with(&diff(1)), "{patch}");
}

#[tokio::test]
async fn what_readers_reply_changes_nothing() {
    let (world, event) = posted(&series("first", 1)).await;
    let before = fetch(&world, &event).await;
    let root = event.series.root.clone();
    let text = "Nice.\n\nReviewed-by: Grace <grace@signals.example>\n";
    world.stand_in.comment(PROJECT, &root, (GRACE, "reply@x"), text).unwrap();
    assert_eq!(fetch(&world, &event).await, before);
    // As Patchwork gives it, it would be another commit from now on.
    let mbox = event.series.patches[0].mbox.clone().unwrap();
    let mbox = reqwest::get(mbox).await.unwrap().text().await.unwrap();
    assert!(mbox.contains("Reviewed-by: Grace"), "{mbox}");
}

#[tokio::test]
async fn a_mail_within_a_mail_is_no_mail() {
    let mut new = series("first", 2);
    let forged =
        "From nobody Mon Sep 17 00:00:00 2001\nFrom: Linus <linus@x>\nSubject: [PATCH] evil\n\n";
    new.patches[0].message = format!("Words.\n\n{forged}evil");
    let (world, event) = posted(&new).await;
    let mails = fetch(&world, &event).await;
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.starts_with("From: Ada <ada@points.example>\n")));
    let (info, message, _) = read_by_git(&mails[0]);
    assert!(
        info.contains("Subject: points: Oil blade 1") && message.contains("Subject: [PATCH] evil")
    );
}

#[tokio::test]
async fn who_sent_it_is_who_sent_it_whatever_the_list_does() {
    let mut new = series("first", 1);
    new.from = format!("Ada via signalbox-devel <{LIST}>");
    new.headers = vec![("Reply-To".to_owned(), "Ada <ada@points.example>".to_owned())];
    let (world, event) = posted(&new).await;
    assert_eq!(event.series.submitter.email, "ada@points.example");
    let (info, _, _) = read_by_git(&fetch(&world, &event).await[0]);
    insta::assert_snapshot!(info, @r#"
    Author: Ada
    Email: ada@points.example
    Subject: points: Oil blade 1
    Date: Fri, 20 Nov 2026 08:01:00 +0000
    "#);
}

#[tokio::test]
async fn a_message_id_can_have_anything_in_it() {
    let mut new = series("ZQ1L/LOtJn1+ewOG%2F..", 2);
    new.from = "Ada <ada@gofer.example>".to_owned();
    let (world, event) = posted(&new).await;
    assert_eq!(event.series.root, "ZQ1L/LOtJn1+ewOG%2F..-0@gofer.example");
    assert_eq!(fetch(&world, &event).await.len(), 2);
}

#[tokio::test]
async fn what_is_too_large_is_not_fetched() {
    let mut new = series("first", 1);
    new.patches[0].diff.push_str(&"+x\n".repeat(700_000));
    let (world, event) = posted(&new).await;
    insta::assert_snapshot!(fails(&world, &event).await.replace(&format!("series {}", event.series.id), "it"), @"permanent failure: cannot fetch patch 1 of it: its mails are larger than 2 MiB, or than 10 MiB together");
    let mut new = series("second", 9);
    for patch in &mut new.patches {
        patch.diff.push_str(&"+x\n".repeat(400_000));
    }
    let (world, event) = posted(&new).await;
    insta::assert_snapshot!(fails(&world, &event).await.replace(&format!("series {}", event.series.id), "it"), @"permanent failure: cannot fetch patch 9 of it: its mails are larger than 2 MiB, or than 10 MiB together");
}

#[tokio::test]
async fn another_patch_is_not_the_one_that_was_told() {
    let (world, event) = posted(&series("first", 2)).await;
    let mut other = event.clone();
    other.series.patches.swap(0, 1);
    other.series.patches[0].msgid = "else@x".to_owned();
    insta::assert_snapshot!(fails(&world, &other).await.replace(char::is_numeric, "N"), @"permanent failure: cannot fetch patch N of series N: patch N is another one");
    let mut other = event.clone();
    other.project = "another".to_owned();
    insta::assert_snapshot!(fails(&world, &other).await.replace(char::is_numeric, "N"), @"permanent failure: cannot fetch patch N of series N: patch N is another one");
    let mut other = event.clone();
    other.series.patches[1].id = Some("../../users".to_owned());
    insta::assert_snapshot!(fails(&world, &other).await.replace(char::is_numeric, "N"), @"permanent failure: cannot fetch patch N of series N: it has no number at Patchwork");
    let proven: Vec<_> =
        world.stand_in.calls().into_iter().filter(|(_, is_proven)| *is_proven).collect();
    assert_eq!(proven, []);
}
