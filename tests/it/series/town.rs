//! A list that a Patchwork reads, an upstream, a Jenkins, a channel, and the service among them.

use std::collections::BTreeSet;
use std::sync::Arc;

use pointsman::sandbox::jenkins::{Automatic, BuildRecord, BuildResult, JobSpec};
use pointsman::sandbox::mails::Change;
use pointsman::sandbox::patchwork::{Check, NewPatch, NewSeries, PatchworkStandIn, Posted};
use pointsman::sandbox::repositories::Repositories;
use pointsman::sandbox::slack::SlackStandIn;

use crate::world::look::Look;
use crate::world::{Setup, World};

/// The project on the list.
pub(crate) const PROJECT: &str = "points-devel";
/// The job that builds branches.
pub(super) const JOB: &str = "kvm";
/// Who sends what is trusted.
pub(super) const ADA: &str = "Ada Loewe <ada@points.example>";

const TOKEN: &str = "token-of-patchwork-0123456789";
const CHANNEL: &str = "T0/B0/secret-of-the-channel";

/// Everything around a series.
pub(super) struct Town {
    pub(super) world: World,
    pub(super) patchwork: PatchworkStandIn,
    pub(super) slack: SlackStandIn,
    pub(super) repositories: Repositories,
}

/// The rule of all stories, with these lines more.
pub(super) fn rule(more: &str) -> String {
    format!(
        r#"
        [[rule]]
        name = "kvm"
        on = "series.posted"
        where = {{ project = "{PROJECT}" }}
        git = "points"
        {more}
        build = {{ on = "jenkins.main", job = "{JOB}", parameters = {{ REPO = "{{{{ branch.url }}}}", BRANCH = "{{{{ branch.name }}}}" }} }}
        report = [{{ to = "origin", as = "check" }}, {{ to = "slack.ops", when = "always" }}]
        "#
    )
}

impl Town {
    /// A town with this rule, and an upstream with one file for each of nine points.
    pub(super) async fn build(rules: &str) -> Self {
        let patchwork = PatchworkStandIn::start(pointsman::clock::Clock::system()).await.unwrap();
        patchwork.add_project(PROJECT, "points-devel@points.example");
        patchwork.add_user("pointsman", TOKEN);
        patchwork.set_maintainer(PROJECT, "pointsman", true);
        let ada = patchwork.person(ADA);
        let slack = SlackStandIn::start().await.unwrap();
        let setup: Setup = World::of(rules).await;
        let folder = setup.folder().to_owned();
        let repositories = Repositories::make(&folder).await.unwrap();
        let files: Vec<_> =
            (1..=9).map(|number| (format!("point-{number}"), format!("{number}\n"))).collect();
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        repositories.commit("main", &files).await.unwrap();
        std::fs::write(folder.join("patchwork-token"), TOKEN).unwrap();
        std::fs::write(folder.join("slack-webhook"), slack.webhook(CHANNEL)).unwrap();
        let setup = setup.settings(&format!(
            "[patchwork.main]\nurl = '{}'\nprojects = ['{PROJECT}']\ntoken = 'file:patchwork-token'\n\
             poll = '50ms'\npeople = {{ contributors = ['{ada}'] }}\n\
             [slack.ops]\nwebhook = 'file:slack-webhook'\n\
             [git.points]\nupstream = '{}'\nbases = ['main']\npush = '{}'\n\
             url = 'https://git.example/series.git'\ndir = 'points.git'\n",
            patchwork.url(),
            repositories.upstream().display(),
            repositories.series().display(),
        ));
        let world = setup.start().await;
        world.scenery.jenkins.add_job(JobSpec::new(JOB, &["POINTSMAN_RUN", "REPO", "BRANCH"]));
        let mut town = Self { world, patchwork, slack, repositories };
        town.until_asked().await;
        town
    }

    /// Waits until what was there before was looked at: that is not told.
    async fn until_asked(&mut self) {
        let patchwork = self.patchwork.clone();
        let asked = move || {
            let calls = patchwork.calls();
            calls.iter().filter(|(path, _)| path.contains("/events/")).count() > 2
        };
        self.world.until("a look at the list", |_| asked()).await;
    }

    /// Builds end at once: badly where a branch has that many patches or more, and where it is the
    /// base if that is bad, too.
    pub(super) fn builds_fail_from(&self, patch: u32, is_base_bad: bool) {
        let fate = move |build: &BuildRecord| {
            let branch = build.parameters.get("BRANCH").cloned().unwrap_or_default();
            let part = branch.rsplit_once("-p").and_then(|(_, part)| part.parse::<u32>().ok());
            let is_bad = match part {
                Some(0) => is_base_bad,
                Some(part) => part >= patch,
                None => true,
            };
            if is_bad { BuildResult::Failure } else { BuildResult::Success }
        };
        self.world.scenery.jenkins.set_automatic(Automatic::Finish(Arc::new(fate)));
    }

    /// Somebody sends a series of so many patches, each to another file.
    pub(super) fn send(&self, stem: &str, version: u32, patches: u32) -> Posted {
        self.patchwork.post_series(&series(stem, version, patches)).unwrap()
    }

    /// Waits until all has its verdict.
    pub(super) async fn finish(&mut self, series: usize) -> Look {
        let told = |look: &Look| {
            let is_told = |message: &&(String, Option<String>)| message.0 == "read";
            look.messages.values().filter(is_told).count() >= series
        };
        self.world.until("the series", told).await;
        self.world.finish().await
    }

    /// The checks on a patch, newest last: context, state and words.
    pub(super) fn checks(&self, patch: u64) -> Vec<String> {
        let line =
            |check: Check| format!("{} {}: {}", check.context, check.state, check.description);
        self.patchwork.checks(patch).into_iter().map(line).collect()
    }

    /// The branches that Jenkins was asked to build.
    pub(super) fn built(&self) -> Vec<String> {
        let builds = self.world.scenery.jenkins.builds(JOB);
        builds.into_iter().filter_map(|build| build.parameters.get("BRANCH").cloned()).collect()
    }

    /// The names of the branches that were pushed.
    pub(super) async fn pushed(&self) -> BTreeSet<String> {
        let branches = self.repositories.branches().await.unwrap();
        branches.into_iter().map(|(name, _)| name).collect()
    }
}

/// A series of so many patches, each to another file.
pub(crate) fn series(stem: &str, version: u32, patches: u32) -> NewSeries {
    let patch = |number: u32| {
        let change = Change {
            title: format!("points: Oil point {number}"),
            path: format!("point-{number}"),
            before: format!("{number}\n"),
            after: format!("{number}, oiled for {stem}\n"),
        };
        NewPatch {
            title: change.title.clone(),
            message: "It squeaks.\n\nSigned-off-by: Ada Loewe <ada@points.example>".to_owned(),
            diff: change.diff(),
        }
    };
    NewSeries {
        project: PROJECT.to_owned(),
        from: ADA.to_owned(),
        msgid: format!("{stem}-v{version}"),
        version,
        cover: Some(("Oil the points".to_owned(), "They squeak.".to_owned())),
        patches: (1..=patches).map(patch).collect(),
        ..NewSeries::default()
    }
}
