//! `init`: settings, a first rule and its tests, for somebody who begins.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use self::ask::Questions;
use self::forges::Kind;
use super::console::Console;
use super::words::{Tint, safe};
use super::{Common, Exit};

mod ask;
pub(super) mod forges;

/// Where secrets are, beside the settings.
const SECRETS: &str = "secrets";

/// The answers that need not be asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Where to put them; it is made when it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// What proposals live on.
    #[arg(long)]
    forge: Option<Kind>,
    /// The address of the forge.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The full name of the project there.
    #[arg(long)]
    project: Option<String>,
    /// The address of the Jenkins that builds.
    #[arg(long, value_name = "URL")]
    jenkins: Option<String>,
    /// The full name of the job there.
    #[arg(long)]
    job: Option<String>,
    /// The address of the broker, without a password; `none` takes messages by HTTP.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Ask nothing: what is not said is as proposed.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(common: &Common, asked: Init, console: &mut Console) -> anyhow::Result<Exit> {
    let settings = asked.dir.join("pointsman.toml");
    refuse_to_replace(&settings)?;
    let dir = asked.dir.clone();
    let answers = Questions::new(asked.yes, console).all(asked)?;
    let rules = dir.join("rules").join(format!("{}.toml", file_name(&answers.project)));
    refuse_to_replace(&rules)?;
    let text = answers.settings();
    let secrets = secrets(&text);
    fs::create_dir_all(dir.join("rules"))
        .with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    make_secrets(&dir.join(SECRETS))?;
    write(&rules, &answers.rules())?;
    // The settings come last: with them it is complete.
    write(&settings, &text)?;
    let written = [&settings, &rules].map(|path| path.display().to_string());
    if common.json {
        console.json(&json!({ "written": written, "secrets": secrets }))?;
    } else {
        tell(&written, (&secrets, &dir), console)?;
    }
    Ok(Exit::Success)
}

fn refuse_to_replace(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        bail!("`{}` is there already, and is not replaced", path.display());
    }
    Ok(())
}

/// A folder for their owner only, and nothing in it ever committed.
fn make_secrets(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot make the folder `{}`", folder.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(failed)?;
    let ignore = folder.join(".gitignore");
    if ignore.exists() { Ok(()) } else { write(&ignore, "*\n") }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = fs::File::options().write(true).create_new(true).mode(0o644).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// A project's name as that of a file.
fn file_name(project: &str) -> String {
    project.replace('/', "-")
}

/// The files of secrets that settings name.
fn secrets(settings: &str) -> Vec<String> {
    let parts = settings.lines().filter(|line| !line.starts_with('#'));
    let named = parts.flat_map(|line| line.split("\"file:").skip(1));
    named.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

fn tell(
    written: &[String],
    (secrets, dir): (&[String], &Path),
    console: &mut Console,
) -> anyhow::Result<()> {
    for path in written {
        console.tinted(Tint::Good, &format!("wrote {}", safe(path)))?;
    }
    let dir = safe(&dir.display().to_string());
    let settings = written.first().map(|path| safe(path)).unwrap_or_default();
    console.line("")?;
    console.tinted(Tint::Strong, "What is left to do")?;
    console.line(&format!(
        "1. Put the secrets into these files; {settings} says where each is from:"
    ))?;
    for secret in secrets {
        console.line(&format!("     {dir}/{}", safe(secret)))?;
    }
    console.line("2. Have the job define the parameters of the rule, and POINTSMAN_RUN.")?;
    for (number, command, why) in [
        (3, "test", "runs the tests of the rule"),
        (4, "check --online", "asks all systems whether they will do"),
        (5, "run", "serves"),
    ] {
        console.line(&format!("{number}. pointsman -c {settings} {command:<16}{why}"))?;
    }
    Ok(())
}
