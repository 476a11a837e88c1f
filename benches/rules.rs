//! What a message costs, from its bytes to a decision, however many rules there are.

use std::fmt::Write as _;
use std::hint::black_box;

use anyhow::{Context as _, bail};
use pointsman::decision::Known;
use pointsman::ledger::intake::Found;
use pointsman::message::Message;
use pointsman::rules::{RuleSource, decide};
use pointsman::service::Prepared;
use pointsman::settings::Settings;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::messages::{Messages, RELEVANT};
use crate::table::{Row, Target, median};

/// How many messages one run decides about.
const MESSAGES: u32 = 3_000;

/// Measures few rules and many, `runs` times each.
pub(crate) fn measure(runs: usize) -> anyhow::Result<Vec<Row>> {
    let settings = settings()?;
    let few = prepare(&settings, 10)?;
    let many = prepare(&settings, 10_000)?;
    let messages = Messages::new()?;
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) * 3 {
        of_few.push(run(&few, &messages)?);
        of_many.push(run(&many, &messages)?);
    }
    let (few, many) = (median(of_few), median(of_many));
    Ok(vec![Row {
        measure: "a message with 10,000 rules, to one with 10".to_owned(),
        ours: format!("{many:.1} µs"),
        other: format!("{few:.1} µs"),
        value: many / few,
        target: Target::AtMost(1.3),
    }])
}

/// Microseconds for one message.
fn run(prepared: &Prepared, messages: &Messages) -> anyhow::Result<f64> {
    let inbox: Vec<Message> = (0..MESSAGES)
        .map(|number| {
            let project = format!("rail/box-{}", number % 5);
            message(messages.body(&project, u64::from(number)))
        })
        .collect();
    let known = Known::default();
    let began = Instant::now();
    for message in &inbox {
        let (_, Found::Events(events, _)) = prepared.reader.read(message) else {
            bail!("a message was not understood");
        };
        for event in &events {
            let decision = black_box(decide(&prepared.rules, event, &known));
            anyhow::ensure!(decision.actions.len() == 1, "{:?}", decision.considered);
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(MESSAGES))
}

fn message(body: Vec<u8>) -> Message {
    let texts = [("fedora_messaging_schema", "base.message"), ("sent-at", "2026-11-20T08:21:47Z")];
    let headers: Map<String, Value> =
        texts.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    Message {
        id: Some("m".to_owned()),
        topic: RELEVANT.to_owned(),
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        headers,
        body,
    }
}

/// As many rules as there are, nine in ten about a project and one about a group of them.
fn prepare(settings: &Settings, count: u32) -> anyhow::Result<Prepared> {
    let mut text = String::new();
    for number in 0..count {
        let project = if number % 10 == 9 {
            format!("line-{number}/*")
        } else {
            format!("rail/box-{number}")
        };
        write!(
            text,
            "[[rule]]\nname = \"rule-{number}\"\non = \"pull_request.opened\"\n\
             where = {{ project = \"{project}\" }}\nwhen = [\"not pull_request.draft\"]\n\
             trust = \"anyone\"\nbuild = {{ on = \"jenkins.main\", job = \"ci\", \
             parameters = {{ HEAD = \"{{{{ head.sha }}}}\" }} }}\n"
        )?;
    }
    let sources = [RuleSource { name: "bench.toml".to_owned(), text }];
    Prepared::with_rules(settings.clone(), &sources).context("cannot prepare the rules")
}

fn settings() -> anyhow::Result<Settings> {
    let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
    let credentials = "user = \"bench\"\ntoken = \"env:BENCH_TOKEN\"\n";
    let jenkins = format!("[jenkins.main]\nurl = \"http://ci.example/\"\n{credentials}");
    let pagure = "[pagure.main]\nurl = \"https://forge.example/\"\ntoken = \"env:BENCH_TOKEN\"\n";
    std::fs::write(file.path(), jenkins + pagure)?;
    Settings::load(&[file.path().to_owned()]).map_err(|faults| anyhow::anyhow!("{faults:?}"))
}
