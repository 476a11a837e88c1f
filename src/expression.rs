//! The one language of readings, conditions and texts: minijinja, strict and bounded.
//!
//! An undefined name is an error.  Nothing written here can run long or grow large: see
//! `guard` for what is left out of the language, and the limits below for the rest.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Serde, ValueKind};
use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
};

mod builtin;
mod definition;
mod filters;
mod guard;
mod listed;
mod purl;

/// The longest source of an expression or a text, in bytes.
pub const SOURCE_MAX_BYTES: usize = 8 * 1024;
/// The longest source of a definition, in bytes.
pub const DEFINITION_MAX_BYTES: usize = 64 * 1024;
/// The longest text that a template may render to, in bytes.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;
/// How many instructions one evaluation may take.
const FUEL: u64 = 20_000;
/// The name under which a text is kept in its environment.
const TEXT: &str = "text";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // The debug mode is what tells names and places; the values it keeps are never shown.
    environment.set_debug(true);
    environment.set_formatter(write);
    builtin::add(&mut environment);
    filters::add(&mut environment);
    environment
});

/// Writes a value into a text.
///
/// The engine writes Python's `None` and `True`; in a build parameter or a sentence nothing and
/// `true` are what is meant.
fn write(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_none() {
        return Ok(());
    }
    if value.kind() == ValueKind::Bool {
        let word = if value.is_true() { "true" } else { "false" };
        return output.write_str(word).map_err(Error::from);
    }
    escape_formatter(output, state, value)
}

/// A context for [`Expression::evaluate`] and [`Text::render`]: the fields of `value` are names.
pub fn context<T: serde::Serialize>(value: &T) -> Value {
    Value::from(Serde(value))
}

/// Why something written by an operator could not be parsed or evaluated.
///
/// The message is one line and does not show the data that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Where in the source, in bytes, if that is known.
    pub range: Option<Range<usize>>,
}

impl ExpressionError {
    fn new(message: impl Into<String>, range: Option<Range<usize>>) -> Self {
        let message: String = message.into();
        Self { message: message.replace(char::is_control, " "), range }
    }

    fn from_engine(error: &Error, source: &str) -> Self {
        let message = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
            (
                ErrorKind::SyntaxError
                | ErrorKind::UnknownFilter
                | ErrorKind::UnknownTest
                | ErrorKind::UnknownFunction
                | ErrorKind::UnknownMethod
                | ErrorKind::InvalidOperation,
                Some(detail),
            ) => detail.to_owned(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        let range = error.range().or_else(|| undefined_in(source, error));
        Self::new(message, range)
    }

    /// Adds which name is undefined, where the engine does not tell: it forgets the name of what
    /// it gives to a filter.
    fn naming(self, names: &[String], context: &Value, source: &str) -> Self {
        if self.message != ErrorKind::UndefinedError.to_string() {
            return self;
        }
        let culprit = names.iter().find(|name| look_up(context, name).is_undefined());
        let Some(name) = culprit else {
            return self;
        };
        let range = source.find(name).map(|start| start..start + name.len());
        let message = format!("{}: `{name}` is undefined", self.message);
        Self::new(message, range.or(self.range))
    }
}

/// The value of a dotted name in `context`; undefined where it cannot be followed.
pub fn look_up(context: &Value, name: &str) -> Value {
    name.split('.')
        .fold(context.clone(), |value, word| value.get_attr(word).unwrap_or(Value::UNDEFINED))
}

/// Where the name stands that is undefined, if the engine names it.
fn undefined_in(source: &str, error: &Error) -> Option<Range<usize>> {
    let name = error.detail()?.split('`').nth(1)?;
    let start = source.find(name)?;
    Some(start..start + name.len())
}

/// An expression, as in a `when` or a reading.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    source: String,
    names: Vec<String>,
    code: minijinja::Expression<'static, 'static>,
}

impl Expression {
    /// Parses `source`; what it means is not known before it is evaluated.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        guard::expression(source)?;
        let code = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|error| ExpressionError::from_engine(&error, source))?;
        let names = sorted(code.undeclared_variables(true));
        Ok(Self(Arc::new(Compiled { source: source.to_owned(), names, code })))
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The names it looks up in its context, dotted (`head.sha`), sorted.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// Whether it looks up `root`, or something in it.
    pub fn uses(&self, root: &str) -> bool {
        self.names().iter().any(|name| name.split('.').next() == Some(root))
    }

    /// The value of the expression; that it is undefined is an error.
    pub fn evaluate(&self, context: &Value) -> Result<Value, ExpressionError> {
        let value = self.0.code.eval(context.clone()).map_err(|error| {
            let error = ExpressionError::from_engine(&error, self.source());
            error.naming(self.names(), context, self.source())
        })?;
        if value.kind() == ValueKind::Invalid {
            // A failure inside of a lazy value, such as `x | map("nothing")`.
            return Err(ExpressionError::new("invalid value", None));
        }
        if value.is_undefined() {
            let message = format!("undefined value: `{}` is undefined", self.source());
            return Err(ExpressionError::new(message, Some(0..self.source().len())));
        }
        Ok(value)
    }

    /// Whether the expression is true of `context`.
    pub fn holds(&self, context: &Value) -> Result<bool, ExpressionError> {
        Ok(self.evaluate(context)?.is_true())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.0.source).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

/// A text with `{{ … }}` in it.
#[derive(Clone)]
pub struct Text(Arc<Template>);

struct Template {
    source: String,
    names: Vec<String>,
    /// An environment that shares everything with [`ENVIRONMENT`] and owns this one template.
    home: Environment<'static>,
    /// The same, where quoted values are replaced by others of their shape.
    shadow: Option<Environment<'static>>,
}

impl Text {
    /// Parses `source`.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        guard::text(source)?;
        Self::in_home(source, ENVIRONMENT.clone(), None)
    }

    /// Parses `source`, which is YAML once its gaps are filled: no value can be more there than
    /// a scalar, or a part of one.
    pub fn definition(source: &str) -> Result<Self, ExpressionError> {
        guard::definition(source)?;
        let mut home = ENVIRONMENT.clone();
        home.set_formatter(definition::write);
        let mut shadow = ENVIRONMENT.clone();
        shadow.set_formatter(definition::write_shadow);
        Self::in_home(source, home, Some(shadow))
    }

    fn in_home(
        source: &str,
        mut home: Environment<'static>,
        mut shadow: Option<Environment<'static>>,
    ) -> Result<Self, ExpressionError> {
        for home in [&mut home].into_iter().chain(&mut shadow) {
            home.add_template_owned(TEXT, source.to_owned())
                .map_err(|error| ExpressionError::from_engine(&error, source))?;
        }
        let names = home
            .get_template(TEXT)
            .map(|template| sorted(template.undeclared_variables(true)))
            .map_err(|error| ExpressionError::from_engine(&error, source))?;
        Ok(Self(Arc::new(Template { source: source.to_owned(), names, home, shadow })))
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The names it looks up in its context, dotted (`head.sha`), sorted.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// The text with its gaps filled, at most [`TEXT_MAX_BYTES`] long.
    pub fn render(&self, context: &Value) -> Result<String, ExpressionError> {
        self.render_in(&self.0.home, context)
    }

    /// As [`Text::render`] of a definition, with harmless words in the place of all that was
    /// quoted: it has the shape that its author meant, whatever the values are.
    pub fn render_shadow(&self, context: &Value) -> Result<String, ExpressionError> {
        self.render_in(self.0.shadow.as_ref().unwrap_or(&self.0.home), context)
    }

    fn render_in(
        &self,
        home: &Environment<'static>,
        context: &Value,
    ) -> Result<String, ExpressionError> {
        let mut page = Page::default();
        let rendered = home.get_template(TEXT).and_then(|template| {
            template.render_captured_to(context.clone(), &mut page)?;
            Ok(())
        });
        if page.is_full {
            let message = format!("the text is longer than {TEXT_MAX_BYTES} bytes");
            return Err(ExpressionError::new(message, None));
        }
        rendered.map_err(|error| {
            let error = ExpressionError::from_engine(&error, self.source());
            error.naming(self.names(), context, self.source())
        })?;
        String::from_utf8(page.bytes)
            .map_err(|_not_utf8| ExpressionError::new("the text is not UTF-8", None))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Text").field(&self.0.source).finish()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

/// What a template writes on: it stops taking more before it grows too large.
#[derive(Default)]
struct Page {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Page {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buf.len() > TEXT_MAX_BYTES {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sorted(names: HashSet<String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests;
