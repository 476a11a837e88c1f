//! A report as a result: which, how it ended, and the words.

use anyhow::anyhow;
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::wire::{Page, ResultRow};
use super::{Patchew, client::said};
use crate::action::{AboutSeries, Part, Report, Stage};
use crate::event::series::Branch;
use crate::remote::{Answer, Failure};
use crate::reporters::patches::is_msgid;
use crate::subject::Verdict;

/// What stands first in the words of a failure that is not the series' fault.
///
/// Patchew has no word between success and failure.  A success that is none would be believed by
/// whoever merges, so it is a failure; a project whose Patchew sends letters lets its template
/// look for these words.
pub(super) const BROKEN_BEFORE: &str = "Broken before this series";

/// How long the words may be at first.
const LOG_MAX_BYTES: usize = 16 * 1024;
/// How often they are shortened, each time to a tenth, where they are too long.
const SHORTENED_MAX: usize = 4;

/// A result to be told.
struct Outcome {
    name: String,
    status: &'static str,
    log: String,
    data: Value,
}

impl Patchew {
    pub(super) async fn flag(&self, report: &Report) -> Result<(), Failure> {
        let Some(about) = report.series.as_deref() else {
            let subject = &report.subject;
            return Err(Failure::give_up(anyhow!(
                "`{subject}` is no series, and has no place on Patchew"
            )));
        };
        // A result is of the whole series: what is wrong with one patch stands in its words.
        if about.patch.is_some() {
            return Ok(());
        }
        let Some(outcome) = self.outcome(report, about) else { return Ok(()) };
        let place = self.place(about).await?;
        self.put(&place, outcome, about).await
    }

    /// What is to be told; nothing where saying it would give the work to somebody else.
    fn outcome(&self, report: &Report, about: &AboutSeries) -> Option<Outcome> {
        let log = words(report, about);
        match about.part {
            Part::Apply => {
                let (status, data) = applied(report.stage, about.branch.as_ref())?;
                Some(Outcome { name: "git".to_owned(), status, log, data })
            }
            Part::Build => {
                let test = about.of.test.as_ref();
                let name = test.map_or(&report.rule, |test| &test.name);
                let branch = about.branch.as_ref().map(reference);
                let head = test.map(|test| test.head.clone()).or(branch);
                let data = json!({
                    "head": head.unwrap_or_else(|| report.revision.clone()),
                    "tester": self.tester,
                    "is_timeout": false,
                });
                let status = tested(report.stage, test.is_some());
                Some(Outcome { name: format!("testing.{name}"), status, log, data })
            }
        }
    }

    /// The address below which the results of what was built are.
    async fn place(&self, about: &AboutSeries) -> Result<Url, Failure> {
        let of = &about.of;
        let id = self.source.client.project(&of.project).await?.to_string();
        if super::queue::is_baseline(of) {
            return Ok(self.source.client.api(&["projects", &id, "results"]));
        }
        let root = of.series.root.as_str();
        if !is_msgid(root) {
            let shown = said(root);
            return Err(Failure::give_up(anyhow!("`{shown}` is no Message-ID")));
        }
        Ok(self.source.client.api(&["projects", &id, "series", root, "results"]))
    }

    /// Replaces the result; the words are shortened for as long as they are too long.
    async fn put(&self, place: &Url, of: Outcome, about: &AboutSeries) -> Result<(), Failure> {
        let client = &self.source.client;
        let shown = said(&about.of.series.id);
        let what = format!("cannot set result `{}` of `{shown}`", of.name);
        let mut url = place.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([of.name.as_str(), ""]);
        }
        let mut limit = LOG_MAX_BYTES;
        for _ in 0..=SHORTENED_MAX {
            let log = cut(&of.log, limit);
            let body = json!({ "status": of.status, "log": log, "data": of.data });
            let answer = client.put(&url, &body, &what).await?;
            match answer.status {
                status if status.is_success() => return Ok(()),
                StatusCode::PAYLOAD_TOO_LARGE => limit = log.len() / 10,
                StatusCode::NOT_FOUND => return Err(self.missing(place, &of.name, &what).await),
                _ => return Err(refused(client.refusal(&answer, &what), &answer, &of.name)),
            }
        }
        Err(Failure::give_up(anyhow!("{what}: it is too long, however short it is")))
    }

    /// Why there is no such result: the tests of a series are there once it is on a branch.
    async fn missing(&self, place: &Url, name: &str, what: &str) -> Failure {
        let none = |why: &str| Failure::give_up(anyhow!("{what}: {why}"));
        let answer = match self.source.client.get(place.clone(), what).await {
            Ok(answer) => answer,
            Err(Failure::GiveUp(_)) => {
                return none("there is no such series (its Message-ID may have a slash in it)");
            }
            Err(failure @ Failure::Retry { .. }) => return failure,
        };
        let Ok(Page { results, .. }) = answer.json(what) else { return none("there is none") };
        let standing = results.into_iter().filter_map(|row| serde_json::from_value(row).ok());
        let git = standing.into_iter().find(|row: &ResultRow| row.name == "git");
        match (name.strip_prefix("testing."), git) {
            (Some(_), Some(git)) if git.status == "pending" => Failure::retry(anyhow!(
                "{what}: the series is on no branch yet, as far as Patchew knows"
            )),
            (Some(test), _) => none(&format!(
                "there is none, and none can be made: the project has to define the test `{}` first",
                said(test)
            )),
            (None, _) => none("there is none: the series is not complete"),
        }
    }
}

/// What a refusal means, with what to do about it.
fn refused(failure: Failure, answer: &Answer, name: &str) -> Failure {
    let group = if name == "git" { "importers" } else { "testers" };
    match failure {
        Failure::GiveUp(source) if answer.status == StatusCode::FORBIDDEN => Failure::give_up(
            source.context(format!("our account has to be in the group `{group}`")),
        ),
        failure @ (Failure::GiveUp(_) | Failure::Retry { .. }) => failure,
    }
}

/// What is said of putting a series on a branch.
///
/// What has not ended is not told: `pending` would give it back to the queue, and it stands there
/// anyway.  The same goes for what is nobody's fault.
fn applied(stage: Stage, branch: Option<&Branch>) -> Option<(&'static str, Value)> {
    match (stage, branch) {
        (Stage::Done(Verdict::Success), Some(branch)) => {
            let data = json!({
                "base": branch.base.sha,
                "repo": public(&branch.url),
                "tag": reference(branch),
            });
            Some(("success", data))
        }
        (Stage::Done(Verdict::Failure | Verdict::Unstable | Verdict::Conflict), branch) => {
            let base = branch.map(|branch| json!({ "base": branch.base.sha }));
            Some(("failure", base.unwrap_or_else(|| json!({}))))
        }
        (
            Stage::Done(Verdict::Success | Verdict::Error | Verdict::Cancelled | Verdict::Skipped)
            | Stage::Held
            | Stage::Queued
            | Stage::Running,
            _,
        ) => None,
    }
}

/// Patchew's word for how far a test is.
///
/// `pending` means that it may be given to somebody else: right where nothing is known of the
/// series, and wrong as long as it is ours.
fn tested(stage: Stage, is_handed_out: bool) -> &'static str {
    match stage {
        Stage::Held if !is_handed_out => "pending",
        Stage::Held | Stage::Queued | Stage::Running => "running",
        Stage::Done(Verdict::Success | Verdict::Skipped) => "success",
        Stage::Done(Verdict::Failure | Verdict::Unstable | Verdict::Conflict) => "failure",
        Stage::Done(Verdict::Error | Verdict::Cancelled) => "pending",
    }
}

/// The words of a result: why a failure is none of the series', the report's own, and the page.
fn words(report: &Report, about: &AboutSeries) -> String {
    let mut lines = Vec::new();
    let is_bad = matches!(report.stage, Stage::Done(verdict) if verdict.is_bad());
    if about.was_broken && is_bad {
        lines.push(format!("{BROKEN_BEFORE}: the same fails on its base."));
    }
    if let Some(patch) = about.blamed.filter(|_| is_bad) {
        lines.push(format!("The first bad patch is number {patch}."));
    }
    lines.push(report.text.clone());
    if let Some(url) = report.url.as_deref().filter(|url| !report.text.contains(url)) {
        lines.push(url.to_owned());
    }
    lines.join("\n")
}

fn reference(branch: &Branch) -> String {
    format!("refs/heads/{}", branch.name)
}

/// An address without a name or a password in it.
pub(super) fn public(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else { return address.to_owned() };
    // The name in an address for ssh belongs to it, and says nothing.
    if !matches!(url.scheme(), "http" | "https") {
        let is_gone = url.password().is_none() || url.set_password(None).is_ok();
        return if is_gone { url.into() } else { String::new() };
    }
    if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
        return String::new();
    }
    url.into()
}

/// At most so many bytes, without half a character at the end.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
