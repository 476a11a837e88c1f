//! The program is killed while it submits jobs for forty kinds of boards.

use std::collections::BTreeMap;

use pointsman::sandbox::slack::SlackStandIn;

use super::lab::{
    BUILD, GLANCE, JOB, RULES, USER, announce, free_address, furnish, image_of, lava, more,
};
use crate::crashes::victim::Victim;
use crate::world::look::Look;
use crate::world::{PATIENCE, Scenery};

const BOARDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_in_the_middle_submits_no_job_twice() {
    let names: Vec<_> = (0..BOARDS).map(|number| format!("board-{number:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let lava = lava(&names).await;
    let slack = SlackStandIn::start().await.unwrap();
    let scenery = Scenery::build(Scenery::current()).await;
    scenery.open('a');
    let door = free_address().await;
    let settings = "poll_min = '10ms'\npoll_max = '50ms'\njobs_max = 12\nconcurrency = 4";
    scenery.write(RULES, &more(&lava, door, settings));
    furnish(scenery.folder.path(), &slack, JOB);
    let forge = scenery.pagure.url();
    let image = image_of(forge.trim_start_matches("http://"), BUILD);
    let mut has_told = false;
    let mut glances = tokio::time::interval(GLANCE);
    for kills in 0..12 {
        let victim = Victim::start(scenery.folder.path());
        let wait = async {
            while !has_told {
                has_told = announce(door, &image).await.is_some_and(|status| status < 300);
                glances.tick().await;
            }
            // It dies when a few more have been submitted, each time a little later.
            while lava.jobs().len() < (kills * 3) + 1 {
                lava.play().await;
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it submits nothing");
        // The answer to what is under way now is lost.
        lava.lose_answers(usize::from(kills % 2 == 1));
        victim.kill().await;
    }
    let survivor = Victim::start(scenery.folder.path());
    let mut last = Look::default();
    let wait = async {
        loop {
            lava.play().await;
            last = Look::at(&scenery.ledger_path());
            if !last.runs.is_empty() && last.is_quiet() && last.open_runs() == 0 {
                return;
            }
            glances.tick().await;
        }
    };
    let is_late = tokio::time::timeout(PATIENCE, wait).await.is_err();
    assert!(!is_late, "{:#?}", (&last.open, last.runs()));
    survivor.kill().await;
    let mut jobs = BTreeMap::<String, usize>::new();
    for job in lava.jobs() {
        *jobs.entry(job.device_type).or_default() += 1;
    }
    assert_eq!(jobs.len(), BOARDS, "each kind of board has its job");
    assert!(jobs.values().all(|count| *count == 1), "none has two: {jobs:?}");
    assert!(lava.most_unfinished(USER) <= 12, "{}", lava.most_unfinished(USER));
    assert_eq!(last.buried, []);
    let said: Vec<_> = slack.messages().into_iter().map(|said| said.text).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("40 of 40 boards passed"), "{said:?}");
}
