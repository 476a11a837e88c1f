//! The program itself, as an operator starts it, and what it tells about itself.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail, ensure};
use tempfile::TempDir;
use tokio::time::{Duration, Instant, sleep};
use url::Url;

use crate::process::{Process, Used};

/// How long a measurement waits for the service at most.
const LIMIT: Duration = Duration::from_mins(5);

/// How many messages the broker hands out ahead, to us and to the floor.  The default of the service
/// is smaller, for the sake of memory where messages are large.
pub(crate) const PREFETCH: u16 = 1_000;

/// One rule, which builds every proposal to one project.
const RULES: &str = r#"
[[rule]]
name  = "pull-request"
on    = "pull_request.opened"
where = { project = "rail/signalbox" }
when  = ["not pull_request.draft"]
trust = "anyone"
build = { on = "jenkins.main", job = "pull-request", parameters = { BRANCH = "{{ head.branch }}", HEAD = "{{ head.sha }}" } }
"#;

/// What the service is to reach.
pub(crate) struct Outside<'a> {
    /// The broker and the queue; without one it listens to its own door only.
    pub(crate) amqp: Option<(&'a str, &'a str)>,
    /// The Jenkins.
    pub(crate) jenkins: &'a str,
}

/// A running `pointsman run`.
pub(crate) struct Service {
    process: Process,
    address: SocketAddr,
    /// When it was started.
    pub(crate) started: Instant,
    _folder: TempDir,
}

impl Service {
    /// Starts the program; it is not ready when this returns.
    pub(crate) fn start(outside: &Outside<'_>) -> anyhow::Result<Self> {
        // Not in /tmp, which may be in memory: durability would cost nothing there.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let address = free_address()?;
        let file = folder.path().join("pointsman.toml");
        std::fs::create_dir(folder.path().join("rules"))?;
        std::fs::write(folder.path().join("rules/bench.toml"), RULES)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command.arg("run").arg("--config").arg(&file).stderr(Stdio::inherit());
        command.env("BENCH_TOKEN", "0");
        let mut text = settings(outside, address);
        if let Some((url, queue)) = outside.amqp {
            let mut url = Url::parse(url)?;
            command.env("BENCH_PASSWORD", url.password().unwrap_or_default());
            url.set_password(None).map_err(|()| anyhow!("`--amqp` is no address"))?;
            write!(
                text,
                "[amqp]\nurl = \"{url}\"\npassword = \"env:BENCH_PASSWORD\"\n\
                 queue = \"{queue}\"\npassive = true\nbind = false\n\
                 prefetch = {PREFETCH}\n"
            )?;
        }
        std::fs::write(&file, text)?;
        let started = Instant::now();
        Ok(Self { process: Process::start(command)?, address, started, _folder: folder })
    }

    /// Waits until `/ready` says yes, asking every millisecond.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<Duration> {
        loop {
            match self.get("/ready") {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => {
                    return Ok(self.started.elapsed());
                }
                Ok(_) | Err(_) => self.wait(Duration::from_millis(1)).await?,
            }
        }
    }

    /// Waits until `count` messages were settled in some way.
    pub(crate) async fn settled(&mut self, count: u64) -> anyhow::Result<()> {
        while self.messages() < count {
            // Not more often: each answer costs the service a count of what waits.
            self.wait(Duration::from_millis(20)).await?;
        }
        Ok(())
    }

    /// How many messages it has settled in any way.
    fn messages(&self) -> u64 {
        self.sum("pointsman_messages_total{")
    }

    /// How often a rule has fired.
    pub(crate) fn fired(&self) -> u64 {
        self.sum("pointsman_rules_total{rule=\"pull-request\",outcome=\"fired\"}")
    }

    /// The sum of the metrics whose lines begin with `start`.
    fn sum(&self, start: &str) -> u64 {
        let metrics = self.get("/metrics").unwrap_or_default();
        let counts = metrics.lines().filter(|line| line.starts_with(start));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// What it has used so far.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        self.process.used()
    }

    async fn wait(&mut self, pause: Duration) -> anyhow::Result<()> {
        ensure!(!self.process.has_ended(), "the service has ended");
        if self.started.elapsed() > LIMIT {
            bail!("the service takes too long");
        }
        sleep(pause).await;
        Ok(())
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn settings(outside: &Outside<'_>, address: SocketAddr) -> String {
    let jenkins = outside.jenkins;
    format!(
        "web.listen = \"{address}\"\nlog.filter = \"error\"\nledger.path = \"bench.db\"\n\
         rules.dir = \"rules\"\n[jenkins.main]\nurl = \"{jenkins}\"\n\
         user = \"bench\"\ntoken = \"env:BENCH_TOKEN\"\n[pagure.main]\n\
         url = \"https://forge.example/\"\ntoken = \"env:BENCH_TOKEN\"\n"
    )
}

/// An address of this machine where nobody listens.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
