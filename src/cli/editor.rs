//! `schema` and `completions`: what editors and shells want to know.

use clap::CommandFactory;
use clap_complete::Shell;

use super::console::Console;
use super::{Arguments, Exit};
use crate::rules::spec::RuleFile;
use crate::settings::Settings;

/// Which files a schema is about.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Schema {
    /// Files of settings.
    Settings,
    /// Files of rules.
    Rules,
}

/// Prints the JSON Schema.
pub(super) fn schema(schema: Schema, console: &mut Console) -> anyhow::Result<Exit> {
    let schema = match schema {
        Schema::Settings => Settings::schema(),
        Schema::Rules => schemars::schema_for!(RuleFile).to_value(),
    };
    console.line(&serde_json::to_string_pretty(&schema)?)?;
    Ok(Exit::Success)
}

/// Prints the script that a shell reads.
pub(super) fn completions(shell: Shell, console: &mut Console) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "pointsman", &mut script);
    console.line(String::from_utf8(script)?.trim_end())?;
    Ok(Exit::Success)
}
