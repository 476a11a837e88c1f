use super::*;

/// All faults of one file, one on each line.
fn faults(content: &str) -> String {
    lines(&load(&[("a.toml", content)], &[]).unwrap_err())
}

#[test]
fn every_fault_is_told_at_once() {
    let text = faults(
        r#"
[ledger]
path = 5
keep = "10 parsecs"
batch_mx = 1

[web]
listen = "localhost"
token = "hunter2"
body_max = "1 mile"

[log]
format = "prety"

[topics]
dirs = ["a", 1, "b", 2]

[worker]
attempts_max = -1
grace = true

[jenkins.main]
user = 7
tokn = "file:x"

[jenkins.lab]
url = "ci.example"
concurrency = "many"
aliases = "ci"

[pagure.io]

[wroker]
"#,
    );
    insta::assert_snapshot!(text, @r#"
    a.toml:3: `ledger.path`: expected a path, found a whole number
    a.toml:4: `ledger.keep`: `10 parsecs` is not a duration
    a.toml:5: `ledger.batch_mx`: is not known: it is none of `path`, `keep`, `keep_dead`, `batch_max`; did you mean `batch_max`?
    a.toml:8: `web.listen`: `localhost` is not an IP address with a port, such as `127.0.0.1:8710`, or `off`
    a.toml:9: `web.token`: a secret is given as `file:/path` or `env:NAME`, never itself
    a.toml:10: `web.body_max`: `1 mile` is not a size in bytes, such as `8 MiB`
    a.toml:13: `log.format`: `prety` is none of `auto`, `pretty`, `compact`, `json`; did you mean `pretty`?
    a.toml:16: `topics.dirs.1`: expected a path, found a whole number
    a.toml:16: `topics.dirs.3`: expected a path, found a whole number
    a.toml:19: `worker.attempts_max`: `-1` is not a whole number of at least 0
    a.toml:20: `worker.grace`: expected a duration, found true or false
    a.toml:22: `jenkins.main.url`: is missing
    a.toml:23: `jenkins.main.user`: expected a string, found a whole number
    a.toml:24: `jenkins.main.tokn`: is not known: it is none of `url`, `user`, `token`, `password`, `trigger_token`, `webhook_secrets`, `aliases`, `concurrency`, `timeout`, `poll_min`, `poll_max`; did you mean `token`?
    a.toml:27: `jenkins.lab.url`: `ci.example` is no whole address: relative URL without a base
    a.toml:28: `jenkins.lab.concurrency`: expected a whole number of at least 0, found a string
    a.toml:29: `jenkins.lab.aliases`: expected a list, found a string
    a.toml:31: `pagure.io.url`: is missing
    a.toml:33: `wroker`: is not known: it is none of `amqp`, `commands`, `forgejo`, `git`, `github`, `gitlab`, `jenkins`, `lava`, `ledger`, `log`, `mail`, `mattermost`, `pagure`, `patchew`, `patchwork`, `producer`, `reconcile`, `rules`, `series`, `service`, `slack`, `topics`, `web`, `worker`; did you mean `worker`?
    "#);
}

#[test]
fn a_section_that_is_no_table_is_told() {
    let text =
        faults("worker = 1\njenkins = 'x'\n[pagure]\nurl = 'https://forge.example'\n[[amqp]]");
    insta::assert_snapshot!(text, @r#"
    a.toml:1: `worker`: expected a table, found a whole number
    a.toml:2: `jenkins`: connections have names: write `[jenkins.NAME]`
    a.toml:4: `pagure.url`: connections have names: write `[pagure.NAME]`
    a.toml:5: `amqp`: expected a table, found a list
    "#);
}

#[test]
fn values_that_do_not_go_together_are_told() {
    let text = faults(
        r#"
service.run_parameter = "RUN ID"
service.message_size_max = 0
service.page_url = "ftp://pointsman.example"
ledger = { path = "", keep = "0s", batch_max = 0 }
log.filter = "inof"
worker = { attempts_max = 0, backoff_min = "1h" }
[amqp]
url = "https://broker.example"
certificate = "a.pem"
prefetch = 0
[jenkins.a]
url = "https://CI.example:443/a"
user = "ada"
token = "env:A"
password = "env:B"
concurrency = 0
[jenkins.b]
url = "https://ci.example/b"
[jenkins.c]
url = "https://c.example/"
token = "env:C"
poll_max = "1s"
[jenkins."d d"]
url = "https://d.example/?x"
user = "ada"
[pagure.io]
url = "https://forge.example"
"#,
    );
    insta::assert_snapshot!(text, @r#"
    a.toml:2: `service.run_parameter`: is no name of a build parameter: letters, digits and `_`, no digit first
    a.toml:3: `service.message_size_max`: has to be at least 1
    a.toml:4: `service.page_url`: is neither `http://` nor `https://`
    a.toml:5: `ledger.path`: is empty
    a.toml:5: `ledger.keep`: has to be longer than nothing
    a.toml:5: `ledger.batch_max`: has to be at least 1
    a.toml:6: `log.filter`: `inof` is no level; did you mean `info`?
    a.toml:7: `worker.attempts_max`: has to be at least 1
    a.toml:7: `worker.backoff_min`: `backoff_min` is longer than `backoff_max`
    a.toml:9: `amqp.url`: is no address of a broker, such as `amqps://user@broker.example/vhost`
    a.toml:10: `amqp.certificate`: needs the `key` that belongs to it
    a.toml:11: `amqp.prefetch`: has to be at least 1
    a.toml:16: `jenkins.a.password`: is not used beside `token`: give one of them
    a.toml:17: `jenkins.a.concurrency`: has to be at least 1
    a.toml:18: `jenkins.b.user`: is missing: builds are started with `user` and `token`, or with a `trigger_token`
    a.toml:20: `jenkins.c.user`: is missing: a `token` or `password` is some user's
    a.toml:20: `jenkins.c.poll_min`: `poll_min` is longer than `poll_max`
    a.toml:24: `jenkins."d d"`: a name is made of letters, digits, `-` and `_`
    a.toml:25: `jenkins."d d".url`: ends in `?` or `#`, which an address to which paths are added cannot
    a.toml:26: `jenkins."d d".user`: needs a `token` (or a `password`)
    a.toml:27: `pagure.io.token`: is missing, and `tokens` by project, too: nothing could be reported
    "#);
}

#[test]
fn a_login_at_github_is_one_and_whole() {
    let text = faults(
        r#"[github.none]
url = "https://a.example"
[github.both]
url = "https://b.example"
token = "env:A"
app_id = 1
[github.half]
url = "https://c.example"
private_key = "env:A"
installation_id = 1
[github.user]
url = "https://d.example"
token = "env:A"
checks = "check_run"
context_prefix = "ci/"
concurrency = 0
[github.more]
url = "https://d.example"
token = "env:A"
installation_id = 1
webhook_secrets = "env:A"
"#,
    );
    insta::assert_snapshot!(text, @r"
    a.toml:1: `github.none.token`: is missing, and an App (`app_id` and `private_key`), too: nothing could be reported
    a.toml:5: `github.both.token`: is not used beside an App: give one of them
    a.toml:6: `github.both.app_id`: `app_id` and `private_key` belong together
    a.toml:7: `github.half.app_id`: `app_id` and `private_key` belong together
    a.toml:10: `github.half.installation_id`: needs the `app_id` of the App that is installed
    a.toml:14: `github.user.checks`: check runs need an App (`app_id` and `private_key`): GitHub takes them from no user
    a.toml:15: `github.user.context_prefix`: has to begin with `pointsman`, by which our own states are known, and to be short
    a.toml:16: `github.user.concurrency`: has to be at least 1
    a.toml:21: `github.more.webhook_secrets`: expected a list, found a string
    ");
}

#[test]
fn two_connections_at_one_host_are_told() {
    let text = faults(
        r#"
[jenkins.a]
url = "https://CI.example:443/a"
trigger_token = "env:A"
aliases = ["ci.example", "Ci.internal:8080"]
[jenkins.b]
url = "https://ci.example/b"
trigger_token = "env:A"
[jenkins.c]
url = "http://ci.internal:8080"
trigger_token = "env:A"
[jenkins.d]
url = "http://ci.internal"
trigger_token = "env:A"
"#,
    );
    insta::assert_snapshot!(text, @r#"
    a.toml:7: `jenkins.b.url`: `ci.example` is the host of `jenkins.a` already
    a.toml:10: `jenkins.c.url`: `ci.internal:8080` is the host of `jenkins.a` already
    "#);
}

#[test]
fn a_variable_is_named_as_it_is_set() {
    let faults = load(
        &[("a.toml", "[worker]\nattempts_max = 3")],
        &[
            ("POINTSMAN_WORKER__ATTEMPTS_MAX", "many"),
            ("POINTSMAN_WORKER__GRACE", "5"),
            ("POINTSMAN_LEDGER__PAHT", "x"),
            ("POINTSMAN_LEDGER__BATCH_MAX__X", "1"),
            ("POINTSMAN_RULES_DIR", "x"),
            ("POINTSMAN_RULES__", "x"),
            ("POINTSMAN_JENKINS__MAIN__USER", "ada"),
            ("POINTSMAN_AMQP__BIND", "yes"),
        ],
    );
    insta::assert_snapshot!(lines(&faults.unwrap_err()), @r#"
    environment variable POINTSMAN_AMQP__BIND: `amqp.bind`: expected `true` or `false`, found a string
    environment variable POINTSMAN_JENKINS__MAIN__URL: `jenkins.main.url`: is missing
    environment variable POINTSMAN_LEDGER__BATCH_MAX__X: `ledger.batch_max`: expected a whole number of at least 0, found a table
    environment variable POINTSMAN_LEDGER__PAHT: `ledger.paht`: is not known: it is none of `path`, `keep`, `keep_dead`, `batch_max`; did you mean `path`?
    environment variable POINTSMAN_RULES_DIR: is not read: write POINTSMAN_RULES__DIR
    environment variable POINTSMAN_RULES__: names no setting
    environment variable POINTSMAN_WORKER__ATTEMPTS_MAX: `worker.attempts_max`: expected a whole number of at least 0, found a string
    environment variable POINTSMAN_WORKER__GRACE: `worker.grace`: `5` is not a duration
    "#);
}

#[test]
fn a_complaint_about_two_keys_names_the_one_that_was_set() {
    let faults = load(&[("a.toml", "\nworker.backoff_max = '1ms'")], &[]);
    insta::assert_snapshot!(lines(&faults.unwrap_err()), @"a.toml:2: `worker.backoff_max`: `backoff_min` is longer than `backoff_max`");
}

#[test]
fn files_that_cannot_be_read_are_told_and_cause_no_further_faults() {
    let mut faults = Vec::new();
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file("broken.toml", "[jenkins.main]\nurl = https://ci.example\n")?;
        jail.create_file("more.toml", "[jenkins.main]\nuser = 'ada'\ntimeout = 'x'\n")?;
        let files = ["missing.toml", "broken.toml", "more.toml"].map(PathBuf::from);
        faults = Settings::load(&files).unwrap_err();
        Ok(())
    });
    insta::assert_snapshot!(lines(&faults), @r#"
    broken.toml:2: is no TOML: string values must be quoted, expected literal string
    missing.toml: cannot read the file: No such file or directory (os error 2)
    more.toml:3: `jenkins.main.timeout`: `x` is not a duration
    "#);
}

#[test]
fn the_bus_is_told_in_some_language_and_in_each_once() {
    insta::assert_snapshot!(faults("service.publish_as = []\n"), @"a.toml:1: `service.publish_as`: is empty: nothing would be told");
    let twice = faults("service.publish_as = ['cdevents', 'eiffel', 'cdevents']\n");
    insta::assert_snapshot!(twice, @"a.toml:1: `service.publish_as`: names a language twice");
    let unknown = faults("service.publish_as = ['klingon']\n");
    assert!(unknown.contains("`pointsman`, `cdevents`, `eiffel`"), "{unknown}");
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "hunter2";
    let quoted = format!("'{secret}'");
    let table = format!("{{ file = '{secret}' }}");
    let list = format!("['{secret}']");
    let url = |place: &str| format!("'{place}://ada:{secret}@host example'");
    let keys = [
        "web.token",
        "service.run_secret",
        "gitlab.main.trigger_tokens.\"rail/points\"",
        "amqp.password",
        "github.main.token",
        "github.main.private_key",
        "github.main.webhook_secrets",
        "jenkins.main.token",
        "jenkins.main.password",
        "jenkins.main.trigger_token",
        "pagure.io.token",
        "pagure.io.tokens",
        "pagure.io.tokens.points",
        "jenkins.main.url",
        "jenkins.main",
        "jenkins.main.api_token",
        "pagure.io.url",
        "amqp.url",
        "service.page_url",
        "web.listen",
        "web",
        "tokens",
    ];
    let with_password = [url("https"), url("amqp"), format!("'ada:{secret}@x'")];
    for key in keys {
        let plain = [quoted.clone(), table.clone(), list.clone(), secret.to_owned()];
        // A string where a secret has no business may be shown, so that the slip can be seen.
        let is_open = key == "web.listen" || key.ends_with("url");
        let values = plain.iter().filter(|_| !is_open).chain(&with_password);
        for value in values {
            let Err(faults) = load(&[("a.toml", &format!("{key} = {value}\n"))], &[]) else {
                panic!("{key} = {value} is accepted");
            };
            let text = format!("{faults:?} {}", lines(&faults));
            assert!(!text.contains(secret), "{key} = {value}: {text}");
        }
    }
    for (name, value) in [
        ("POINTSMAN_WEB__TOKEN", "8675309"),
        ("POINTSMAN_WEB__TOKEN", "true"),
        ("POINTSMAN_WEB__TOKEN", "[8675309]"),
        ("POINTSMAN_WEB_TOKEN", "8675309"),
    ] {
        let text = lines(&load(&[], &[(name, value)]).unwrap_err());
        assert!(!text.contains(value) && !text.contains("8675309"), "{text}");
    }
}

#[test]
fn what_pipelines_need_goes_together() {
    let text = faults(
        "service.run_secret = 'env:RUN_SECRET'\n[gitlab.main]\ntoken = 'env:TOKEN'\n\
         trigger_tokens = { signalbox = 'env:TRIGGER' }\npoll_min = '10m'",
    );
    insta::assert_snapshot!(text, @r#"
    a.toml:1: `service.run_secret`: needs `page_url`: builds are told where to say that they have ended
    a.toml:4: `gitlab.main.trigger_tokens`: are by the paths of projects, such as `"group/project" = "file:…"`
    a.toml:5: `gitlab.main.poll_min`: `poll_min` is longer than `poll_max`
    "#);
}

#[test]
fn the_address_of_a_broker_carries_no_password() {
    let text = faults("[amqp]\nurl = 'amqp://ada:hunter2@broker.example'");
    insta::assert_snapshot!(text, @"a.toml:2: `amqp.url`: carries a password: take it out and say in `password` where it is kept");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn no_text_makes_it_panic(
        section in "service|web|topics|amqp|jenkins|jenkins\\.a|pagure\\.io\\.tokens|[a-z.]{0,8}",
        key in "path|url|dirs|token|listen|[a-z.]{0,8}",
        value in "\\PC{0,12}|'\\PC{0,12}'|\\[('a',|1,|\\{\\},){0,4}\\]|\\{ ?\\}|-?[0-9]{1,25}",
        name in "(JENKINS|WEB|LEDGER|[A-Z_.]{1,6})__[A-Z_.]{0,12}",
    ) {
        let file = format!("[{section}]\n{key} = {value}\n");
        let name = format!("POINTSMAN_{name}");
        if let Err(faults) = load(&[("a.toml", &file)], &[(&name, &value)]) {
            proptest::prop_assert!(!faults.is_empty());
        }
    }
}
