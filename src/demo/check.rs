//! Whether what stands at the end of the story is right.

use std::collections::BTreeSet;

use serde::Serialize;

use super::boards;
use super::narrator::InVain;
use super::report::{Build, PullRequest, Report};
use super::series;
use super::story::{CLOSED, FIRST, SECOND, THIRD, UNTOLD};
use super::words::short;

/// Something that has to be true.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Claim {
    /// What.
    pub(super) what: &'static str,
    /// Whether it is.
    pub(super) is_true: bool,
    /// What was found instead.
    pub(super) faults: Vec<String>,
}

impl From<InVain> for Claim {
    fn from(in_vain: InVain) -> Self {
        claim("the story came to its end", vec![in_vain.to_string()])
    }
}

/// A head that has to be built: its commit, the end of its build, and the state of its flag.
struct Expected {
    request: u64,
    head: &'static str,
    result: &'static str,
    flag: &'static str,
}

const EXPECTED: &[Expected] = &[
    Expected { request: 1, head: FIRST, result: "FAILURE", flag: "failure" },
    Expected { request: 1, head: SECOND, result: "ABORTED", flag: "canceled" },
    Expected { request: 1, head: THIRD, result: "SUCCESS", flag: "success" },
    Expected { request: 3, head: CLOSED, result: "ABORTED", flag: "canceled" },
    Expected { request: 4, head: UNTOLD, result: "SUCCESS", flag: "success" },
];

/// The comments there have to be, in order: on which pull request, about which head, the word.
const WORDS: &[(u64, &str, &str)] =
    &[(1, FIRST, "failed"), (1, THIRD, "passed"), (4, UNTOLD, "passed")];

/// Compares `report` with what is right.
pub(super) fn check(report: &Report) -> Vec<Claim> {
    vec![
        claim(
            "each change of somebody who is trusted was built once, under its own run id",
            built(report),
        ),
        claim(
            "an overtaken build and one of a closed pull request were stopped, no other",
            ended(report),
        ),
        claim("Jenkins was asked for nothing else, whatever was told twice", asked(report)),
        claim(
            "each of these commits carries one flag: its verdict, with a link to its build",
            flags(report),
        ),
        claim(
            "a comment was written when the verdict was another than before, and only then",
            words(report),
        ),
        claim(
            "the stranger's change was not built; it says that it waits, and the ledger knows why",
            stranger(report),
        ),
        claim("nothing tells of the build that somebody else started", foreign(report)),
        claim("the patch at fault was found with three builds more, and says so", blamed(report)),
        claim(
            "the image ran on each kind of board, a broken one again, and one message says it",
            run_everywhere(report),
        ),
        claim("nothing was lost, given up, or left to do", rest(report)),
    ]
}

/// Whether every claim is true.
pub(super) fn is_right(claims: &[Claim]) -> bool {
    claims.iter().all(|claim| claim.is_true)
}

fn claim(what: &'static str, faults: Vec<String>) -> Claim {
    Claim { what, is_true: faults.is_empty(), faults }
}

fn of_head<'a>(report: &'a Report, head: &'a str) -> impl Iterator<Item = &'a Build> {
    report.builds.iter().filter(move |build| build.told("HEAD") == head)
}

fn built(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let mut runs = BTreeSet::new();
    for Expected { head, .. } in EXPECTED {
        let count = of_head(report, head).filter(|build| build.is_ours()).count();
        if count != 1 {
            faults.push(format!("{} was built {count} times", short(head)));
        }
        for build in of_head(report, head) {
            if !runs.insert(build.told("POINTSMAN_RUN")) {
                faults.push(format!("build {} has the run id of another", build.number));
            }
        }
    }
    faults
}

fn ended(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    for Expected { head, result, .. } in EXPECTED {
        for build in of_head(report, head) {
            let found = build.result.as_deref().unwrap_or("running");
            if found != *result {
                faults.push(format!("build {} is {found}, not {result}", build.number));
            }
        }
    }
    faults
}

fn asked(report: &Report) -> Vec<String> {
    // One more was started by hand.
    let expected = EXPECTED.len() + 1;
    let is_right = report.asked == expected && report.builds.len() == expected;
    let found = format!("asked {} times instead of {expected}", report.asked);
    if is_right { Vec::new() } else { vec![found] }
}

fn request(report: &Report, number: u64) -> Option<&PullRequest> {
    report.pull_requests.iter().find(|request| request.number == number)
}

fn flags(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    for Expected { request: number, head, flag, .. } in EXPECTED {
        let heads = request(report, *number).into_iter().flat_map(|request| &request.heads);
        let flags: Vec<_> =
            heads.filter(|found| found.commit == *head).flat_map(|found| &found.flags).collect();
        let [found] = flags.as_slice() else {
            faults.push(format!("{} has {} flags", short(head), flags.len()));
            continue;
        };
        if found.status != *flag {
            faults.push(format!("{} says `{}`, not `{flag}`", short(head), found.status));
        }
        let mut links = of_head(report, head).map(link);
        if !links.any(|link| found.url.ends_with(&link)) {
            faults.push(format!("{} leads to {}", short(head), found.url));
        }
    }
    faults
}

/// How the address of a build ends.
fn link(build: &Build) -> String {
    format!("/job/{}/{}/", build.job, build.number)
}

fn words(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    for request in &report.pull_requests {
        let expected: Vec<_> =
            WORDS.iter().filter(|(number, ..)| *number == request.number).collect();
        let (count, right) = (request.comments.len(), expected.len());
        if count != right {
            faults.push(format!("#{} has {count} comments instead of {right}", request.number));
        }
        for (comment, (_, head, word)) in request.comments.iter().zip(expected) {
            if !comment.contains(short(head)) || !comment.contains(word) {
                faults.push(format!("a comment does not say that {} {word}", short(head)));
            }
        }
    }
    faults
}

fn stranger(report: &Report) -> Vec<String> {
    let Some(request) = request(report, 2) else {
        return vec!["the pull request is not there".to_owned()];
    };
    let mut faults = Vec::new();
    for head in &request.heads {
        if of_head(report, &head.commit).count() > 0 {
            faults.push(format!("{} was built", short(&head.commit)));
        }
        if !head.flags.iter().any(|flag| flag.words.contains("waiting for approval")) {
            faults.push(format!("nothing says that {} waits", short(&head.commit)));
        }
    }
    if !request.why_not.as_deref().is_some_and(|why| why.contains("stranger")) {
        faults.push("the ledger does not know why".to_owned());
    }
    faults
}

fn foreign(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    for build in report.builds.iter().filter(|build| !build.is_ours()) {
        let link = link(build);
        for request in &report.pull_requests {
            let flags = request.heads.iter().flat_map(|head| &head.flags);
            let mut texts = flags.map(|flag| &flag.url).chain(&request.comments);
            if texts.any(|text| text.contains(&link)) {
                faults.push(format!("#{} tells of build {}", request.number, build.number));
            }
        }
    }
    faults
}

fn blamed(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let (built, checks) = (&report.series.built, &report.series.checks);
    if built.len() != series::BUILDS {
        faults.push(format!("{} builds: {}", built.len(), built.join(", ")));
    }
    let bad = usize::try_from(series::BAD).unwrap_or_default();
    for ((state, words), number) in checks.iter().zip(1..) {
        if state != "fail" || words.contains("by this patch") != (number == bad) {
            faults.push(format!("patch {number} says {state}: {words}"));
        }
    }
    if checks.len() != usize::try_from(series::PATCHES).unwrap_or_default() {
        faults.push(format!("there are {} patches", checks.len()));
    }
    faults
}

fn run_everywhere(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let image = &report.image;
    for board in boards::BOARDS {
        let ends: Vec<_> =
            image.jobs.iter().filter(|(on, _)| on == board).map(|(_, end)| end.as_str()).collect();
        let expected: &[&str] =
            if board == "rk3399" { &["Incomplete", "Complete"] } else { &["Complete"] };
        if ends != expected {
            faults.push(format!("the jobs on {board} ended {}", ends.join(", ")));
        }
    }
    if image.jobs.len() != boards::JOBS {
        faults.push(format!("there are {} jobs instead of {}", image.jobs.len(), boards::JOBS));
    }
    let is_whole = |said: &String| said.contains("2 of 3 boards passed");
    if image.messages.len() != 1 || !image.messages.iter().all(is_whole) {
        faults.push(format!("there are {} messages about it", image.messages.len()));
    }
    faults
}

fn rest(report: &Report) -> Vec<String> {
    let counts = [
        (report.dead_letters, "messages could not be read"),
        (report.buried, "actions were given up"),
        (report.left_to_do, "messages or actions are left"),
    ];
    let wrong = counts.iter().filter(|(count, _)| *count > 0);
    wrong.map(|(count, what)| format!("{count} {what}")).collect()
}
