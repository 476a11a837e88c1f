use super::*;
use crate::sandbox::gitlab::REPORTER;

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let world = World::new().await;
    for (project, level) in [("rail/points", REPORTER), ("rail/yard/crane", 0)] {
        world.gitlab.add_project(project);
        world.gitlab.set_access(project, "pointsman", level).unwrap();
    }
    world.gitlab.add_project("rail/hidden");
    world.gitlab.make_private("rail/hidden").unwrap();
    let projects = [PROJECT, "rail/points", "rail/yard/crane", "rail/hidden", "nowhere"];
    let projects = projects.map(str::to_owned);
    let mut seen = world.reporter.probe(&projects).await;
    world.gitlab.set_mood(Mood::Failing(503));
    seen.extend(fresh(&world).probe(&projects).await);
    world.gitlab.set_mood(Mood::Normal);
    world.gitlab.revoke_token(TOKEN);
    seen.extend(fresh(&world).probe(&projects).await);
    let lines = seen.into_iter().map(|(subject, problem)| {
        let problem = problem.unwrap_or_else(|| "fine".to_owned());
        format!("{subject}: {problem}")
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    the token: fine
    project `rail/yard/signalbox`: fine
    project `rail/points`: statuses need the role Developer, which the token has not
    project `rail/yard/crane`: statuses need the role Developer, and the token is no member
    project `rail/hidden`: there is no such project, or the token may not see it
    project `nowhere`: `nowhere` is no path of a project on GitLab
    the token: cannot ask whose token it is: 503 Service Unavailable
    the token: cannot ask whose token it is (see `gitlab.main.token`): 401 Unauthorized
    "#);
}

/// A reporter that has asked nothing yet.
fn fresh(world: &World) -> GitLab {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let settings = settings(&world.gitlab, file);
    GitLab::new("main", "forge.example".to_owned(), &settings, Clock::system()).unwrap()
}
