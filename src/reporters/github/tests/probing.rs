use super::*;

async fn lines(world: &World, projects: &[&str]) -> String {
    let projects: Vec<String> = projects.iter().map(|project| (*project).to_owned()).collect();
    let found = world.reporter.probe(&projects).await.into_iter();
    let lines = found.map(|(subject, problem)| {
        format!("{subject}: {}", problem.unwrap_or_else(|| "fine".to_owned()))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_probe_of_a_token_says_what_is_wrong() {
    let world = World::new().await;
    for repo in ["rail/points", "rail/secret", "rail/old", "rail/museum"] {
        world.github.add_repo(repo);
        world.github.set_permission(repo, "pointsman", Role::Write).unwrap();
    }
    world.github.set_permission("rail/points", "pointsman", Role::Read).unwrap();
    world.github.make_private("rail/secret").unwrap();
    world.github.rename("rail/old", "rail/new").unwrap();
    world.github.archive("rail/museum").unwrap();
    let projects =
        [REPO, "rail/points", "rail/secret", "rail/old", "rail/museum", "rail/none", "no repo"];
    let mut seen = vec![lines(&world, &projects).await];

    world.github.add_token(TOKEN, "pointsman", Some(&["public_repo"]));
    seen.push(lines(&world, &[REPO, "rail/secret"]).await);
    world.github.add_token(TOKEN, "pointsman", Some(&["gist"]));
    seen.push(lines(&world, &[REPO]).await);
    world.github.add_token(TOKEN, "pointsman", None);
    seen.push(lines(&world, &[REPO]).await);
    world.github.expire_token(TOKEN);
    seen.push(lines(&world, &[REPO]).await);
    world.github.set_mood(Mood::Failing(503));
    seen.push(lines(&world, &[REPO]).await);
    insta::assert_snapshot!(seen.join("\n---\n"), @r"
    the token: fine
    repository `rail/signalbox`: fine
    repository `rail/points`: it cannot be reported to: the token's user needs the role `write` there, and a fine-grained token has to be for this repository
    repository `rail/secret`: fine
    repository `rail/old`: it is called `rail/new` now
    repository `rail/museum`: it is archived, and takes neither states nor comments
    repository `rail/none`: there is no such repository, or the login may not see it
    repository `no repo`: `no repo` is no repository on GitHub (`owner/name`)
    ---
    the token: fine
    repository `rail/signalbox`: fine
    repository `rail/secret`: there is no such repository, or it is private, and the token has no scope `repo`
    ---
    the token: fine
    repository `rail/signalbox`: the token needs the scope `public_repo` (or `repo`)
    ---
    the token: fine
    repository `rail/signalbox`: fine
    ---
    the token: it is not valid, or has expired
    ---
    the token: GitHub says 503 Service Unavailable
    ");
}

#[tokio::test]
async fn a_probe_of_an_app_says_what_is_wrong() {
    let world = World::of_app().await;
    world.github.add_repo("rail/points");
    let mut seen = vec![lines(&world, &[REPO, "rail/points"]).await];
    let missing = [("statuses", "write"), ("pull_requests", "read")];
    let id = world.github.add_app("points", &missing);
    world.github.install(REPO).unwrap();
    seen.push(lines(&world, &[REPO]).await);
    let mut world = world;
    world.settings.app_id = Some(id);
    world.again();
    seen.push(lines(&world, &[REPO]).await);
    insta::assert_snapshot!(seen.join("\n---\n"), @r"
    the App: fine
    repository `rail/signalbox`: fine
    repository `rail/points`: it is not there, or the App is not installed for it
    ---
    the App: it is not valid, or has expired
    ---
    the App: it has no permission `Checks: Read and write`, `Pull requests: Read and write`
    ");
}
