//! Series upon bases.

use std::time::Duration;

use super::world::{Mail, Try, World, at, file, replace};
use crate::event::series::Refusal;
use crate::git::apply::Fit;
use crate::git::call::{Call, Protocol};
use crate::git::process::Git;
use crate::git::stop::Stop;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// Patches may be merged.
fn merged() -> Try {
    Try { fit: Fit::Merged, ..Try::default() }
}

fn conflict(stop: Stop) -> Refusal {
    match stop {
        Stop::Conflict(refusal) => refusal,
        Stop::Held(_) | Stop::Refused(_) | Stop::Failed(_) => panic!("{stop:?}"),
    }
}

/// What is in our repository besides what was fetched, and in the folder for a while.
fn left(world: &World) -> (usize, usize) {
    let count = |path| walk(path).len();
    (count(world.git.repository().join("objects")), count(world.git.scratch_folder()))
}

fn walk(folder: std::path::PathBuf) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn each_patch_is_one_commit_that_says_who_wrote_it_and_why() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n"), file("b", "1\n")]).await;
    let first = Mail::new("Say two", &replace("a", ["1", "2", "3"], "two"));
    let second = Mail::new("Say zwei", &replace("a", ["1", "two", "3"], "zwei"));
    let letters = [first.raw(), second.raw()];
    let applied = Try::default().put(&world, &base, &letters).await.unwrap();
    assert!(!applied.is_merged);
    let [one, two] = applied.commits.as_slice() else { panic!("{applied:?}") };
    assert_eq!(world.say(&["rev-list", two.as_str()]).await, format!("{two}\n{one}\n{base}"));
    assert_eq!(world.say(&["show", &format!("{one}:a")]).await, "1\ntwo\n3");
    assert_eq!(world.say(&["show", &format!("{two}:a")]).await, "1\nzwei\n3");
    assert_eq!(world.say(&["show", &format!("{two}:b")]).await, "1");
    let commit = world.say(&["cat-file", "commit", one.as_str()]).await;
    let (_, said) = commit.split_once("\nauthor").unwrap();
    insta::assert_snapshot!(said, @r"
     Jürgen Author <ann@example.org> 1700000000 -0500
    committer Pointsman <pointsman@localhost> 1700000000 -0500

    Say two

    Because.

    Signed-off-by: Ann
    Message-ID: <Say-two@example.org>
    ");
}

#[tokio::test]
async fn the_same_series_on_the_same_base_is_the_same_commits() {
    let mut ends = Vec::new();
    for _ in 0..2 {
        let (world, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
        let dated = Mail::new("Say two", &replace("a", ["1", "2", "3"], "two"));
        let mut undated = Mail::new("Say zwei", &replace("a", ["1", "two", "3"], "zwei"));
        undated.date = "yesterday, 10:00".to_owned();
        undated.from = "<>".to_owned();
        let letters = [dated.raw(), undated.raw()];
        for _ in 0..2 {
            ends.push(Try::default().put(&world, &base, &letters).await.unwrap().commits);
        }
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    // As it was when this was written: what changes it changes every branch there is.
    insta::assert_snapshot!(ends[0][1], @"f79de4b87b5747460fdb7cf6e97c1941f3e83b00");
}

#[tokio::test]
async fn a_series_becomes_what_git_am_makes_of_it() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n"), file("b", "b\n")]).await;
    let mut first = Mail::new("two", &replace("a", ["1", "2", "3"], "two"));
    first.subject = "[RFC PATCH v2 1/2] [x] =?UTF-8?q?Gr=C3=BC=C3=9Fe?= a:  b".to_owned();
    first.body =
        [b"From: Other <other@example.org>\n\n\nA  \n\n\n B\t\n\n".to_vec(), first.body].concat();
    let second = world.mail("move", &[("b", None), file("c/d", "b\n")]).await;
    let letters = [first.raw(), second.raw()];
    let ours = Try::default().put(&world, &base, &letters).await.unwrap();

    let tree = world.folder.path().join("tree");
    let clone = Call::new(["clone", "--quiet"]).arg(world.upstream()).arg(&tree);
    world.git.succeed(clone).await.unwrap();
    for (number, letter) in letters.iter().enumerate() {
        let mail = world.folder.path().join(format!("{number}.eml"));
        std::fs::write(&mail, letter).unwrap();
        let am = ["am", "--quiet", "--message-id", "--committer-date-is-author-date"];
        let am = at(&tree.join(".git"), &am)
            .arg(&mail)
            .env("GIT_WORK_TREE", &tree)
            .env("GIT_COMMITTER_NAME", "Pointsman")
            .env("GIT_COMMITTER_EMAIL", "pointsman@localhost");
        world.git.succeed(am).await.unwrap();
    }
    let list = at(&tree.join(".git"), &["rev-list", "--reverse", &format!("{base}..HEAD")]);
    let theirs = world.git.succeed(list).await.unwrap().text();
    let theirs: Vec<&str> = theirs.lines().collect();
    let ours: Vec<&str> = ours.commits.iter().map(CommitSha::as_str).collect();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn a_patch_that_does_not_fit_says_where_and_leaves_nothing() {
    let (world, base) = World::with(&[file("dir/a", "1\n2\n3\n")]).await;
    let before = left(&world);
    let good = Mail::new("Say two", &replace("dir/a", ["1", "2", "3"], "two"));
    let bad = Mail::new("Say zwei", &replace("dir/a", ["1", "2", "3"], "zwei"));
    for how in [Try::default(), merged()] {
        let letters = [good.raw(), bad.raw(), good.raw()];
        let stop = how.put(&world, &base, &letters).await.unwrap_err();
        assert_eq!(
            conflict(stop),
            Refusal {
                reason: "it does not fit at line 1 of `dir/a`".to_owned(),
                patch: Some(2),
                file: Some("dir/a".to_owned()),
                line: Some(1),
                tried: Vec::new(),
            }
        );
        assert_eq!(left(&world), before);
    }
}

#[tokio::test]
async fn a_patch_that_is_there_already_is_told_as_such() {
    let (world, base) = World::with(&[file("a", "1\ntwo\n3\n")]).await;
    let mail = Mail::new("Say two", &replace("a", ["1", "2", "3"], "two"));
    for how in [Try::default(), merged()] {
        let refusal = conflict(how.put(&world, &base, &[mail.raw()]).await.unwrap_err());
        assert_eq!(refusal.reason, "what it does is there already");
        assert_eq!(refusal.patch, Some(1));
    }
}

#[tokio::test]
async fn a_patch_that_does_not_fit_as_it_is_may_be_merged() {
    let lines = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    let (world, _) = World::with(&[file("a", lines)]).await;
    let mail = world.mail("five", &[file("a", &lines.replace('5', "five"))]).await;
    // A neighbour of the line has changed since.
    let base = world.commit("master", &[file("a", &lines.replace('3', "three"))]).await;
    world.fetch().await;
    let refusal = conflict(Try::default().put(&world, &base, &[mail.raw()]).await.unwrap_err());
    assert_eq!(refusal.reason, "it does not fit at line 2 of `a`");
    let applied = merged().put(&world, &base, &[mail.raw()]).await.unwrap();
    assert!(applied.is_merged);
    let merged = world.say(&["show", &format!("{}:a", applied.commits[0])]).await;
    assert_eq!(merged, "1\n2\nthree\n4\nfive\n6\n7\n8\n9");
}

#[tokio::test]
async fn a_merge_that_leaves_a_conflict_is_none() {
    let (world, _) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let mail = world.mail("two", &[file("a", "1\ntwo\n3\n")]).await;
    let base = world.commit("master", &[file("a", "1\nzwei\n3\n")]).await;
    world.fetch().await;
    let refusal = conflict(merged().put(&world, &base, &[mail.raw()]).await.unwrap_err());
    assert_eq!((refusal.line, refusal.file.as_deref()), (Some(1), Some("a")));
}

#[tokio::test]
async fn a_file_that_is_missing_or_in_the_way_is_named() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let missing = Mail::new("x", &replace("b", ["1", "2", "3"], "two"));
    let refusal = conflict(Try::default().put(&world, &base, &[missing.raw()]).await.unwrap_err());
    assert_eq!(refusal.reason, "it changes `b`, which is not there");
    assert_eq!(refusal.file.as_deref(), Some("b"));
    let new =
        "diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n";
    let there = Mail::new("x", new);
    let refusal = conflict(Try::default().put(&world, &base, &[there.raw()]).await.unwrap_err());
    assert_eq!(refusal.reason, "it makes `a`, which is there already");
}

#[tokio::test]
async fn a_damaged_patch_is_no_failure_of_ours() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let whole = replace("a", ["1", "2", "3"], "two");
    let torn = Mail::new("x", &whole.replace("+two\n 3\n", ""));
    let refusal = conflict(Try::default().put(&world, &base, &[torn.raw()]).await.unwrap_err());
    assert!(refusal.reason.starts_with("corrupt patch at "), "{refusal:?}");
    let wrapped = Mail::new("x", &whole.replace("+two", "+two\nwrapped by a mailer"));
    let refusal = conflict(Try::default().put(&world, &base, &[wrapped.raw()]).await.unwrap_err());
    assert!(refusal.reason.starts_with("corrupt patch at "), "{refusal:?}");
}

#[tokio::test]
async fn a_base_that_is_not_here_is_a_failure_of_ours() {
    let (world, _) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let mail = Mail::new("Say two", &replace("a", ["1", "2", "3"], "two"));
    let nowhere = CommitSha::try_from("0123456789".repeat(4)).unwrap();
    let stop = Try::default().put(&world, &nowhere, &[mail.raw()]).await.unwrap_err();
    assert!(matches!(stop, Stop::Failed(Failure::Retry { .. })), "{stop:?}");
}

#[tokio::test]
async fn what_is_no_longer_waited_for_leaves_nothing() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let before = left(&world);
    let letters = [Mail::new("Say two", &replace("a", ["1", "2", "3"], "two")).raw()];
    let put = Try::default().put(&world, &base, &letters);
    assert!(tokio::time::timeout(Duration::ZERO, put).await.is_err());
    assert_eq!(left(&world), before);
}

#[tokio::test]
async fn what_a_crash_has_left_is_swept_when_nobody_is_at_work() {
    let (World { folder, git }, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let scratch = git.scratch_folder();
    std::fs::create_dir_all(scratch.join("series-x/objects/00")).unwrap();
    std::fs::write(scratch.join("series-x/index.lock"), "").unwrap();
    std::fs::write(scratch.join("series-x/objects/00/x"), "").unwrap();
    std::fs::write(scratch.join("tmp"), "").unwrap();
    let open = || Git::open(&folder.path().join("own"), &[Protocol::File]).unwrap();
    let other = open();
    assert_eq!(walk(scratch.clone()).len(), 3);
    drop((git, other));
    let git = open();
    assert_eq!(walk(scratch).len(), 0);
    let world = World { folder, git };
    let mail = Mail::new("Say two", &replace("a", ["1", "2", "3"], "two"));
    Try::default().put(&world, &base, &[mail.raw()]).await.unwrap();
}

#[tokio::test]
async fn series_are_put_on_branches_at_once() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let mails: Vec<_> = (0..8)
        .map(|n| [Mail::new("x", &replace("a", ["1", "2", "3"], &format!("x{n}"))).raw()])
        .collect();
    let all = mails.iter().map(|letters| Try::default().put(&world, &base, letters));
    for (number, applied) in futures_util::future::join_all(all).await.into_iter().enumerate() {
        let tip = &applied.unwrap().commits[0];
        assert_eq!(world.say(&["show", &format!("{tip}:a")]).await, format!("1\nx{number}\n3"));
    }
}
