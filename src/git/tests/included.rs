//! The commit with which a build tells us how it ended.

use url::Url;

use super::world::{World, file};
use crate::git::apply::Committer;
use crate::git::included::{Include, include};
use crate::subject::CommitSha;

const FILE: &str = ".ci.yml";

async fn put(world: &World, tip: &CommitSha) -> Option<CommitSha> {
    let url = Url::parse("https://ci.example/report.yml?run=1").unwrap();
    let committer = Committer::default();
    let how = Include { file: FILE, url: &url, committer: &committer };
    include(&world.git, tip, &how).await.unwrap()
}

#[tokio::test]
async fn the_file_is_moved_aside_and_taken_in_with_ours() {
    let files = [file(FILE, "test:\n  script: make\n"), file("a", "1\n")];
    let (world, tip) = World::with(&files).await;
    let commit = put(&world, &tip).await.unwrap();
    let show = ["show", "-M", "--format=%P|%an|%at|%ct|%s", "--summary", commit.as_str()];
    let expected = format!(
        "{tip}|Pointsman|1700000000|1700000000|{FILE}: Tell how the build ended\n\n \
         create mode 100644 .pointsman/ci.yml"
    );
    assert_eq!(world.say(&show).await, expected);
    let moved = world.say(&["show", &format!("{commit}:.pointsman/ci.yml")]).await;
    assert_eq!(moved, "test:\n  script: make");
    insta::assert_snapshot!(world.say(&["show", &format!("{commit}:{FILE}")]).await, @r#"
    {
      "include": [
        {
          "local": ".pointsman/ci.yml"
        },
        {
          "remote": "https://ci.example/report.yml?run=1"
        }
      ]
    }
    "#);
    assert_eq!(world.say(&["show", &format!("{commit}:a")]).await, "1");
    assert_eq!(put(&world, &tip).await, Some(commit));
}

#[tokio::test]
async fn where_there_is_no_such_file_nothing_is_done() {
    let (world, tip) = World::with(&[file("a", "1\n")]).await;
    assert_eq!(put(&world, &tip).await, None);
    for change in [(FILE, Some(("120000", &b"/etc/passwd"[..]))), file(".ci.yml/x", "1\n")] {
        let branch = change.0.replace('/', "-");
        let tip = world.commit(&format!("b{}", branch.len()), &[change]).await;
        world.fetch().await;
        assert_eq!(put(&world, &tip).await, None);
    }
}

#[tokio::test]
async fn what_an_author_has_put_in_the_way_is_replaced() {
    for path in [".pointsman", ".pointsman/ci.yml", ".pointsman/ci.yml/x"] {
        let (world, tip) = World::with(&[file(FILE, "x: y\n"), file(path, "evil\n")]).await;
        let commit = put(&world, &tip).await.unwrap();
        let list = ["ls-tree", "-r", "--name-only", commit.as_str()];
        assert_eq!(world.say(&list).await, ".ci.yml\n.pointsman/ci.yml", "{path}");
        let moved = world.say(&["show", &format!("{commit}:.pointsman/ci.yml")]).await;
        assert_eq!(moved, "x: y");
    }
}
