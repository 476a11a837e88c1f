//! Which base a series is put upon, and what is said about it.

use super::land::{Land, applied, choice, conflict, dependency, hinting, order, says, work};
use super::world::file;
use crate::event::series::Hints;
use crate::subject::CommitSha;

const OLD: &str = "1\n2\n3\n4\n5\n";
const NEW: &str = "1\n2\n3\n4\nfive\n";
/// A file that the patch from [`OLD`] to [`NEW`] does not fit.
const OTHER: &str = "7\n8\n9\n";
/// One that it fits after a merge only: a line near what it changes is another.
const NEAR: &str = "1\ntwo\n3\n4\n5\n";

/// Two branches, of which the first never takes the patch.
async fn two_branches() -> (Land, CommitSha, CommitSha) {
    let land = Land::new().await;
    let master = land.world.commit("master", &[file("a", OTHER), file("only", "m\n")]).await;
    let next = land.world.commit("next", &[file("a", OLD)]).await;
    (land, master, next)
}

async fn series(land: &Land) -> Vec<Vec<u8>> {
    vec![land.mail("Say five", "a", [OLD, NEW]).await]
}

const BOTH: &str = "bases = ['master', 'next']";

#[tokio::test]
async fn the_branches_are_tried_in_their_order_and_the_record_says_so() {
    let land = Land::new().await;
    let master = land.world.commit("master", &[file("a", OTHER)]).await;
    let next = land.world.commit("next", &[file("a", OLD)]).await;
    // Without ids in it nothing tells where the patch belongs.
    let diff = "--- a/a\n+++ b/a\n@@ -2,4 +2,4 @@\n 2\n 3\n 4\n-5\n+five\n";
    let letters = vec![super::world::Mail::new("Say five", diff).raw()];
    let repository = land.repository(BOTH);
    let branch = applied(&repository, &work(&order("7"), &letters)).await;
    insta::assert_snapshot!(choice(&branch), @r"
    next: the first that it applies to
    not master: patch 1: it does not fit at line 2 of `a`
    ");
    assert_eq!((&branch.base.sha, &branch.tried[0].sha), (&next, &master));
    assert_eq!(branch.url, "https://git.example/s.git");
    assert_eq!(branch.name, "pointsman/source-main/7/v1");
    assert_eq!(land.pushed().await, [(branch.name.clone(), branch.sha.to_string())]);
    assert_eq!(land.git("push.git", &["show", &format!("{}:a", branch.sha)]).await, NEW.trim());
}

#[tokio::test]
async fn the_files_tell_where_a_series_belongs() {
    let (land, ..) = two_branches().await;
    let repository = land.repository(BOTH);
    let branch = applied(&repository, &work(&order("7"), &series(&land).await)).await;
    insta::assert_snapshot!(choice(&branch), @"next: its files are as the author had them");
}

#[tokio::test]
async fn what_was_right_the_last_time_comes_first() {
    let (land, _, next) = two_branches().await;
    land.world.commit("third", &[file("a", OLD), file("t", "t\n")]).await;
    let repository = land.repository("bases = ['master', 'third', 'next']");
    let mut order = hinting("7", Hints { base: Some(next), ..Hints::default() });
    order.last_base = Some("third".to_owned());
    let branch = applied(&repository, &work(&order, &series(&land).await)).await;
    insta::assert_snapshot!(choice(&branch), @"third: as the last time");
    // One that is configured no more says nothing.
    order.last_base = Some("gone".to_owned());
    order.series.series.version = 2;
    let branch = applied(&repository, &work(&order, &series(&land).await)).await;
    insta::assert_snapshot!(choice(&branch), @"next: base-commit");
}

#[tokio::test]
async fn an_announced_base_is_taken_though_the_branch_has_gone_on() {
    let land = Land::new().await;
    let base = land.world.commit("master", &[file("a", OLD)]).await;
    land.world.commit("master", &[file("a", NEAR)]).await;
    let repository = land.repository("");
    let order = hinting("7", Hints { base: Some(base.clone()), ..Hints::default() });
    let branch = applied(&repository, &work(&order, &series(&land).await)).await;
    insta::assert_snapshot!(choice(&branch), @"master: base-commit");
    assert_eq!(branch.base.sha, base);
    assert!(!branch.is_merged);
}

#[tokio::test]
async fn an_announced_base_has_to_be_on_a_configured_branch_and_not_too_old() {
    let land = Land::new().await;
    let old = land.world.commit("master", &[file("a", OLD)]).await;
    let private = land.world.commit("private", &[file("a", OLD), file("p", "p\n")]).await;
    let nowhere = super::land::sha(&"a".repeat(40));
    let repository = land.repository("");
    let letters = series(&land).await;
    for (id, base) in [("1", private), ("2", nowhere)] {
        let order = hinting(id, Hints { base: Some(base.clone()), ..Hints::default() });
        let branch = applied(&repository, &work(&order, &letters)).await;
        assert_eq!(branch.tried[0].sha, base);
        insta::allow_duplicates! {
            insta::assert_snapshot!(choice(&branch), @r"
            master: its files are as the author had them
            not base-commit: it is on none of the branches that are configured
            ");
        }
    }
    land.days(100);
    let order = hinting("3", Hints { base: Some(old), ..Hints::default() });
    let branch = applied(&repository, &work(&order, &letters)).await;
    insta::assert_snapshot!(choice(&branch), @r"
    master: its files are as the author had them
    not base-commit: it is too old
    ");
}

/// It was committed upstream after we fetched, and what we fetched counts as new.
#[tokio::test]
async fn an_announced_base_that_is_new_is_fetched() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OTHER)]).await;
    let repository = land.repository("fresh = '1h'");
    let letters = series(&land).await;
    conflict(&repository, &work(&order("6"), &letters)).await;
    let base = land.world.commit("master", &[file("a", OLD)]).await;
    land.hand.forward_to(crate::clock::from_millis(1_700_000_000_000 + super::land::DAY + 1));
    // Without the announcement nobody looks again so soon.
    conflict(&repository, &work(&order("6"), &letters)).await;
    let order = hinting("7", Hints { base: Some(base), ..Hints::default() });
    let branch = applied(&repository, &work(&order, &letters)).await;
    insta::assert_snapshot!(choice(&branch), @"master: base-commit");
}

#[tokio::test]
async fn a_tag_before_the_title_says_where_a_series_belongs() {
    let (land, ..) = two_branches().await;
    land.world.commit("tagged", &[file("a", OLD), file("t", "t\n")]).await;
    let rest = "bases = ['master', 'next']\ntags = { TREE = ['tagged'] }";
    let mut order = order("7");
    order.series.series.tags = vec!["RFC".to_owned(), "tree".to_owned()];
    let branch = applied(&land.repository(rest), &work(&order, &series(&land).await)).await;
    insta::assert_snapshot!(choice(&branch), @"tagged: its tag `TREE`");
}

#[tokio::test]
async fn the_files_that_it_touches_say_where_a_series_belongs() {
    let (land, ..) = two_branches().await;
    land.world.commit("area", &[file("a", OLD), file("t", "t\n")]).await;
    let rest = "bases = ['master', 'next']\npaths = { 'a' = ['area'], 'b/**' = ['master'] }";
    let branch = applied(&land.repository(rest), &work(&order("7"), &series(&land).await)).await;
    insta::assert_snapshot!(choice(&branch), @"area: the files that it touches");
}

#[tokio::test]
async fn nothing_is_merged_where_some_base_takes_it_as_it_is() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OLD)]).await;
    land.world.commit("master", &[file("a", NEAR)]).await;
    land.world.commit("next", &[file("a", OLD), file("n", "n\n")]).await;
    let mut order = order("7");
    order.last_base = Some("master".to_owned());
    let letters = series(&land).await;
    let branch = applied(&land.repository(BOTH), &work(&order, &letters)).await;
    assert_eq!((branch.base.branch.as_str(), branch.is_merged), ("next", false));

    order.respin = 1;
    let branch = applied(&land.repository("bases = ['master']"), &work(&order, &letters)).await;
    assert_eq!((branch.base.branch.as_str(), branch.is_merged), ("master", true));
    assert_eq!(branch.tried, []);
    let tip = land.git("push.git", &["show", &format!("{}:a", branch.sha)]).await;
    assert_eq!(tip, "1\ntwo\n3\n4\nfive");
}

#[tokio::test]
async fn a_conflict_tells_what_is_nearest_and_all_that_was_tried() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OTHER)]).await;
    land.world.commit("next", &[file("a", OLD), file("b", OTHER)]).await;
    let mut letters = series(&land).await;
    letters.push(land.mail("Say five again", "b", [OLD, NEW]).await);
    let repository = land.repository(BOTH);
    let refusal = conflict(&repository, &work(&order("7"), &letters)).await;
    assert_eq!(
        (refusal.patch, refusal.file.as_deref(), refusal.line),
        (Some(2), Some("b"), Some(2))
    );
    let tried: Vec<String> = refusal
        .tried
        .iter()
        .map(|tried| format!("{}: {}", tried.branch, tried.why_not))
        .chain([refusal.reason])
        .collect();
    insta::assert_snapshot!(tried.join("\n"), @r"
    next: patch 2: it does not fit at line 2 of `b`
    master: patch 1: it does not fit at line 2 of `a`
    on `next`, it does not fit at line 2 of `b`
    ");
    assert_eq!(land.pushed().await, []);
}

#[tokio::test]
async fn a_series_is_put_upon_those_that_it_depends_on() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OLD), file("b", OLD), file("c", OLD)]).await;
    let repository = land.repository("");
    let first = vec![land.mail("First", "a", [OLD, NEW]).await];
    let second = vec![land.mail("Second", "b", [OLD, NEW]).await];
    let one = applied(&repository, &work(&order("1"), &first)).await;
    let two = applied(&repository, &work(&order("2"), &second)).await;
    let third = vec![
        land.mail("On first", "a", [NEW, OLD]).await,
        land.mail("On second", "b", [NEW, OLD]).await,
    ];
    let mut dependent = order("3");
    dependent.last_base = Some("master".to_owned());
    let mut all = work(&dependent, &third);
    all.dependencies = vec![dependency(&one, &first), dependency(&two, &second)];
    let branch = applied(&repository, &all).await;
    insta::assert_snapshot!(choice(&branch), @"pointsman/source-main/1/v1: it depends on <pointsman-source-main-1-v1@lists.example>");
    let log = ["log", "--format=%s", branch.sha.as_str()];
    insta::assert_snapshot!(says(&repository, &log).await, @r"
    On second
    On first
    Second
    First
    change
    ");
    // What is built to see whether it was broken before has the others in it.
    assert_eq!(branch.base.sha, branch.up_to(0).sha);
    assert_eq!(
        says(&repository, &["log", "-1", "--format=%s", branch.base.sha.as_str()]).await,
        "Second"
    );
}

#[tokio::test]
async fn what_is_there_already_is_not_put_there_again() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OLD), file("b", OLD), file("c", OLD)]).await;
    let repository = land.repository("");
    let first = vec![land.mail("First", "a", [OLD, NEW]).await];
    let one = applied(&repository, &work(&order("1"), &first)).await;
    // The second depends on the first, and the third on both.
    let second = vec![land.mail("Second", "b", [OLD, NEW]).await];
    let on_first = order("2");
    let mut chain = work(&on_first, &second);
    chain.dependencies = vec![dependency(&one, &first)];
    let two = applied(&repository, &chain).await;
    let third = vec![land.mail("Third", "c", [OLD, NEW]).await];
    let (on_both, twice) = (order("3"), vec![dependency(&two, &second), dependency(&one, &first)]);
    let mut all = work(&on_both, &third);
    all.dependencies.clone_from(&twice);
    let branch = applied(&repository, &all).await;
    let log = says(&repository, &["log", "--format=%s", branch.sha.as_str()]).await;
    assert_eq!(log, "Third\nSecond\nFirst\nchange");

    // The first is merged, under another author's hand, and what it depended on changes.
    land.world.commit("master", &[file("a", NEW)]).await;
    land.world.commit("master", &[file("c", OTHER)]).await;
    land.days(2);
    let fourth = vec![land.mail("Fourth", "c", [OTHER, OLD]).await];
    let on_one = order("4");
    let mut late = work(&on_one, &fourth);
    late.dependencies = vec![dependency(&one, &first)];
    let branch = applied(&repository, &late).await;
    let log = says(&repository, &["log", "--format=%s", branch.sha.as_str()]).await;
    assert_eq!(log, "Fourth\nchange\nchange\nchange");
    assert_eq!(branch.base.branch, "master");
    assert!(choice(&branch).contains("not pointsman/source-main/1/v1: patch 1: "));
}

#[tokio::test]
async fn a_base_is_as_new_as_the_upstream() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OLD), file("b", "1\n")]).await;
    let repository = land.repository("");
    let letters = series(&land).await;
    applied(&repository, &work(&order("1"), &letters)).await;
    let new = land.world.commit("master", &[file("b", "2\n")]).await;
    land.days(2);
    let branch = applied(&repository, &work(&order("2"), &letters)).await;
    assert_eq!(branch.base.sha, new);
}

#[tokio::test]
async fn several_upstreams_are_told_apart_by_what_stands_before_their_branches() {
    let land = Land::new().await;
    land.world.commit("master", &[file("a", OTHER)]).await;
    land.make("next.git").await;
    let upstream = land.world.upstream();
    land.world.commit("elsewhere", &[file("a", OLD)]).await;
    let refspec = "refs/heads/elsewhere:refs/heads/master";
    land.git("next.git", &["fetch", "-q", upstream.to_str().unwrap(), refspec]).await;
    let rest = format!(
        "upstreams = {{ next = '{}' }}\nbases = ['master', 'next/master']",
        land.folder("next.git").display()
    );
    let branch = applied(&land.repository(&rest), &work(&order("7"), &series(&land).await)).await;
    assert_eq!(branch.base.branch, "next/master");
}
