//! Starting a run, and starting it again where its infrastructure failed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Build;
use super::case::lane;
use crate::action::{Action, Order, Task, Ticket};
use crate::decision::Outcome;
use crate::expression::{self, Text};
use crate::run::{Retry, Run, RunState};
use crate::subject::{RunId, Verdict};
use crate::yaml::Node;

/// What a job is told, and its definition where it is given one.
pub(super) type Told = (BTreeMap<String, String>, Option<String>);

impl Build {
    /// What the job is told about an event with these `names`, and its definition.
    pub(super) fn render(&self, names: &Value) -> Result<Told, Outcome> {
        let context = expression::context(names);
        let mut parameters = BTreeMap::new();
        for (name, text) in &self.parameters {
            parameters.insert(name.clone(), rendered(text, text.source(), &context)?);
        }
        let Some(definition) = &self.definition else { return Ok((parameters, None)) };
        let mut names = names.clone();
        if let Some(names) = names.as_object_mut() {
            names.insert("parameters".to_owned(), json!(parameters));
        }
        // It is called by its file: it is long.
        let context = expression::context(&names);
        let failed = |error: String| Outcome::Failed { expression: self.job.clone(), error };
        let text = rendered(definition, &self.job, &context)?;
        let parsed = Node::parse(&text)
            .map_err(|malformed| failed(format!("once filled in it is no YAML: {malformed}")))?;
        let shadow = definition.render_shadow(&context).map_err(|error| failed(error.message))?;
        let is_meant = Node::parse(&shadow).is_ok_and(|shadow| shadow.has_shape_of(&parsed));
        if !is_meant {
            let words = "a value adds to it: let it stand alone where it is, with `| json`";
            return Err(failed(words.to_owned()));
        }
        Ok((parameters, Some(text)))
    }
}

fn rendered(text: &Text, called: &str, context: &minijinja::Value) -> Result<String, Outcome> {
    text.render(context)
        .map_err(|error| Outcome::Failed { expression: called.to_owned(), error: error.message })
}

/// `run`, which can be ordered again `retries` times, and the action that starts it.
pub(super) fn ordered(run: Run, order: Order, retries: u32) -> (Run, Action) {
    let start = start(&run, order.clone());
    let retry = (retries > 0).then(|| Box::new(Retry { order, left: retries }));
    (Run { retry, ..run }, start)
}

/// The action that starts `run`.
fn start(run: &Run, order: Order) -> Action {
    Action {
        key: format!("start/{}", run.id),
        lane: lane(&run.subject, &run.rule, &run.connection),
        slot: None,
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        delay: None,
        task: Task::Start(order),
    }
}

/// Orders `run` again where its infrastructure failed and it may be: the new run, and the action
/// that starts it.
///
/// One that was never begun was tried often enough by the worker.
pub(super) fn again(run: &Run) -> Option<(Run, Action)> {
    let retry = run.retry.as_ref().filter(|retry| retry.left > 0)?;
    let is_broken = run.state == RunState::Done(Verdict::Error) && run.ticket.number.is_some();
    if !is_broken || run.cancelling.is_some() {
        return None;
    }
    let attempt = run.attempt.saturating_add(1);
    let id = RunId::of(&run.subject, &run.revision, &run.rule, attempt);
    let order = Order { run: id.clone(), ..retry.order.clone() };
    let next = Run {
        id,
        attempt,
        state: RunState::Ordered,
        ticket: Ticket { job: run.ticket.job.clone(), ..Ticket::default() },
        reason: None,
        ..run.clone()
    };
    Some(ordered(next, order, retry.left.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::fixture::name;

    fn rendered(definition: &str, value: &str) -> Result<String, String> {
        let build = Build {
            on: name("builds.main"),
            job: "jobs/smoke.yaml".to_owned(),
            reference: None,
            parameters: Vec::new(),
            definition: Some(Text::definition(definition).unwrap()),
            each: None,
            retries: 0,
        };
        match build.render(&json!({ "v": value, "list": ["a", "b: c"] })) {
            Ok((_, definition)) => Ok(definition.unwrap()),
            Err(Outcome::Failed { expression, error }) => Err(format!("{expression}: {error}")),
            Err(other) => Err(other.as_str().to_owned()),
        }
    }

    #[test]
    fn a_value_adds_nothing_to_a_definition_wherever_it_was_put() {
        let places =
            ["note: '{{ v | json }}'", "{ a: --tag={{ v | json }} }", "x: [1, {{ v | json }}]"];
        for place in places {
            rendered(place, "a word").unwrap();
        }
        let hostile = [
            ("{ note: '{{ v | json }}' }", "', priority: 100, x: '"),
            ("{ a: --tag={{ v | json }} }", "a, EVIL: b"),
            ("x: [y {{ v | json }}]", "a, b"),
        ];
        for (definition, value) in hostile {
            let error = rendered(definition, value).unwrap_err();
            assert!(error.contains("adds to it") || error.contains("no YAML"), "{error}");
            assert!(!error.contains(value));
        }
        rendered("a: {{ v | json }}\nb: {{ list | json }}\n", "', x: [").unwrap();
        let error = rendered("a: [{{ v }}", "x").unwrap_err();
        assert!(
            error.starts_with("jobs/smoke.yaml: once filled in it is no YAML: line "),
            "{error}"
        );
    }
}
