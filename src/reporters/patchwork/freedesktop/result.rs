//! A report as a test result: where, how it ended, and the words.

use anyhow::anyhow;
use reqwest::{Method, StatusCode};
use serde_json::json;
use url::{Host, Url};

use super::Freedesktop;
use crate::action::{AboutSeries, Part, Report, Stage};
use crate::remote::Failure;
use crate::reporters::patchwork::client::{Caller, shown};
use crate::subject::Verdict;

/// How long the words may be: they are shown on a page, and mailed.
const SUMMARY_MAX_CHARS: usize = 4_000;
/// How long the name of a test may be.
const NAME_MAX_CHARS: usize = 255;

impl Freedesktop {
    pub(super) async fn flag(&self, report: &Report) -> Result<(), Failure> {
        let Some(about) = report.series.as_deref() else {
            let subject = &report.subject;
            return Err(Failure::give_up(anyhow!(
                "`{subject}` is no series, and has no place on Patchwork"
            )));
        };
        let name = test_name(&self.context_prefix, report, about);
        let place = place(about)?;
        let what = format!(
            "cannot set result `{}` of series {}",
            shown(&name),
            shown(&about.of.series.id)
        );
        let mut body = json!({
            "test_name": name,
            "state": state(report.stage, about.was_broken),
            "summary": summary(report, about),
        });
        let url = report.url.as_deref().filter(|url| is_accepted(url));
        if let (Some(body), Some(url)) = (body.as_object_mut(), url) {
            body.insert("url".to_owned(), url.into());
        }
        let client = &self.source.client;
        if client.login_setting().is_none() {
            return Err(Failure::give_up(anyhow!(
                "{what}: there is no account: set `{0}.username` and `{0}.password`",
                client.connection()
            )));
        }
        let path: Vec<&str> = place.iter().map(String::as_str).collect();
        let url = client.url(&[&["api", "1.0"], path.as_slice(), &["test-results"]].concat(), &[]);
        let answer = client.ask(Caller::Ourselves, (Method::POST, url), Some(&body)).await?;
        let status = answer.status;
        match client.success(answer, &what) {
            Ok(_) => Ok(()),
            Err(Failure::GiveUp(source)) if status == StatusCode::FORBIDDEN => {
                let project = shown(&about.of.project);
                let words = format!("our account has to be a maintainer of `{project}`");
                Err(Failure::give_up(source.context(words)))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// The name of the test: putting it on a branch is one of its own.
fn test_name(prefix: &str, report: &Report, about: &AboutSeries) -> String {
    let end = match about.part {
        Part::Apply => ".apply",
        Part::Build => "",
    };
    let name = prefix.chars().chain(report.rule.chars()).take(NAME_MAX_CHARS - end.len());
    name.chain(end.chars()).collect()
}

/// What the result is of: a revision of a series, or one of its patches.
fn place(about: &AboutSeries) -> Result<Vec<String>, Failure> {
    let series = &about.of.series;
    let number = |text: &str| {
        let number: Result<u64, _> = text.parse();
        let text = shown(text);
        let number = number.map_err(|_error| anyhow!("`{text}` is no number at Patchwork"));
        number.map(|number| number.to_string()).map_err(Failure::give_up)
    };
    match about.patch {
        None => Ok(vec![
            "series".to_owned(),
            number(&series.id)?,
            "revisions".to_owned(),
            series.version.to_string(),
        ]),
        Some(patch) => {
            let at = usize::try_from(patch).unwrap_or_default().checked_sub(1);
            let letter = at.and_then(|at| series.patches.get(at));
            let id = letter.and_then(|letter| letter.id.as_deref()).unwrap_or_default();
            Ok(vec!["patches".to_owned(), number(id)?])
        }
    }
}

/// Patchwork's word for how far a test is.
///
/// A failure that the base has, too, is a warning: the server may be set up to write a letter of
/// every failure.  So is what is nobody's fault but has to be looked at.
fn state(stage: Stage, was_broken: bool) -> &'static str {
    match stage {
        Stage::Held | Stage::Queued | Stage::Running => "pending",
        Stage::Done(Verdict::Success) => "success",
        Stage::Done(Verdict::Skipped | Verdict::Cancelled) => "info",
        Stage::Done(Verdict::Unstable | Verdict::Error) => "warning",
        Stage::Done(Verdict::Failure | Verdict::Conflict) if was_broken => "warning",
        Stage::Done(Verdict::Failure | Verdict::Conflict) => "failure",
    }
}

/// The words of a result, not endless.
fn summary(report: &Report, about: &AboutSeries) -> String {
    let mut lines = Vec::new();
    let is_bad = matches!(report.stage, Stage::Done(verdict) if verdict.is_bad());
    if about.was_broken && is_bad {
        lines.push("Broken before this series: the same fails on its base.".to_owned());
    }
    if let Some(patch) = about.blamed.filter(|_| is_bad) {
        lines.push(format!("The first bad patch is number {patch}."));
    }
    lines.push(report.text.clone());
    let text = lines.join("\n");
    if text.chars().count() <= SUMMARY_MAX_CHARS {
        return text;
    }
    text.chars().take(SUMMARY_MAX_CHARS - 1).chain(['…']).collect()
}

/// Whether it is taken for an address there: a host of a single word is not.
fn is_accepted(text: &str) -> bool {
    const URL_MAX_BYTES: usize = 200;
    let Ok(url) = Url::parse(text) else { return false };
    let is_host = match url.host() {
        Some(Host::Domain(host)) => host == "localhost" || host.contains('.'),
        Some(Host::Ipv4(_)) => true,
        Some(Host::Ipv6(_)) | None => false,
    };
    is_host && matches!(url.scheme(), "http" | "https") && text.len() <= URL_MAX_BYTES
}
