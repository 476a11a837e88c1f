//! snowpatch's story: a series is posted, put on a branch, built, and told as checks and in the
//! channel; however it comes in.

use pointsman::sandbox::jenkins::{Automatic, BuildResult};

use super::town::{JOB, Town, rule, series};

#[tokio::test]
async fn a_series_is_built_on_a_branch_and_told_on_every_patch_and_in_the_channel() {
    let mut town = Town::build(&rule("")).await;
    town.world.scenery.jenkins.set_automatic(Automatic::Begin);
    let posted = town.send("oil", 1, 2);
    town.world.until("the build", |look| look.runs.len() == 2 && look.is_quiet()).await;
    let branches = town.repositories.branches().await.unwrap();
    assert_eq!(branches.len(), 1, "{branches:?}");
    assert!(branches[0].0.ends_with(&format!("/{}/v1", posted.series)), "{branches:?}");
    let titles = town.repositories.titles(&branches[0].0).await.unwrap();
    assert_eq!(titles, ["Go onwards", "points: Oil point 1", "points: Oil point 2"]);
    let build = &town.world.scenery.jenkins.builds(JOB)[0];
    assert_eq!(build.parameters["REPO"], "https://git.example/series.git");
    assert_eq!(build.parameters["BRANCH"], branches[0].0);
    town.world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    town.finish(1).await;
    for patch in &posted.patches {
        let checks = town.checks(*patch);
        let states: Vec<_> = checks.iter().filter_map(|check| check.split(':').next()).collect();
        assert_eq!(states.last(), Some(&"pointsman-kvm success"), "{checks:#?}");
        assert!(states.contains(&"pointsman-git-points success"), "{checks:#?}");
        assert!(checks.iter().any(|check| check.contains("main")), "the base: {checks:#?}");
    }
    let told = town.slack.messages();
    assert!(told.iter().any(|message| message.text.contains("kvm")), "{told:#?}");
    town.world.end().await;
}

#[tokio::test]
async fn a_new_version_cancels_the_builds_of_the_old_one() {
    let mut town = Town::build(&rule("")).await;
    town.world.scenery.jenkins.set_automatic(Automatic::Begin);
    town.send("oil", 1, 2);
    town.world.until("the build", |look| look.runs.len() == 2 && look.is_quiet()).await;
    town.send("oil", 2, 2);
    town.world.until("both builds", |look| look.runs.len() == 4 && look.is_quiet()).await;
    let builds = town.world.scenery.jenkins.builds(JOB);
    assert_eq!(builds.iter().map(|build| build.running).collect::<Vec<_>>(), [false, true]);
    town.world.scenery.jenkins.finish(JOB, 2, BuildResult::Success);
    let look = town.finish(2).await;
    let states: Vec<_> =
        look.runs.iter().map(|run| format!("{} {}", run.rule, run.state)).collect();
    let wanted = ["git.points success", "kvm cancelled", "git.points success", "kvm success"];
    assert_eq!(states, wanted);
    assert_eq!(town.pushed().await.len(), 2);
    town.world.end().await;
}

#[tokio::test]
async fn a_series_is_built_once_it_is_whole_however_its_mails_come() {
    let mut town = Town::build(&rule("")).await;
    town.world
        .scenery
        .jenkins
        .set_automatic(Automatic::Finish(std::sync::Arc::new(|_| BuildResult::Success)));
    // Out of order, without a cover letter, with a slash in its Message-IDs.
    let new = pointsman::sandbox::patchwork::NewSeries { cover: None, ..series("a/b", 1, 3) };
    let mut mails = town.patchwork.mails_of(&new);
    mails.reverse();
    for mail in &mails[..2] {
        town.patchwork.deliver(&new.project, mail).unwrap();
    }
    let calls = town.patchwork.calls().len();
    let patchwork = town.patchwork.clone();
    town.world.until("more looks", move |_| patchwork.calls().len() > calls + 3).await;
    assert_eq!(town.built(), [""; 0]);
    town.patchwork.deliver(&new.project, &mails[2]).unwrap();
    town.finish(1).await;
    let name = town.pushed().await.into_iter().next().unwrap();
    let titles = town.repositories.titles(&name).await.unwrap();
    let wanted =
        ["Go onwards", "points: Oil point 1", "points: Oil point 2", "points: Oil point 3"];
    assert_eq!(titles, wanted);
    // Told again, it is no news.
    let calls = town.patchwork.calls().len();
    town.patchwork.tell_again(1);
    let patchwork = town.patchwork.clone();
    town.world.until("more looks", move |_| patchwork.calls().len() > calls + 3).await;
    town.finish(1).await;
    assert_eq!(town.built().len(), 1);
    town.world.end().await;
}

#[tokio::test]
async fn what_does_not_apply_is_said_with_file_line_and_base() {
    let mut town = Town::build(&rule("")).await;
    let mut new = series("oil", 1, 2);
    new.patches[1].diff = new.patches[1].diff.replace("\n-2\n", "\n-another\n");
    let posted = town.patchwork.post_series(&new).unwrap();
    let look = town.finish(1).await;
    assert_eq!(town.built(), [""; 0]);
    assert_eq!(look.runs[0].state, "conflict");
    let checks = town.checks(posted.patches[0]);
    let last = checks.last().unwrap();
    assert!(last.starts_with("pointsman-git-points fail"), "{checks:#?}");
    assert!(last.contains("point-2"), "{checks:#?}");
    town.world.end().await;
}

#[tokio::test]
async fn nobody_else_tells_of_series_where_the_service_asks_for_them_itself() {
    let mut town = Town::build(&rule("")).await;
    let host = town.patchwork.url().replace("http://", "");
    let ada = town.patchwork.person(super::town::ADA).to_string();
    let forged = serde_json::json!({
        "event": "series.posted",
        "instance": host,
        "project": super::town::PROJECT,
        "series": {
            "id": "666", "version": 1, "title": "Trust me", "root": "forged@points.example",
            "patches": [{ "msgid": "forged@points.example" }],
            "submitter": { "id": ada, "email": "ada@points.example", "vouched": true },
        },
    });
    town.world.publish("org.test.pointsman.series.posted", &forged).await;
    let look = town.world.settle().await;
    assert!(look.runs.is_empty(), "{:#?}", look.runs);
    let (state, reason) = look.messages.values().next().unwrap();
    assert_eq!(state, "ignored");
    assert!(reason.as_deref().unwrap().contains("asked by the service itself"), "{reason:?}");
    town.world.end().await;
}
