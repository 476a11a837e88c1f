//! GitLab CI, from a push to the flag on the commit.

use pointsman::sandbox::gitlab::ci::{CiJob, Pipeline};
use pointsman::sandbox::gitlab::{GitLabStandIn, Options, WebHook};
use url::Url;

use crate::world::{World, sha};

const PROJECT: &str = "rail/signalbox";
const TOKEN: &str = "glpat-SECRET0SIGNALBOX";
const MAINTAINER: u8 = 40;

/// Builds what is pushed, and says so on the commit.
const RULES: &str = r#"
    [[rule]]
    name = "tests"
    on = "branch.pushed"
    where = { instance = "HOST", project = "rail/signalbox" }
    build = { on = "gitlab.main", job = "rail/signalbox", ref = "{{ target }}", parameters = { LINE = "branch" } }
    report = [{ to = "origin", as = "flag" }]
"#;

/// Builds what is pushed, and tells nobody.
const QUIET: &str = r#"
    [[rule]]
    name = "tests"
    on = "branch.pushed"
    where = { instance = "HOST", project = "rail/signalbox" }
    build = { on = "gitlab.main", job = "rail/signalbox" }
"#;

/// A service with a GitLab that posts to it.
struct Yard {
    world: World,
    gitlab: GitLabStandIn,
}

impl Yard {
    /// With these rules; pipelines are asked after so often.
    async fn open(rules: &str, poll: &str) -> Self {
        let gitlab = GitLabStandIn::start(Options::default()).await.unwrap();
        gitlab.add_project(PROJECT);
        gitlab.set_access(PROJECT, "pointsman", MAINTAINER).unwrap();
        gitlab.add_token(TOKEN, "pointsman");
        let rules = rules.replace("HOST", gitlab.url().trim_start_matches("http://"));
        let setup = World::of(&rules).await.settings(&format!(
            "[gitlab.main]\nurl = '{}'\ntoken = 'file:gitlab-token'\n\
             webhook_tokens = ['file:door-token']\npoll_min = '{poll}'\npoll_max = '{poll}'\n",
            gitlab.url()
        ));
        std::fs::write(setup.folder().join("gitlab-token"), TOKEN).unwrap();
        let world = setup.start().await;
        let url = format!("http://{}/hooks/gitlab/main", world.running.address);
        gitlab.set_hook(Some(WebHook {
            url: Url::parse(&url).unwrap(),
            token: crate::world::scenery::DOOR_TOKEN.to_owned(),
            signing_token: None,
        }));
        Self { world, gitlab }
    }

    /// Somebody pushes; what is started for it.
    async fn push(&mut self) -> Pipeline {
        let place = (PROJECT, "main");
        let hooked = self.gitlab.push_branch(place, "ada", Some(&sha('a'))).await.unwrap();
        assert_eq!(hooked.status, Some(202));
        self.until("queued").await;
        let ours = |pipeline: &Pipeline| pipeline.source == "api";
        self.gitlab.pipelines(PROJECT).into_iter().rfind(ours).unwrap()
    }

    async fn until(&mut self, state: &str) {
        let is_so =
            |look: &crate::world::look::Look| look.runs.iter().any(|run| run.state == state);
        self.world.until(state, is_so).await;
    }

    async fn jobs(&self, id: u64, jobs: Vec<CiJob>) -> Option<u16> {
        let hooked = self.gitlab.set_jobs((PROJECT, id), jobs).await.unwrap();
        hooked.and_then(|hooked| hooked.status)
    }

    /// The flags on the commit.
    fn flags(&self) -> String {
        let flags = self.gitlab.statuses(PROJECT, &sha('a'));
        let lines = flags.into_iter().map(|flag| {
            let words = flag.description.unwrap_or_default();
            let words = words.replace(&self.gitlab.url(), "https://forge.example");
            format!("{} {}: {words}", flag.name, flag.state)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn a_push_is_built_on_its_branch_and_the_flag_turns() {
    let mut yard = Yard::open(RULES, "10ms").await;
    let pipeline = yard.push().await;
    assert_eq!((&*pipeline.reference, &pipeline.sha), ("main", &sha('a')));
    assert_eq!(pipeline.variables["LINE"], "branch");
    assert_eq!(pipeline.variables["POINTSMAN_RUN"].len(), 32);

    yard.jobs(pipeline.id, vec![CiJob::new("asan", "running")]).await;
    yard.until("running").await;
    yard.world.settle().await;
    insta::assert_snapshot!(yard.flags(), @"pointsman/tests running: tests: running");

    // The flag is open, and keeps the pipeline from ending: no webhook tells of it.
    yard.jobs(pipeline.id, vec![CiJob::new("asan", "failed")]).await;
    yard.world.finish().await;
    let flags = yard.flags();
    assert!(
        flags.starts_with(
            "pointsman/tests failed: tests: failed: failed: asan; see \
             https://forge.example/rail/signalbox/-/jobs/"
        ),
        "{flags}"
    );
    assert_eq!(yard.gitlab.pipelines(PROJECT)[0].status, "failed");
    yard.world.end().await;
}

#[tokio::test]
async fn a_webhook_tells_of_the_end_and_others_pipelines_do_not() {
    let mut yard = Yard::open(QUIET, "1h").await;
    let ours = yard.push().await;
    // A push that wanted no CI, and one that was built.
    for is_skipped in [true, false] {
        let place = (PROJECT, "main");
        let (id, _) = yard.gitlab.push_pipeline(place, "ada", is_skipped).await.unwrap();
        if !is_skipped {
            yard.gitlab.play((PROJECT, id), "success").await.unwrap();
        }
    }
    assert_eq!(yard.jobs(ours.id, vec![CiJob::new("asan", "running")]).await, Some(202));
    yard.until("running").await;
    let look = yard.world.settle().await;
    assert_eq!(look.open_runs(), 1);

    let running = yard.gitlab.tell((PROJECT, ours.id)).await.unwrap();
    assert_eq!(yard.jobs(ours.id, vec![CiJob::new("asan", "success")]).await, Some(202));
    let look = yard.world.finish().await;
    assert_eq!(look.runs[0].state, "success");
    // Calls come in any order.
    assert!(yard.gitlab.resend(&running).await.unwrap().status.is_some());
    let look = yard.world.settle().await;
    assert_eq!((look.runs.len(), &*look.runs[0].state), (1, "success"));
    yard.world.end().await;
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_builds_once() {
    let mut yard = Yard::open(QUIET, "1h").await;
    yard.gitlab.lose_answers(1);
    let ours = yard.push().await;
    assert_eq!(yard.gitlab.pipelines(PROJECT).len(), 1);
    yard.jobs(ours.id, vec![CiJob::new("asan", "success")]).await;
    let look = yard.world.finish().await;
    assert_eq!(look.runs[0].state, "success");
    yard.world.end().await;
}
