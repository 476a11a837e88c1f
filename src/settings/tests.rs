use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Jail;

use super::*;

mod defaults;
mod faults;
mod series;
mod told;
mod trees;

/// Loads files with the given contents, and variables, in a folder of their own.
fn load(
    files: &[(&str, &str)],
    variables: &[(&str, &str)],
) -> Result<Settings, Vec<SettingsFault>> {
    let mut loaded = Err(Vec::new());
    Jail::expect_with(|jail| {
        jail.clear_env();
        for (name, content) in files {
            if let Some(folder) = Path::new(name).parent() {
                jail.create_dir(folder)?;
            }
            jail.create_file(name, content)?;
        }
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| name.into()).collect();
        loaded = Settings::load(&paths);
        Ok(())
    });
    loaded
}

fn lines(faults: &[SettingsFault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
#[expect(clippy::too_many_lines, reason = "it shows all of them")]
fn without_files_and_variables_the_defaults_hold() {
    let settings = load(&[], &[]).unwrap();
    insta::assert_debug_snapshot!(settings, @r#"
    Settings {
        service: ServiceSettings {
            run_parameter: "POINTSMAN_RUN",
            message_size_max: ByteSize(
                8388608,
            ),
            page_url: None,
            run_secret: None,
            publish_as: [
                Pointsman,
            ],
        },
        ledger: LedgerSettings {
            path: "pointsman.db",
            keep: 7776000s,
            keep_dead: 31557600s,
            batch_max: 200,
        },
        web: WebSettings {
            listen: Some(
                127.0.0.1:8710,
            ),
            token: None,
            body_max: ByteSize(
                1048576,
            ),
        },
        log: LogSettings {
            format: Auto,
            filter: "info",
        },
        topics: TopicsSettings {
            dirs: [],
        },
        rules: RulesSettings {
            dir: "config/rules",
        },
        commands: CommandSettings {
            prefix: "/ci",
            aliases: {},
            per_hour: 30,
        },
        series: OptOut {
            tags: [
                "RFC",
            ],
            notes: [
                "CI-tag: skip",
            ],
        },
        reconcile: ReconcileSettings {
            every: Some(
                900s,
            ),
            first: Note,
            patience: 120s,
            pause: 1s,
            projects_max: 500,
        },
        worker: WorkerSettings {
            attempts_max: 60,
            backoff_min: 1s,
            backoff_max: 1800s,
            grace: 10s,
        },
        amqp: None,
        forgejo: {},
        git: {},
        github: {},
        gitlab: {},
        jenkins: {},
        lava: {},
        mail: {},
        mattermost: {},
        pagure: {},
        patchew: {},
        patchwork: {},
        producer: {},
        slack: {},
    }
    "#);
}

#[test]
fn the_looking_for_missed_events_has_its_pace_or_is_off() {
    let every = |text: &str| load(&[("a.toml", &format!("[reconcile]\nevery = '{text}'"))], &[]);
    assert_eq!(every("off").unwrap().reconcile.every, None);
    assert_eq!(every("1h").unwrap().reconcile.every, Some(Duration::from_hours(1)));
    let fault = |text: &str| every(text).unwrap_err()[0].message.clone();
    assert!(fault("often").contains("a duration, such as `15m`, or `off`"), "{}", fault("often"));
    assert_eq!(fault("0s"), "has to be longer than nothing");
}

#[test]
fn later_files_and_then_the_environment_win() {
    let settings = load(
        &[
            ("a.toml", "[worker]\nattempts_max = 1\ngrace = '1s'"),
            ("b.toml", "[worker]\ngrace = '2s'\nbackoff_min = '2s'"),
        ],
        &[("POINTSMAN_WORKER__BACKOFF_MIN", "3s")],
    );
    let worker = settings.unwrap().worker;
    assert_eq!(worker.attempts_max, 1);
    assert_eq!(worker.grace, Duration::from_secs(2));
    assert_eq!(worker.backoff_min, Duration::from_secs(3));
}

#[test]
fn a_connection_can_come_from_the_environment_alone() {
    let settings = load(
        &[],
        &[
            ("POINTSMAN_JENKINS__MAIN__URL", "https://ci.example/"),
            ("POINTSMAN_JENKINS__MAIN__USER", "0815"),
            ("POINTSMAN_JENKINS__MAIN__TOKEN", "env:POINTSMAN_JENKINS_TOKEN"),
            ("POINTSMAN_JENKINS__MAIN__CONCURRENCY", "2"),
            ("POINTSMAN_JENKINS_TOKEN", "s3cret"),
        ],
    )
    .unwrap();
    let jenkins = &settings.jenkins["main"];
    assert_eq!(jenkins.user.as_deref(), Some("0815"));
    assert_eq!(jenkins.concurrency, 2);
    assert!(!format!("{settings:?}").contains("s3cret"));
}

#[test]
fn a_number_in_the_environment_is_a_text_where_a_text_is_wanted() {
    let settings = load(
        &[],
        &[("POINTSMAN_LEDGER__PATH", "0123"), ("POINTSMAN_SERVICE__MESSAGE_SIZE_MAX", "4096")],
    )
    .unwrap();
    assert_eq!(settings.ledger.path, Path::new("0123"));
    assert_eq!(settings.service.message_size_max.bytes(), 4_096);
}

#[test]
fn variables_that_are_no_settings_are_left_alone() {
    let outcome = load(
        &[("a.toml", "[web]\ntoken = 'env:POINTSMAN_WEB_TOKEN'")],
        &[
            // In a build that Pointsman has started.
            ("POINTSMAN_RUN", "0123456789abcdef0123456789abcdef"),
            // Beside a service of this name in Kubernetes.
            ("POINTSMAN_SERVICE_HOST", "10.0.0.1"),
            ("POINTSMAN_PORT_8710_TCP", "tcp://10.0.0.1:8710"),
            // A secret, under a name that would otherwise be taken for a slip of the pen.
            ("POINTSMAN_WEB_TOKEN", "s3cret"),
        ],
    );
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn paths_in_a_file_are_relative_to_that_file() {
    let settings = load(
        &[(
            "etc/pointsman.toml",
            r#"
                ledger.path = "/var/lib/pointsman.db"
                rules.dir = "rules"
                topics.dirs = ["topics", "/usr/share/topics"]
                web.token = "file:secrets/web"
                [amqp]
                url = "amqp://broker.example"
                password = "env:BROKER"
                ca = "ca.pem"
                [pagure.io]
                url = "https://forge.example/"
                tokens = { "forks/ada/points" = "file:secrets/points" }
            "#,
        )],
        &[("POINTSMAN_AMQP__CA", "other.pem")],
    )
    .unwrap();
    assert_eq!(settings.ledger.path, Path::new("/var/lib/pointsman.db"));
    assert_eq!(settings.rules.dir, Path::new("etc/rules"));
    let dirs = [PathBuf::from("etc/topics"), "/usr/share/topics".into()];
    assert_eq!(settings.topics.dirs, dirs);
    let token = SecretRef::File("etc/secrets/web".into());
    assert_eq!(settings.web.token, Some(token));
    let token = SecretRef::File("etc/secrets/points".into());
    assert_eq!(settings.pagure["io"].tokens["forks/ada/points"], token);
    let amqp = settings.amqp.unwrap();
    assert_eq!(amqp.password, Some(SecretRef::Env("BROKER".to_owned())));
    assert_eq!(amqp.ca, Some("other.pem".into()));
}

#[test]
fn commands_are_spelled_as_the_operator_wants() {
    let file = "[commands]\nprefix = '@ci'\naliases = { 'Re-Check …' = 'retest …', recheck = '' }";
    let commands = load(&[("a.toml", file)], &[]).unwrap().commands;
    let grammar = crate::command::Grammar::new(&commands).unwrap();
    assert_eq!(grammar.parse("@ci test\nre-check a\nrecheck").len(), 2);
    let file =
        "[commands]\nprefix = 'ci'\nper_hour = 0\naliases = { '/a' = 'tset', '/b' = 'ok …' }";
    insta::assert_snapshot!(lines(&load(&[("a.toml", file)], &[]).unwrap_err()), @r"
    a.toml:2: `commands.prefix`: is no prefix: it has 1 to 32 visible characters of ASCII, and begins with a mark that Markdown leaves alone, such as `/ci` or `@pointsman`
    a.toml:3: `commands.per_hour`: has to be at least 1
    a.toml:4: `commands.aliases`: `/a` does not stand for one of `test`, `retest`, `cancel`, `ok`, `why`, `help`
    a.toml:4: `commands.aliases`: `/b` has `…` or `SHA` on one side only, or more than once
    ");
}

#[test]
fn the_web_can_be_switched_off() {
    let settings = load(&[("a.toml", "web.listen = 'off'")], &[]).unwrap();
    assert_eq!(settings.web.listen, None);
}
