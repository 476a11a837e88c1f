//! The program is killed, again and again, wherever it hurts; nothing is lost and nothing doubled.
//!
//! It runs as a process of its own, with SIGKILL as its only end.  The moments of death are
//! chosen by what can be seen from outside: requests and acknowledgements that pass a gate, rows
//! that appear in the ledger, microseconds after a start.  `POINTSMAN_TEST_KILLS` is how often,
//! `POINTSMAN_TEST_SEED` repeats a sequence of moments.

mod commands;
mod gate;
mod judge;
mod moment;
mod town;
pub(crate) mod victim;

use std::time::Duration;

use moment::Moment;
use town::Town;
use victim::Victim;

use crate::world::bus::Bus;
use crate::world::peace;

/// How long a life lasts at most in which its moment does not come.
const LIFE_MAX: Duration = Duration::from_millis(1_500);

/// A number that the environment may change.
fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var_os(name).and_then(|value| value.into_string().ok());
    text.map_or(usual, |text| text.parse().expect("a number"))
}

/// Lives and dies `kills` times, then lives on until all is done; and judges what came of it.
async fn live_and_die(mut town: Town, (kills, seed): (u64, u64)) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut deaths = std::collections::BTreeMap::<String, u64>::new();
    println!("crashes: {kills} kills, POINTSMAN_TEST_SEED={seed}");
    for _ in 0..kills {
        town.go_on(&mut random);
        let moment = Moment::any(&mut random, town.has_broker());
        let mut victim = Victim::start(town.folder());
        let ledger = town.scenery.ledger_path();
        let has_come = {
            let come = moment.come(&town.trap, &ledger);
            let life = async {
                tokio::select! {
                    () = come => true,
                    () = town.deliver_and_idle() => true,
                    end = victim.ended() => panic!("it ended by itself: {end}"),
                }
            };
            tokio::time::timeout(LIFE_MAX, life).await.is_ok()
        };
        victim.kill().await;
        town.disarm();
        let name = if has_come { moment.name() } else { "late".to_owned() };
        *deaths.entry(name).or_default() += 1;
    }
    println!("crashes: {deaths:?}");
    let mut survivor = Victim::start(town.folder());
    tokio::select! {
        () = town.all_done() => {}
        end = survivor.ended() => panic!("it ended by itself: {end}"),
    }
    judge::judge(&town);
    survivor.kill().await;
    town.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_anywhere_loses_and_doubles_nothing() {
    let kills = number("POINTSMAN_TEST_KILLS", 70);
    let bus = Bus::new(&crate::world::bus::address(), peace::shared().await).await;
    // It takes long, and bears it when the broker is disturbed.
    let bus = bus.without_peace();
    let town = Town::build(Some(bus)).await;
    live_and_die(town, (kills, number("POINTSMAN_TEST_SEED", 20_261_120))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_a_broker_processes_all_that_its_door_accepted() {
    let kills = number("POINTSMAN_TEST_KILLS", 70) / 3;
    let town = Town::build(None).await;
    live_and_die(town, (kills, number("POINTSMAN_TEST_SEED", 20_261_120))).await;
}
