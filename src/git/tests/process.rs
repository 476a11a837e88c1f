//! What git is given, and what it may.

use std::path::Path;

use secrecy::SecretString;

use super::world::{World, file};
use crate::git::call::{Call, End, Limits};
use crate::git::process::Git;
use crate::remote::{Failure, chain};

/// Runs a shell command in the way in which git is run.
fn shell(script: &str) -> Call {
    Call::new(["sh"]).setting("alias.sh", &format!("!{script} #"))
}

#[tokio::test]
async fn git_is_new_enough() {
    let world = World::empty().await;
    let version = world.git.version().await.unwrap();
    assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
}

#[tokio::test]
async fn nothing_of_our_own_environment_reaches_git() {
    let world = World::empty().await;
    let output = world.git.succeed(shell("env")).await.unwrap();
    let text = output.text();
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for name in ["CARGO_MANIFEST_DIR", "USER", "SSH_AUTH_SOCK", "http_proxy"] {
        assert!(!names.contains(&name), "{name}");
    }
    assert!(text.contains("LC_ALL=C\n"), "{text}");
    assert!(text.contains("GIT_TERMINAL_PROMPT=0\n"), "{text}");
}

#[tokio::test]
async fn no_settings_but_ours_and_those_of_the_repository_are_in_force() {
    let world = World::empty().await;
    let list = world.say(&["config", "--list", "--show-scope"]).await;
    let others: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with("command\t") && !line.starts_with("local\tcore."))
        .collect();
    assert_eq!(others, Vec::<&str>::new());
}

#[tokio::test]
async fn limits_are_set_before_git_begins() {
    let world = World::empty().await;
    let output = world.git.succeed(shell("ulimit -v; ulimit -t; ulimit -c")).await.unwrap();
    assert_eq!(output.text(), "1048576\n45\n0");
}

#[tokio::test]
async fn who_computes_for_too_long_is_ended_by_the_signal_that_says_so() {
    let world = World::empty().await;
    let limits = Limits { cpu: std::time::Duration::from_secs(1), ..Limits::LOCAL };
    let output = world.git.run(shell("while :; do :; done").limits(limits)).await.unwrap();
    // Git says of what it has begun that it was ended by SIGXCPU.
    assert_eq!(output.end, End::Code(128 + 24));
    assert!(Limits::LOCAL.cpu < Limits::LOCAL.time);
}

#[tokio::test]
async fn who_wants_too_much_memory_gets_none() {
    let world = World::empty().await;
    let limits = Limits { memory_bytes: 64 * 1024 * 1024, ..Limits::LOCAL };
    let large = vec![b'x'; 128 * 1024 * 1024];
    let call = Call::new(["stripspace"]).stdin(large).limits(limits);
    let output = world.git.run(call).await.unwrap();
    assert_eq!(output.end, End::Code(128), "{}", output.complaint());
    assert!(output.complaint().contains("ut of memory"), "{}", output.complaint());
}

#[tokio::test]
async fn who_writes_too_much_is_ended() {
    let world = World::empty().await;
    let limits = Limits { file_bytes: 1024 * 1024, ..Limits::LOCAL };
    let mut noise = vec![0; 8 * 1024 * 1024];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    let call = Call::new(["hash-object", "-w", "--stdin"]).stdin(noise).limits(limits);
    let output = world.git.run(call).await.unwrap();
    assert_ne!(output.end, End::Code(0));
}

/// A call that begins a child of a child, which writes its number to a file and stays: only a
/// whole group that is killed lets go of the pipes.
fn staying(file: &Path) -> Call {
    shell(&format!("sh -c 'echo $$ >{}; exec tail -f /dev/null'", file.display()))
}

async fn is_written(file: &Path) {
    while !std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n')) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_takes_too_long_is_killed_with_all_that_it_has_begun() {
    let world = World::empty().await;
    let file = world.folder.path().join("number");
    let run = world.git.run(staying(&file));
    // A clock that stands still is put forward as soon as there is nothing to do but to wait.
    let hurry = async {
        is_written(&file).await;
        tokio::time::pause();
    };
    let (ended, ()) = tokio::join!(run, hurry);
    let failure = ended.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }));
    assert_eq!(
        chain(&failure),
        "temporary failure: `git sh` was killed after 60s: it takes too long"
    );
    let number = std::fs::read_to_string(&file).unwrap();
    assert!(is_gone(number.trim()), "{number}");
}

#[tokio::test]
async fn who_is_no_longer_waited_for_is_killed() {
    let world = World::empty().await;
    let file = world.folder.path().join("number");
    tokio::select! {
        ended = world.git.run(staying(&file)) => panic!("{ended:?}"),
        () = is_written(&file) => {}
    }
    let number = std::fs::read_to_string(&file).unwrap();
    assert!(is_gone(number.trim()), "{number}");
}

/// Whether a process has ended, or is about to: a signal is delivered when it is seen next.
fn is_gone(number: &str) -> bool {
    let stat = format!("/proc/{number}/stat");
    for _ in 0..1_000_000 {
        match std::fs::read_to_string(&stat) {
            Ok(text) if !text.contains(") Z ") => std::thread::yield_now(),
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

#[tokio::test]
async fn who_answers_without_end_is_not_listened_to() {
    let world = World::empty().await;
    let limits = Limits { output_bytes: 1000, ..Limits::LOCAL };
    let failure = world.git.run(shell("yes").limits(limits)).await.unwrap_err();
    assert_eq!(
        chain(&failure),
        "temporary failure: cannot run `git sh`: it answers more than 1000 bytes"
    );
}

#[tokio::test]
async fn complaints_are_harmless_and_short() {
    let world = World::empty().await;
    let call = shell("printf 'noise\\nerror: \\033[31mred\\nfatal: x%.0s' $(seq 1000) >&2; exit 3");
    let output = world.git.run(call).await.unwrap();
    assert_eq!(output.end, End::Code(3));
    assert!(output.complaint().starts_with("error: red; fatal: x"), "{}", output.complaint());
    assert!(!output.complaint().contains(['\n', '\u{1b}']));
    assert!(output.complaint().chars().count() <= 200);
}

#[tokio::test]
async fn who_complains_without_end_is_still_heard_out() {
    let world = World::empty().await;
    let output = world.git.run(shell("seq 1000000 >&2; echo done")).await.unwrap();
    assert_eq!(output.text(), "done");
    assert!(output.stderr.len() <= 16 * 1024);
}

#[tokio::test]
async fn only_configured_protocols_are_spoken() {
    let (world, _) = World::with(&[file("a", "1\n")]).await;
    let git = Git::open(&world.folder.path().join("own"), &[]).unwrap();
    let fetch = Call::new(["fetch"]).arg(world.upstream()).arg("master");
    let output = git.run(fetch).await.unwrap();
    assert_eq!(output.complaint(), "fatal: transport 'file' not allowed");
    let ext = Call::new(["fetch", "ext::sh -c 'touch /tmp/never'", "master"]);
    let output = world.git.run(ext).await.unwrap();
    assert_eq!(output.complaint(), "fatal: transport 'ext' not allowed");
}

#[tokio::test]
async fn a_secret_is_in_the_environment_only() {
    let world = World::empty().await;
    let secret = SecretString::from("Authorization: Bearer hunter2".to_owned());
    let call = shell("tr '\\\\0' ' ' </proc/$PPID/cmdline; git config http.extraHeader")
        .secret("http.extraHeader", secret);
    assert!(!format!("{call:?}").contains("hunter2"));
    let output = world.git.succeed(call).await.unwrap();
    let text = output.text();
    let (command, header) = text.rsplit_once('#').unwrap();
    assert!(command.contains("protocol.allow=never"), "{command}");
    assert!(!command.contains("hunter2"), "{command}");
    assert!(header.contains("Authorization: Bearer hunter2"), "{header}");
}

#[tokio::test]
async fn hooks_of_the_repository_are_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let (world, sha) = World::with(&[file("a", "1\n")]).await;
    let hook = world.git.repository().join("hooks/reference-transaction");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.say(&["update-ref", "refs/heads/other", sha.as_str()]).await;
    assert_eq!(world.say(&["rev-parse", "refs/heads/other"]).await, sha.as_str());
}

#[tokio::test]
async fn what_a_killed_git_has_locked_is_unlocked_once_nobody_is_at_work() {
    let (world, sha) = World::with(&[file("a", "1\n")]).await;
    let repository = world.git.repository();
    let locks = [
        "HEAD.lock",
        "packed-refs.lock",
        "gc.pid.lock",
        "objects/info/commit-graph.lock",
        "objects/info/commit-graphs/commit-graph-chain.lock",
        "objects/pack/multi-pack-index.lock",
        "refs/heads/master.lock",
        "refs/heads/pointsman/lists/7/v1.lock",
    ];
    for lock in locks {
        std::fs::create_dir_all(repository.join(lock).parent().unwrap()).unwrap();
        std::fs::write(repository.join(lock), "").unwrap();
    }
    let there = || locks.iter().filter(|lock| repository.join(lock).exists()).count();
    let root = world.folder.path().join("own");
    // Whoever is at work may hold them.
    let other = Git::open(&root, &[]).unwrap();
    assert_eq!(there(), locks.len());
    drop((world.git, other));
    let git = Git::open(&root, &[]).unwrap();
    assert_eq!(there(), 0);
    let update = Call::new(["update-ref", "refs/heads/master", sha.as_str()]);
    git.succeed(update).await.unwrap();
    assert!(repository.join("refs/heads/master").exists());
}
