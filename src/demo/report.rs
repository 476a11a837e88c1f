//! What stands at the end: what Jenkins was asked, and what is on the pull requests.

use std::collections::BTreeMap;

use serde::Serialize;

use super::boards;
use super::check::{Claim, is_right};
use super::narrator::Narrator;
use super::screen::{Look, Screen, part};
use super::series::Told;
use super::story::{self, CLOSED, FIRST, SECOND, STRANGE, THIRD, UNTOLD};
use super::words::{chatted, flag_part, readable, short};
use super::world::{JOB, OURSELVES, PROJECT};
use crate::sandbox::pagure::{Comment, Flag};

/// Everything that can be seen from outside, and what the ledger has left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Report {
    /// How often Jenkins was asked for a build, by anybody.
    pub(super) asked: usize,
    /// The builds that came of it.
    pub(super) builds: Vec<Build>,
    /// The pull requests, by number.
    pub(super) pull_requests: Vec<PullRequest>,
    /// What became of the series.
    pub(super) series: Told,
    /// What became of the image.
    pub(super) image: boards::Told,
    /// Messages that could not be read.
    pub(super) dead_letters: u64,
    /// Actions that were given up.
    pub(super) buried: u64,
    /// Messages to be read and actions to be done.
    pub(super) left_to_do: u64,
}

/// One build.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Build {
    pub(super) job: String,
    pub(super) number: u64,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) cause: String,
    /// Jenkins' word for its end.
    pub(super) result: Option<String>,
}

/// One pull request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PullRequest {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) author: String,
    /// The heads it had, oldest first, with what stands on them.
    pub(super) heads: Vec<Head>,
    /// What the service wrote.
    pub(super) comments: Vec<String>,
    /// Why no rule built it, if none did.
    pub(super) why_not: Option<String>,
}

/// One commit that was proposed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Head {
    pub(super) commit: String,
    pub(super) flags: Vec<Standing>,
}

/// One flag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Standing {
    pub(super) status: String,
    pub(super) words: String,
    pub(super) url: String,
}

impl From<Flag> for Standing {
    fn from(flag: Flag) -> Self {
        Self { status: flag.status, words: flag.comment, url: flag.url }
    }
}

impl Build {
    /// What it was told under `name`.
    pub(super) fn told(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// Whether the service ordered it.
    pub(super) fn is_ours(&self) -> bool {
        !self.told("POINTSMAN_RUN").is_empty()
    }
}

/// The pull requests of the story: author, title, heads.
const PULL_REQUESTS: &[(&str, &str, &[&str])] = &[
    ("ada", "Oil the lever frame", &[FIRST, SECOND, THIRD]),
    ("quentin", "Mine the signalbox", &[STRANGE]),
    ("ada", "Paint it green", &[CLOSED]),
    ("ada", "Ring the bell", &[UNTOLD]),
];

/// Looks at everything.
pub(super) async fn gather(narrator: &Narrator<'_>) -> anyhow::Result<Report> {
    let world = narrator.world;
    let mut pull_requests = Vec::new();
    for ((author, title, heads), number) in PULL_REQUESTS.iter().zip(1..) {
        let head = |commit: &&str| {
            let flags = world.pagure.flags(PROJECT, commit);
            let flags = flags.into_iter().map(Standing::from).collect();
            Head { commit: (*commit).to_owned(), flags }
        };
        let words = |comment: Comment| comment.text;
        pull_requests.push(PullRequest {
            number,
            title: (*title).to_owned(),
            author: (*author).to_owned(),
            heads: heads.iter().map(head).collect(),
            comments: world.words(number).into_iter().map(words).collect(),
            why_not: story::why_not(narrator, number).await?,
        });
    }
    let builds = world.builds().into_iter().map(|build| Build {
        job: build.job,
        number: build.number,
        parameters: build.parameters,
        cause: build.cause,
        result: build.result.map(|result| result.as_str().to_owned()),
    });
    let counts = narrator.ledger.counts().await?;
    Ok(Report {
        // The series has a job of its own.
        asked: world.jenkins.asked().iter().filter(|line| line.starts_with(JOB)).count(),
        builds: builds.collect(),
        pull_requests,
        series: world.told_of_series(),
        image: world.told_of_image(),
        dead_letters: counts.dead_letters,
        buried: counts.buried,
        left_to_do: narrator.ledger.left_to_do().await?,
    })
}

/// Shows what stands.
pub(super) fn show(report: &Report, screen: &mut Screen) -> std::io::Result<()> {
    heading(screen, "What Jenkins was asked")?;
    let names = ["HEAD", "BRANCH", "REPO", "POINTSMAN_RUN"];
    let [head, branch, repo, run] = names;
    let header = row(["build", head, branch, repo, run]);
    screen.line(&[part(Look::Quiet, header), part(Look::Quiet, "ended as")])?;
    for build in &report.builds {
        let job = format!("{} #{}", build.job, build.number);
        let repo = build.told(repo);
        let repo =
            repo.split_once("/forks/").map_or(repo.to_owned(), |(_, r)| format!("…/forks/{r}"));
        let cells =
            [&job, short(build.told(head)), build.told(branch), &repo, short(build.told(run))];
        let cells = cells.map(|cell| if cell.is_empty() { "-" } else { cell });
        let result = build.result.as_deref().unwrap_or("-");
        let look = match result {
            "SUCCESS" => Look::Good,
            "FAILURE" => Look::Bad,
            _ => Look::Quiet,
        };
        screen.line(&[part(Look::Plain, row(cells)), part(look, result)])?;
    }
    heading(screen, "What stands on the pull requests")?;
    for request in &report.pull_requests {
        show_request(request, screen)?;
    }
    heading(screen, "What stands on the patches")?;
    for ((state, words), number) in report.series.checks.iter().zip(1..) {
        screen.line(&[
            part(Look::Plain, format!("   {number}  ")),
            part(Look::Bad, format!("{state:<5}  ")),
            part(Look::Plain, words.as_str()),
        ])?;
    }
    heading(screen, "What was run on the boards, and said of it")?;
    for (board, end) in &report.image.jobs {
        let look = if end == "Complete" { Look::Plain } else { Look::Bad };
        let board = part(Look::Builder, format!("   {board:<12}  "));
        screen.line(&[board, part(look, end.as_str())])?;
    }
    for line in report.image.messages.iter().flat_map(|said| said.lines()) {
        screen.line(&[part(Look::Plain, format!("   {}", chatted(line)))])?;
    }
    Ok(())
}

/// Shows whether it is right.
pub(super) fn show_claims(claims: &[Claim], screen: &mut Screen) -> std::io::Result<()> {
    heading(screen, "Is that right?")?;
    for claim in claims {
        let (look, sign) = if claim.is_true { (Look::Good, "✔") } else { (Look::Bad, "✖") };
        screen.line(&[part(look, format!("   {sign} ")), part(Look::Plain, claim.what)])?;
        for fault in &claim.faults {
            screen.line(&[part(Look::Bad, format!("       {fault}"))])?;
        }
    }
    screen.line(&[])?;
    let (look, words) = if is_right(claims) {
        (Look::Good, "All of it is right.")
    } else {
        (Look::Bad, "Something is wrong.")
    };
    screen.line(&[part(look, words)])?;
    screen.line(&[])
}

fn heading(screen: &mut Screen, words: &str) -> std::io::Result<()> {
    screen.line(&[])?;
    screen.line(&[part(Look::Strong, words)])
}

fn row([build, head, branch, repo, run]: [&str; 5]) -> String {
    let run: String = run.chars().take(13).collect();
    format!("   {build:<18}  {head:<8}  {branch:<10}  {repo:<26}  {run:<13}  ")
}

fn show_request(request: &PullRequest, screen: &mut Screen) -> std::io::Result<()> {
    let PullRequest { number, title, author, heads, comments, why_not } = request;
    screen.line(&[
        part(Look::Forge, format!("   #{number}  ")),
        part(Look::Plain, format!("{title} ")),
        part(Look::Quiet, format!("by {author}")),
    ])?;
    for head in heads {
        for flag in &head.flags {
            let (look, status) = flag_part(&flag.status);
            let number = flag.url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            // What waits for approval has no build to lead to.
            let is_build = flag.url.contains("/job/") && !number.is_empty();
            let link = if is_build { format!("→ build {number}") } else { String::new() };
            screen.line(&[
                part(Look::Plain, format!("       {}  ", short(&head.commit))),
                (look, status),
                part(Look::Plain, format!("{}  ", flag.words)),
                part(Look::Quiet, link),
            ])?;
        }
        if head.flags.is_empty() {
            let words = format!("       {}  no flag", short(&head.commit));
            screen.line(&[part(Look::Quiet, words)])?;
        }
    }
    for comment in comments {
        screen.line(&[
            part(Look::Ours, format!("       {OURSELVES}: ")),
            part(Look::Plain, format!("“{}”", readable(comment))),
        ])?;
    }
    if let Some(why) = why_not {
        screen.line(&[part(Look::Quiet, format!("       not built: {why}"))])?;
    }
    Ok(())
}
