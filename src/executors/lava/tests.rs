//! The executor against the stand-in, over real HTTP.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::executors::{Lab, Probe};
use crate::remote::chain;
use crate::sandbox::lava::{Case, Device, LavaStandIn, Mood, Outcome};

mod boards;
mod definitions;
mod ending;
mod hostile;
mod inspecting;
mod limits;
mod lost;
mod refusals;

const TOKEN: &str = "lava-SECRET0TOKEN";
const US: &str = "pointsman";
const DEFINITION: &str = "
device_type: tank
job_name: shunting
timeouts: {job: {minutes: 5}}
visibility: public
actions: []
";

/// A LAVA with two boards, and us beside it.
struct Yard {
    lava: LavaStandIn,
    us: Lava,
    secrets: TempDir,
}

impl Yard {
    async fn open() -> Self {
        let lava = LavaStandIn::start(clock()).await.unwrap();
        lava.add_token(TOKEN, US);
        lava.add_device(Device::new("tank-1", "tank", &["steam"]));
        lava.add_device(Device::new("tank-2", "tank", &[]));
        let secrets = TempDir::new().unwrap();
        let us = us(&lava, &secrets, &json!({}));
        Self { lava, us, secrets }
    }

    /// As [`Yard::open`], with these limits.
    async fn with(limits: serde_json::Value) -> Self {
        let mut yard = Self::open().await;
        yard.us = us(&yard.lava, &yard.secrets, &limits);
        yard
    }

    async fn start(&self, number: u8) -> Sighting {
        self.us.start(&order(number), Try::First).await.unwrap()
    }

    /// Starts a job that then ends so, and what is seen of it.
    async fn ended(&self, outcome: Outcome) -> Sighting {
        let started = self.start(1).await;
        let id = number(&started);
        assert!(self.lava.begin(id));
        assert!(self.lava.finish(id, outcome).await);
        self.us.inspect(&lookup(&started)).await.unwrap()
    }

    /// The calls since the last time.
    fn calls(&self) -> String {
        let calls = self.lava.requests().join("\n");
        self.lava.forget_requests();
        calls
    }

    /// The text with port and numbers taken out, and no secret in it.
    fn mask(&self, text: impl std::fmt::Display) -> String {
        let text = text.to_string().replace(&self.lava.url(), "https://lava.example");
        for secret in [TOKEN, door().token(&run(1)).expose_secret()] {
            assert!(!text.contains(secret), "{text}");
        }
        text
    }

    /// What the answer means, and says.
    fn told(&self, result: Result<Sighting, Failure>) -> String {
        self.mask(match result {
            Ok(Sighting { state, reason, .. }) => format!("{state:?}: {reason:?}"),
            Err(Failure::GiveUp(source)) => format!("gives up: {}", chain(source.as_ref())),
            Err(Failure::Retry { source, after }) => {
                format!("tries again {after:?}: {}", chain(source.as_ref()))
            }
        })
    }
}

fn clock() -> Clock {
    Clock::manual(Hand::at(from_millis(1_795_162_907_582)))
}

fn door() -> EndedDoor {
    let page_url = Url::parse("https://pointsman.example/").unwrap();
    EndedDoor::new(&page_url, SecretString::from("points-are-set-1".to_owned())).unwrap()
}

fn us(lava: &LavaStandIn, secrets: &TempDir, limits: &serde_json::Value) -> Lava {
    let file = secrets.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut settings = json!({ "url": lava.url(), "token": format!("file:{}", file.display()) });
    for (key, value) in limits.as_object().unwrap() {
        settings[key] = value.clone();
    }
    let settings: LavaSettings = serde_json::from_value(settings).unwrap();
    Lava::new("lab", &settings, Some(door()), clock()).unwrap()
}

fn run(number: u8) -> RunId {
    RunId::try_from(format!("{number:032x}")).unwrap()
}

fn order(number: u8) -> Order {
    Order {
        run: run(number),
        job: "jobs/shunting.yaml".to_owned(),
        parameters: BTreeMap::new(),
        reference: None,
        sha: None,
        definition: Some(DEFINITION.to_owned()),
        board: None,
        cause: "nano-image 7 on tank".to_owned(),
    }
}

fn defined(definition: &str) -> Order {
    Order { definition: Some(definition.to_owned()), ..order(1) }
}

fn lookup(sighting: &Sighting) -> Lookup {
    Lookup { run: sighting.run.clone(), ticket: sighting.ticket.clone() }
}

/// A run of which nothing else is known.
fn only_run(number: u8) -> Lookup {
    let ticket = Ticket { job: "jobs/shunting.yaml".to_owned(), ..Ticket::default() };
    Lookup { run: Some(run(number)), ticket }
}

fn number(sighting: &Sighting) -> u64 {
    sighting.ticket.number.unwrap()
}
