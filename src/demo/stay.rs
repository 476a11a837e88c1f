//! After the story: the service stays up, and whoever watches is told how to take part.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::narrator::Narrator;
use super::screen::{Look, part};
use super::story;
use super::world::record;
use crate::sandbox::jenkins::{Automatic, BuildResult};

/// The commit of a pull request that the spectator announces.
const YOURS: &str = "0dd5c0de7a1b3e92f46d8c05b7e13a9f2c684d10";
/// How long builds take when nobody directs them.
const BUILD: Duration = Duration::from_secs(2);

/// Says how to take part, and tells what happens until the spectator leaves.
pub(super) async fn stay(
    narrator: &mut Narrator<'_>,
    address: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let world = narrator.world;
    narrator.restore_messages();
    world.jenkins.set_automatic(Automatic::FinishAfter(BUILD, Arc::new(|_| BuildResult::Success)));
    let told = story::open(narrator, "ada", "Raise the signal", "signal", YOURS)?;
    let told = told.first().context("Pagure says nothing about a new pull request")?;
    world.write("pull-request.json", &record(told).to_string())?;
    let program = std::env::args().next().unwrap_or_else(|| "pointsman".to_owned());
    let settings = world.path("pointsman.toml");
    let screen = &mut narrator.screen;
    let mut say = |look, words: String| screen.whole(part(look, words));
    say(Look::Strong, "It stays up.  Look around from another terminal:".to_owned())?;
    say(Look::Plain, String::new())?;
    for command in ["runs", "why 'signalbox#2'", "messages list"] {
        say(Look::Ours, format!("   {program} -c {} {command}", settings.display()))?;
    }
    if let Some(address) = address {
        say(Look::Ours, format!("   curl http://{address}/ready"))?;
        say(Look::Plain, String::new())?;
        let words = "Announce a pull request yourself, and see what happens here:";
        say(Look::Strong, words.to_owned())?;
        say(Look::Plain, String::new())?;
        let (token, body) = (world.path("web-token"), world.path("pull-request.json"));
        let token = token.display();
        say(Look::Ours, format!("   curl -H \"Authorization: Bearer $(cat {token})\" \\"))?;
        say(Look::Ours, format!("        -d @{} \\", body.display()))?;
        say(Look::Ours, format!("        http://{address}/api/v1/messages"))?;
    }
    say(Look::Plain, String::new())?;
    say(Look::Quiet, "Ctrl-C ends it, and nothing is left behind.".to_owned())?;
    say(Look::Plain, String::new())?;
    narrator.go_on().await
}
