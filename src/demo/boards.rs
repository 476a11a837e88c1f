//! The last chapter: a new image, and the boards that can run it.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::narrator::Narrator;
use super::screen::{Look, part};
use super::words::chatted;
use super::world::{OURSELVES, World};
use crate::clock::Clock;
use crate::remote::Remote;
use crate::sandbox::lava::{Device, LavaStandIn, Outcome};
use crate::sandbox::slack::SlackStandIn;

/// The definition of the job, as it is beside the rules.
pub(super) const JOB: &str = include_str!("nano.yaml");
/// The kinds of boards that can run it, by name.
pub(super) const BOARDS: [&str; 3] = ["beaglebone", "qemu-nano", "rk3399"];
/// How many jobs that takes: one on each, and one more where a board broke.
pub(super) const JOBS: usize = 4;
/// What has to stand on a board that can run it.
const TAG: &str = "nano";
/// The channel that is told, in the address of its webhook.
pub(super) const CHANNEL: &str = "T0/B0/boards";
/// How long an announcement may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Told {
    /// The jobs, in order: the kind of board, and how it ended.
    pub(super) jobs: Vec<(String, String)>,
    /// What was said in the chat.
    pub(super) messages: Vec<String>,
}

/// Plays the chapter.
pub(super) async fn play(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    let title = "A new image is announced: it runs on each kind of board that can";
    narrator.chapter(10, title).await?;
    let status = announce(narrator.world).await?;
    ensure!(status == 202, "the image was not taken: {status}");
    let image = || part(Look::Plain, "nano-cortex 26.11, build 41");
    let what = || part(Look::Plain, "POST …/artifacts");
    narrator.arrow(("ci", OURSELVES), what(), image()).await?;
    let submitted =
        |told: &Narrator<'_>, count: usize| (told.world.lava.jobs().len() >= count).then_some(());
    narrator.until("there is a job on each kind of board", |told| submitted(told, 3)).await?;
    tell_jobs(narrator, 0).await?;
    play_jobs(narrator).await?;
    narrator.until("it runs again there", |told| submitted(told, JOBS)).await?;
    tell_jobs(narrator, JOBS - 1).await?;
    play_jobs(narrator).await?;
    let is_told = |told: &Narrator<'_>| (!told.world.slack.messages().is_empty()).then_some(());
    narrator.until("the chat is told", is_told).await?;
    let said = narrator.world.told_of_image().messages.join("\n");
    let mut lines = said.lines().map(chatted).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let to_chat = (OURSELVES, "slack");
    narrator.arrow(to_chat, part(Look::Plain, "message"), part(Look::Plain, first)).await?;
    for line in lines {
        narrator.remark(Look::Plain, &format!("{:>46}{line}", "")).await?;
    }
    let status = announce(narrator.world).await?;
    ensure!(status == 200, "the same image was taken again: {status}");
    narrator.arrow(("ci", OURSELVES), what(), part(Look::Quiet, "once more: it is known")).await?;
    narrator.until_idle().await?;
    Ok(())
}

/// Tells of the jobs that were submitted, from the `first` on.
async fn tell_jobs(narrator: &mut Narrator<'_>, first: usize) -> anyhow::Result<()> {
    for job in narrator.world.lava.jobs().into_iter().skip(first) {
        let detail = part(Look::Plain, format!("job {} on {}", job.id, job.device_type));
        narrator.arrow((OURSELVES, "lava"), part(Look::Plain, "POST …/jobs/"), detail).await?;
    }
    Ok(())
}

/// Lets the jobs that were submitted run to their ends, and tells of those.
async fn play_jobs(narrator: &mut Narrator<'_>) -> anyhow::Result<()> {
    let open: Vec<_> =
        narrator.world.lava.jobs().into_iter().filter(|job| !job.is_finished()).collect();
    narrator.world.lava.play().await;
    let jobs = narrator.world.lava.jobs();
    for job in jobs.iter().filter(|job| open.iter().any(|open| open.id == job.id)) {
        let failed = job.cases.iter().filter(|case| case.result == "fail").count();
        let (look, words) = match (job.health, failed) {
            ("Complete", 0) => (Look::Good, "complete".to_owned()),
            ("Complete", _) => (Look::Bad, format!("complete, and {failed} test failed")),
            (_, _) => (Look::Bad, "incomplete: the board, and not the image".to_owned()),
        };
        let detail = part(look, format!("job {} {words}", job.id));
        narrator.arrow(("lava", OURSELVES), part(Look::Plain, "ended"), detail).await?;
    }
    Ok(())
}

/// Announces the image over HTTP, as a build system does; the status of the answer.
async fn announce(world: &World) -> anyhow::Result<u16> {
    let door = world.door.get().context("the service has no door")?;
    let base = Url::parse(&format!("http://{door}/"))?;
    let remote = Remote::new(&base, PATIENCE, Clock::system())?;
    let image = json!({
        "name": "nano-cortex",
        "kind": "image",
        "version": "26.11",
        "build": "41",
        "url": "https://ci.example/nano-cortex/41",
        "files": [{
            "name": "rootfs",
            "url": "https://images.example/nano-cortex/41/rootfs.img.xz",
            "checksums": { "sha256": "4f".repeat(32) },
        }],
        "tags": [TAG],
    });
    let request = remote
        .request(Method::POST, remote.url(&["api", "v1", "artifacts"]))
        .bearer_auth(world.images_token.expose_secret())
        .json(&image);
    Ok(remote.send(request).await?.status.as_u16())
}

/// Sets up the boards: one fails a test, one breaks at first.
pub(super) fn furnish(lava: &LavaStandIn, token: &str) {
    lava.add_token(token, OURSELVES);
    lava.add_tag(TAG);
    for kind in BOARDS {
        lava.add_device_type(kind);
        lava.add_device(Device::new(&format!("{kind}-01"), kind, &[TAG]));
    }
    // It cannot run the image, and is not asked to.
    lava.add_device_type("x86");
    lava.add_device(Device::new("x86-01", "x86", &[]));
    let passes = Outcome::passes(&["smoke/boot", "smoke/net"]);
    lava.set_outcomes("beaglebone", vec![Outcome::fails(&["smoke/boot"], &["smoke/net"])]);
    lava.set_outcomes("qemu-nano", vec![passes.clone()]);
    lava.set_outcomes("rk3399", vec![Outcome::breaks("the board did not power on"), passes]);
}

impl World {
    /// What stands about the image.
    pub(super) fn told_of_image(&self) -> Told {
        let jobs = self.lava.jobs().into_iter();
        Told {
            jobs: jobs.map(|job| (job.device_type, job.health.to_owned())).collect(),
            messages: said(&self.slack),
        }
    }
}

fn said(slack: &SlackStandIn) -> Vec<String> {
    slack.messages().into_iter().map(|message| message.text).collect()
}
