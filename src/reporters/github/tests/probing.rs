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
    insta::assert_snapshot!(seen.join("\n---\n"), @"");
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
    insta::assert_snapshot!(seen.join("\n---\n"), @"");
}
