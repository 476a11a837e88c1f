//! A lab with boards, a build system that announces images, a channel, and the service among them.

use std::net::SocketAddr;
use std::time::Duration;

use pointsman::clock::Clock;
use pointsman::remote::Remote;
use pointsman::sandbox::lava::{Device, LavaStandIn};
use pointsman::sandbox::slack::SlackStandIn;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::world::{PATIENCE, PROJECT, World, sha};

/// A job on each kind of board, told in the chat and where the image comes from.
pub(super) const RULES: &str = r#"
    [[rule]]
    name = "smoke"
    on = "artifact.published"
    where = { artifact = "nano-*" }
    build = { on = "lava.lab", job = "jobs/smoke.yaml", for_each = { device_type = { tag = "nano" } } }
    report = [{ to = "slack.boards" }, { to = "origin", as = "flag" }, { to = "origin", as = "comment" }]
"#;

/// The definition of the job.
pub(super) const JOB: &str = r"device_type: {{ device_type }}
job_name: smoke of {{ artifact.name }} {{ artifact.build }}
timeouts:
  job: { minutes: 15 }
  action: { minutes: 5 }
  connection: { minutes: 2 }
priority: medium
visibility: public
actions:
- deploy:
    to: tmpfs
    images:
      rootfs:
        url: {{ artifact.files.rootfs.url }}
        sha256sum: {{ artifact.files.rootfs.sha256 | json }}
- boot:
    method: minimal
";

/// The build of the image.
pub(super) const BUILD: &str = "2026-11-20.3";
/// Who submits jobs.
pub(super) const USER: &str = "pointsman";

const LAVA_TOKEN: &str = "token-of-the-lab-0123456789";
const IMAGES_TOKEN: &str = "token-of-the-images-0123456789";
const RUN_SECRET: &str = "secret-of-the-runs-0123456789";
const CHANNEL: &str = "T0/B0/secret-of-the-channel";
const TAG: &str = "nano";

/// Everything around an image.
pub(super) struct Lab {
    pub(super) world: World,
    pub(super) lava: LavaStandIn,
    pub(super) slack: SlackStandIn,
}

impl Lab {
    /// A lab with a board of each of these kinds.
    pub(super) async fn open(rules: &str, boards: &[&str]) -> Self {
        Self::with(rules, boards, "").await
    }

    /// As [`Lab::open`], with these settings of the lab.
    pub(super) async fn with(rules: &str, boards: &[&str], settings: &str) -> Self {
        Self::of((rules, JOB), boards, &format!("poll_min = '5ms'\npoll_max = '20ms'\n{settings}"))
            .await
    }

    /// As [`Lab::with`], with a definition, and asked after jobs as the settings say.
    pub(super) async fn of((rules, job): (&str, &str), boards: &[&str], settings: &str) -> Self {
        let lava = lava(boards).await;
        let slack = SlackStandIn::start().await.unwrap();
        let setup = World::of(rules).await.settings(&more(&lava, free_address().await, settings));
        furnish(setup.folder(), &slack, job);
        let mut world = setup.start().await;
        // The image is made of its head.
        world.open('a').await;
        Self { world, lava, slack }
    }

    /// More boards of one kind.
    pub(super) fn add_board(&self, kind: &str, number: usize) {
        self.lava.add_device(Device::new(&format!("{kind}-{number:02}"), kind, &[TAG]));
    }

    /// The build system announces an image by HTTP; the status of the answer.
    pub(super) async fn announce(&self, image: &Value) -> u16 {
        announce(self.world.running.address, image).await.unwrap()
    }

    /// The same on the bus.
    pub(super) async fn announce_on_the_bus(&mut self, image: &Value) {
        let mut body = image.clone();
        body["producer"] = "images".into();
        self.world.publish("example.prod.pointsman.artifact.published", &body).await;
    }

    /// Waits until so many jobs were submitted, ever.
    pub(super) async fn until_jobs(&mut self, count: usize) {
        let lava = self.lava.clone();
        self.world.until("jobs", |_| lava.jobs().len() >= count).await;
    }

    /// Jobs go on as the scripts say until so many have ended.
    pub(super) async fn plays_until(&mut self, count: usize) {
        let ended = |lava: &LavaStandIn| lava.jobs().iter().filter(|job| job.is_finished()).count();
        while ended(&self.lava) < count {
            let before = self.lava.jobs().iter().filter(|job| !job.is_finished()).count();
            if before == 0 {
                let (lava, known) = (self.lava.clone(), ended(&self.lava));
                self.world.until("another job", |_| lava.jobs().len() > known).await;
            }
            self.lava.play().await;
        }
    }

    /// What was said in the chat, fit to be compared.
    pub(super) fn said(&self) -> String {
        let said: Vec<_> = self.slack.messages().into_iter().map(|said| said.text).collect();
        self.masked(&said.join("\n---\n"))
    }

    /// The text without what is another each time, and without what nobody sees.
    pub(super) fn masked(&self, text: &str) -> String {
        let text = text.replace(&self.lava.url(), "https://lava.example");
        self.world.scenery.masked(&text.replace('\u{2060}', ""))
    }
}

/// A stand-in with a board of each of these kinds, all with the tag.
pub(super) async fn lava(boards: &[&str]) -> LavaStandIn {
    let lava = LavaStandIn::start(Clock::system()).await.unwrap();
    lava.add_token(LAVA_TOKEN, USER);
    lava.add_tag(TAG);
    for kind in boards {
        lava.add_device_type(kind);
        lava.add_device(Device::new(&format!("{kind}-01"), kind, &[TAG]));
    }
    lava
}

/// The settings of the lab, and where callbacks are taken.
pub(super) fn more(lava: &LavaStandIn, door: SocketAddr, settings: &str) -> String {
    format!(
        "[web]\nlisten = '{door}'\n\
         [service]\npage_url = 'http://{door}/'\nrun_secret = 'file:run-secret'\n\
         [producer.images]\nartifacts = ['nano-*']\ntoken = 'file:images-token'\n\
         [slack.boards]\nwebhook = 'file:slack-webhook'\n\
         [lava.lab]\nurl = '{}'\ntoken = 'file:lava-token'\n{settings}\n",
        lava.url()
    )
}

/// Writes the secrets, and the definition beside the rules.
pub(super) fn furnish(folder: &std::path::Path, slack: &SlackStandIn, job: &str) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    std::fs::create_dir_all(folder.join("rules/jobs")).unwrap();
    write("rules/jobs/smoke.yaml", job);
    write("lava-token", LAVA_TOKEN);
    write("images-token", IMAGES_TOKEN);
    write("run-secret", RUN_SECRET);
    write("slack-webhook", &slack.webhook(CHANNEL));
}

/// Announces an image; nothing where nobody listens.
pub(super) async fn announce(door: SocketAddr, image: &Value) -> Option<u16> {
    let base = Url::parse(&format!("http://{door}/")).unwrap();
    let remote = Remote::new(&base, PATIENCE, Clock::system()).unwrap();
    let request = remote
        .request(Method::POST, remote.url(&["api", "v1", "artifacts"]))
        .bearer_auth(IMAGES_TOKEN)
        .json(image);
    remote.send(request).await.ok().map(|answer| answer.status.as_u16())
}

/// A new image, made of the head of a pull request.
pub(super) fn image(world: &World, build: &str) -> Value {
    image_of(world.scenery.pagure.url().trim_start_matches("http://"), build)
}

/// As [`image`], at a forge of this host.
pub(super) fn image_of(forge: &str, build: &str) -> Value {
    json!({
        "name": "nano-cortex",
        "kind": "image",
        "version": "26.11",
        "build": build,
        "url": format!("https://ci.example/nano/{build}"),
        "files": [{
            "name": "rootfs",
            "url": format!("https://images.example/{build}/rootfs.img.xz"),
            "checksums": { "sha256": "1".repeat(64) },
        }],
        "tags": [TAG],
        "change": { "instance": forge, "project": PROJECT, "number": 1, "sha": sha('a') },
    })
}

/// An address that is free, and stays so in all likelihood.
pub(super) async fn free_address() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// How often is looked at what tells of no changes.
pub(super) const GLANCE: Duration = Duration::from_millis(10);
