//! What is sent in order to do harm, each with what becomes of it.

use std::slice;

use super::world::{Mail, Try, World, file, replace};
use crate::git::call::Call;
use crate::git::guard::{Answer, Policy};
use crate::git::stop::Stop;
use crate::subject::CommitSha;

const SECOND: &str = "From x Mon Sep 17 00:00:00 2001\nFrom: Eve <eve@example.org>\n\
    Subject: [PATCH] evil\n\n---\n";

async fn world() -> (World, CommitSha) {
    World::with(&[file("a", "1\n2\n3\n"), file("Dockerfile", "FROM scratch\n")]).await
}

fn two() -> String {
    replace("a", ["1", "2", "3"], "two")
}

/// What becomes of a series: a word, and why.
async fn end(how: Try, world: &World, base: &CommitSha, mails: &[Mail]) -> (&'static str, String) {
    let letters: Vec<_> = mails.iter().map(Mail::raw).collect();
    match how.put(world, base, &letters).await {
        Ok(applied) => ("applied", applied.commits.len().to_string()),
        Err(Stop::Conflict(refusal)) => ("conflict", refusal.reason),
        Err(Stop::Held(refusal)) => ("held", refusal.reason),
        Err(Stop::Refused(refusal)) => ("refused", refusal.reason),
        Err(Stop::Failed(failure)) => panic!("{failure:?}"),
    }
}

/// What becomes of a mail with this diff.
async fn end_of(diff: &str, (world, base): &(World, CommitSha)) -> (&'static str, String) {
    end(Try::default(), world, base, &[Mail::new("x", diff)]).await
}

fn with(policy: Policy) -> Try {
    Try { policy, ..Try::default() }
}

fn new_file(path: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n\
         @@ -0,0 +1 @@\n+x\n"
    )
}

#[tokio::test]
async fn a_mail_within_a_mail_is_refused() {
    let (world, base) = world().await;
    let expected = ("refused", "there is another mail in its mail".to_owned());
    let mut after = Mail::new("x", &two());
    after.body.extend_from_slice(SECOND.as_bytes());
    after.body.extend_from_slice(new_file("evil").as_bytes());
    assert_eq!(end(Try::default(), &world, &base, &[after]).await, expected);
    let mut before = Mail::new("x", &two());
    before.body = [SECOND.as_bytes(), &before.body].concat();
    assert_eq!(end(Try::default(), &world, &base, &[before]).await, expected);
}

#[tokio::test]
async fn whom_the_text_says_a_patch_is_from_is_its_author_and_no_more() {
    let (world, base) = world().await;
    let mut mail = Mail::new("x", &two());
    let inner = b"From: Linus <linus@example.org>\nSubject: [skip ci] y\n\n";
    mail.body = [&inner[..], &mail.body].concat();
    let applied = Try::default().put(&world, &base, &[mail.raw()]).await.unwrap();
    let format = ["show", "-s", "--format=%an|%cn|%s", applied.commits[0].as_str()];
    assert_eq!(world.say(&format).await, "Linus|Pointsman|y");
}

#[tokio::test]
async fn paths_out_of_the_repository_are_refused() {
    let world = world().await;
    for path in [
        ".git/config",
        ".GIT/config",
        "x/.git/hooks/post-checkout",
        "../x",
        "x/../../y",
        "git~1/config",
        ".git\u{200c}/config",
        ".git ./config",
        "/etc/passwd",
    ] {
        let (ended, reason) = end_of(&new_file(path), &world).await;
        assert_eq!(ended, "refused", "{path}: {reason}");
    }
    let absolute = new_file("x").replace("b/x", "/etc/x");
    let expected = ("refused", "`/etc/x` is no path for a file".to_owned());
    assert_eq!(end_of(&absolute, &world).await, expected);
}

#[tokio::test]
async fn paths_of_files_without_lines_are_looked_at_too() {
    let world = world().await;
    for path in [".git/config", "../x", "x/.git/y"] {
        let empty =
            format!("diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..e69de29\n");
        let expected = ("refused", format!("`{path}` is no path for a file"));
        assert_eq!(end_of(&empty, &world).await, expected);
    }
}

#[tokio::test]
async fn a_path_that_only_git_knows_to_be_none_is_refused() {
    let world = world().await;
    let link = new_file(".gitmodules").replace("100644", "120000");
    let expected = ("refused", "invalid path '.gitmodules'".to_owned());
    assert_eq!(end_of(&link, &world).await, expected);
}

#[tokio::test]
async fn nothing_is_written_through_a_symbolic_link() {
    let (world, base) = world().await;
    let target = world.folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let change = ("d", Some(("120000", target.to_str().unwrap().as_bytes())));
    let link = world.mail("link", &[change]).await;
    let through = Mail::new("through", &new_file("d/x"));
    let how = Try { is_approved: true, ..Try::default() };
    let ended = end(how, &world, &base, &[link, through]).await;
    assert_eq!(ended.0, "conflict", "{}", ended.1);
    assert_eq!(std::fs::read_dir(target).unwrap().count(), 0);
}

#[tokio::test]
async fn what_somebody_has_to_look_at_is_held_until_somebody_has() {
    let (world, base) = world().await;
    let link = ("d", Some(("120000", &b"/etc"[..])));
    let modules = file("x/.GitModules", "");
    let ci = file("Dockerfile", "FROM evil\n");
    let docker = file("x/dockerfile.arm", "FROM evil\n");
    let workflow = file(".github/workflows/x.yml", "on: push\n");
    let hidden = file("a", "1\n2\u{202e}\n3\n");
    let name = file("a\u{200b}", "\n");
    for (change, why) in [
        (link, "`d` is a symbolic link"),
        (modules, "`x/.GitModules` says where submodules are"),
        (ci, "`Dockerfile` says how it is built"),
        (docker, "`x/dockerfile.arm` says how it is built"),
        (workflow, "`.github/workflows/x.yml` says how it is built"),
        (hidden, "`a` gets the hidden character U+202E"),
        (name, "`a` has the hidden character U+200B"),
    ] {
        let mails = [world.mail("x", &[change]).await];
        let judged = |how| end(how, &world, &base, &mails);
        assert_eq!(judged(Try::default()).await, ("held", why.to_owned()));
        let approved = Try { is_approved: true, ..Try::default() };
        assert_eq!(judged(approved).await.0, "applied", "{why}");
        for (answer, word) in [(Answer::Allow, "applied"), (Answer::Refuse, "refused")] {
            let policy = Policy {
                symlinks: answer,
                submodules: answer,
                hidden_characters: answer,
                ci_changes: answer,
                ..Policy::default()
            };
            let how = Try { policy, is_approved: true, ..Try::default() };
            assert_eq!(judged(how).await.0, word, "{why}");
        }
    }
}

#[tokio::test]
async fn a_submodule_is_held() {
    let link = "diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1234567\n--- /dev/null\n\
        +++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit 1234567890123456789012345678901234567890\n";
    assert_eq!(end_of(link, &world().await).await, ("held", "`sub` is a submodule".to_owned()));
}

#[tokio::test]
async fn which_files_say_how_it_is_built_is_the_operators_to_say() {
    let (world, base) = world().await;
    for (path, word) in [("build/x/y.sh", "held"), ("Dockerfile", "applied")] {
        let mail = world.mail("x", &[file(path, "x\n")]).await;
        let policy = Policy { ci_files: vec!["build/**".to_owned()], ..Policy::default() };
        assert_eq!(end(with(policy), &world, &base, &[mail]).await.0, word, "{path}");
    }
}

#[tokio::test]
async fn all_that_there_is_to_look_at_is_told_at_once() {
    let (world, base) = world().await;
    let mut first = world.mail("x", &[file("a", "1\n2\u{202e}\n3\n")]).await;
    first.subject = "x\u{1b}[31m".to_owned();
    let many = ["f", "g", "h", "i", "j"].map(|path| (path, Some(("120000", &b"/"[..]))));
    let second = world.mail("y", &many).await;
    let ended = end(Try::default(), &world, &base, &[first, second]).await;
    insta::assert_snapshot!(ended.1, @"its message has the hidden character U+001B; `a` gets the hidden character U+202E; patch 2: `f` is a symbolic link; patch 2: `g` is a symbolic link; patch 2: `h` is a symbolic link; and 2 more");
    assert_eq!(ended.0, "held");
}

#[tokio::test]
async fn no_filter_and_no_hook_is_run() {
    use std::os::unix::fs::PermissionsExt;
    let (world, base) = world().await;
    let ran = world.folder.path().join("ran");
    let touch = format!("touch {}", ran.display());
    for setting in ["filter.evil.clean", "filter.evil.smudge", "filter.evil.process"] {
        world.say(&["config", setting, &touch]).await;
    }
    let hooks = world.git.repository().join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in
        ["applypatch-msg", "pre-applypatch", "post-applypatch", "post-commit", "post-index-change"]
    {
        std::fs::write(hooks.join(hook), format!("#!/bin/sh\n{touch}\n")).unwrap();
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(hooks.join(hook), all).unwrap();
    }
    let attributes = world.mail("x", &[file(".gitattributes", "* filter=evil\n")]).await;
    let filtered = world.mail("y", &[file("b", "x\n"), file("a", "x\n")]).await;
    let ended = end(Try::default(), &world, &base, &[attributes, filtered]).await;
    assert_eq!(ended.0, "applied", "{}", ended.1);
    assert!(!ran.exists());
}

#[tokio::test]
async fn large_binary_files_are_refused_before_they_are_unpacked() {
    let (world, base) = world().await;
    let zeros = vec![0; 1024 * 1024];
    let mail = world.mail("x", &[("zeros", Some(("100644", &zeros)))]).await;
    assert!(mail.raw().len() < 10_000);
    let policy = |binary_bytes_max| Policy { binary_bytes_max, ..Policy::default() };
    let small = end(with(policy(1024 * 1024 - 1)), &world, &base, slice::from_ref(&mail)).await;
    let reason = "its binary files are larger than 1048575 bytes".to_owned();
    assert_eq!(small, ("refused", reason));
    let enough = end(with(policy(1024 * 1024)), &world, &base, &[mail]).await;
    assert_eq!(enough.0, "applied", "{}", enough.1);
}

#[tokio::test]
async fn a_few_bytes_that_repeat_what_is_there_are_refused() {
    let mut noise = vec![0; 64 * 1024];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    let world = World::with(&[("noise", Some(("100644", &noise)))]).await;
    let (world, base) = world;
    let mail = world.mail("x", &[("noise", Some(("100644", &noise.repeat(32))))]).await;
    assert!(mail.raw().windows(7).any(|window| window == b"\ndelta "));
    assert!(mail.raw().len() < 10_000);
    let size = 500_000;
    let policy = || Policy { binary_bytes_max: size, series_bytes_max: size, ..Policy::default() };
    let ended = end(with(policy()), &world, &base, slice::from_ref(&mail)).await;
    assert_eq!(ended, ("refused", "its binary files are larger than 500000 bytes".to_owned()));
    assert_eq!(end(Try::default(), &world, &base, &[mail]).await.0, "applied");
}

#[tokio::test]
async fn too_many_files_and_too_large_mails_are_refused() {
    let (world, base) = world().await;
    let files = ["f", "g", "h"].map(|path| file(path, "x\n"));
    let mail = world.mail("x", &files).await;
    let size = u64::try_from(mail.raw().len()).unwrap();
    for (policy, why) in [
        (Policy { files_max: 2, ..Policy::default() }, "it touches more than 2 files".to_owned()),
        (
            Policy { mail_bytes_max: size - 1, ..Policy::default() },
            format!("its mail is larger than {} bytes", size - 1),
        ),
        (
            Policy { series_bytes_max: size - 1, ..Policy::default() },
            format!("its mails are larger than {} bytes", size - 1),
        ),
    ] {
        assert_eq!(
            end(with(policy), &world, &base, slice::from_ref(&mail)).await,
            ("refused", why)
        );
    }
    let policy =
        Policy { files_max: 3, mail_bytes_max: size, series_bytes_max: size, ..Policy::default() };
    assert_eq!(end(with(policy), &world, &base, &[mail]).await.0, "applied");
    assert_eq!(end(Try::default(), &world, &base, &[]).await.1, "it has 0 patches");
}

#[tokio::test]
async fn a_script_for_an_editor_is_no_patch() {
    let (world, base) = world().await;
    let ran = world.folder.path().join("ran");
    let script = format!("--- a/a\n+++ b/a\n1a\n!touch {}\n.\n", ran.display());
    let ended = end(Try::default(), &world, &base, &[Mail::new("x", &script)]).await;
    assert_eq!(ended.0, "conflict", "{}", ended.1);
    assert!(!ran.exists());
}

#[tokio::test]
async fn what_git_says_is_harmless_when_it_is_told() {
    let path = "x\\033]0;evil\\007\\n@everyone";
    let diff = format!(
        "diff --git \"a/{path}\" \"b/{path}\"\n--- \"a/{path}\"\n+++ \"b/{path}\"\n\
         @@ -1 +1 @@\n-x\n+y\n"
    );
    let (world, base) = world().await;
    let letters = [Mail::new("x", &diff).raw()];
    let stop = Try::default().put(&world, &base, &letters).await.unwrap_err();
    let Stop::Conflict(refusal) = stop else { panic!("{stop:?}") };
    let told = format!("{}{}", refusal.reason, refusal.file.unwrap_or_default());
    assert!(!told.contains(char::is_control), "{told:?}");
    assert!(told.chars().count() < 500);
}

#[tokio::test]
async fn an_object_cannot_be_smuggled_in_by_its_id() {
    let (world, base) = world().await;
    let secret = world.git.succeed(Call::new(["hash-object", "-w", "--stdin"]).stdin("secret"));
    let id = secret.await.unwrap().text();
    let nothing = "0".repeat(40);
    let diff = format!(
        "diff --git a/x b/x\nnew file mode 100644\nindex {nothing}..{id}\nGIT binary patch\n\n"
    );
    let ended = end(Try::default(), &world, &base, &[Mail::new("x", &diff)]).await;
    assert_eq!(ended.0, "conflict", "{}", ended.1);
}
