//! The JSON Schema of a settings file.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::{DEFAULTS, Settings};

/// The schema, as editors understand it: draft 7, with the defaults, and with nothing required
/// that the compiled-in defaults give.
pub(super) fn of_file() -> Value {
    let mut schema = plain();
    remove(&mut schema, "", "required");
    for (section, keys) in defaults() {
        let Some(definition) = definition_of(&schema, &section) else {
            continue;
        };
        remove(&mut schema, &definition, "required");
        let Value::Object(keys) = keys else {
            continue;
        };
        for (key, default) in keys {
            let property = schema.pointer_mut(&format!("{definition}/properties/{key}"));
            if let Some(Value::Object(property)) = property {
                property.insert("default".to_owned(), default);
            }
        }
    }
    schema
}

/// The names of all sections.
pub(super) fn sections() -> Vec<String> {
    names(plain().pointer("/properties"))
}

/// Section and key of every setting that is not a connection's.
pub(super) fn keys() -> Vec<(String, String)> {
    let schema = plain();
    let mut keys = Vec::new();
    for section in sections() {
        if let Some(definition) = definition_of(&schema, &section) {
            let names = names(schema.pointer(&format!("{definition}/properties")));
            keys.extend(names.into_iter().map(|key| (section.clone(), key)));
        }
    }
    keys
}

/// The keys that a section or connection cannot do without.
pub(super) fn required_keys<T: JsonSchema>() -> BTreeSet<String> {
    schemars::schema_for!(T)
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn plain() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Settings>().to_value()
}

/// Where the definition of a section is; connections, which are many, have none here.
fn definition_of(schema: &Value, section: &str) -> Option<String> {
    let property = schema.pointer(&format!("/properties/{section}"))?;
    let places = ["/$ref", "/allOf/0/$ref", "/anyOf/0/$ref"];
    let reference = places.iter().find_map(|place| property.pointer(place))?;
    Some(reference.as_str()?.trim_start_matches('#').to_owned())
}

fn defaults() -> Map<String, Value> {
    toml_edit::de::from_str(DEFAULTS).unwrap_or_default()
}

fn names(properties: Option<&Value>) -> Vec<String> {
    properties.and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect()
}

fn remove(schema: &mut Value, place: &str, key: &str) {
    if let Some(Value::Object(object)) = schema.pointer_mut(place) {
        object.remove(key);
    }
}
