//! `init`: what is written for somebody who begins.

use clap::ValueEnum;

use super::*;
use crate::cli::init::forges::Kind;

/// A word for all secrets that settings can name.
fn put_secrets(world: &World, folder: &str) {
    let settings =
        std::fs::read_to_string(world.path(&format!("{folder}/pointsman.toml"))).unwrap();
    for part in settings.split("secrets/").skip(1) {
        world.write(&format!("{folder}/secrets/{}", part.split('"').next().unwrap()), "s3cret");
    }
}

/// The settings of a kind come with its connections.
fn is_there(kind: Kind) -> bool {
    Settings::schema()["properties"].get(kind.as_str()).is_some()
}

#[tokio::test]
async fn what_is_written_is_well_and_passes_its_tests() {
    let world = World::new();
    let kinds = Kind::value_variants().iter().copied().filter(|kind| is_there(*kind));
    for (kind, pipelines) in kinds.flat_map(|kind| [(kind, false), (kind, true)]) {
        if pipelines && !kind.has_series() {
            continue;
        }
        for broker in ["none", "amqps://pointsman@broker.example/%2Fpubsub"] {
            let forge = kind.as_str();
            let folder = format!("{forge}-{pipelines}-{}", broker.len());
            let dir = world.file(&folder);
            let project = if kind.has_series() { "oak-kettle" } else { "oak/kettle" };
            let mut arguments = vec!["init", &dir, "--yes", "--forge", forge, "--broker", broker];
            arguments.extend(["--project", project]);
            arguments.extend(if pipelines {
                ["--gitlab", "https://gitlab.example", "--job", "oak/patches"].as_slice()
            } else {
                &["--jenkins", "https://ci.example/jenkins"]
            });
            if kind.has_series() {
                let who = if kind == Kind::Patchew { "ada@oak.example" } else { "17" };
                arguments.extend(["--upstream", "https://git.example/kettle.git"]);
                arguments.extend(["--maintainer", who]);
                if !pipelines {
                    arguments.extend(["--push", "ssh://git@git.example/patches.git"]);
                }
            }
            let shown = world.shows(&arguments).await;
            assert!(shown.contains("/rules/oak-kettle.toml\n"), "{shown}");
            let settings = world.file(&format!("{folder}/pointsman.toml"));
            let text = std::fs::read_to_string(&settings).unwrap()
                + &std::fs::read_to_string(world.path(&format!("{folder}/rules/oak-kettle.toml")))
                    .unwrap();
            let is_left = |word: &str| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
            };
            let words = text.lines().flat_map(|line| line.split('@').skip(1).step_by(2));
            let left: Vec<_> = words.filter(|word| is_left(word)).collect();
            assert!(left.is_empty(), "{left:?} in {text}");
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
    What do proposals live on: pagure, github, gitlab, forgejo, patchwork or patchew? [pagure]
      it is none of these
    What do proposals live on: pagure, github, gitlab, forgejo, patchwork or patchew? [pagure]
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

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a dialogue is read as a whole")]
async fn for_patch_series_it_is_asked_where_they_belong_and_where_they_go() {
    let world = World::new();
    let dir = world.file("new");
    let answers = "patchwork\nhttps://patches.example\na/b\nkettle\nhammer\ngitlab\n\noak/patches\n\
                   git@git.example:kettle\nhttps://git.example/kettle.git\na..b\nmain\n\nada\n17\n\n";
    let outcome = world.reads(answers, &["init", &dir]).await;
    assert_eq!(outcome.exit, Exit::Success, "{}", outcome.errors);
    insta::assert_snapshot!(outcome.errors, @r"
    What do proposals live on: pagure, github, gitlab, forgejo, patchwork or patchew? [pagure]
    What is its address? [https://patchwork.kernel.org/]
    What is the full name of the project there?
      on patchwork it has no `/` in it
    What is the full name of the project there?
    What builds: jenkins or gitlab? [jenkins]
      it is none of these
    What builds: jenkins or gitlab? [jenkins]
    What is the address of the GitLab whose pipelines build it? [https://gitlab.com/]
    Which project is it there that branches are pushed to?
    What is the address of the repository that series are for?
      it is written as for scp: write `ssh://user@host/path`
    What is the address of the repository that series are for?
    Which branch of it are they for? [master]
      it is no name of a branch
    Which branch of it are they for? [master]
    What is the address of the repository that their branches are pushed to? [https://gitlab.com/oak/patches.git]
    Whose series are built? The number of a maintainer (`/api/people/?q=NAME`):
      it is no number
    Whose series are built? The number of a maintainer (`/api/people/?q=NAME`):
    What is the address of the broker (`none`: series are asked for)? [none]
    ");
    insta::assert_snapshot!(outcome.output, @r"
    wrote new/pointsman.toml
    wrote new/rules/kettle.toml

    What is left to do
    1. Put the secrets into these files; new/pointsman.toml says where each is from:
         new/secrets/gitlab-token
         new/secrets/patchwork-token
         new/secrets/git-token
    2. Have the project's pipelines run for branches when the API starts them.
    3. pointsman -c new/pointsman.toml test            runs the tests of the rule
    4. pointsman -c new/pointsman.toml check --online  asks all systems whether they will do
    5. pointsman -c new/pointsman.toml run             serves
    ");
    let settings = std::fs::read_to_string(world.path("new/pointsman.toml")).unwrap();
    let (_, settings) = settings.split_once("[rules]").unwrap();
    insta::assert_snapshot!(settings, @r#"

    dir = "rules"

    # The GitLab whose pipelines build; rules call it `gitlab.main`.
    [gitlab.main]
    url = "https://gitlab.com/"
    # A token of the project oak/patches: Settings, Access tokens, with the role Developer and the scope `api`.
    # Let its setting "CI/CD configuration file" name a file of another project: no patch changes that.
    token = "file:secrets/gitlab-token"

    # The Patchwork that series are heard of from; rules call it `patchwork.main`, or `origin` where a series
    # came from.
    [patchwork.main]
    url = "https://patches.example/"
    projects = ["kettle"]
    # The API token of our account, which is a maintainer of the project there: its profile, API Token,
    # Generate token.
    token = "file:secrets/patchwork-token"
    # What senders are, by the numbers that Patchwork has for people (`/api/people/`): `maintainers`,
    # `contributors`, `blocked`.  A series of anybody else waits until somebody lets it be built.
    people = { maintainers = ["17"] }
    # The mail server of that Patchwork, so that nobody sends as somebody else; its mails name it in
    # `Authentication-Results`.
    #authserv_id = "mx.example"

    # The repository that series are put on branches of; rules call it `git = "main"`.
    [git.main]
    upstream = "https://git.example/kettle.git"
    # The branches of it that a series is tried upon, in this order.
    bases = ["main"]
    # Where branches are pushed to.  A repository for nothing else: what is in it is what anybody sends.
    push = "https://gitlab.com/oak/patches.git"
    # A token of the user `user` that may push there and nowhere else.
    token = "file:secrets/git-token"
    #user = "pointsman"
    # Pipelines are started by us, once, and not by the push.
    push_options = ["ci.skip"]
    dir = "git"
    "#);
}

#[tokio::test]
async fn what_cannot_be_of_patch_series_is_refused() {
    let world = World::new();
    let dir = world.file("new");
    let usual = [
        ("--forge", "patchew"),
        ("--project", "Kettle"),
        ("--jenkins", "https://ci.example/"),
        ("--upstream", "https://git.example/kettle.git"),
        ("--push", "https://git.example/patches.git"),
        ("--maintainer", "ada@oak.example"),
    ];
    for (argument, value, why) in [
        ("--project", "a/b", "it has no `/` in it"),
        ("--upstream", "http://git.example/x", "it cannot be `http://`"),
        ("--push", "https://a:b@git.example/x", "carries a user or password"),
        ("--push", "ext::sh -c x", "no address of a repository"),
        ("--base", "a..b", "no name of a branch"),
        ("--maintainer", "ada", "it is no address"),
        ("--maintainer", "Ada <ada@oak.example>", "it is no address"),
    ] {
        let mut said = vec!["init", &dir, "--yes", argument, value];
        let others = usual.iter().filter(|(other, _)| *other != argument);
        said.extend(others.flat_map(|(other, value)| [*other, *value]));
        let outcome = world.does(&said).await;
        assert_eq!(outcome.exit, Exit::Failure, "{argument}");
        assert!(outcome.errors.contains(why), "{value}: {}", outcome.errors);
        assert!(!world.path("new").exists());
    }
    let said = ["init", &dir, "--yes", "--project", "x", "--gitlab", "https://gitlab.example/"];
    let outcome = world.does(&said).await;
    assert!(outcome.errors.contains("builds patch series only"), "{}", outcome.errors);
}
