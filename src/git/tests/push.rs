//! Branches where others fetch them: made once, never moved, and taken away again.

use super::land::{Land, applied, order, says, sha, work};
use super::world::file;
use crate::action::PushOrder;
use crate::git::repository::Repository;
use crate::git::{Outcome, Tree};
use crate::remote::{Failure, chain};
use crate::subject::CommitSha;

const OLD: &str = "1\n2\n3\n";
const NEW: &str = "1\n2\nthree\n";

async fn land() -> Land {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OLD), file("b", OLD)]).await;
    land
}

async fn series(land: &Land) -> Vec<Vec<u8>> {
    vec![land.mail("Say three", "a", [OLD, NEW]).await]
}

fn push_order(name: &str, sha: &CommitSha) -> PushOrder {
    let subject = order("7").series.subject();
    PushOrder { subject, sha: sha.clone(), name: name.to_owned() }
}

fn permanent(failure: &Failure) -> String {
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    chain(failure)
}

/// All references that are pushed, with when each was last written.
fn written(land: &Land) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let mut found = Vec::new();
    let mut folders = vec![land.folder("push.git/refs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let at = std::fs::metadata(&path).unwrap().modified().unwrap();
                found.push((path, at));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_same_again_changes_nothing_wherever_it_is_done() {
    let land = land().await;
    let (order, letters) = (order("7"), series(&land).await);
    let first = applied(&land.repository(""), &work(&order, &letters)).await;
    let before = written(&land);
    assert_eq!(before.len(), 1);
    let again = applied(&land.repository(""), &work(&order, &letters)).await;
    // Another machine, or another folder.
    let elsewhere = land.repository_in("elsewhere", "");
    let third = applied(&elsewhere, &work(&order, &letters)).await;
    assert_eq!((&again.sha, &third.sha), (&first.sha, &first.sha));
    assert_eq!((&again.base.sha, &again.commits), (&first.base.sha, &first.commits));
    assert_eq!(written(&land), before);
}

/// Nobody has written down that it was pushed, and the upstream has gone on.
#[tokio::test]
async fn what_was_pushed_before_a_sudden_end_is_not_pushed_again_as_something_else() {
    let land = land().await;
    let (order, letters) = (order("7"), series(&land).await);
    let first = applied(&land.repository(""), &work(&order, &letters)).await;
    land.world.commit("master", &[file("b", NEW)]).await;
    land.days(2);
    let again = applied(&land.repository(""), &work(&order, &letters)).await;
    assert_eq!((&again.sha, &again.base.sha), (&first.sha, &first.base.sha));
    assert_eq!(again.base.branch, "master");
    assert_eq!(again.base.why, "as it was put there before");

    // The same where our own repository is lost, too.
    let elsewhere = land.repository_in("elsewhere", "");
    let third = applied(&elsewhere, &work(&order, &letters)).await;
    assert_eq!((&third.sha, &third.base.sha), (&first.sha, &first.base.sha));
    assert_eq!(land.pushed().await, [(first.name.clone(), first.sha.to_string())]);
    let own =
        says(&elsewhere, &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/taken"]);
    assert_eq!(own.await, format!("refs/heads/{}", first.name));

    // Put upon a newer base it is another branch.
    let mut newer = order.clone();
    newer.respin = 1;
    let respun = applied(&land.repository(""), &work(&newer, &letters)).await;
    assert_eq!(respun.name, format!("{}-r1", first.name));
    assert_ne!(respun.base.sha, first.base.sha);
}

#[tokio::test]
async fn a_branch_of_somebody_else_stays_as_it_is() {
    let land = land().await;
    let (order, letters) = (order("7"), series(&land).await);
    let upstream = land.world.upstream();
    let name = "pointsman/source-main/7/v1";
    let refspec = format!("refs/heads/master:refs/heads/{name}");
    land.git("push.git", &["fetch", "-q", upstream.to_str().unwrap(), &refspec]).await;
    let before = land.pushed().await;
    for _ in 0..2 {
        let repository = land.repository("");
        let error = permanent(&repository.apply(&work(&order, &letters)).await.unwrap_err());
        let stands = before[0].1.get(..12).unwrap();
        assert_eq!(
            error,
            format!(
                "permanent failure: git.linux: the branch `{name}` is at `{stands}` already, at \
                 something else than this; a branch is never moved: remove it, or have the series \
                 put on a newer base"
            )
        );
        assert_eq!(land.pushed().await, before);
    }
}

/// It has the same patch, but it is not what we would make of it.
#[tokio::test]
async fn a_branch_that_only_looks_like_ours_is_somebody_elses() {
    let land = land().await;
    let (order, letters) = (order("7"), series(&land).await);
    let theirs = land.repository("committer = 'Mallory <mallory@forge.example>'");
    let forged = applied(&theirs, &work(&order, &letters)).await;
    let error = land.repository("").apply(&work(&order, &letters)).await.unwrap_err();
    assert!(permanent(&error).contains("is never moved"));
    assert_eq!(land.pushed().await, [(forged.name, forged.sha.to_string())]);
}

#[tokio::test]
async fn a_part_of_a_series_is_a_branch_of_its_own() {
    let land = land().await;
    let mut letters = series(&land).await;
    letters.push(land.mail("Say two", "b", [OLD, NEW]).await);
    let repository = land.repository("");
    let branch = applied(&repository, &work(&order("7"), &letters)).await;
    for patch in [0, 1] {
        let part = branch.up_to(patch);
        for _ in 0..2 {
            repository.push(&push_order(&part.name, &part.sha)).await.unwrap();
        }
    }
    let names: Vec<String> = land.pushed().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["v1", "v1-p0", "v1-p1"].map(|v| format!("pointsman/source-main/7/{v}")));

    let other = push_order(&branch.up_to(0).name, &branch.sha);
    assert!(permanent(&repository.push(&other).await.unwrap_err()).contains("is never moved"));
    let unknown = push_order("pointsman/x", &sha(&"a".repeat(40)));
    let error = permanent(&repository.push(&unknown).await.unwrap_err());
    assert!(error.ends_with("is not in our repository"), "{error}");
}

#[tokio::test]
async fn a_repository_that_is_made_anew_has_again_what_is_needed() {
    let land = land().await;
    let mut letters = series(&land).await;
    letters.push(land.mail("Say two", "b", [OLD, NEW]).await);
    let repository = land.repository("fresh = '1h'");
    let branch = applied(&repository, &work(&order("7"), &letters)).await;
    let lose = || std::fs::remove_dir_all(land.folder("tree/repository.git")).unwrap();
    // Parts that were ordered before, in this life and in the next.
    for (patch, repository) in [(0, &repository), (1, &land.repository(""))] {
        lose();
        let part = branch.up_to(patch);
        repository.push(&push_order(&part.name, &part.sha)).await.unwrap();
    }
    assert_eq!(land.pushed().await.len(), 3);
    lose();
    applied(&repository, &work(&order("8"), &letters)).await;
}

#[tokio::test]
async fn only_what_has_our_prefix_is_ours() {
    let land = land().await;
    let repository = land.repository("");
    let branch = applied(&repository, &work(&order("7"), &series(&land).await)).await;
    for name in ["master", "pointsman", "pointsmanx/7", "pointsman/../master", "pointsman/a:b"] {
        let failures = [
            repository.push(&push_order(name, &branch.sha)).await.unwrap_err(),
            repository.remove(name, &branch.sha).await.unwrap_err(),
        ];
        for failure in failures {
            assert!(permanent(&failure).contains("is no branch of ours"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_branch_is_removed_where_it_is_what_we_have_pushed() {
    let land = land().await;
    let repository = land.repository("");
    let branch = applied(&repository, &work(&order("7"), &series(&land).await)).await;
    let other = sha(&"a".repeat(40));
    repository.remove(&branch.name, &other).await.unwrap();
    assert_eq!(land.pushed().await.len(), 1);
    for _ in 0..2 {
        repository.remove(&branch.name, &branch.sha).await.unwrap();
        assert_eq!(land.pushed().await, []);
    }
    assert_eq!(says(&repository, &["for-each-ref", "refs/heads"]).await, "");
}

#[tokio::test]
async fn what_the_server_does_not_take_is_not_told_to_it() {
    let land = land().await;
    let rest = "push_options = ['ci.skip']";
    let (order, letters) = (order("7"), series(&land).await);
    let branch = applied(&land.repository(rest), &work(&order, &letters)).await;
    assert_eq!(land.pushed().await.len(), 1);
    land.git("push.git", &["config", "receive.advertisePushOptions", "true"]).await;
    land.hook("printf '%s\\n' \"$GIT_PUSH_OPTION_0\" >told");
    land.repository(rest).remove(&branch.name, &branch.sha).await.unwrap();
    applied(&land.repository(rest), &work(&order, &letters)).await;
    let told = std::fs::read_to_string(land.folder("push.git/told")).unwrap();
    assert_eq!(told, "ci.skip\n");
}

#[tokio::test]
async fn a_server_that_refuses_may_think_better_of_it() {
    let land = land().await;
    let (order, letters) = (order("7"), series(&land).await);
    land.hook("echo 'the disk is full' >&2; exit 1");
    let failure = land.repository("").apply(&work(&order, &letters)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }));
    let error = chain(&failure);
    assert!(error.contains("git.linux: cannot push `pointsman/source-main/7/v1` to "), "{error}");
    assert_eq!(land.pushed().await, []);
    land.hook("exit 0");
    applied(&land.repository(""), &work(&order, &letters)).await;
}

/// The server has the branch, and whoever pushed it does not know.
#[tokio::test]
async fn a_lost_answer_is_looked_for() {
    let land = land().await;
    let hook = land.folder("push.git/hooks/post-receive");
    // Ends git with all that it has begun, when the reference is written.
    Land::script(&hook, "kill -9 -$(ps -o pgid= -p $$ | tr -d ' ')");
    let (order, letters) = (order("7"), series(&land).await);
    let outcome = land.repository("").apply(&work(&order, &letters)).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(land.pushed().await.len(), 1);
}

async fn error_of(repository: &Repository, land: &Land) -> String {
    let (order, letters) = (order("7"), series(land).await);
    let failure = repository.apply(&work(&order, &letters)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    chain(&failure).replace(land.folder("").to_str().unwrap(), "/")
}

#[tokio::test]
async fn a_folder_that_is_damaged_is_told_in_one_line() {
    let land = land().await;
    applied(&land.repository(""), &work(&order("1"), &series(&land).await)).await;
    std::fs::remove_file(land.folder("tree/repository.git/HEAD")).unwrap();
    let error = error_of(&land.repository(""), &land).await;
    insta::assert_snapshot!(error, @"temporary failure: git.linux: the repository in `/tree/repository.git` is damaged (fatal: not a git repository: '/tree/repository.git'): once it is moved away, it is made anew");
    std::fs::remove_dir_all(land.folder("tree/repository.git")).unwrap();
    applied(&land.repository(""), &work(&order("7"), &series(&land).await)).await;
}

#[tokio::test]
async fn commits_that_are_lost_are_told_as_damage() {
    let land = land().await;
    applied(&land.repository(""), &work(&order("1"), &series(&land).await)).await;
    std::fs::remove_dir_all(land.folder("tree/repository.git/objects")).unwrap();
    std::fs::create_dir(land.folder("tree/repository.git/objects")).unwrap();
    let error = error_of(&land.repository(""), &land).await;
    assert!(error.contains("`/tree/repository.git` is damaged (fatal: missing object"), "{error}");
}

#[tokio::test]
async fn an_upstream_that_is_away_is_told_in_one_line() {
    let land = land().await;
    let repository = land.repository("");
    std::fs::rename(land.world.upstream(), land.folder("away")).unwrap();
    let error = {
        let (order, letters) = (order("7"), Vec::new());
        chain(&repository.apply(&work(&order, &letters)).await.unwrap_err())
    };
    insta::assert_snapshot!(error.replace(land.folder("").to_str().unwrap(), "/"), @"temporary failure: git.linux: cannot look at `/upstream.git`: fatal: '/upstream.git' does not appear to be a git repository; fatal: Could not read from remote repository.");
}

/// Whatever somebody writes there, git would do it.
#[tokio::test]
async fn what_the_folder_says_of_itself_does_not_count() {
    let land = land().await;
    applied(&land.repository(""), &work(&order("1"), &series(&land).await)).await;
    let config = land.folder("tree/repository.git/config");
    let touched = land.folder("touched");
    let evil = format!(
        "[core]\nrepositoryformatversion = 0\nbare = true\n[url \"/nowhere\"]\ninsteadOf = /\n\
         [alias]\nrev-parse = !touch {0}\n[core]\nfsmonitor = touch {0}\n",
        touched.display()
    );
    std::fs::write(&config, evil).unwrap();
    applied(&land.repository(""), &work(&order("7"), &series(&land).await)).await;
    assert!(!touched.exists());
}
