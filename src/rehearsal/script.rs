//! The messages of a test: an example of a topic or a file, with what the test says is different.

use std::path::Path;

use serde_json::Value;

use crate::message::Message;
use crate::rules::fault::nearest;
use crate::rules::test::StepSpec;
use crate::topic::catalog::Catalog;
use crate::topic::{Example, Topic};
use crate::web::api::Recorded;

/// The largest file that is read.
const FILE_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// How many paths in a message are looked at for the one that was meant.
const PATHS_MAX: usize = 5_000;

/// What is wrong with a step.
#[derive(Debug)]
pub(super) struct StepFault {
    /// The key in the step that is wrong.
    pub(super) path: Vec<String>,
    /// What is wrong.
    pub(super) message: String,
    /// What was probably meant.
    pub(super) help: Option<String>,
}

/// The message of `step`, which stands in a rules file in `folder`.
pub(super) fn message(
    (step, name): (&StepSpec, &str),
    folder: &Path,
    catalog: &Catalog,
) -> Result<Message, StepFault> {
    let fault = |(message, help)| StepFault { path: vec!["message".to_owned()], message, help };
    let mut message = find(name, folder, catalog).map_err(fault)?;
    for (path, value) in &step.set {
        set(&mut message, path, value).map_err(|(message, help)| StepFault {
            path: vec!["set".to_owned(), path.clone()],
            message,
            help,
        })?;
    }
    Ok(message)
}

/// What is wrong, and what to do about it.
type Wrong = (String, Option<String>);

fn find(name: &str, folder: &Path, catalog: &Catalog) -> Result<Message, Wrong> {
    let (topic, which) = match name.split_once('#') {
        Some((topic, which)) => (topic, Some(which)),
        None => (name, None),
    };
    if let Some(topic) = catalog.topic(topic) {
        return example(topic, which).map(|example| example.message.clone());
    }
    let path = folder.join(name);
    if !path.is_file() {
        let names = catalog.topics().map(|topic| topic.name.as_str());
        let message = format!("`{name}` is no topic and no file beside the rules");
        return Err((message, nearest(topic, names)));
    }
    read(&path).map_err(|error| (format!("`{name}`: {error:#}"), None))
}

/// The first example, or the one whose body is in the file that is named.
fn example<'a>(topic: &'a Topic, which: Option<&str>) -> Result<&'a Example, Wrong> {
    let stem = |example: &'a Example| {
        let file = example.body_file.rsplit('/').next().unwrap_or_default();
        file.strip_suffix(".json").unwrap_or(file)
    };
    let found = match which {
        None => topic.examples.first(),
        Some(which) => topic.examples.iter().find(|example| stem(example) == which),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = topic.examples.iter().map(stem).collect();
        let message = format!("topic `{}` has no such example", topic.name);
        (message, Some(format!("known are: {}", names.join(", "))))
    })
}

/// A message as fedora-messaging records it.
fn read(path: &Path) -> anyhow::Result<Message> {
    let size = std::fs::metadata(path)?.len();
    anyhow::ensure!(size <= FILE_MAX_BYTES, "it is longer than {FILE_MAX_BYTES} bytes");
    let text = std::fs::read(path)?;
    let recorded: Recorded = serde_json::from_slice(&text)?;
    recorded.into_message().map_err(anyhow::Error::msg)
}

/// Changes what `path` leads to; a table that is not quoted changes what is in it.
fn set(message: &mut Message, path: &str, value: &Value) -> Result<(), Wrong> {
    if let Value::Object(parts) = value
        && !parts.is_empty()
    {
        for (name, value) in parts {
            set(message, &format!("{path}.{name}"), value)?;
        }
        return Ok(());
    }
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    match (root, rest) {
        ("topic", "") => {
            let topic = value.as_str().ok_or_else(|| ("`topic` is a text".to_owned(), None))?;
            topic.clone_into(&mut message.topic);
        }
        ("headers", rest) if !rest.is_empty() => {
            let mut headers = Value::Object(std::mem::take(&mut message.headers));
            let done = put(&mut headers, (root, rest), value);
            if let Value::Object(headers) = headers {
                message.headers = headers;
            }
            done?;
        }
        ("body", rest) if !rest.is_empty() => {
            let mut body: Value = serde_json::from_slice(&message.body)
                .map_err(|error| (format!("the body is no JSON: {error}"), None))?;
            put(&mut body, (root, rest), value)?;
            message.body = body.to_string().into_bytes();
        }
        _ => {
            let body = serde_json::from_slice(&message.body).unwrap_or_default();
            let help = meant(path, ("body", &body));
            let help = help.or_else(|| Some("a path begins with `body.` or `headers.`".to_owned()));
            return Err((format!("there is no `{path}` in a message"), help));
        }
    }
    Ok(())
}

fn put(whole: &mut Value, (root, path): (&str, &str), value: &Value) -> Result<(), Wrong> {
    if let Some(place) = place(whole, path) {
        place.clone_from(value);
        return Ok(());
    }
    let path = format!("{root}.{path}");
    let help = meant(&path, (root, whole));
    Err((format!("there is no `{path}` in the message"), help))
}

/// The place that `path` leads to; names may have dots in them.
fn place<'a>(whole: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let (name, rest) = path.split_at_checked(end)?;
        let number: Option<usize> = name.parse().ok();
        let is_there =
            whole.get(name).is_some() || number.is_some_and(|number| whole.get(number).is_some());
        if !is_there {
            continue;
        }
        let found = match (whole.is_array(), number) {
            (true, Some(number)) => whole.get_mut(number),
            (true, None) | (false, _) => whole.get_mut(name),
        }?;
        return match rest.strip_prefix('.') {
            None => Some(found),
            Some(rest) => place(found, rest),
        };
    }
    None
}

/// The path in `whole` that was probably meant: the one that ends so, or the most alike.
fn meant(path: &str, (root, whole): (&str, &Value)) -> Option<String> {
    let mut paths = Vec::new();
    collect(whole, root, &mut paths);
    let ending = format!(".{path}");
    match paths.iter().find(|known| known.ends_with(&ending)) {
        Some(known) => Some(format!("did you mean `{known}`?")),
        None => nearest(path, paths.iter().map(String::as_str)),
    }
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    if paths.len() >= PATHS_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                collect(value, &path, paths);
                paths.push(path);
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                let path = format!("{path}.{number}");
                collect(value, &path, paths);
                paths.push(path);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
