//! What has to be true when all is done, however often the process died.

use std::collections::{BTreeMap, BTreeSet};

use pointsman::sandbox::jenkins::{BuildRecord, BuildResult};

use super::town::{Proposal, Town, fate};
use crate::world::PROJECT;
use crate::world::look::Run;

/// The rules that order builds, and whether they comment.
const RULES: [(&str, bool); 2] = [("unit", true), ("lint", false)];

/// Judges all of it.
pub(super) fn judge(town: &Town) {
    let look = town.look();
    assert!(look.buried.is_empty(), "given up: {:?}", look.buried);
    assert_eq!(look.dead(), "", "messages that could not be read");
    let mut runs = Runs::new();
    for run in &look.runs {
        let twin = runs.insert((&run.revision, &run.rule), run);
        assert!(twin.is_none(), "two runs: {run:?}");
    }
    let builds = town.builds();
    judge_builds(&builds);
    for proposal in &town.proposals {
        judge_proposal(town, proposal, (&runs, &builds));
    }
}

/// No run was built twice, and nothing runs any more.
fn judge_builds(builds: &[BuildRecord]) {
    let mut seen = BTreeSet::new();
    for build in builds {
        assert!(!build.running, "still runs: {build:?}");
        let run = &build.parameters["POINTSMAN_RUN"];
        assert!(seen.insert(run), "built twice: {build:?}");
    }
}

/// The runs by head and rule.
type Runs<'a> = BTreeMap<(&'a str, &'a str), &'a Run>;

fn judge_proposal(town: &Town, proposal: &Proposal, (runs, builds): (&Runs<'_>, &[BuildRecord])) {
    let mut comments_due = 0;
    let newest = proposal.heads.last().unwrap();
    for head in &proposal.heads {
        for (rule, comments) in RULES {
            let run = runs.get(&(head.as_str(), rule));
            let run = run.unwrap_or_else(|| panic!("no run of {rule} at {head}"));
            let state = run.state.as_str();
            let is_of =
                |build: &&BuildRecord| build.job == rule && build.parameters["HEAD"] == *head;
            let built: Vec<_> = builds.iter().filter(is_of).collect();
            let what = format!("{rule} at {head} is {state}: {built:?}");
            if state != "cancelled" {
                assert!(matches!(built.as_slice(), [_]), "{what}");
                let word = if fate(head) == BuildResult::Success { "success" } else { "failure" };
                assert_eq!(state, word, "{what}");
            }
            // An older head may have had its verdict before the newer one came.
            assert!(!run.is_unwanted || head != newest || !proposal.is_open, "{what}");
            comments_due += usize::from(comments && state != "cancelled" && !run.is_unwanted);
            judge_flag(town, head, (rule, state));
        }
    }
    judge_comments(town, proposal, comments_due);
}

/// There is one flag, and it says what the run says.
fn judge_flag(town: &Town, head: &str, (rule, state): (&str, &str)) {
    let flags = town.scenery.pagure.flags(PROJECT, head);
    let ours: Vec<_> = flags.iter().filter(|flag| flag.comment.starts_with(rule)).collect();
    let [flag] = ours.as_slice() else { panic!("{rule} at {head} is {state}: {flags:?}") };
    let word = if state == "cancelled" { "canceled" } else { state };
    assert_eq!(flag.status, word, "{flag:?}");
}

/// There is one comment for each verdict that somebody wants to read.
fn judge_comments(town: &Town, proposal: &Proposal, due: usize) {
    let comments = town.scenery.pagure.comments(PROJECT, proposal.id);
    let ours: Vec<_> =
        comments.iter().filter(|c| c.user == "pointsman" && !c.notification).collect();
    let texts: BTreeSet<_> = ours.iter().map(|comment| &comment.text).collect();
    assert_eq!(texts.len(), ours.len(), "said twice: {ours:?}");
    assert_eq!(ours.len(), due, "{proposal:?}: {ours:?}");
}
