use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::*;
use crate::settings::layers::PATHS;

/// The sections that have names in them.
const CONNECTIONS: [&str; 13] = [
    "forgejo",
    "git",
    "github",
    "gitlab",
    "jenkins",
    "lava",
    "mail",
    "mattermost",
    "pagure",
    "patchew",
    "patchwork",
    "producer",
    "slack",
];

/// The annotated defaults with every example in force.
fn with_examples() -> String {
    DEFAULTS.lines().map(|line| example(line).unwrap_or(line).to_owned() + "\n").collect()
}

/// A line such as `#key = value` or `#[section]`, without its `#`.
fn example(line: &str) -> Option<&str> {
    line.strip_prefix('#')
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
}

/// Section and key of everything in `text`; connections count by their kind.
fn keys_in(text: &str) -> BTreeSet<(String, String)> {
    let sections: BTreeMap<String, Map<String, Value>> = toml_edit::de::from_str(text).unwrap();
    let mut keys = BTreeSet::new();
    for (section, entries) in sections {
        let tables = if CONNECTIONS.contains(&section.as_str()) {
            entries.values().filter_map(Value::as_object).collect()
        } else {
            vec![&entries]
        };
        for key in tables.into_iter().flat_map(Map::keys) {
            keys.insert((section.clone(), key.clone()));
        }
    }
    keys
}

/// Section, key and schema of every setting.
fn properties() -> BTreeMap<(String, String), Value> {
    let schema = Settings::schema();
    let mut properties = BTreeMap::new();
    for section in schema["properties"].as_object().unwrap().keys() {
        let place = &schema["properties"][section];
        let reference = [
            &place["$ref"],
            &place["allOf"][0]["$ref"],
            &place["anyOf"][0]["$ref"],
            &place["additionalProperties"]["$ref"],
        ];
        let reference = reference.iter().find_map(|place| place.as_str()).unwrap();
        let definition = schema.pointer(reference.trim_start_matches('#')).unwrap();
        for (key, property) in definition["properties"].as_object().unwrap() {
            properties.insert((section.clone(), key.clone()), property.clone());
        }
    }
    properties
}

#[test]
fn every_setting_is_in_the_file_and_no_other() {
    let settings: BTreeSet<_> = properties().into_keys().collect();
    assert_eq!(keys_in(&with_examples()), settings);
}

#[test]
fn every_setting_has_a_sentence_above_it() {
    let mut above = "";
    for line in DEFAULTS.lines() {
        let setting = example(line).unwrap_or(line);
        if setting.contains(" = ") && !line.starts_with("# ") {
            assert!(
                above.starts_with("# ") && above.ends_with('.'),
                "`{line}` is not explained: `{above}`"
            );
        }
        above = line;
    }
}

#[test]
fn every_example_is_accepted() {
    let settings = load(&[("etc/a.toml", &with_examples())], &[]).unwrap();
    assert_eq!(settings.jenkins.len(), 2);
    let quickstart = include_str!("../../../config/quickstart.toml");
    let settings = load(&[("etc/a.toml", quickstart)], &[]).unwrap();
    assert!(settings.amqp.is_some());
}

#[test]
fn an_example_of_a_connection_shows_the_default_if_there_is_one() {
    let settings: Value = toml_edit::de::from_str(&with_examples()).unwrap();
    for ((section, key), property) in properties() {
        let shown = match section.as_str() {
            "forgejo" | "jenkins" | "patchew" | "patchwork" => &settings[&section]["main"][&key],
            "git" => &settings["git"]["linux"][&key],
            "github" => &settings["github"]["main"][&key],
            "gitlab" => &settings["gitlab"]["main"][&key],
            "lava" => &settings["lava"]["lab"][&key],
            "producer" => &settings["producer"]["images"][&key],
            "mail" => &settings["mail"]["list"][&key],
            "mattermost" => &settings["mattermost"]["town"][&key],
            "pagure" => &settings["pagure"]["io"][&key],
            "slack" => &settings["slack"]["ops"][&key],
            section => &settings[section][&key],
        };
        let default = &property["default"];
        let is_nothing = match default {
            Value::Null => true,
            Value::Array(values) => values.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        if is_nothing {
            continue;
        }
        let is_same = shown == default || duration(shown) == duration(default);
        assert!(is_same, "{section}.{key}: {shown} is not {default}");
    }
}

fn duration(value: &Value) -> Option<Duration> {
    #[derive(serde::Deserialize)]
    struct Wrapped(#[serde(with = "humantime_serde")] Duration);

    let Wrapped(duration) = serde_json::from_value(value.clone()).ok()?;
    Some(duration)
}

/// Each key whose type is a path or a secret, found out by giving it something else.
#[test]
fn every_path_is_made_relative_to_its_file() {
    let mut found = BTreeSet::new();
    for ((section, key), property) in properties() {
        let (section, table) = match section.as_str() {
            kind if CONNECTIONS.contains(&kind) => (format!("{section}.*"), format!("{section}.x")),
            _ => (section.clone(), section.clone()),
        };
        let text = property.to_string();
        let has_secrets = text.contains("SecretRef");
        for (value, below) in [("1979-05-27", ""), ("[true]", ""), ("{ x = true }", ".*")] {
            let file = format!("[{table}]\n{key} = {value}");
            let faults = lines(&load(&[("a.toml", &file)], &[]).unwrap_err());
            let is_path = faults.contains("expected a path");
            let is_map = property["type"] == "object";
            if (is_path || has_secrets) && is_map == (below == ".*") {
                found.insert(format!("{section}.{key}{below}"));
            }
        }
    }
    assert_eq!(found, PATHS.iter().map(|path| (*path).to_owned()).collect());
}

#[test]
fn the_schema_requires_only_what_has_no_default() {
    let schema = Settings::schema();
    assert_eq!(schema["required"], Value::Null);
    assert_eq!(schema["additionalProperties"], false);
    let definitions = &schema["definitions"];
    assert_eq!(definitions["WorkerSettings"]["required"], Value::Null);
    assert_eq!(definitions["JenkinsSettings"]["required"][0], "url");
    insta::assert_yaml_snapshot!(definitions["WorkerSettings"]["properties"]["backoff_min"], @r#"
    default: 1s
    description: "The pause after the first try that failed; it doubles up to `backoff_max`."
    type: string
    "#);
}
