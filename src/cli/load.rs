//! From the arguments to settings and rules, with every fault told.

use std::path::{Path, PathBuf};

use super::Common;
use super::console::Console;
use super::faults::Fault;
use crate::rules::RuleSource;
use crate::service::{PrepareError, Prepared};
use crate::settings::Settings;
use crate::topic::catalog::Catalog;

/// The settings that are read when none are named, if they are there.
const USUAL_FILE: &str = "pointsman.toml";

/// The settings, or nothing once their faults were told.
pub(super) fn settings(common: &Common, console: &mut Console) -> anyhow::Result<Option<Settings>> {
    match Settings::load(&files(common)) {
        Ok(settings) => Ok(Some(settings)),
        Err(faults) => {
            tell(&faults, console)?;
            Ok(None)
        }
    }
}

/// Settings, topics and rules, or nothing once their faults were told.
pub(super) fn prepared(
    settings: Settings,
    console: &mut Console,
) -> anyhow::Result<Option<Prepared>> {
    told(Prepared::new(settings), console)
}

/// As [`prepared`], with rules from elsewhere.
pub(super) fn prepared_with(
    settings: Settings,
    rules: &[RuleSource],
    console: &mut Console,
) -> anyhow::Result<Option<Prepared>> {
    told(Prepared::with_rules(settings, rules), console)
}

fn told(
    prepared: Result<Prepared, PrepareError>,
    console: &mut Console,
) -> anyhow::Result<Option<Prepared>> {
    match prepared {
        Ok(prepared) => return Ok(Some(prepared)),
        // It is about files that the settings name, or fail to.
        Err(PrepareError::Other(error)) => {
            console.error(&error);
        }
        Err(PrepareError::Topics(faults)) => tell(&faults, console)?,
        Err(PrepareError::Rules(faults)) => tell(&faults, console)?,
    }
    Ok(None)
}

/// All topics, or nothing once their faults were told.
pub(super) fn catalog(dirs: &[PathBuf], console: &mut Console) -> anyhow::Result<Option<Catalog>> {
    match Catalog::load(dirs) {
        Ok(catalog) => Ok(Some(catalog)),
        Err(faults) => {
            tell(&faults, console)?;
            Ok(None)
        }
    }
}

fn tell<'f, F>(faults: &'f [F], console: &mut Console) -> anyhow::Result<()>
where
    Fault: From<&'f F>,
{
    for fault in faults {
        Fault::from(fault).tell(console)?;
    }
    Ok(())
}

/// The files that are read.
pub(super) fn files(common: &Common) -> Vec<PathBuf> {
    if common.config.is_empty() && Path::new(USUAL_FILE).is_file() {
        return vec![PathBuf::from(USUAL_FILE)];
    }
    common.config.clone()
}
