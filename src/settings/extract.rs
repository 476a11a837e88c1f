//! From merged layers to typed sections, without stopping at the first fault.

use std::collections::BTreeMap;

use figment::error::{Error, Kind};
use figment::providers::Env;
use figment::value::{Dict, Value};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::check::{Complaint, Connection, hosts};
use super::fault::{SettingsFault, explain, unknown};
use super::layers::{Layers, PREFIX, Place, SEPARATOR, variable};
use super::schema;
use crate::subject::ConnectionName;

/// A section, or one connection.
pub(super) trait Section: DeserializeOwned + JsonSchema {
    /// What is wrong although each value by itself is right.
    fn complaints(&self) -> Vec<Complaint>;
}

/// Takes the sections out of the layers and collects what is wrong.
pub(super) struct Reader<'l> {
    layers: &'l Layers,
    merged: Dict,
    faults: Vec<SettingsFault>,
}

impl<'l> Reader<'l> {
    pub(super) fn new(layers: &'l Layers, faults: Vec<SettingsFault>) -> Self {
        Self { layers, merged: layers.merged(), faults }
    }

    /// All that was found to be wrong, from top to bottom of each file.
    pub(super) fn finish(mut self) -> Vec<SettingsFault> {
        self.faults.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
        self.faults
    }

    pub(super) fn refuse_unknown_sections(&mut self) {
        let known = schema::sections();
        let names: Vec<String> = self.merged.keys().cloned().collect();
        for name in names {
            if !known.contains(&name) {
                let message = unknown(&name, &known);
                self.report(&[name], message);
            }
        }
    }

    /// The section `name`, if it is there and has no fault.
    pub(super) fn section<T: Section>(&mut self, name: &str) -> Option<T> {
        let value = self.merged.get(name)?.clone();
        self.extract(&[name.to_owned()], value)
    }

    /// The connections of one kind that have no fault, by name.
    pub(super) fn connections<T: Section>(&mut self, kind: &str) -> BTreeMap<String, T> {
        let mut connections = BTreeMap::new();
        let Some(value) = self.merged.get(kind).cloned() else {
            return connections;
        };
        let by_name = format!("connections have names: write `[{kind}.NAME]`");
        let Value::Dict(_, entries) = value else {
            self.report(&[kind.to_owned()], by_name);
            return connections;
        };
        for (name, value) in entries {
            let path = [kind.to_owned(), name.clone()];
            if value.as_dict().is_none() {
                self.report(&path, by_name.clone());
                continue;
            }
            if ConnectionName::try_from(format!("{kind}.{name}")).is_err() {
                let message = "a name is made of letters, digits, `-` and `_`";
                self.report(&path, message.to_owned());
            }
            if let Some(connection) = self.extract(&path, value) {
                connections.insert(name, connection);
            }
        }
        connections
    }

    /// As [`Reader::connections`], of a kind that messages name by its host.
    pub(super) fn systems<T: Section + Connection>(&mut self, kind: &str) -> BTreeMap<String, T> {
        let systems = self.connections(kind);
        self.refuse_shared_hosts(kind, &systems);
        systems
    }

    /// Two connections of one kind must not be at one host, or the origin of a message from there
    /// would be either.
    fn refuse_shared_hosts<T: Connection>(
        &mut self,
        kind: &str,
        connections: &BTreeMap<String, T>,
    ) {
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for (name, connection) in connections {
            for host in hosts(connection) {
                if let Some(owner) = owners.get(&host) {
                    let message = format!("`{host}` is the host of `{kind}.{owner}` already");
                    self.report(&[kind.to_owned(), name.clone(), "url".to_owned()], message);
                } else {
                    owners.insert(host, name);
                }
            }
        }
    }

    /// A variable such as `POINTSMAN_LEDGER_PATH`, which somebody believes to be a setting.
    ///
    /// Others without `__` are none of ours: the id of a run in a build, what Kubernetes says
    /// about a service of this name, a secret that is kept there.
    pub(super) fn refuse_misspelt_variables(&mut self) {
        let mut references = Vec::new();
        let merged = Value::from(self.merged.clone());
        collect_references(&merged, &mut references);
        for (name, _) in Env::prefixed(PREFIX).iter() {
            let name = name.into_string();
            let full_name = format!("{PREFIX}{}", name.to_ascii_uppercase());
            let message = if name.contains(SEPARATOR) {
                let names_a_key = name.split(SEPARATOR).all(|key| !key.is_empty());
                (!names_a_key).then(|| "names no setting".to_owned())
            } else if references.contains(&full_name) {
                None
            } else {
                schema::keys()
                    .into_iter()
                    .find(|(section, key)| name == format!("{section}_{key}"))
                    .map(|(section, key)| {
                        format!("is not read: write {}", variable(&[&section, &key]))
                    })
            };
            self.faults.extend(message.map(|message| SettingsFault {
                file: format!("environment variable {full_name}"),
                line: None,
                key: None,
                message,
            }));
        }
    }

    /// Reads `value`, taking out what is at fault, until nothing is.
    fn extract<T: Section>(&mut self, path: &[String], mut value: Value) -> Option<T> {
        // serde would take a list for a struct, field by field.
        if value.as_dict().is_none() {
            let kind = Kind::InvalidType(value.to_actual(), "a map".to_owned());
            self.report(path, explain(&kind, None));
            return None;
        }
        let faults_before = self.faults.len();
        let mut removed = Removed::default();
        let section: T = loop {
            let error = match value.deserialize() {
                Ok(section) => break section,
                Err(error) => error,
            };
            if let Some(as_text) = self.as_text::<T>(path, &value, &error) {
                value = as_text;
                continue;
            }
            if error.missing() {
                self.report_missing::<T>(path, &value, &removed);
                return None;
            }
            let text = find(&value, &error.path).and_then(Value::as_str);
            let message = explain(&error.kind, text);
            self.report(&join(path, &removed.original(&error.path)), message);
            if !removed.remove(&mut value, &error.path) {
                return None;
            }
        };
        if self.faults.len() > faults_before || !self.layers.is_whole {
            return None;
        }
        for complaint in section.complaints() {
            self.complain(path, complaint);
        }
        (self.faults.len() == faults_before).then_some(section)
    }

    /// `value` with the variable that `error` is about taken as a text.  figment takes `0815` in
    /// the environment for a number, whatever is wanted.
    fn as_text<T: Section>(&self, path: &[String], value: &Value, error: &Error) -> Option<Value> {
        let text = self.layers.text_of_variable(&join(path, &error.path))?;
        let mut value = value.clone();
        let place = find_mut(&mut value, &error.path)?;
        if place.as_str().is_some() {
            return None;
        }
        *place = Value::String(place.tag(), text.to_owned());
        match value.deserialize::<T>() {
            Err(next) if next.path == error.path && matches!(next.kind, Kind::InvalidType(..)) => {
                None
            }
            Ok(_) | Err(_) => Some(value),
        }
    }

    /// Tells every key that has to be there and is not, except where it was at fault and told.
    fn report_missing<T: Section>(&mut self, path: &[String], value: &Value, removed: &Removed) {
        if !self.layers.is_whole {
            return;
        }
        for key in schema::required_keys::<T>() {
            let key = [key];
            if find(value, &key).is_none() && !removed.contains(&key) {
                self.report(&join(path, &key), "is missing".to_owned());
            }
        }
    }

    /// Tells a complaint about one of several keys at the first that somebody has set.
    fn complain(&mut self, path: &[String], complaint: Complaint) {
        let Complaint { keys, message } = complaint;
        let paths: Vec<Vec<String>> =
            keys.iter().map(|key| join(path, &[(*key).to_owned()])).collect();
        let is_set = |path: &&Vec<String>| !self.place(path).is_default;
        if let Some(path) = paths.iter().find(is_set).or(paths.first()) {
            self.report(path, message);
        }
    }

    fn report(&mut self, path: &[String], message: String) {
        let Place { file, line, .. } = self.place(path);
        self.faults.push(SettingsFault { file, line, key: Some(written(path)), message });
    }

    /// Where `path` was said, or where it should have been.
    fn place(&self, path: &[String]) -> Place {
        let merged = Value::from(self.merged.clone());
        let mut known = path;
        loop {
            if let Some(value) = find(&merged, known) {
                return self.layers.place(value, path);
            }
            known = known.split_last().map_or(&[], |(_, table)| table);
        }
    }
}

/// What was taken out of a section because it was at fault.
#[derive(Default)]
struct Removed(Vec<Vec<String>>);

impl Removed {
    fn contains(&self, path: &[String]) -> bool {
        self.0.iter().any(|removed| removed == path)
    }

    /// Takes out what is at `path`; tells whether there was anything.
    fn remove(&mut self, value: &mut Value, path: &[String]) -> bool {
        let Some((key, table)) = path.split_last() else {
            return false;
        };
        let original = self.original(path);
        let is_removed = match find_mut(value, table) {
            Some(Value::Dict(_, dict)) => dict.remove(key).is_some(),
            Some(Value::Array(_, values)) => match key.parse::<usize>() {
                Ok(index) if index < values.len() => {
                    values.remove(index);
                    true
                }
                Ok(_) | Err(_) => false,
            },
            Some(_) | None => false,
        };
        self.0.push(original);
        is_removed
    }

    /// `path` as it was before anything was taken out of the list that it is in.  Faults in a
    /// list are found from its beginning, so that all that was taken out stood before it.
    fn original(&self, path: &[String]) -> Vec<String> {
        let Some((key, list)) = path.split_last() else {
            return Vec::new();
        };
        let Ok(index) = key.parse::<usize>() else {
            return path.to_vec();
        };
        let is_of_list = |removed: &&Vec<String>| {
            removed.split_last().is_some_and(|(key, of)| of == list && key.parse::<usize>().is_ok())
        };
        let before = self.0.iter().filter(is_of_list).count();
        join(list, &[(index + before).to_string()])
    }
}

fn join(path: &[String], rest: &[String]) -> Vec<String> {
    path.iter().chain(rest).cloned().collect()
}

fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Dict(_, dict) => dict.get(key),
        Value::Array(_, values) => values.get(key.parse::<usize>().ok()?),
        Value::String(..)
        | Value::Char(..)
        | Value::Bool(..)
        | Value::Num(..)
        | Value::Empty(..) => None,
    })
}

fn find_mut<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Dict(_, dict) => dict.get_mut(key),
        Value::Array(_, values) => values.get_mut(key.parse::<usize>().ok()?),
        Value::String(..)
        | Value::Char(..)
        | Value::Bool(..)
        | Value::Num(..)
        | Value::Empty(..) => None,
    })
}

/// `path` as it is written in TOML.
fn written(path: &[String]) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let keys: Vec<String> = path
        .iter()
        .map(|key| {
            if !key.is_empty() && key.chars().all(is_bare) {
                key.clone()
            } else {
                format!("{key:?}")
            }
        })
        .collect();
    keys.join(".")
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Dict(_, dict) => {
            for value in dict.values() {
                collect_references(value, references);
            }
        }
        Value::Array(_, values) => {
            for value in values {
                collect_references(value, references);
            }
        }
        Value::String(_, text) => {
            references.extend(text.strip_prefix("env:").map(str::to_ascii_uppercase));
        }
        Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => {}
    }
}
