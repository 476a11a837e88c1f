//! The questions: answered by arguments, by somebody at a terminal, or by what is proposed.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, bail};
use clap::ValueEnum;
use url::Url;

use super::Init;
use super::forges::Kind;
use super::series::Series;
use crate::cli::console::Console;

/// How often somebody may be wrong about one question.
const TRIES: usize = 3;
/// The longest answer.
const ANSWER_MAX_BYTES: u64 = 1_000;

/// Everything that has to be known.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) forge: Kind,
    pub(super) url: String,
    pub(super) host: String,
    pub(super) project: String,
    pub(super) builder: Builder,
    pub(super) builder_url: String,
    pub(super) job: String,
    pub(super) broker: Option<String>,
    pub(super) series: Option<Series>,
}

/// What builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Builder {
    /// A Jenkins.
    Jenkins,
    /// The pipelines of a GitLab.
    Gitlab,
}

/// Somebody who is asked, or not.
pub(super) struct Questions<'a> {
    is_silent: bool,
    input: BufReader<Box<dyn Read + Send>>,
    console: &'a mut Console,
}

/// One question.
pub(super) struct Question<'a> {
    pub(super) words: &'a str,
    /// The argument that answers it.
    pub(super) argument: &'a str,
    /// The answer, where an argument gave it.
    pub(super) given: Option<String>,
    /// What is proposed.
    pub(super) proposal: Option<String>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(is_silent: bool, console: &'a mut Console) -> Self {
        let input = BufReader::new(console.take_input());
        Self { is_silent, input, console }
    }

    /// Asks everything that `init` does not say.
    pub(super) fn all(mut self, init: &Init) -> anyhow::Result<Answers> {
        let (forge, url, host, project) = self.place(init)?;
        let (builder, builder_url, job) = self.builder(init, (forge, &project))?;
        // Pipelines are for branches of their own project.
        let push = (builder == Builder::Gitlab).then(|| format!("{builder_url}{job}.git"));
        let series = Series::ask(&mut self, init, (forge, push))?;
        let words = match series {
            Some(_) => "What is the address of the broker (`none`: series are asked for)?",
            None => "What is the address of the broker (`none`: messages come by HTTP)?",
        };
        let broker = self.ask(
            Question {
                words,
                argument: "--broker",
                given: init.broker.clone(),
                proposal: Some("none".to_owned()),
            },
            broker,
        )?;
        Ok(Answers { forge, url, host, project, builder, builder_url, job, broker, series })
    }

    /// Where something is proposed: kind, address, host, and project.
    fn place(&mut self, init: &Init) -> anyhow::Result<(Kind, String, String, String)> {
        let forge = self.ask(
            Question {
                words: "What do proposals live on: pagure, github, gitlab, forgejo, patchwork or patchew?",
                argument: "--forge",
                given: init.forge.map(|kind| kind.as_str().to_owned()),
                proposal: Some(Kind::Pagure.as_str().to_owned()),
            },
            |answer| Kind::from_str(answer, true).map_err(|_unknown| "it is none of these".into()),
        )?;
        let (url, host) = self.ask(
            Question {
                words: "What is its address?",
                argument: "--url",
                given: init.url.clone(),
                proposal: Some(forge.url().to_owned()),
            },
            address,
        )?;
        let project = self.ask(
            Question {
                words: "What is the full name of the project there?",
                argument: "--project",
                given: init.project.clone(),
                proposal: None,
            },
            |answer| project(forge, answer),
        )?;
        Ok((forge, url, host, project))
    }

    /// What builds it: kind, address, and job.
    fn builder(
        &mut self,
        init: &Init,
        (forge, project): (Kind, &str),
    ) -> anyhow::Result<(Builder, String, String)> {
        let builder = match (&init.jenkins, &init.gitlab) {
            (_, Some(_)) if forge.has_series() => Builder::Gitlab,
            (_, Some(_)) => bail!("`--gitlab` builds patch series only"),
            (None, None) if forge.has_series() => self.ask(
                Question {
                    words: "What builds: jenkins or gitlab?",
                    argument: "--gitlab` or `--jenkins",
                    given: None,
                    proposal: Some(Builder::Jenkins.as_str().to_owned()),
                },
                |answer| {
                    Builder::from_str(answer, true).map_err(|_unknown| "it is none of these".into())
                },
            )?,
            (_, None) => Builder::Jenkins,
        };
        let question = match builder {
            Builder::Jenkins => Question {
                words: "What is the address of the Jenkins that builds it?",
                argument: "--jenkins",
                given: init.jenkins.clone(),
                proposal: None,
            },
            Builder::Gitlab => Question {
                words: "What is the address of the GitLab whose pipelines build it?",
                argument: "--gitlab",
                given: init.gitlab.clone(),
                proposal: Some(Kind::Gitlab.url().to_owned()),
            },
        };
        let (url, _) = self.ask(question, address)?;
        let is_pipeline = builder == Builder::Gitlab;
        let job = self.ask(
            Question {
                words: match builder {
                    Builder::Jenkins => "Which job is it there, with its folders?",
                    Builder::Gitlab => "Which project is it there that branches are pushed to?",
                },
                argument: "--job",
                given: init.job.clone(),
                proposal: project.rsplit('/').next().filter(|_| !is_pipeline).map(str::to_owned),
            },
            |answer| match builder {
                Builder::Jenkins => plain(answer.trim_matches('/')),
                Builder::Gitlab => self::project(Kind::Gitlab, answer),
            },
        )?;
        Ok((builder, url, job))
    }

    /// Asks one question.
    pub(super) fn ask<T>(
        &mut self,
        question: Question<'_>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let Question { words, argument, given, proposal } = question;
        let silent = if self.is_silent { proposal.clone() } else { None };
        if let Some(answer) = given.or(silent) {
            // What stands before an `@` may be a password.
            let shown = answer.rsplit('@').next().unwrap_or_default().to_owned();
            return check(&answer).map_err(|why| anyhow::anyhow!("`{argument}` `{shown}`: {why}"));
        }
        if self.is_silent {
            bail!("`{argument}` has to be said: nothing can be proposed for it");
        }
        let proposed = proposal.as_ref().map(|it| format!(" [{it}]")).unwrap_or_default();
        for _ in 0..TRIES {
            self.console.remark(&format!("{words}{proposed}"))?;
            let mut line = String::new();
            let mut input = self.input.by_ref().take(ANSWER_MAX_BYTES);
            if input.read_line(&mut line).context("cannot read the answer")? == 0 {
                bail!("nobody answers: say `{argument}`, or `--yes` for what is proposed");
            }
            let answer = match line.trim() {
                "" => proposal.clone().unwrap_or_default(),
                answer => answer.to_owned(),
            };
            match check(&answer) {
                Ok(answer) => return Ok(answer),
                Err(why) => self.console.remark(&format!("  {why}"))?,
            }
        }
        bail!("{words} That was not answered");
    }
}

/// An address of the web, and the host (with port, if not the usual one) by which it is known.
fn address(answer: &str) -> Result<(String, String), String> {
    let mut url: Url = answer.parse().map_err(|error| format!("no address: {error}"))?;
    let Some(host) = url.host_str().map(str::to_owned) else {
        return Err("it has no host".to_owned());
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it begins with neither `https://` nor `http://`".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a login, which belongs elsewhere".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it ends in a query or a fragment".to_owned());
    }
    let host = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    plain(url.as_str()).map(|url| (url, host))
}

fn project(forge: Kind, answer: &str) -> Result<String, String> {
    let name = plain(answer.trim_matches('/'))?;
    let (least, most) = forge.name_parts();
    let parts = name.split('/').count();
    if !(least..=most).contains(&parts) || name.split('/').any(str::is_empty) {
        let form = if most == 1 { "no `/` in it" } else { "the form `owner/project`" };
        return Err(format!("on {} it has {form}", forge.as_str()));
    }
    let is_odd = |c: char| !(c.is_ascii_alphanumeric() || "._+-/".contains(c));
    if name.contains(is_odd) || name.split('/').any(|part| part == "..") {
        return Err("it is no name of a project".to_owned());
    }
    Ok(name)
}

fn broker(answer: &str) -> Result<Option<String>, String> {
    if answer == "none" {
        return Ok(None);
    }
    let url: Url = answer.parse().map_err(|error| format!("no address: {error}"))?;
    if !matches!(url.scheme(), "amqp" | "amqps") {
        return Err("it begins with neither `amqps://` nor `amqp://`".to_owned());
    }
    if url.password().is_some() {
        return Err("it holds a password, which belongs into a file".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it has no host".to_owned());
    }
    plain(answer).map(Some)
}

/// What can stand in a text of TOML as it is.
pub(super) fn plain(answer: &str) -> Result<String, String> {
    let is_odd = |c: char| c.is_control() || matches!(c, '"' | '\\' | '{' | '}');
    if answer.is_empty() {
        return Err("it is empty".to_owned());
    }
    if answer.contains(is_odd) {
        return Err("it holds a sign that it cannot have".to_owned());
    }
    Ok(answer.to_owned())
}
