//! The layers that settings come from, and where in them a key was said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::Env;
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use toml_edit::{Document, Item};

use super::DEFAULTS;
use super::fault::SettingsFault;

/// What the names of our environment variables begin with.
pub(super) const PREFIX: &str = "POINTSMAN_";
/// What stands between section and key in the name of a variable.
pub(super) const SEPARATOR: &str = "__";
/// What the compiled-in layer is called in a fault.
const DEFAULTS_NAME: &str = "the compiled-in defaults";

/// The keys whose value is a path, or a reference to a secret in a file.
pub(super) const PATHS: &[&str] = &[
    "ledger.path",
    "service.run_secret",
    "web.token",
    "topics.dirs",
    "rules.dir",
    "amqp.fedora_messaging",
    "amqp.password",
    "amqp.ca",
    "amqp.certificate",
    "amqp.key",
    "forgejo.*.token",
    "forgejo.*.webhook_secrets",
    "git.*.dir",
    "git.*.known_hosts",
    "git.*.ssh_key",
    "git.*.token",
    "github.*.private_key",
    "github.*.token",
    "github.*.webhook_secrets",
    "gitlab.*.token",
    "gitlab.*.trigger_tokens.*",
    "gitlab.*.webhook_signing_tokens",
    "gitlab.*.webhook_tokens",
    "jenkins.*.password",
    "jenkins.*.token",
    "jenkins.*.trigger_token",
    "jenkins.*.webhook_secrets",
    "lava.*.token",
    "mail.*.ca",
    "mail.*.password",
    "mattermost.*.token",
    "mattermost.*.webhook",
    "pagure.*.token",
    "pagure.*.tokens.*",
    "pagure.*.webhook_keys.*",
    "patchew.*.password",
    "patchwork.*.password",
    "patchwork.*.token",
    "producer.*.token",
    "slack.*.token",
    "slack.*.webhook",
];

/// All layers, merged, with the means to find out what came from where.
pub(super) struct Layers {
    figment: Figment,
    files: Vec<SettingsFile>,
    /// The values of the variables that are settings, by key.
    variables: BTreeMap<String, String>,
    /// Whether every file could be read.
    pub(super) is_whole: bool,
}

struct SettingsFile {
    path: PathBuf,
    document: Document<String>,
}

/// Where a value came from.
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: Option<usize>,
    pub(super) is_default: bool,
}

impl Layers {
    /// Reads all layers; a file that cannot be read is a fault, and is left out.
    pub(super) fn read(paths: &[PathBuf]) -> (Self, Vec<SettingsFault>) {
        let mut layers = Self {
            figment: Figment::new(),
            files: Vec::new(),
            variables: BTreeMap::new(),
            is_whole: true,
        };
        let mut faults = Vec::new();
        match parse(DEFAULTS) {
            Ok((_, dict)) => layers.merge(Layer { dict, path: None }),
            Err(error) => faults.push(syntax_fault(DEFAULTS_NAME, DEFAULTS, &error)),
        }
        for path in paths {
            if let Err(fault) = layers.merge_file(path) {
                faults.push(fault);
            }
        }
        let environment =
            Env::prefixed(PREFIX).filter(|name| name.as_str().contains(SEPARATOR)).split(SEPARATOR);
        layers.variables =
            environment.iter().map(|(key, value)| (key.into_string(), value)).collect();
        layers.figment = std::mem::take(&mut layers.figment).merge(environment);
        layers.is_whole = faults.is_empty();
        (layers, faults)
    }

    fn merge(&mut self, layer: Layer) {
        self.figment = std::mem::take(&mut self.figment).merge(layer);
    }

    fn merge_file(&mut self, path: &Path) -> Result<(), SettingsFault> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| SettingsFault {
            file: name.clone(),
            line: None,
            key: None,
            message: format!("cannot read the file: {error}"),
        })?;
        let (document, mut dict) =
            parse(&text).map_err(|error| syntax_fault(&name, &text, &error))?;
        if let Some(folder) = path.parent() {
            for pattern in PATHS {
                let keys: Vec<&str> = pattern.split('.').collect();
                resolve_in(&mut dict, &keys, folder);
            }
        }
        self.merge(Layer { dict, path: Some(path.to_owned()) });
        self.files.push(SettingsFile { path: path.to_owned(), document });
        Ok(())
    }

    /// Everything that was said, the later over the earlier.
    pub(super) fn merged(&self) -> Dict {
        // Our layers are read before they are merged, so that figment has nothing to fail at.
        self.figment.find_value("").ok().and_then(Value::into_dict).unwrap_or_default()
    }

    /// What the environment says about `path`, as it was written.
    pub(super) fn text_of_variable(&self, path: &[String]) -> Option<&str> {
        self.variables.get(&path.join(".")).map(String::as_str)
    }

    /// Where `value`, found at `path`, was said.
    pub(super) fn place(&self, value: &Value, path: &[String]) -> Place {
        let tag = self.tag(value);
        let metadata = self.figment.get_metadata(tag);
        if let Some(Source::File(file)) = metadata.and_then(|metadata| metadata.source.as_ref()) {
            // The last one: should a file be named twice, it is the one that counts.
            let file = self.files.iter().rev().find(|known| known.path == *file);
            return Place {
                file: file.map_or_else(String::new, |file| file.path.display().to_string()),
                line: file.and_then(|file| line_of(&file.document, path)),
                is_default: false,
            };
        }
        let is_default = metadata.is_some_and(|metadata| metadata.name == DEFAULTS_NAME);
        let file = if is_default { DEFAULTS_NAME.to_owned() } else { self.variable_name(path) };
        Place { file, line: None, is_default }
    }

    /// The tag of `value`; for a table that of something in it, of a file if it can be.
    fn tag(&self, value: &Value) -> Tag {
        let mut tags = Vec::new();
        collect_tags(value, &mut tags);
        let is_of_file = |tag: &&Tag| {
            self.figment.get_metadata(**tag).is_some_and(|metadata| metadata.source.is_some())
        };
        let tag = tags.iter().find(is_of_file).or_else(|| tags.first());
        tag.copied().unwrap_or_else(|| value.tag())
    }

    /// The variable that says something about `path`: one for the key itself, for a key in it,
    /// or for a table that it is in.
    fn variable_name(&self, path: &[String]) -> String {
        let key = path.join(".");
        let inside = format!("{key}.");
        let variable = self
            .variables
            .keys()
            .filter(|known| {
                **known == key
                    || known.starts_with(&inside)
                    || key.starts_with(&format!("{known}."))
            })
            .min_by_key(|known| (**known != key, known.len()));
        let key = variable.unwrap_or(&key).to_ascii_uppercase();
        format!("environment variable {PREFIX}{}", key.replace('.', SEPARATOR))
    }
}

/// The name of the variable for `path`.
pub(super) fn variable(path: &[&str]) -> String {
    format!("{PREFIX}{}", path.join(SEPARATOR).to_ascii_uppercase())
}

/// One file, or the defaults.
struct Layer {
    dict: Dict,
    path: Option<PathBuf>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.path {
            Some(path) => Metadata::from("settings file", Source::File(path.clone())),
            None => Metadata::named(DEFAULTS_NAME),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// Reads TOML.  figment's own reader would show the line at fault, and a secret may stand there;
/// nor would it tell the lines of values.
fn parse(text: &str) -> Result<(Document<String>, Dict), toml_edit::de::Error> {
    let document = Document::parse(text.to_owned())?;
    let dict = toml_edit::de::from_document(document.clone())?;
    Ok((document, dict))
}

fn syntax_fault(file: &str, text: &str, error: &toml_edit::de::Error) -> SettingsFault {
    SettingsFault {
        file: file.to_owned(),
        line: error.span().and_then(|span| line_at(text, span.start)),
        key: None,
        message: format!("is no TOML: {}", error.message().replace('\n', ", ")),
    }
}

/// The line, from 1, of what stands at `path`, or of the table that it should be in.
fn line_of(document: &Document<String>, path: &[String]) -> Option<usize> {
    let mut item = document.as_item();
    let mut span = None;
    for key in path {
        let by_index = || key.parse::<usize>().ok().and_then(|index| item.get(index));
        let Some(next) = item.get(key).or_else(by_index) else {
            break;
        };
        span = Item::span(next).or(span);
        item = next;
    }
    line_at(document.raw(), span?.start)
}

fn line_at(text: &str, offset: usize) -> Option<usize> {
    Some(text.get(..offset)?.matches('\n').count() + 1)
}

fn collect_tags(value: &Value, tags: &mut Vec<Tag>) {
    match value {
        Value::Dict(_, dict) => dict.values().for_each(|value| collect_tags(value, tags)),
        Value::String(tag, _)
        | Value::Char(tag, _)
        | Value::Bool(tag, _)
        | Value::Num(tag, _)
        | Value::Empty(tag, _)
        | Value::Array(tag, _) => tags.push(*tag),
    }
}

/// Makes the paths below `keys` relative to `folder`.
fn resolve_in(dict: &mut Dict, keys: &[&str], folder: &Path) {
    let Some((key, rest)) = keys.split_first() else {
        return;
    };
    for (name, value) in dict {
        if *key == "*" || key == name {
            match value {
                Value::Dict(_, dict) => resolve_in(dict, rest, folder),
                Value::Array(_, values) => {
                    for value in values {
                        resolve(value, folder);
                    }
                }
                Value::String(..)
                | Value::Char(..)
                | Value::Bool(..)
                | Value::Num(..)
                | Value::Empty(..) => resolve(value, folder),
            }
        }
    }
}

fn resolve(value: &mut Value, folder: &Path) {
    let Value::String(_, text) = value else {
        return;
    };
    let (scheme, path) = match text.strip_prefix("file:") {
        Some(path) => ("file:", path),
        // A reference to a variable has no path, and a secret in the clear is refused later.
        None if text.starts_with("env:") => return,
        None => ("", text.as_str()),
    };
    if !path.is_empty() {
        *text = format!("{scheme}{}", folder.join(path).display());
    }
}
