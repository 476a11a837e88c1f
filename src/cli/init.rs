//! `init`: settings, a first rule and its tests, for somebody who begins.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use self::ask::{Builder, Questions};
use self::forges::Kind;
use super::console::Console;
use super::words::{Tint, safe};
use super::{Common, Exit};

mod ask;
pub(super) mod forges;
mod series;

/// Where secrets are, beside the settings.
const SECRETS: &str = "secrets";

/// The answers that need not be asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Where to put them; it is made when it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// What proposals live on, or patch series.
    #[arg(long)]
    forge: Option<Kind>,
    /// Its address.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The full name of the project there.
    #[arg(long)]
    project: Option<String>,
    /// The address of the Jenkins that builds.
    #[arg(long, value_name = "URL")]
    jenkins: Option<String>,
    /// For patch series, the address of the GitLab whose pipelines build, instead of a Jenkins.
    #[arg(long, value_name = "URL", conflicts_with = "jenkins")]
    gitlab: Option<String>,
    /// The full name of the job there, or of the GitLab project.
    #[arg(long)]
    job: Option<String>,
    /// For patch series, the repository that they are for.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// For patch series, the branch of it that they are for.
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// For patch series, the repository that their branches are pushed to.
    #[arg(long, value_name = "URL")]
    push: Option<String>,
    /// For patch series, a maintainer: their number at Patchwork, their address at Patchew.
    #[arg(long, value_name = "WHO")]
    maintainer: Option<String>,
    /// The address of the broker, without a password; `none` takes messages by HTTP.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Ask nothing: what is not said is as proposed.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(common: &Common, asked: &Init, console: &mut Console) -> anyhow::Result<Exit> {
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
        tell(&written, (&secrets, &dir), answers.builder, console)?;
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

/// The files of secrets that settings name: as a reference, or as a file.
fn secrets(settings: &str) -> Vec<String> {
    let lines = settings.lines().filter(|line| !line.starts_with('#'));
    let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let files = texts.map(|text| text.strip_prefix("file:").unwrap_or(text));
    files.filter(|file| file.starts_with(SECRETS)).map(str::to_owned).collect()
}

fn tell(
    written: &[String],
    (secrets, dir): (&[String], &Path),
    builder: Builder,
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
    console.line(match builder {
        Builder::Jenkins => "2. Have the job define the parameters of the rule, and POINTSMAN_RUN.",
        Builder::Gitlab => {
            "2. Have the project's pipelines run for branches when the API starts them."
        }
    })?;
    for (number, command, why) in [
        (3, "test", "runs the tests of the rule"),
        (4, "check --online", "asks all systems whether they will do"),
        (5, "run", "serves"),
    ] {
        console.line(&format!("{number}. pointsman -c {settings} {command:<16}{why}"))?;
    }
    Ok(())
}
