//! Mail: one letter for each verdict, all about one subject in one thread.
//!
//! A run that waits or is being built is nothing to write about.  A letter that may have arrived
//! is sent again with the same `Message-ID`, which is computed: **a letter may be delivered
//! twice, but only if the server's answer to it was lost**, and most readers then show one.
//! A recipient that the server refuses stops the letter for all, so that it is noticed.
//!
//! A letter about a patch series answers its mails: it stands in their thread, under their
//! subject.  Only where the settings say so does it also go to the author, whose address is what
//! a mail claims: one that is odd, or that the server refuses, stops nothing.

mod answer;
mod letter;
mod plain;
mod post;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;

use self::letter::{Letter, Sender};
use self::post::PostOffice;
use crate::action::{Form, Notice, Report, Stage};
use crate::clock::Clock;
use crate::executors::{Finding, Try};
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::reporters::chat::cause;
use crate::secret::SecretRef;

/// Letters to some people: `[mail.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// The host of the mail server.
    pub host: String,
    /// Its port; by default the usual one of `security`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept secret.
    #[serde(default)]
    pub security: Security,
    /// Certificates (PEM) of the authorities to trust instead of the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The user that logs in.
    #[serde(default)]
    pub username: Option<String>,
    /// The password of the user.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Who writes.
    pub from: String,
    /// Who is written to.
    pub to: Vec<String>,
    /// Who gets a copy.
    #[serde(default)]
    pub cc: Vec<String>,
    /// Whether the author of a patch series is written to as well.
    #[serde(default)]
    pub to_author: bool,
    /// Where answers go, if not to who writes.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// What stands in brackets at the beginning of each `Subject`, but of an answer to a series.
    #[serde(default = "MailSettings::prefix")]
    pub prefix: String,
    /// The name by which we greet the server; by default that of this machine.
    #[serde(default)]
    pub hello: Option<String>,
    /// How many letters are under way at once.
    #[serde(default = "MailSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of sending one letter.
    #[serde(default = "MailSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

/// How the connection to a mail server is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// By TLS that begins after the greeting, and without which nothing is said.
    #[default]
    StartTls,
    /// By TLS from the beginning.
    Tls,
    /// Not at all: to this machine only.
    None,
}

impl MailSettings {
    fn prefix() -> String {
        "Pointsman".to_owned()
    }

    fn concurrency() -> usize {
        1
    }

    fn timeout() -> Duration {
        Duration::from_mins(1)
    }

    /// Whether `text` is an address, perhaps with a name: `Ada <ada@forge.example>`.
    pub fn is_address(text: &str) -> bool {
        text.parse::<Mailbox>().is_ok() && !text.contains(char::is_control)
    }

    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
        self.host == "localhost" || self.host.parse().is_ok_and(is_loopback)
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::StartTls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }
}

/// Some people who are written to.
#[derive(Debug)]
pub struct Mail {
    name: String,
    sender: Sender,
    office: PostOffice,
    clock: Clock,
}

impl Mail {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Message];

    /// Reads the password of `[mail.NAME]`; one that cannot be read is an error that says where
    /// it should be.
    pub fn new(name: &str, settings: &MailSettings, clock: Clock) -> anyhow::Result<Self> {
        let what = || format!("cannot set up `mail.{name}`");
        Ok(Self {
            name: name.to_owned(),
            sender: Sender::new(settings).with_context(what)?,
            office: PostOffice::new(name, settings).with_context(what)?,
            clock,
        })
    }

    /// Asks whether the server answers and lets us in, without sending anything.
    pub async fn probe(&self) -> Vec<Finding> {
        let problem = self.office.probe().await.err().map(|failure| cause(&failure));
        vec![Finding { subject: format!("mail server {}", self.office.address()), problem }]
    }

    async fn send(&self, letter: &Letter) -> Result<(), Failure> {
        let what = || format!("cannot write a letter of `mail.{}`", self.name);
        let written = self.sender.write(letter, self.clock.now()).with_context(what);
        let written = written.map_err(Failure::give_up)?;
        if let Some(reason) = written.not_to_author {
            tracing::info!(mail = self.name, reason, "The author of a series is not written to");
        }
        self.office.send(&written).await
    }
}

#[async_trait]
impl Reporter for Mail {
    async fn tell(&self, report: &Report, _attempt: Try) -> Result<(), Failure> {
        if report.form != Form::Message {
            return Err(Failure::give_up(anyhow::anyhow!(
                "a letter is a message, and cannot tell it as a {}",
                report.form.as_str()
            )));
        }
        match report.stage {
            Stage::Done(_) => self.send(&Letter::of(report)).await,
            Stage::Held | Stage::Queued | Stage::Running => Ok(()),
        }
    }

    async fn notify(&self, notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        self.send(&Letter::notice(notice)).await
    }
}
