//! The demo: the real service between a Pagure, a Patchwork, a Jenkins, a LAVA and a chat that are
//! stand-ins on this machine.
//!
//! A story is played over real HTTP and the embedded bus; what stands at its end is gathered and
//! compared with what is right.  Everything is in a folder that is removed at the end.

use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, bail};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::check::{Claim, check, is_right};
use self::narrator::{InVain, Narrator, Pace};
use self::report::Report;
use self::screen::{Look, Screen, part};
use self::world::{RULES, World};
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::service::Service;
use crate::telemetry::{self, Output, StartError};

mod boards;
mod check;
mod narrator;
mod report;
mod screen;
mod series;
mod stay;
mod story;
#[cfg(test)]
mod tests;
mod words;
mod world;

/// How the demo is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// To play it fast, to check what stands at the end, and to be done; otherwise it is told
    /// slowly and stays up.
    pub once: bool,
    /// To show nothing but what stands at the end, as JSON; the demo is then played once.
    pub json: bool,
}

/// Plays the demo on standard output; whether everything came out right.
///
/// It ends by itself, or at the first interrupt.  Fails when it cannot be played at all.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    let stop = CancellationToken::new();
    let mut playing = pin!(play(options, Screen::stdout(), stop.clone()));
    tokio::select! {
        is_right = &mut playing => is_right,
        interrupted = interrupted() => {
            interrupted.context("cannot listen for an interrupt")?;
            stop.cancel();
            playing.await
        }
    }
}

/// Waits for Ctrl-C, or for the signal to terminate.
async fn interrupted() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let kind = tokio::signal::unix::SignalKind::terminate();
        let mut terminate = tokio::signal::unix::signal(kind)?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// What the demo has come to.
enum End {
    /// It was played to the end.
    Played(bool),
    /// Somebody has seen enough.
    Interrupted,
}

async fn play(options: Options, screen: Screen, stop: CancellationToken) -> anyhow::Result<bool> {
    let world = World::make().await?;
    let prepared = world.prepare()?;
    start_logging(&prepared.settings)?;
    let service = Service::start(prepared, Clock::system()).await?;
    let (ledger, address) = (service.ledger.clone(), service.address);
    if let Some(address) = address {
        world.open(address);
    }
    let end = CancellationToken::new();
    let mut serving = pin!(service.run(end.clone()));
    let told = tokio::select! {
        ended = &mut serving => {
            ended?;
            bail!("the service ended before the story did");
        }
        told = tell(&world, (ledger, address), options, screen) => told,
        () = stop.cancelled() => Ok(End::Interrupted),
    };
    end.cancel();
    serving.await?;
    world.clear()?;
    match told? {
        End::Played(is_right) => Ok(is_right),
        // Nobody who leaves in the middle has been shown that it is right.
        End::Interrupted => Ok(!options.once && !options.json),
    }
}

/// Starts logging, unless whoever plays the demo has done so.
fn start_logging(settings: &crate::settings::Settings) -> anyhow::Result<()> {
    match telemetry::start(&settings.log, Output::of_stderr(None)) {
        Ok(()) | Err(StartError::Init(_)) => Ok(()),
        Err(error @ StartError::Filter(_)) => Err(error.into()),
    }
}

async fn tell(
    world: &World,
    (ledger, address): (Ledger, Option<SocketAddr>),
    options: Options,
    screen: Screen,
) -> anyhow::Result<End> {
    let is_short = options.once || options.json;
    let pace = if is_short { Pace::Fast } else { Pace::Slow };
    let (screen, mut json) =
        if options.json { (Screen::dark(), Some(screen)) } else { (screen, None) };
    let mut narrator = Narrator::new(world, ledger, screen, pace);
    introduce(&mut narrator.screen)?;
    let mut claims = Vec::new();
    match story::play(&mut narrator).await {
        Ok(()) => {}
        Err(error) => match error.downcast::<InVain>() {
            Ok(in_vain) => {
                // What stands is shown all the same: it tells what went wrong.
                narrator.remark(Look::Bad, &in_vain.to_string()).await?;
                claims.push(in_vain.into());
            }
            Err(error) => return Err(error),
        },
    }
    let report = report::gather(&narrator).await?;
    claims.extend(check(&report));
    let is_right = is_right(&claims);
    report::show(&report, &mut narrator.screen)?;
    report::show_claims(&claims, &mut narrator.screen)?;
    if let Some(screen) = &mut json {
        let whole = Whole { is_right, claims, report };
        screen.whole(part(Look::Plain, serde_json::to_string_pretty(&whole)?))?;
    }
    if !is_short && !narrator.screen.is_gone() {
        stay::stay(&mut narrator, address).await?;
    }
    Ok(End::Played(is_right))
}

/// What `--json` shows.
#[derive(Serialize)]
struct Whole {
    is_right: bool,
    claims: Vec<Claim>,
    #[serde(flatten)]
    report: Report,
}

fn introduce(screen: &mut Screen) -> std::io::Result<()> {
    screen.line(&[])?;
    screen.line(&[
        part(Look::Ours, "Pointsman"),
        part(
            Look::Plain,
            " stands between your forge and your builders.  Here they are stand-ins on this",
        ),
    ])?;
    screen.line(&[part(
        Look::Plain,
        "machine; the service is the real one, over real HTTP, and these are its rules:",
    )])?;
    screen.line(&[])?;
    for line in RULES.lines() {
        let (rule, comment) = line.split_once('#').unwrap_or((line, ""));
        let comment = if comment.is_empty() { String::new() } else { format!("#{comment}") };
        screen.line(&[part(Look::Plain, format!("   {rule}")), part(Look::Quiet, comment)])?;
    }
    Ok(())
}
