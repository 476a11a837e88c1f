//! What came of a job: LAVA calls it complete even when tests failed, so its results are asked.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::Lava;
use super::wire::{self, Case, Job, Page, Suite};
use crate::remote::Failure;
use crate::subject::Verdict;
use crate::yaml::Node;

/// The suite in which LAVA says how its own part went.
const OWN_SUITE: &str = "lava";
/// The result in it that is about the job as a whole.
const OWN_CASE: &str = "job";
/// How many suites are asked for at once, and how often.
const SUITE_PAGES: (usize, usize) = (200, 5);
/// How many results are asked for at once, and how often.
const CASE_PAGES: (usize, usize) = (500, 20);
/// How many failed tests are named.
const NAMES_MAX: usize = 5;
/// How long the name of a test may be, in characters.
const NAME_MAX_CHARS: usize = 60;

impl Lava {
    /// The verdict of a job that ran to its end, and why.
    pub(super) async fn results(&self, job: u64) -> Result<(Verdict, String), Failure> {
        let what = self.what("ask for the results of a job on");
        let id = job.to_string();
        let suites = self.suites(&id, &what).await?;
        let path = ["jobs", &id, "tests"];
        let place: super::client::Place<'_> = (&path, &[("ordering", "id")]);
        let (mut cases, count): (Vec<Case>, u64) =
            self.client.all(place, CASE_PAGES, &what).await?;
        let is_whole = cases.len() as u64 >= count;
        if !is_whole {
            // What is beyond was not all read, and what failed there must not be missed.
            let last = cases.iter().map(|case| case.id).max().unwrap_or_default().to_string();
            let query = [("id__gt", last.as_str()), ("result", "fail"), ("limit", "200")];
            let beyond: Page<Case> = self.client.get((&path, &query), &what).await?;
            if beyond.results.iter().any(|case| case.result != "fail") {
                return Err(Failure::retry(anyhow!("{what}: it does not select them as asked")));
            }
            cases.extend(beyond.results);
        }
        Ok(verdict(&cases, &suites, is_whole))
    }

    /// Why a job broke off, as far as LAVA tells.
    pub(super) async fn why_incomplete(&self, job: &Job) -> Result<String, Failure> {
        if let Some(comment) = job.comment() {
            return Ok(wire::words(comment));
        }
        let what = self.what("ask why a job broke off on");
        let id = job.id.to_string();
        let suites = self.suites(&id, &what).await?;
        let own = suites.iter().find(|(_, name)| *name == OWN_SUITE).map(|(id, _)| id.to_string());
        let Some(own) = own else { return Ok("it broke off".to_owned()) };
        let path = ["jobs", &id, "suites", &own, "tests"];
        let query = [("result", "fail"), ("limit", "50")];
        let page: Page<Case> = self.client.get((&path, &query), &what).await?;
        let failed: Vec<&Case> = page.results.iter().filter(|case| case.result == "fail").collect();
        let error = failed.iter().find(|case| case.name == OWN_CASE).and_then(|case| error(case));
        Ok(error.unwrap_or_else(|| match failed.first() {
            Some(case) => format!("it broke off in {}", wire::plain(&case.name, NAME_MAX_CHARS)),
            None => "it broke off".to_owned(),
        }))
    }

    /// The names of a job's suites, by their numbers.
    async fn suites(&self, job: &str, what: &str) -> Result<BTreeMap<u64, String>, Failure> {
        let path = ["jobs", job, "suites"];
        let (suites, _): (Vec<Suite>, u64) =
            self.client.all((&path, &[]), SUITE_PAGES, what).await?;
        Ok(suites.into_iter().map(|suite| (suite.id, suite.name)).collect())
    }
}

/// What LAVA says went wrong, such as `Infrastructure: no prompt came`.
fn error(case: &Case) -> Option<String> {
    let metadata = Node::parse(case.metadata.as_deref()?).ok()?;
    let word = |key: &str| metadata.get(key).and_then(Node::text);
    let words = match (word("error_type"), word("error_msg")) {
        (Some(kind), Some(words)) => format!("{kind}: {words}"),
        (Some(words), None) | (None, Some(words)) => words.to_owned(),
        (None, None) => return None,
    };
    Some(wire::words(&words))
}

/// How the results of a job count.
fn verdict(cases: &[Case], suites: &BTreeMap<u64, String>, is_whole: bool) -> (Verdict, String) {
    let suite = |case: &Case| suites.get(&case.suite).map_or("?", String::as_str);
    let tests: Vec<&Case> = cases.iter().filter(|case| suite(case) != OWN_SUITE).collect();
    let count = match (tests.len(), is_whole) {
        (count, true) => count.to_string(),
        (count, false) => format!("more than {count}"),
    };
    let failed: Vec<&Case> = tests.iter().copied().filter(|case| case.result == "fail").collect();
    if failed.is_empty() {
        let passed = tests.iter().filter(|case| case.result == "pass").count();
        let words = match (tests.len(), passed) {
            (0, _) => "there were no tests".to_owned(),
            (1, 1) => "1 test passed".to_owned(),
            (all, passed) if all == passed && is_whole => format!("{count} tests passed"),
            (_, _) if !is_whole => format!("none of {count} tests failed"),
            (_, passed) => format!("{passed} of {count} tests passed, none failed"),
        };
        return (Verdict::Success, words);
    }
    let called = |case: &&Case| {
        let name = format!("{}/{}", suite(case), case.name);
        wire::plain(&name, NAME_MAX_CHARS)
    };
    let mut names: Vec<String> = failed.iter().take(NAMES_MAX).map(called).collect();
    let others = failed.len().saturating_sub(NAMES_MAX);
    if others > 0 {
        names.push(format!("{others} more"));
    }
    let tests = if tests.len() == 1 { "test" } else { "tests" };
    let words = format!("{} of {count} {tests} failed: {}", failed.len(), names.join(", "));
    (Verdict::Failure, words)
}
