//! `check`: everything that is wrong, before anything depends on it.

use serde::Serialize;
use serde_json::json;

use super::console::Console;
use super::faults::Fault;
use super::words::{Tint, count, safe};
use super::{Common, Exit, load};
use crate::executors::Finding;
use crate::registry;
use crate::rehearsal::test::faults;
use crate::remote::chain;
use crate::remote::gitlab::settings::GitLabSettings;
use crate::reporters::pagure::PagureSettings;
use crate::rules::RuleSet;
use crate::secret::SecretRef;
use crate::service::{PrepareError, Prepared, amqp_plan, rule_files};
use crate::settings::Settings;
use crate::topic::Example;
use crate::topic::catalog::Catalog;

mod warnings;

use warnings::warnings;

/// How far to look.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Also ask the systems outside whether they can be used as the rules want to use them.
    #[arg(long)]
    online: bool,
}

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    faults: Vec<Fault>,
    warnings: Vec<String>,
    online: Vec<Online>,
    rules: usize,
    tests: usize,
    topics: usize,
    connections: usize,
}

/// What was found at a system outside.
#[derive(Debug, Serialize)]
struct Online {
    subject: String,
    problem: Option<String>,
}

impl Findings {
    fn add<'f, F>(&mut self, faults: &'f [F])
    where
        Fault: From<&'f F>,
    {
        self.faults.extend(faults.iter().map(Fault::from));
    }

    fn is_well(&self) -> bool {
        self.faults.is_empty() && self.online.iter().all(|found| found.problem.is_none())
    }

    fn summary(&self) -> String {
        let Self { rules, tests, topics, connections, .. } = self;
        let all = [
            count(*rules, "rule"),
            count(*tests, "test"),
            count(*topics, "topic"),
            count(*connections, "connection"),
        ];
        let problems = self.online.iter().filter(|found| found.problem.is_some()).count();
        let end = match (self.faults.len(), problems) {
            (0, 0) => "all is well".to_owned(),
            (0, problems) => count(problems, "problem"),
            (faults, 0) => count(faults, "fault"),
            (faults, problems) => {
                format!("{}, {}", count(faults, "fault"), count(problems, "problem"))
            }
        };
        format!("{}: {end}", all.join(", "))
    }
}

pub(super) async fn run(
    common: &Common,
    check: Check,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let mut findings = Findings::default();
    match Settings::load(&load::files(common)) {
        Err(faults) => {
            findings.add(&faults);
            findings
                .warnings
                .push("the rules were not looked at: they depend on the settings".to_owned());
        }
        Ok(settings) => {
            offline(&settings, &mut findings);
            if check.online && findings.faults.is_empty() {
                online(settings, &mut findings, console).await?;
            }
        }
    }
    show(&findings, common.json, console)?;
    Ok(if findings.is_well() { Exit::Success } else { Exit::Failure })
}

/// Looks at everything that is on this machine.
fn offline(settings: &Settings, findings: &mut Findings) {
    let amqp = usize::from(settings.amqp.is_some());
    findings.connections = settings.forgejo.len()
        + settings.github.len()
        + settings.gitlab.len()
        + settings.jenkins.len()
        + settings.mail.len()
        + settings.mattermost.len()
        + settings.pagure.len()
        + settings.patchew.len()
        + settings.lava.len()
        + settings.patchwork.len()
        + settings.git.len()
        + settings.slack.len()
        + amqp;
    for (key, secret) in secrets(settings) {
        if let Err(error) = secret.read() {
            findings.faults.push(Fault::general(format!("`{key}`: {}", chain(&error)), Some(&key)));
        }
    }
    if findings.faults.is_empty()
        && let Err(error) = registry::labs::announcers(settings)
    {
        findings.faults.push(Fault::general(chain(error.as_ref()), None));
    }
    let catalog = match Catalog::load(&settings.topics.dirs) {
        Ok(catalog) => {
            findings.topics = catalog.topics().count();
            findings.add(&catalog.check(Example::RUN_PARAMETER));
            Some(catalog)
        }
        Err(faults) => {
            findings.add(&faults);
            None
        }
    };
    match rules(settings) {
        Ok(rules) => {
            findings.rules = rules.rules().len();
            findings.tests = rules.tests().len();
            findings.warnings.extend(warnings(&rules));
            let tests = rules.tests().iter();
            let wrong = |test| catalog.as_ref().map(|catalog| faults(test, catalog));
            findings.add(&tests.filter_map(wrong).flatten().collect::<Vec<_>>());
        }
        Err(PrepareError::Rules(faults)) => findings.add(&faults),
        Err(PrepareError::Topics(faults)) => findings.add(&faults),
        Err(PrepareError::Other(error)) => {
            findings.faults.push(Fault::general(chain(error.as_ref()), None));
        }
    }
}

/// The rules, whatever the topics are like.
fn rules(settings: &Settings) -> Result<RuleSet, PrepareError> {
    let sources = rule_files(&settings.rules.dir)?;
    let directory = registry::directory(settings)?;
    RuleSet::parse(&sources, directory.into()).map_err(PrepareError::Rules)
}

/// All secrets that the settings name, by their keys.
fn secrets(settings: &Settings) -> Vec<(String, SecretRef)> {
    let mut secrets = Vec::new();
    let mut add = |key: String, secret: Option<&'_ SecretRef>| {
        secrets.extend(secret.map(|secret| (key, secret.clone())));
    };
    add("service.run_secret".to_owned(), settings.service.run_secret.as_ref());
    add("web.token".to_owned(), settings.web.token.as_ref());
    let amqp = settings.amqp.as_ref();
    add("amqp.password".to_owned(), amqp.and_then(|amqp| amqp.password.as_ref()));
    for (name, forgejo) in &settings.forgejo {
        add(format!("forgejo.{name}.token"), Some(&forgejo.token));
        for secret in &forgejo.webhook_secrets {
            add(format!("forgejo.{name}.webhook_secrets"), Some(secret));
        }
    }
    for (name, git) in &settings.git {
        add(format!("git.{name}.token"), git.token.as_ref());
    }
    for (name, github) in &settings.github {
        add(format!("github.{name}.token"), github.token.as_ref());
        add(format!("github.{name}.private_key"), github.private_key.as_ref());
        for secret in &github.webhook_secrets {
            add(format!("github.{name}.webhook_secrets"), Some(secret));
        }
    }
    for (name, gitlab) in &settings.gitlab {
        for (key, secret) in gitlab_secrets(gitlab) {
            add(format!("gitlab.{name}.{key}"), Some(secret));
        }
    }
    for (name, jenkins) in &settings.jenkins {
        for secret in &jenkins.webhook_secrets {
            add(format!("jenkins.{name}.webhook_secrets"), Some(secret));
        }
        add(format!("jenkins.{name}.token"), jenkins.token.as_ref());
        add(format!("jenkins.{name}.password"), jenkins.password.as_ref());
        add(format!("jenkins.{name}.trigger_token"), jenkins.trigger_token.as_ref());
    }
    for (name, lava) in &settings.lava {
        add(format!("lava.{name}.token"), Some(&lava.token));
    }
    for (name, mail) in &settings.mail {
        add(format!("mail.{name}.password"), mail.password.as_ref());
    }
    for (name, mattermost) in &settings.mattermost {
        add(format!("mattermost.{name}.webhook"), mattermost.webhook.as_ref());
        add(format!("mattermost.{name}.token"), mattermost.token.as_ref());
    }
    for (name, patchwork) in &settings.patchwork {
        add(format!("patchwork.{name}.token"), patchwork.token.as_ref());
        add(format!("patchwork.{name}.password"), patchwork.password.as_ref());
    }
    for (name, patchew) in &settings.patchew {
        add(format!("patchew.{name}.password"), patchew.password.as_ref());
    }
    for (name, producer) in &settings.producer {
        add(format!("producer.{name}.token"), producer.token.as_ref());
    }
    for (name, slack) in &settings.slack {
        add(format!("slack.{name}.webhook"), slack.webhook.as_ref());
        add(format!("slack.{name}.token"), slack.token.as_ref());
    }
    for (name, pagure) in &settings.pagure {
        for (key, secret) in pagure_secrets(pagure) {
            add(format!("pagure.{name}.{key}"), Some(secret));
        }
    }
    secrets
}

/// The secrets of one Pagure, by their keys.
fn pagure_secrets(pagure: &PagureSettings) -> Vec<(String, &SecretRef)> {
    let mut secrets: Vec<_> = pagure.token.iter().map(|own| ("token".to_owned(), own)).collect();
    for (project, keys) in &pagure.webhook_keys {
        secrets.extend(keys.0.iter().map(|key| (format!("webhook_keys.{project}"), key)));
    }
    let tokens = pagure.tokens.iter();
    secrets.extend(tokens.map(|(project, token)| (format!("tokens.{project}"), token)));
    secrets
}

/// The secrets of one GitLab, by their keys.
fn gitlab_secrets(gitlab: &GitLabSettings) -> Vec<(String, &SecretRef)> {
    let triggers = gitlab.trigger_tokens.iter();
    let mut secrets = vec![("token".to_owned(), &gitlab.token)];
    secrets.extend(triggers.map(|(project, token)| (format!("trigger_tokens.{project}"), token)));
    let lists = [
        ("webhook_tokens", &gitlab.webhook_tokens),
        ("webhook_signing_tokens", &gitlab.webhook_signing_tokens),
    ];
    for (key, list) in lists {
        secrets.extend(list.iter().map(|secret| (key.to_owned(), secret)));
    }
    secrets
}

/// Asks the systems outside.
async fn online(
    settings: Settings,
    findings: &mut Findings,
    console: &mut Console,
) -> anyhow::Result<()> {
    let Some(prepared) = load::prepared(settings, console)? else { return Ok(()) };
    let Prepared { settings, rules, reader, .. } = &prepared;
    let found = &mut findings.online;
    match amqp_plan(settings, reader) {
        Ok(None) => {}
        Ok(Some(plan)) => {
            let probed = plan.probe().await.into_iter();
            found.extend(probed.map(|(subject, problem)| Online { subject, problem }));
        }
        Err(error) => found.push(Online {
            subject: "the broker".to_owned(),
            problem: Some(chain(error.as_ref())),
        }),
    }
    for (connection, findings) in registry::probe(settings, rules, console.clock()).await? {
        for Finding { subject, problem } in findings {
            // A system may call itself by the last part of its name.
            let name = connection.as_str().rsplit('.').next().unwrap_or_default();
            let rest = subject.strip_prefix(name).unwrap_or(&subject);
            let rest = rest.trim_start_matches([':', ' ']);
            let colon = if rest.is_empty() { "" } else { ": " };
            let subject = format!("{connection}{colon}{rest}");
            found.push(Online { subject, problem });
        }
    }
    findings.warnings.extend(registry::remarks(settings, rules, console.clock()).await?);
    Ok(())
}

fn show(findings: &Findings, is_json: bool, console: &mut Console) -> anyhow::Result<()> {
    if is_json {
        let Findings { faults, warnings, online, rules, tests, topics, connections } = findings;
        return console.json(&json!({
            "well": findings.is_well(),
            "rules": rules,
            "tests": tests,
            "topics": topics,
            "connections": connections,
            "faults": faults,
            "warnings": warnings,
            "online": online,
        }));
    }
    for fault in &findings.faults {
        fault.tell(console)?;
    }
    for warning in &findings.warnings {
        console.remark(&format!("warning: {}", safe(warning)))?;
    }
    for Online { subject, problem } in &findings.online {
        match problem {
            None => console.tinted(Tint::Good, &format!("✓ {}", safe(subject)))?,
            Some(problem) => {
                console.tinted(Tint::Bad, &format!("✗ {}: {}", safe(subject), safe(problem)))?;
            }
        }
    }
    let tint = if findings.is_well() { Tint::Good } else { Tint::Bad };
    console.tinted(tint, &findings.summary())
}
