use super::*;
use crate::sandbox::patchwork::Mood;

async fn found(world: &World) -> String {
    let patchwork = Patchwork::new("main", &world.settings, world.clock()).unwrap();
    let projects = [PROJECT.to_owned(), "nowhere".to_owned(), "2".to_owned()];
    let findings = patchwork.probe(&projects).await;
    let line = |(subject, problem): (String, Option<String>)| {
        format!("{subject}: {}", problem.unwrap_or_else(|| "ok".to_owned()))
    };
    findings.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_depends_on_it() {
    let world = World::new().await;
    insta::assert_snapshot!(found(&world).await, @r#"
    the API 1.3: ok
    its clock: ok
    the token: ok
    project `signalbox-devel`: ok
    project `nowhere`: there is no such project
    project `2`: there is no such project, but one of that number: `signalbox-devel`
    "#);
    world.stand_in.set_maintainer(PROJECT, "pointsman", false);
    world.stand_in.set_api("1.2");
    world.stand_in.set_zone(11);
    world.post(&series("one", 1));
    insta::assert_snapshot!(found(&world).await, @r#"
    the API 1.2 (which does not tell of comments: nobody can ask for builds by mail): ok
    its clock (events are dated by a time zone of +11 hours at least): ok
    the token: ok
    project `signalbox-devel`: our account is none of its maintainers, so that no checks can be made (unless it was given the right to in another way)
    project `nowhere`: there is no such project
    project `2`: there is no such project, but one of that number: `signalbox-devel`
    "#);
}

#[tokio::test]
async fn a_maintainer_is_known_although_profiles_are_counted_otherwise() {
    let world = World::new().await;
    // Where our profile has the number of somebody else, and others maintain the project, too.
    for name in ["grace", "ada", "joan"] {
        world.stand_in.add_user(name, name);
        world.stand_in.set_maintainer(PROJECT, name, true);
    }
    assert!(found(&world).await.contains(&format!("project `{PROJECT}`: ok")));
}

#[tokio::test]
async fn a_token_that_is_no_good_is_said() {
    let mut world = World::new().await;
    world.stand_in.add_user("pointsman", "another");
    insta::assert_snapshot!(found(&world).await, @r#"
    the API 1.3: ok
    its clock: ok
    the token: it is no good: Invalid token (see `patchwork.main.token`): 401 Unauthorized
    project `signalbox-devel`: ok
    project `nowhere`: there is no such project
    project `2`: there is no such project, but one of that number: `signalbox-devel`
    "#);
    world.settings.token = None;
    insta::assert_snapshot!(found(&world).await, @r#"
    the API 1.3: ok
    its clock: ok
    no token (series are heard of, but no checks can be made): ok
    project `signalbox-devel`: ok
    project `nowhere`: there is no such project
    project `2`: there is no such project, but one of that number: `signalbox-devel`
    "#);
}

#[tokio::test]
async fn what_is_no_patchwork_is_said_once() {
    let world = World::new().await;
    world.stand_in.set_broken("/api/", 404);
    insta::assert_snapshot!(found(&world).await, @"the API: there is no API 1.2 of Patchwork");
    world.stand_in.set_mood(Mood::Filtered);
    insta::assert_snapshot!(found(&world).await, @"the API: cannot ask for the version of the API: the answer is no JSON, but perhaps the page of a filter against bots");
}
