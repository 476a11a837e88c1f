//! Series of which the diffs do not tell what git does.

use super::world::{Change, Mail, Try, World, file, replace};
use crate::git::apply::Applied;
use crate::git::stop::Stop;
use crate::subject::CommitSha;

async fn put(world: &World, base: &CommitSha, mail: &Mail) -> Result<Applied, Stop> {
    Try::default().put(world, base, &[mail.raw()]).await
}

async fn files(world: &World, applied: &Applied) -> String {
    let tip = applied.commits.last().unwrap();
    world.say(&["ls-tree", "-r", "--name-only", tip.as_str()]).await
}

#[tokio::test]
async fn all_files_and_a_few_give_the_same_commit() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n"), file("b/c", "1\n")]).await;
    let diff = replace("a", ["1", "2", "3"], "two");
    let few = put(&world, &base, &Mail::new("x", &diff)).await.unwrap();
    // Git knows that this is a date behind a name; we do not.
    let dated: String = diff
        .lines()
        .filter(|line| !line.starts_with("diff "))
        .map(|line| {
            let is_name = line.starts_with("--- ") || line.starts_with("+++ ");
            let date = if is_name { " 2023-11-14 22:13:20.000000000 +0000" } else { "" };
            line.to_owned() + date + "\n"
        })
        .collect();
    let all = put(&world, &base, &Mail::new("x", &dated)).await.unwrap();
    assert_eq!(all, few);
}

#[tokio::test]
async fn more_files_than_are_looked_for_are_no_conflict() {
    let (world, base) = World::with(&[file("a", "1\n2\n3\n")]).await;
    let paths: Vec<String> = (0..1100).map(|number| format!("d/{number}")).collect();
    let changes: Vec<Change<'_>> = paths.iter().map(|path| file(path, "x\n")).collect();
    let mail = world.mail("x", &changes).await;
    let applied = put(&world, &base, &mail).await.unwrap();
    assert_eq!(files(&world, &applied).await.lines().count(), 1101);
}

#[tokio::test]
async fn a_file_may_take_the_place_of_a_folder_and_the_other_way_round() {
    let (world, base) = World::with(&[file("a", "1\n"), file("b/c", "2\n")]).await;
    let first = world.mail("x", &[("a", None), file("a/d", "1\n")]).await;
    let second = world.mail("y", &[("b/c", None), file("b", "2\n")]).await;
    let letters = [first.raw(), second.raw()];
    let applied = Try::default().put(&world, &base, &letters).await.unwrap();
    assert_eq!(files(&world, &applied).await, "a/d\nb");
}

#[tokio::test]
async fn a_file_takes_no_place_that_is_taken() {
    let (world, base) = World::with(&[file("a", "1\n"), file("b/c", "2\n")]).await;
    for path in ["a/d", "b"] {
        let new = format!(
            "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n\
             @@ -0,0 +1 @@\n+x\n"
        );
        let stop = put(&world, &base, &Mail::new("x", &new)).await.unwrap_err();
        assert!(matches!(stop, Stop::Conflict(_)), "{path}: {stop:?}");
    }
}

#[tokio::test]
async fn odd_paths_are_files_like_others() {
    let path = "d/\"q\" \\ x\u{fc}";
    // What git takes for more than a name where it looks for files.
    let magic = "[de]";
    let quoted = "\"d/\\\"q\\\" \\\\ x\\303\\274\"";
    let (world, base) =
        World::with(&[file(quoted, "1\n2\n3\n"), file(magic, "1\n"), file("d/e", "1\n")]).await;
    let mail = world.mail("x", &[file(quoted, "1\ntwo\n3\n")]).await;
    let applied = put(&world, &base, &mail).await.unwrap();
    let shown = world.say(&["show", &format!("{}:{path}", applied.commits[0])]).await;
    assert_eq!(shown, "1\ntwo\n3");
    let gone = world.mail("y", &[(quoted, None)]).await;
    let changed = world.mail("z", &[file(magic, "2\n")]).await;
    let letters = [mail.raw(), gone.raw(), changed.raw()];
    let applied = Try::default().put(&world, &base, &letters).await.unwrap();
    assert_eq!(files(&world, &applied).await, "[de]\nd/e");
}
