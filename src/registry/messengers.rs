//! The systems that carry messages to people, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::{connection_name, host, reporting};
use crate::action::Form;
use crate::clock::Clock;
use crate::directory::{Connection, Directory};
use crate::executors::Finding;
use crate::reporters::mail::Mail;
use crate::reporters::mattermost::Mattermost;
use crate::reporters::slack::Slack;
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    let mut insert =
        |kind: &str, name: &str, (forms, follows): (&'static [Form], bool)| -> anyhow::Result<()> {
            let letters = kind == "mail";
            let connection = Connection { forms, letters, follows, ..Connection::default() };
            directory.insert(connection_name(kind, Some(name))?, connection);
            Ok(())
        };
    for name in settings.mail.keys() {
        insert("mail", name, (Mail::FORMS, false))?;
    }
    // By a webhook nothing can be edited.
    for (name, mattermost) in &settings.mattermost {
        insert("mattermost", name, (Mattermost::FORMS, mattermost.token.is_some()))?;
    }
    for (name, slack) in &settings.slack {
        insert("slack", name, (Slack::FORMS, slack.token.is_some()))?;
    }
    Ok(())
}

/// Adds them as the worker uses them.
pub(super) fn add(
    settings: &Settings,
    sites: &mut BTreeMap<ConnectionName, Site>,
    clock: &Clock,
) -> anyhow::Result<()> {
    for (name, mail) in &settings.mail {
        let reporter = Arc::new(Mail::new(name, mail, clock.clone())?);
        let site = reporting(mail.host.clone(), mail.concurrency, reporter);
        sites.insert(connection_name("mail", Some(name))?, site);
    }
    for (name, mattermost) in &settings.mattermost {
        let reporter = Arc::new(Mattermost::new(name, mattermost, clock.clone())?);
        let at = host_or_kind(mattermost.url.as_ref(), "mattermost");
        let site = reporting(at, mattermost.concurrency, reporter);
        sites.insert(connection_name("mattermost", Some(name))?, site);
    }
    for (name, slack) in &settings.slack {
        let reporter = Arc::new(Slack::new(name, slack, clock.clone())?);
        let at = host_or_kind(slack.url.as_ref(), "slack");
        let site = reporting(at, slack.concurrency, reporter);
        sites.insert(connection_name("slack", Some(name))?, site);
    }
    Ok(())
}

/// Asks each whether it can be used; nobody is told anything.
pub(super) async fn probe(
    settings: &Settings,
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for (name, mail) in &settings.mail {
        let found = Mail::new(name, mail, clock.clone())?.probe().await;
        findings.push((connection_name("mail", Some(name))?, found));
    }
    for (name, mattermost) in &settings.mattermost {
        let found = Mattermost::new(name, mattermost, clock.clone())?.probe().await;
        findings.push((connection_name("mattermost", Some(name))?, found));
    }
    for (name, slack) in &settings.slack {
        let found = Slack::new(name, slack, clock.clone())?.probe().await;
        findings.push((connection_name("slack", Some(name))?, found));
    }
    Ok(findings)
}

/// The host of an address; the address of a webhook is a secret, and names none.
fn host_or_kind(url: Option<&Url>, kind: &str) -> String {
    url.map_or_else(|| kind.to_owned(), host)
}
