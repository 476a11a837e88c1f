//! Patchew's story: a series, another one that is based on it, a pipeline of GitLab CI for each, a
//! result and a letter in the thread.

use pointsman::clock::Clock;
use pointsman::sandbox::gitlab::ci::{CiJob, CiSettings};
use pointsman::sandbox::gitlab::{GitLabStandIn, Options};
use pointsman::sandbox::mail::MailStandIn;
use pointsman::sandbox::mails::NewSeries;
use pointsman::sandbox::patchew::{self, PatchewStandIn, Test};
use pointsman::sandbox::repositories::Repositories;

use crate::world::World;

const LIST: &str = "QEMU";
const PROJECT: &str = "qemu/patches";
const TOKEN: &str = "glpat-SECRET0PATCHES";
const MAINTAINER: u8 = 40;
const RULES: &str = r#"
    [[rule]]
    name = "gitlab"
    on = "series.posted"
    where = { project = "QEMU" }
    git = "qemu"
    build = { on = "gitlab.main", job = "qemu/patches", parameters = { SERIES = "{{ series.id }}" } }
    report = [{ to = "origin" }, { to = "mail.list", when = "changed" }]
"#;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a story is read as a whole")]
async fn a_series_based_on_another_is_put_upon_it_built_and_answered() {
    let list = PatchewStandIn::start(patchew::Options::default()).await.unwrap();
    list.add_project(LIST, &[Test::named("gitlab")]);
    list.add_user("pointsman", "a-password-0123456789", &["importers", "testers"]);
    let gitlab = GitLabStandIn::start(Options::default()).await.unwrap();
    gitlab.add_project(PROJECT);
    gitlab.set_access(PROJECT, "pointsman", MAINTAINER).unwrap();
    gitlab.add_token(TOKEN, "pointsman");
    let post = MailStandIn::start().await.unwrap();
    let setup = World::of(RULES).await;
    let folder = setup.folder().to_owned();
    let repositories = Repositories::make(&folder).await.unwrap();
    repositories.commit("main", &[("README", "blades\n")]).await.unwrap();
    let ci = CiSettings { repository: Some(repositories.series()), ..CiSettings::default() };
    gitlab.set_ci(PROJECT, ci).unwrap();
    std::fs::write(folder.join("list-password"), "a-password-0123456789").unwrap();
    std::fs::write(folder.join("gitlab-token"), TOKEN).unwrap();
    let mut world = setup
        .settings(&format!(
            "[patchew.main]\nurl = '{}'\nprojects = ['{LIST}']\nusername = 'pointsman'\n\
             password = 'file:list-password'\npoll = '50ms'\n\
             people = {{ contributors = ['ada@mail.example'] }}\n\
             [git.qemu]\nupstream = '{}'\nbases = ['main']\npush = '{}'\ndir = 'qemu.git'\n\
             [gitlab.main]\nurl = '{}'\ntoken = 'file:gitlab-token'\npoll_min = '20ms'\npoll_max = '20ms'\n\
             [mail.list]\nhost = '127.0.0.1'\nport = {}\nsecurity = 'none'\n\
             from = 'Pointsman <ci@qemu.example>'\nto = ['qemu-devel@lists.example']\n",
            list.url(),
            repositories.upstream().display(),
            repositories.series().display(),
            gitlab.url(),
            post.port(),
        ))
        .start()
        .await;
    let (calls, looks) = (list.clone(), std::sync::atomic::AtomicUsize::new(0));
    world
        .until("a look at the list", |_| {
            let all = calls.take_calls();
            let lists = all.iter().filter(|call| call.contains("/series/")).count();
            looks.fetch_add(lists, std::sync::atomic::Ordering::Relaxed) + lists > 2
        })
        .await;

    let first = NewSeries::of(LIST, "20261120.blades", 2, Clock::system().now());
    let mut second = NewSeries::of(LIST, "20261120.grease", 1, Clock::system().now());
    second.title = "points: Grease the blades".to_owned();
    second.changes[0].path = "grease".to_owned();
    second.cover = Some(format!("They squeak.\n\nBased-on: <{}>\n", first.root()));
    list.post(&first);
    world.until("the first pipeline", |_| gitlab.pipelines(PROJECT).len() == 1).await;
    let pipeline = gitlab.pipelines(PROJECT).pop().unwrap();
    assert_eq!(pipeline.variables["SERIES"], first.root());
    gitlab.play((PROJECT, pipeline.id), "success").await.unwrap();
    world
        .until("its verdict", |look| {
            look.runs.iter().any(|run| run.rule == "gitlab" && run.is_done)
        })
        .await;
    world.until("a letter", |_| !post.letters().is_empty()).await;
    assert_eq!(list.status(LIST, Some(&first.root()), "git"), "success");
    assert_eq!(list.status(LIST, Some(&first.root()), "testing.gitlab"), "success");
    let letter = &post.letters()[0];
    assert!(letter.source.contains(&first.root()), "in the thread: {}", letter.source);

    // The other one is put upon it, wherever upstream is.
    list.post(&second);
    world.until("the second pipeline", |_| gitlab.pipelines(PROJECT).len() == 2).await;
    let all = gitlab.pipelines(PROJECT);
    let pipeline =
        all.iter().find(|pipeline| pipeline.variables["SERIES"] == second.root()).unwrap();
    let titles = repositories.titles(&pipeline.reference).await.unwrap();
    let wanted =
        ["Go onwards", "points: Add blade 1", "points: Add blade 2", "points: Add blade 1"];
    assert_eq!(titles, wanted);
    let jobs = vec![CiJob::new("asan", "failed")];
    gitlab.set_jobs((PROJECT, pipeline.id), jobs).await.unwrap();
    // Before it is told, what it is based on is built by itself.
    world.until("the pipeline of its base", |_| gitlab.pipelines(PROJECT).len() == 3).await;
    let all = gitlab.pipelines(PROJECT);
    let base =
        all.iter().find(|pipeline| pipeline.status != "failed" && pipeline.status != "success");
    gitlab.play((PROJECT, base.unwrap().id), "success").await.unwrap();
    world.until("the second letter", |_| post.letters().len() == 2).await;
    world.finish().await;
    assert_eq!(list.status(LIST, Some(&second.root()), "testing.gitlab"), "failure");
    assert!(post.letters()[1].source.contains(&second.root()), "in the other thread");
    let branches = repositories.branches().await.unwrap();
    assert_eq!(branches.len(), 3, "{branches:?}");
    world.end().await;
}
