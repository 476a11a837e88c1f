//! `init`: what is written for somebody who begins.

use clap::ValueEnum;

use super::*;
use crate::cli::init::forges::Kind;

/// A word for all secrets that settings can name.
fn put_secrets(world: &World, folder: &str) {
    let settings =
        std::fs::read_to_string(world.path(&format!("{folder}/pointsman.toml"))).unwrap();
    for part in settings.split("\"file:").skip(1) {
        world.write(&format!("{folder}/{}", part.split('"').next().unwrap()), "s3cret");
    }
}

/// The settings of a kind come with its connections.
fn is_there(kind: Kind) -> bool {
    Settings::schema()["properties"].get(kind.as_str()).is_some()
}

#[tokio::test]
async fn what_is_written_is_well_and_passes_its_tests() {
    let world = World::new();
    for kind in Kind::value_variants().iter().copied().filter(|kind| is_there(*kind)) {
        for broker in ["none", "amqps://pointsman@broker.example/%2Fpubsub"] {
            let forge = kind.as_str();
            let folder = format!("{forge}-{}", broker.len());
            let dir = world.file(&folder);
            let arguments = [
                "init",
                &dir,
                "--yes",
                "--forge",
                forge,
                "--project",
                "oak/kettle",
                "--jenkins",
                "https://ci.example/jenkins",
                "--broker",
                broker,
            ];
            let shown = world.shows(&arguments).await;
            assert!(shown.contains("/rules/oak-kettle.toml\n"), "{shown}");
            let settings = world.file(&format!("{folder}/pointsman.toml"));
            let text = std::fs::read_to_string(&settings).unwrap()
                + &std::fs::read_to_string(world.path(&format!("{folder}/rules/oak-kettle.toml")))
                    .unwrap();
            assert!(!text.contains('@') || broker != "none", "{text}");
            let (mut console, output, errors) = world.console("");
            let command = ["pointsman", "-c", &settings, "test", "--full"];
            let exit = Box::pin(run(command.map(Into::into), &mut console)).await;
            assert_eq!(exit, Exit::Success, "{forge}: {}{}", output.text(), errors.text());
            let command = ["pointsman", "-c", &settings, "check"];
            let exit = Box::pin(run(command.map(Into::into), &mut console)).await;
            assert_eq!(exit, Exit::Failure, "the secrets are not there");
            put_secrets(&world, &folder);
            let (mut console, output, errors) = world.console("");
            let exit = Box::pin(run(command.map(Into::into), &mut console)).await;
            assert_eq!(exit, Exit::Success, "{forge}: {}{}", output.text(), errors.text());
            assert_eq!(errors.text(), "", "{forge}");
        }
    }
}

#[tokio::test]
async fn what_is_not_said_is_asked_and_each_answer_is_checked() {
    let world = World::new();
    let dir = world.file("new");
    let answers = "gitea\n\nforge.example\nhttps://forge.example\n\nkettle\n\
                   http://ci.example:8080/\n\nnone\n";
    let outcome = world.reads(answers, &["init", &dir]).await;
    assert_eq!(outcome.exit, Exit::Success, "{}", outcome.errors);
    insta::assert_snapshot!(outcome.errors, @"
    What do proposals live on: pagure, github, gitlab or forgejo? [pagure]
      it is none of these
    What do proposals live on: pagure, github, gitlab or forgejo? [pagure]
    What is its address? [https://pagure.io/]
      no address: relative URL without a base
    What is its address? [https://pagure.io/]
    What is the full name of the project there?
      it is empty
    What is the full name of the project there?
    What is the address of the Jenkins that builds it?
    Which job is it there, with its folders? [kettle]
    What is the address of the broker (`none`: messages come by HTTP)? [none]
    ");
    insta::assert_snapshot!(outcome.output, @"
    wrote new/pointsman.toml
    wrote new/rules/kettle.toml

    What is left to do
    1. Put the secrets into these files; new/pointsman.toml says where each is from:
         new/secrets/web-token
         new/secrets/jenkins-token
         new/secrets/pagure-token
         new/secrets/pagure-webhook-key
    2. Have the job define the parameters of the rule, and POINTSMAN_RUN.
    3. pointsman -c new/pointsman.toml test            runs the tests of the rule
    4. pointsman -c new/pointsman.toml check --online  asks all systems whether they will do
    5. pointsman -c new/pointsman.toml run             serves
    ");
    let settings = std::fs::read_to_string(world.path("new/pointsman.toml")).unwrap();
    insta::assert_snapshot!(settings, @r#"
    # Settings of Pointsman, made by `pointsman init`.
    #
    # `config/pointsman.toml` in the sources has all others with their defaults, and `pointsman check` finds
    # what is wrong with these.  A relative path is relative to this file.  Secrets are not here: `file:PATH`
    # or `env:NAME` says where one is.

    [ledger]
    path = "pointsman.db"

    [rules]
    dir = "rules"

    # Without a broker messages come in by HTTP: over a proxy with TLS that passes them on to `listen`.
    [web]
    listen = "127.0.0.1:8710"
    # Whoever has it may hand us messages by `POST /api/v1/messages`: `openssl rand -hex 32` makes one.
    token = "file:secrets/web-token"

    # The Jenkins that builds; rules call it `jenkins.main`.
    [jenkins.main]
    url = "http://ci.example:8080/"
    # A user with Overall/Read, Job/Read, Job/Build and Job/Cancel.
    user = "pointsman"
    # Its API token: log in as that user, open its page, Security, API Token, Add new Token.
    token = "file:secrets/jenkins-token"

    # The Pagure that proposals live on; rules call it `pagure.main`, or `origin` where an event came from.
    [pagure.main]
    url = "https://forge.example/"
    # A token of the project: Settings, API Keys, Create new key, with the ACLs `commit_flag` and
    # `pull_request_comment`.
    tokens = { "kettle" = "file:secrets/pagure-token" }
    # The key of the project's webhooks, as its Settings, Hooks show it; the webhook goes to
    # `https://YOUR-HOST/hooks/pagure/main` (Settings, Project Options, "Web-hooks").
    webhook_keys = { "kettle" = "file:secrets/pagure-webhook-key" }
    "#);
}

#[tokio::test]
async fn nothing_is_replaced_and_nothing_is_written_in_part() {
    let world = World::new();
    let here = world.file("");
    let said = ["init", &here, "--yes", "--project", "x", "--jenkins", "https://ci.example/"];
    let outcome = world.does(&said).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert_eq!(outcome.errors, "error: `pointsman.toml` is there already, and is not replaced\n");
    std::fs::remove_file(world.path("pointsman.toml")).unwrap();
    world.write("rules/x.toml", "");
    assert!(world.does(&said).await.errors.contains("rules/x.toml` is there already"));
    assert!(!world.path("pointsman.toml").exists());
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let world = World::new();
    let dir = world.file("new");
    let all = [
        ("--project", "a\"b", "a sign that it cannot have"),
        ("--project", "../x", "no name of a project"),
        ("--url", "ftp://x/", "neither `https://`"),
        ("--url", "https://ada:pw@x/", "a login"),
        ("--jenkins", "", "no address"),
        ("--job", "", "empty"),
        ("--broker", "amqps://a:b@c/", "a password"),
        ("--broker", "https://c/", "neither `amqps://`"),
    ];
    for (argument, value, why) in all {
        let mut said = vec!["init", &dir, "--yes", argument, value];
        for (other, usual) in [("--project", "x"), ("--jenkins", "https://ci.example/")] {
            if other != argument {
                said.extend([other, usual]);
            }
        }
        let outcome = world.does(&said).await;
        assert_eq!(outcome.exit, Exit::Failure, "{argument}");
        assert!(outcome.errors.contains(why), "{}", outcome.errors);
        assert!(!world.path("new").exists());
    }
    let outcome = world.does(&["init", &dir, "--yes"]).await;
    assert!(outcome.errors.contains("`--project` has to be said"), "{}", outcome.errors);
    let outcome = world.reads("pagure\n", &["init", &dir]).await;
    assert!(outcome.errors.contains("nobody answers: say `--url`"), "{}", outcome.errors);
    let outcome = world.reads("a\nb\nc\nd\n", &["init", &dir]).await;
    assert!(outcome.errors.contains("That was not answered"), "{}", outcome.errors);
}
