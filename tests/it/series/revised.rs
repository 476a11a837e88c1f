//! qemu-ci's story: a revision of a series, a job that fetches its mails itself, and a test result.

use std::sync::Arc;

use pointsman::clock::Clock;
use pointsman::sandbox::freedesktop::FreedesktopStandIn;
use pointsman::sandbox::jenkins::{Automatic, BuildResult, JobSpec};
use pointsman::sandbox::mails::NewSeries;

use crate::world::World;

const PROJECT: &str = "qemu-devel";
const JOB: &str = "qemu-checkpatch";
const RULES: &str = r#"
    [[rule]]
    name = "checkpatch"
    on = "series.posted"
    where = { project = "qemu-devel" }
    trust = "anyone"
    build = { on = "jenkins.main", job = "qemu-checkpatch", parameters = { ID = "{{ series.id }}", REVISION = "{{ series.version }}", MBOX = "{{ series.mbox }}" } }
    report = [{ to = "origin" }]
"#;

#[tokio::test]
async fn each_revision_is_built_by_its_mails_and_has_its_result() {
    let list = FreedesktopStandIn::start(Clock::system()).await.unwrap();
    list.add_project(PROJECT);
    list.add_user("pointsman", "a-password-0123456789", &[PROJECT]);
    let setup = World::of(RULES).await;
    std::fs::write(setup.folder().join("list-password"), "a-password-0123456789").unwrap();
    let mut world = setup
        .settings(&format!(
            "[patchwork.fdo]\nurl = '{}'\nfork = 'freedesktop'\nprojects = ['{PROJECT}']\n\
             username = 'pointsman'\npassword = 'file:list-password'\npoll = '50ms'\n",
            list.url()
        ))
        .start()
        .await;
    let parameters = ["POINTSMAN_RUN", "ID", "REVISION", "MBOX"];
    world.scenery.jenkins.add_job(JobSpec::new(JOB, &parameters));
    world.scenery.jenkins.set_automatic(Automatic::Finish(Arc::new(|_| BuildResult::Success)));
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let calls = list.clone();
    world
        .until("a look at the list", |_| {
            let events = calls.take_calls().iter().filter(|call| call.contains("/events/")).count();
            looks.fetch_add(events, std::sync::atomic::Ordering::Relaxed) + events > 2
        })
        .await;

    let mut new = NewSeries::of(PROJECT, "20261120-blades", 2, Clock::system().now());
    let series = list.post(&new);
    world.until("the first revision", |look| look.runs.len() == 1).await;
    world.finish().await;
    new.version = 2;
    new.stem = "20261121-blades".to_owned();
    list.revise(series, &new);
    world.until("the second revision", |look| look.runs.len() == 2).await;
    let look = world.finish().await;
    assert!(look.runs.iter().all(|run| run.state == "success"), "{:#?}", look.runs);

    let builds = world.scenery.jenkins.builds(JOB);
    let told: Vec<_> = builds
        .iter()
        .map(|build| (build.parameters["ID"].clone(), build.parameters["REVISION"].clone()))
        .collect();
    let id = series.to_string();
    assert_eq!(told, [(id.clone(), "1".to_owned()), (id, "2".to_owned())]);
    for build in &builds {
        assert!(build.parameters["MBOX"].starts_with(&list.url()), "{build:?}");
    }
    // One for each revision, replaced as the build went on.
    let results = list.results();
    assert_eq!(results.len(), 2, "{results:#?}");
    assert!(results.iter().all(|kept| kept.state == "success"), "{results:#?}");
    world.end().await;
}
