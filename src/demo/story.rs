//! The story: what people, Pagure and Jenkins do, and what has to follow.

use uuid::Uuid;

use super::boards;
use super::narrator::Narrator;
use super::screen::Look;
use super::series;
use super::words::{brief, short};
use super::world::{JOB, PROJECT};
use crate::decision::{Decision, Outcome};
use crate::sandbox::jenkins::BuildResult;
use crate::sandbox::pagure::{Announcement, NewPullRequest, Push};

/// ada's first commit: it fails.
pub(super) const FIRST: &str = "4f2c81d09b3ea6c57d1e8f02b94a6dc310e7f588";
/// Her second: it is overtaken.
pub(super) const SECOND: &str = "9b31c2aae40d57f1836b2c9e05d8a7f46231bc0e";
/// Her third: it passes.
pub(super) const THIRD: &str = "77e0d1f5c8a92b64e3107fd5928cb6a04d1e93f2";
/// A stranger's commit: it is not built.
pub(super) const STRANGE: &str = "e15a5de1f00dfeedc0ffee0123456789abcdef01";
/// The commit of a pull request that is closed too soon.
pub(super) const CLOSED: &str = "c105ed5a2d7b9e4f6a8130bc5d2e7f914ab36c08";
/// A commit whose build nobody tells of.
pub(super) const UNTOLD: &str = "51e47ab8d3c6f20915e7b4a8c2d6f3e09b1a5c7d";

/// More events than the story has about one subject.
const EVENTS_MAX: u32 = 1_000;

/// Plays the story to its end.
pub(super) async fn play(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    it_fails(narrator).await?;
    it_is_overtaken(narrator).await?;
    it_is_told_twice(narrator).await?;
    a_stranger_comes(narrator).await?;
    it_is_closed(narrator).await?;
    a_build_of_others(narrator).await?;
    nobody_tells(narrator).await?;
    series::play(narrator).await?;
    boards::play(narrator).await?;
    narrator.until_idle().await
}

async fn it_fails(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(1, "ada opens a pull request, and her change fails").await?;
    let told = open(narrator, "ada", "Oil the lever frame", "oil-levers", FIRST)?;
    narrator.publish(&told).await?;
    run(narrator, FIRST).await?;
    finish(narrator, FIRST, BuildResult::Failure).await?;
    flagged(narrator, FIRST, "failure").await?;
    said(narrator, 1, 1).await
}

async fn it_is_overtaken(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(2, "She pushes: two messages for one happening start one build").await?;
    let told = narrator.world.pagure.push(PROJECT, 1, SECOND, Push::Added)?;
    narrator.publish(&told).await?;
    run(narrator, SECOND).await?;
    narrator.chapter(3, "She pushes again: the older build is cancelled, the newer passes").await?;
    let told = narrator.world.pagure.push(PROJECT, 1, THIRD, Push::Added)?;
    narrator.publish(&told).await?;
    flagged(narrator, SECOND, "canceled").await?;
    run(narrator, THIRD).await?;
    finish(narrator, THIRD, BuildResult::Success).await?;
    flagged(narrator, THIRD, "success").await?;
    said(narrator, 1, 2).await
}

async fn it_is_told_twice(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(4, "Messages come again: nothing is doubled").await?;
    narrator.until_idle().await?;
    let new_id = || Some(Uuid::new_v4().to_string());
    let (request, build) = (narrator.world.subject(1), narrator.world.build(3));
    let (updated, completed) = ("pull-request.updated", "run.COMPLETED");
    let again = "again, under another id";
    come_again(narrator, updated, ("pagure", None, "redelivered by the broker"), &request).await?;
    come_again(narrator, updated, ("pagure", new_id(), again), &request).await?;
    come_again(narrator, completed, ("jenkins", new_id(), again), &build).await
}

/// Repeats the last message of a topic, and tells why nothing follows from it.
async fn come_again(
    narrator: &mut Narrator<'_>,
    topic: &str,
    message: (&str, Option<String>, &str),
    subject: &str,
) -> anyhow::Result<()> {
    let before = heard(narrator, subject).await?.len();
    narrator.repeat(topic, message).await?;
    narrator.until_idle().await?;
    let mut decisions = heard(narrator, subject).await?.into_iter().skip(before);
    let reason = decisions.find_map(|decision| decision.not_news);
    let reason = reason.unwrap_or_else(|| "its id is known".to_owned());
    narrator.remark(Look::Quiet, &format!("nothing follows: {}", brief(&reason))).await
}

async fn a_stranger_comes(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(5, "A stranger opens a pull request: it waits for approval").await?;
    let told = open(narrator, "quentin", "Mine the signalbox", "free-coins", STRANGE)?;
    narrator.publish(&told).await?;
    narrator.until_idle().await?;
    let why = why_not(narrator, 2).await?.unwrap_or_else(|| "nothing is known".to_owned());
    narrator.remark(Look::Quiet, &format!("not built: {why}")).await
}

async fn it_is_closed(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator
        .chapter(6, "ada closes a pull request while it is built: the build is stopped")
        .await?;
    let told = open(narrator, "ada", "Paint it green", "green", CLOSED)?;
    narrator.publish(&told).await?;
    run(narrator, CLOSED).await?;
    let told = narrator.world.pagure.close(PROJECT, 3, "ada")?;
    narrator.publish(&told).await?;
    flagged(narrator, CLOSED, "canceled").await
}

async fn a_build_of_others(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(7, "grace builds by hand: that is not ours to tell").await?;
    let before = narrator.world.builds().len();
    if !narrator.world.jenkins.order(JOB, "grace", &[("BRANCH", "main")]) {
        anyhow::bail!("the stand-in Jenkins has no job `{JOB}`");
    }
    narrator.world.jenkins.begin(JOB);
    let number = narrator
        .until("grace's build begins", |told| {
            told.world.builds().get(before).map(|build| build.number)
        })
        .await?;
    narrator.world.jenkins.finish(JOB, number, BuildResult::Failure);
    narrator.until_idle().await?;
    narrator.remark(Look::Quiet, "no flag, no comment").await
}

async fn nobody_tells(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(8, "Jenkins' messages are lost: the verdict is found by asking").await?;
    let told = open(narrator, "ada", "Ring the bell", "bell", UNTOLD)?;
    narrator.publish(&told).await?;
    waits(narrator, UNTOLD).await?;
    narrator.lose_messages();
    narrator.world.jenkins.begin(JOB);
    finish(narrator, UNTOLD, BuildResult::Success).await?;
    flagged(narrator, UNTOLD, "success").await?;
    said(narrator, 4, 1).await
}

/// Opens a pull request; what is published of it.
pub(super) fn open(
    narrator: &Narrator<'_>,
    author: &str,
    title: &str,
    branch: &str,
    head: &str,
) -> anyhow::Result<Vec<Announcement>> {
    let (_, told) = narrator.world.pagure.add_pull_request(&NewPullRequest {
        project: PROJECT.to_owned(),
        author: author.to_owned(),
        title: title.to_owned(),
        branch_from: branch.to_owned(),
        target: "main".to_owned(),
        head: head.to_owned(),
    })?;
    Ok(told)
}

/// Waits until the build of `head` is in the queue, and the flag says so.
async fn waits(narrator: &mut Narrator<'_>, head: &str) -> anyhow::Result<()> {
    let what = format!("the flag on {} says that its build waits", short(head));
    narrator.until(&what, |told| says(told, head, "queue")).await
}

/// Waits for the build of `head`, lets it begin, and waits until the flag says so.
async fn run(narrator: &mut Narrator<'_>, head: &str) -> anyhow::Result<()> {
    waits(narrator, head).await?;
    narrator.world.jenkins.begin(JOB);
    let what = format!("the flag on {} says that it is built", short(head));
    narrator.until(&what, |told| says(told, head, "running")).await
}

/// Whether the words of the flag on `head` contain `word`.
fn says(narrator: &Narrator<'_>, head: &str, word: &str) -> Option<()> {
    narrator.flag(head).filter(|(_, words)| words.contains(word)).map(|_| ())
}

/// Ends the build of `head` that runs.
async fn finish(
    narrator: &mut Narrator<'_>,
    head: &str,
    result: BuildResult,
) -> anyhow::Result<()> {
    let what = format!("the build of {} runs", short(head));
    let number = narrator
        .until(&what, |told| {
            let mut builds = told.world.builds().into_iter();
            let is_it = |value: &String| value == head;
            builds
                .find(|build| build.running && build.parameters.get("HEAD").is_some_and(is_it))
                .map(|build| build.number)
        })
        .await?;
    narrator.world.jenkins.finish(JOB, number, result);
    Ok(())
}

async fn flagged(narrator: &mut Narrator<'_>, head: &str, status: &str) -> anyhow::Result<()> {
    let what = format!("the flag on {} says `{status}`", short(head));
    narrator
        .until(&what, |told| told.flag(head).filter(|(found, _)| *found == status).map(|_| ()))
        .await
}

async fn said(narrator: &mut Narrator<'_>, number: u64, count: usize) -> anyhow::Result<()> {
    let what = format!("there are {count} comments on #{number}");
    narrator.until(&what, |told| (told.comments(number) >= count).then_some(())).await
}

/// What was decided about a subject, oldest first.
async fn heard(narrator: &Narrator<'_>, subject: &str) -> anyhow::Result<Vec<Decision>> {
    let events = narrator.ledger.events_about(subject.to_owned(), EVENTS_MAX).await?;
    Ok(events.into_iter().map(|event| event.decision).collect())
}

/// Why no rule built a pull request, in words; `None` if one did, or none was asked.
pub(super) async fn why_not(
    narrator: &Narrator<'_>,
    number: u64,
) -> anyhow::Result<Option<String>> {
    let decisions = heard(narrator, &narrator.world.subject(number)).await?;
    let considered = decisions.iter().flat_map(|decision| &decision.considered);
    Ok(considered
        .filter_map(|considered| match &considered.outcome {
            Outcome::Untrusted { wanted, found } | Outcome::Held { wanted, found, .. } => {
                Some(format!(
                    "rule `{}` ({}) trusts {wanted}, its author is a {found}",
                    considered.rule, considered.at
                ))
            }
            Outcome::Fired { .. }
            | Outcome::Shadow { .. }
            | Outcome::Asks
            | Outcome::Elsewhere { .. }
            | Outcome::Not { .. }
            | Outcome::Failed { .. }
            | Outcome::Already { .. }
            | Outcome::OptedOut { .. }
            | Outcome::Lacks { .. } => None,
        })
        .next_back())
}
