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
        let definition = rendered(definition, &self.job, &expression::context(&names))?;
        let parsed = Node::parse(&definition);
        parsed.map_err(|malformed| Outcome::Failed {
            expression: self.job.clone(),
            error: format!("once filled in it is no YAML: {malformed}"),
        })?;
        Ok((parameters, Some(definition)))
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
