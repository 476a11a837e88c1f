//! Series upon bases.

use super::world::{Mail, World, file, replace};
use crate::git::apply::{Applied, Committer, Fit, How, apply, read};
use crate::git::guard::{Guard, Policy};
use crate::git::stop::Stop;
use crate::subject::CommitSha;

/// Reads a series and puts it upon a base.
async fn put(world: &World, base: &CommitSha, letters: &[Vec<u8>]) -> Result<Applied, Stop> {
    put_as(world, base, letters, Fit::Plain).await
}

async fn put_as(
    world: &World,
    base: &CommitSha,
    letters: &[Vec<u8>],
    fit: Fit,
) -> Result<Applied, Stop> {
    let committer = Committer::default();
    let guard = Guard::new(&Policy::default()).unwrap();
    let how = How { fit, keep_cr: false, committer: &committer, guard: &guard, is_approved: false };
    let patches = read(&world.git, letters, &how).await?;
    apply(&world.git, base, &patches, &how).await
}

#[tokio::test]
async fn each_patch_is_one_commit_that_says_who_wrote_it_and_why() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n"), file("b", "1\n")]).await;
    let first = Mail::new("Say two", &replace("a", ["1", "2", "3"], "two"));
    let second = Mail::new("Say zwei", &replace("a", ["1", "two", "3"], "zwei"));
    let applied = put(&world, &base, &[first.raw(), second.raw()]).await.unwrap();
    assert!(!applied.is_merged);
    let [one, two] = applied.commits.as_slice() else { panic!("{applied:?}") };
    assert_eq!(world.say(&["rev-list", two.as_str()]).await, format!("{two}\n{one}\n{base}"));
    assert_eq!(world.say(&["show", &format!("{one}:a")]).await, "1\ntwo\n3");
    assert_eq!(world.say(&["show", &format!("{two}:a")]).await, "1\nzwei\n3");
    assert_eq!(world.say(&["show", &format!("{two}:b")]).await, "1");
    let commit = world.say(&["cat-file", "commit", one.as_str()]).await;
    let (_, said) = commit.split_once("\nauthor").unwrap();
    insta::assert_snapshot!(said, @r"
     Ann Author <ann@example.org> 1700000000 -0500
    committer Pointsman <pointsman@localhost> 1700000000 -0500

    Say two

    Because.

    Signed-off-by: Ann
    Message-ID: <Say-two@example.org>
    ");
}
