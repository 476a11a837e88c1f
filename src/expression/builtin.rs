//! What of minijinja's own filters and tests can be used.
//!
//! It is a list of what is let in, not of what is kept out: a filter that can make much out of
//! little (`indent`, `batch`, `format`, `range` …) stays outside, and the two that nobody wants
//! to miss, `replace` and `join`, spend from a budget.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State, filters, tests};

/// How many bytes `replace` and `join` may produce in one evaluation.
const BUDGET_BYTES: usize = 1024 * 1024;

/// The names of all filters, ours included.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "d",
    "default",
    "epoch",
    "files",
    "first",
    "float",
    "host",
    "int",
    "items",
    "job_path",
    "join",
    "json",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "only",
    "parameter",
    "purl",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "run_id",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "trim",
    "unique",
    "upper",
    "verdict",
];
/// The names of all tests.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "containing",
    "defined",
    "endingwith",
    "eq",
    "equalto",
    "false",
    "ge",
    "gt",
    "in",
    "integer",
    "le",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
];

/// How much of the budget of one evaluation is left.
struct Budget(usize);

/// Adds the chosen filters and tests to `environment`.
pub(super) fn add(environment: &mut Environment<'static>) {
    add_filters(environment);
    add_tests(environment);
}

fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("bool", filters::bool);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("d", filters::default);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lines", filters::lines);
    environment.add_filter("list", filters::list);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("map", filters::map);
    environment.add_filter("max", filters::max);
    environment.add_filter("min", filters::min);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("replace", replace);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("select", filters::select);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("split", filters::split);
    environment.add_filter("string", filters::string);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("upper", filters::upper);
}

fn add_tests(environment: &mut Environment<'static>) {
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("containing", containing);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("equalto", tests::is_eq);
    environment.add_test("false", tests::is_false);
    environment.add_test("ge", tests::is_ge);
    environment.add_test("gt", tests::is_gt);
    environment.add_test("in", tests::is_in);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("le", tests::is_le);
    environment.add_test("lt", tests::is_lt);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("ne", tests::is_ne);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("true", tests::is_true);
    environment.add_test("undefined", tests::is_undefined);
}

/// `title is containing("WIP")`, for `selectattr` and its like.
fn containing(text: &str, part: &str) -> bool {
    text.contains(part)
}

/// `text | replace("from", "to")`.
fn replace(state: &mut State<'_, '_>, text: &str, from: &str, to: &str) -> Result<String, Error> {
    let found = text.matches(from).count();
    let growth = found.saturating_mul(to.len().saturating_sub(from.len()));
    spend(state, text.len().saturating_add(growth))?;
    Ok(text.replace(from, to))
}

/// `list | join(", ")`.
fn join(state: &mut State<'_, '_>, values: &Value, between: Option<&str>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut joined = String::new();
    for (index, value) in values.try_iter()?.enumerate() {
        if value.is_undefined() {
            return Err(ErrorKind::UndefinedError.into());
        }
        if index > 0 {
            spend(state, between.len())?;
            joined.push_str(between);
        }
        let part = value.to_string();
        spend(state, part.len())?;
        joined.push_str(&part);
    }
    Ok(joined)
}

fn spend(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let budget = state.get_or_insert_extension_with(|| Budget(BUDGET_BYTES));
    match budget.0.checked_sub(bytes) {
        Some(left) => {
            budget.0 = left;
            Ok(())
        }
        None => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("`replace` and `join` may make at most {BUDGET_BYTES} bytes"),
        )),
    }
}
