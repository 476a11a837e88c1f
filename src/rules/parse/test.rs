//! From the text of a rules file to the tests in it.

use std::collections::BTreeMap;

use toml_edit::{Document, Item, Table, Value};

use super::salvage;
use crate::rules::Rule;
use crate::rules::fault::{Inspection, nearest};
use crate::rules::test::{Place, StepSpec, Test, TestSpec};

/// How deep what stands in a test is looked for.
const DEPTH_MAX: usize = 8;

/// What the names of files end with in which only tests stand.
const ENDING: &str = ".test.toml";

/// The tests in a file.
pub(super) fn file(inspection: &mut Inspection<'_>, document: &Document<&str>) -> Vec<Test> {
    if inspection.name.ends_with(ENDING)
        && let Some(rules) = document.get("rule")
    {
        let help = format!("a file that ends with `{ENDING}` has only tests");
        inspection.fault(rules.span(), "a rule among tests", Some(help));
    }
    let Some(list) = document.get("test") else { return Vec::new() };
    let Some(tables) = list.as_array_of_tables() else {
        inspection.fault(list.span(), "tests are written as `[[test]]`", None);
        return Vec::new();
    };
    tables.iter().filter_map(|table| one(inspection, table)).collect()
}

/// Finds fault with the rules that `test` names and that are not there.
pub(super) fn check_names(inspection: &mut Inspection<'_>, test: &Test, rules: &[Rule]) {
    for (path, name) in test.rules() {
        if rules.iter().any(|rule| rule.name == name) {
            continue;
        }
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let help = nearest(&name, rules.iter().map(|rule| rule.name.as_str()));
        let span = test.place(&path).map(|place| place.span.clone());
        inspection.fault(span, format!("there is no rule `{name}`"), help);
    }
}

fn one(inspection: &mut Inspection<'_>, table: &Table) -> Option<Test> {
    let faults_before = inspection.faults.len();
    let (spec, stumbles) = salvage::read::<TestSpec>(table);
    for (message, span) in stumbles {
        let (message, help) = salvage::explain(&message);
        inspection.fault(span.or_else(|| table.span()), message, help);
    }
    let spec = spec?;
    let mut places = BTreeMap::new();
    for (name, item) in table {
        note(inspection, vec![name.to_owned()], item, &mut places);
    }
    let test = Test { file: inspection.name.to_owned(), spec, places };
    if inspection.faults.len() == faults_before {
        check_shape(inspection, &test);
    }
    (inspection.faults.len() == faults_before).then_some(test)
}

/// Notes where everything in `item` stands.
fn note(
    inspection: &Inspection<'_>,
    path: Vec<String>,
    item: &Item,
    places: &mut BTreeMap<Vec<String>, Place>,
) {
    if path.len() > DEPTH_MAX {
        return;
    }
    let below = |step: &str| path.iter().cloned().chain([step.to_owned()]).collect();
    if let Some(table) = item.as_table_like() {
        for (name, item) in table.iter() {
            note(inspection, below(name), item, places);
        }
    } else if let Some(tables) = item.as_array_of_tables() {
        for (number, table) in tables.iter().enumerate() {
            let item = Item::Table(table.clone());
            note(inspection, below(&number.to_string()), &item, places);
        }
    } else if let Some(values) = item.as_array() {
        for (number, value) in values.iter().enumerate() {
            let item = Item::Value(Value::clone(value));
            note(inspection, below(&number.to_string()), &item, places);
        }
    }
    if let Some(span) = item.span() {
        let line = inspection.line_of(span.start);
        places.insert(path, Place { span, line });
    }
}

fn check_shape(inspection: &mut Inspection<'_>, test: &Test) {
    let span = |path: &[&str]| test.place(path).map(|place| place.span.clone());
    let spec = &test.spec;
    if spec.name.trim().is_empty() || spec.name.len() > 200 {
        inspection.fault(span(&["name"]), "a test's name has 1 to 200 characters", None);
    }
    let expect = &spec.expect;
    let is_empty = expect.fires.is_none()
        && expect.silent.is_none()
        && expect.held.is_none()
        && expect.builds.is_none()
        && expect.reports.is_none()
        && expect.asks.is_none()
        && expect.not_news.is_none();
    if is_empty {
        inspection.fault(span(&["expect"]), "`expect` expects nothing", None);
    }
    let steps = test.steps();
    let last = steps.len().saturating_sub(1);
    for (number, step) in steps.iter().enumerate() {
        let number = number.to_string();
        let path: &[&str] = if number == last.to_string() { &[] } else { &["after", &number] };
        if let Err(message) = check_step(step) {
            inspection.fault(span(path), message, None);
        }
    }
}

fn check_step(step: &StepSpec) -> Result<(), &'static str> {
    match (&step.message, step.verdict) {
        (Some(_), Some(_)) => Err("`message` and `verdict` are two things that happen"),
        (None, None) => Err("nothing happens: there is neither `message` nor `verdict`"),
        (None, Some(_)) if !step.set.is_empty() => Err("`set` is for a `message`"),
        (Some(_), None) if step.of.is_some() || step.board.is_some() => {
            Err("`of` and `board` are for a `verdict`")
        }
        (Some(_), None) | (None, Some(_)) => Ok(()),
    }
}
