//! The last chapter: five patches by mail, the third of which breaks the build.

use anyhow::Context;
use serde::Serialize;

use super::narrator::Narrator;
use super::screen::Look;
use super::world::{SERIES_JOB, World};
use crate::sandbox::jenkins::BuildResult;
use crate::sandbox::mails::Change;
use crate::sandbox::patchwork::{NewPatch, NewSeries, Posted};

/// The project on the list.
pub(super) const LIST: &str = "points-devel";
/// Who sends patches to it.
pub(super) const SENDER: &str = "Ada Loewe <ada@points.example>";
/// How many patches she sends.
pub(super) const PATCHES: u32 = 5;
/// Which of them breaks the build.
pub(super) const BAD: u32 = 3;
/// How many builds that takes: of all, of the base, and to halve twice.
pub(super) const BUILDS: usize = 4;

/// What became of the series.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Told {
    /// The branches that were built, in order.
    pub(super) built: Vec<String>,
    /// The newest check of the build on each patch: state and words.
    pub(super) checks: Vec<(String, String)>,
}

/// Plays the chapter.
pub(super) async fn play(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    narrator.chapter(9, "ada mails five patches, and the third breaks the build").await?;
    let asked = |told: &Narrator<'_>| told.world.has_been_asked().then_some(());
    narrator.until("Patchwork is asked what is new", asked).await?;
    let sent = narrator.world.patchwork.post_series(&series()).context("no series")?;
    let posted = narrator.world.posted.get_or_init(|| sent).clone();
    narrator.remark(Look::Forge, "[PATCH 0/5] Oil the points, to the list").await?;
    for _ in 0..BUILDS {
        let number = narrator
            .until("a build of the series is ordered", |told| told.world.jenkins.begin(SERIES_JOB))
            .await?;
        let branch = branch_of(narrator.world, number);
        narrator.remark(Look::Builder, &format!("built: {branch}")).await?;
        narrator.world.jenkins.finish(SERIES_JOB, number, fate(&branch));
    }
    let is_blamed = |told: &Narrator<'_>| {
        let checks = told.world.told(&posted).checks;
        checks.iter().all(|(state, _)| state == "fail").then_some(())
    };
    narrator.until("every patch says how it ended", is_blamed).await?;
    narrator.until_idle().await?;
    let told = narrator.world.told(&posted);
    let bad = usize::try_from(BAD).unwrap_or(usize::MAX).saturating_sub(1);
    if let Some((_, words)) = told.checks.get(bad) {
        narrator.remark(Look::Bad, &format!("check on patch {BAD}: {words}")).await?;
    }
    Ok(())
}

/// How a build of this branch ends.
fn fate(branch: &str) -> BuildResult {
    let part = branch.rsplit_once("-p").and_then(|(_, part)| part.parse::<u32>().ok());
    let is_bad = part.is_none_or(|part| part >= BAD);
    if is_bad { BuildResult::Failure } else { BuildResult::Success }
}

fn branch_of(world: &World, number: u64) -> String {
    let builds = world.jenkins.builds(SERIES_JOB);
    let build = builds.into_iter().find(|build| build.number == number);
    build.and_then(|build| build.parameters.get("BRANCH").cloned()).unwrap_or_default()
}

/// The files of the upstream: path and content.
pub(super) fn upstream() -> Vec<(String, String)> {
    (1..=PATCHES).map(|number| (path(number), format!("point {number}\n"))).collect()
}

fn path(number: u32) -> String {
    format!("point-{number}")
}

/// The series.
fn series() -> NewSeries {
    let patch = |number: u32| {
        let change = Change {
            title: format!("Oil point {number}"),
            path: path(number),
            before: format!("point {number}\n"),
            after: format!("point {number}, oiled\n"),
        };
        NewPatch {
            title: change.title.clone(),
            message: "It squeaks.".to_owned(),
            diff: change.diff(),
        }
    };
    NewSeries {
        project: LIST.to_owned(),
        from: SENDER.to_owned(),
        msgid: "20261120-points".to_owned(),
        version: 1,
        cover: Some(("Oil the points".to_owned(), "They squeak.".to_owned())),
        patches: (1..=PATCHES).map(patch).collect(),
        ..NewSeries::default()
    }
}

impl World {
    /// Whether the list was looked at, so that what comes now is news.
    fn has_been_asked(&self) -> bool {
        let calls = self.patchwork.calls();
        calls.iter().filter(|(path, _)| path.contains("/events/")).count() > 2
    }

    /// What stands about the series that was posted.
    fn told(&self, posted: &Posted) -> Told {
        let builds = self.jenkins.builds(SERIES_JOB).into_iter();
        let built = builds.filter_map(|build| build.parameters.get("BRANCH").cloned()).collect();
        let last = |patch: &u64| {
            let checks = self.patchwork.checks(*patch);
            let mut ours = checks.into_iter().filter(|check| check.context.ends_with("series"));
            ours.next_back().map(|check| (check.state, check.description)).unwrap_or_default()
        };
        Told { built, checks: posted.patches.iter().map(last).collect() }
    }

    /// The same, of the one series that there is.
    pub(super) fn told_of_series(&self) -> Told {
        self.posted.get().map(|posted| self.told(posted)).unwrap_or_default()
    }
}
