//! Readings: the `[read]` and `[also]` of a topic file, and the files that several topics share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml_edit::{Item, TableLike};

use super::file::{Faults, parse};
use super::folder::Content;
use super::{Field, TopicFault};

/// What a file whose name begins with `_` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// How fields are read, by name.
    pub(super) read: BTreeMap<String, Field>,
    /// What is not kept of a body.
    pub(super) redact: Vec<String>,
}

/// Whether a file is TOML, and so a topic or shared by some.
pub(super) fn is_toml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "toml")
}

/// Whether a file is shared by topics: `_….toml`.
pub(super) fn is_shared(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    is_toml(file) && file.starts_with('_')
}

/// Parses a shared file.
pub(super) fn parse_shared(content: &Content) -> Result<Shared, Vec<TopicFault>> {
    parse(content, |table, faults| {
        faults.check_keys(table, "", &["about", "read", "redact"]);
        faults.text(table, "", "about");
        let Some(item) = table.get("read") else {
            faults.add("read", "it is missing", None);
            return None;
        };
        Some(Shared { read: readings(item, "read", faults), redact: paths(table, faults) })
    })
}

/// The readings in the table `item`; dotted keys are names with dots.
pub(super) fn readings(item: &Item, key: &str, faults: &mut Faults) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    match item.as_table_like() {
        Some(table) => collect(table, key, "", (&mut fields, faults)),
        None => faults.add(key, "it is a table of readings", item.span()),
    }
    fields
}

fn collect(
    table: &dyn TableLike,
    key: &str,
    prefix: &str,
    (fields, faults): (&mut BTreeMap<String, Field>, &mut Faults),
) {
    for (word, item) in table.iter() {
        let name = format!("{prefix}{word}");
        // No field of an event is deeper than two words.
        if let (Some(inner), true) = (item.as_table_like(), prefix.is_empty()) {
            collect(inner, key, &format!("{name}."), (&mut *fields, &mut *faults));
            continue;
        }
        if let Some(expression) = faults.expression(item, &format!("{key}.{name}")) {
            let file = Arc::clone(&faults.file);
            let field = Field { name: name.clone(), expression, file };
            fields.insert(name, field);
        }
    }
}

/// The paths under `redact`.
pub(super) fn paths(table: &dyn TableLike, faults: &mut Faults) -> Vec<String> {
    let Some(item) = table.get("redact") else {
        return Vec::new();
    };
    let paths: Option<Vec<String>> = item.as_array().and_then(|values| {
        let path = |value: &toml_edit::Value| {
            let path = value.as_str()?;
            (!path.split('.').any(str::is_empty)).then(|| path.to_owned())
        };
        values.iter().map(path).collect()
    });
    paths.unwrap_or_else(|| {
        let message = "it is a list of paths into the body, such as [\"parameters\"]";
        faults.add("redact", message, item.span());
        Vec::new()
    })
}
