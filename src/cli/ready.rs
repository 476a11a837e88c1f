//! `ready`: whether the running service does its work, for health checks of containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::console::Console;
use super::words::{count, safe};
use super::{Common, Exit, load};
use crate::remote::Remote;

/// Docker and its like give a health check 30 seconds; an answer takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Which service.
#[derive(Debug, clap::Args)]
pub(super) struct Ready {
    /// Its address, if it is not the one in the settings (`web.listen`).
    #[arg(long)]
    url: Option<Url>,
}

pub(super) async fn run(
    common: &Common,
    ready: Ready,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let base = match ready.url {
        Some(url) => url,
        None => match load::settings(common, console)? {
            Some(settings) => address(settings.web.listen)?,
            None => return Ok(Exit::Usage),
        },
    };
    let remote = Remote::new(&base, TIMEOUT, console.clock().clone())?;
    let request = remote.request(Method::GET, remote.url(&["ready"]));
    let answer = remote.send(request).await.with_context(|| format!("cannot ask {base}"))?;
    let is_ready = answer.status.is_success();
    let report: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if common.json {
        console.json(&report)?;
    } else {
        let word = if is_ready {
            "ready".to_owned()
        } else {
            format!("not ready: {}", why(&report, answer.status.as_u16()))
        };
        let details = rules(&report).into_iter().chain(failing(&report)).chain(unheard(&report));
        for line in [word].into_iter().chain(details) {
            console.line(&safe(&line))?;
        }
    }
    Ok(if is_ready { Exit::Success } else { Exit::Failure })
}

/// Where the service listens, as one reaches it from the same machine.
fn address(listen: Option<SocketAddr>) -> anyhow::Result<Url> {
    let mut address =
        listen.ok_or_else(|| anyhow!("`web.listen` is off, so there is nobody to ask"))?;
    address.set_ip(match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    });
    Ok(Url::parse(&format!("http://{address}/"))?)
}

/// What is not as it has to be.
fn why(report: &Value, status: u16) -> String {
    if let Some(error) = report.get("error").and_then(Value::as_str) {
        return error.to_owned();
    }
    let sources = report.get("sources").and_then(Value::as_object);
    let down = sources.into_iter().flatten().filter(|(_, is_up)| **is_up == Value::Bool(false));
    let down: Vec<&str> = down.map(|(name, _)| name.as_str()).collect();
    if down.is_empty() {
        format!("it answers with status {status}")
    } else {
        format!("it does not hear {}", down.join(" and "))
    }
}

/// Which rules are in force, and what is wrong with their files.
fn rules(report: &Value) -> Vec<String> {
    let Some(rules) = report.get("rules").filter(|rules| rules.is_object()) else {
        return Vec::new();
    };
    let number = |key: &str| rules.get(key).and_then(Value::as_u64).unwrap_or_default();
    let text = |key: &str| rules.get(key).and_then(Value::as_str);
    let count = count(usize::try_from(number("count")).unwrap_or(usize::MAX), "rule");
    let since = text("loaded_at").unwrap_or("an unknown time");
    let in_force = format!("{count} since {since} (generation {})", number("generation"));
    let fault = text("fault").map(|fault| format!("newer rules are not in force: {fault}"));
    [in_force].into_iter().chain(fault).collect()
}

/// The projects whose open proposals cannot be looked at.
fn failing(report: &Value) -> Option<String> {
    let reconcile = report.get("reconcile")?;
    let number = |key: &str| reconcile.get(key).and_then(Value::as_u64).unwrap_or_default();
    let failures = reconcile.get("failures").and_then(Value::as_object)?;
    let (place, error) = failures.iter().next()?;
    let error = error.as_str().unwrap_or_default();
    Some(format!(
        "missed events of {} of {} projects cannot be found: {place}: {error}",
        number("failing"),
        number("projects")
    ))
}

/// The sources that have to be asked and do not answer.
fn unheard(report: &Value) -> Vec<String> {
    let polled = report.get("polled").and_then(Value::as_object);
    let line = |(source, how): (&String, &Value)| {
        let error = how.get("error").and_then(Value::as_str)?;
        let since = how.get("succeeded_at").and_then(Value::as_str);
        let since = since.map_or_else(|| "yet".to_owned(), |since| format!("since {since}"));
        Some(format!("{source} has not answered {since}: {error}"))
    };
    polled.into_iter().flatten().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_do_not_answer_are_told() {
        let report = serde_json::json!({"polled": {
            "forge.good": {"succeeded_at": "2026-11-20T08:00:00Z", "error": null},
            "forge.late": {"succeeded_at": "2026-11-19T08:00:00Z", "error": "503"},
            "forge.mute": {"succeeded_at": null, "error": "401"},
        }});
        insta::assert_snapshot!(unheard(&report).join("\n"), @r"
        forge.late has not answered since 2026-11-19T08:00:00Z: 503
        forge.mute has not answered yet: 401
        ");
        assert!(unheard(&Value::Null).is_empty());
    }

    #[test]
    fn projects_that_cannot_be_looked_at_are_told() {
        let report = serde_json::json!({"reconcile": {
            "done_at": null, "projects": 9, "failing": 2, "failures": {"forge.main a": "404"},
        }});
        assert_eq!(
            failing(&report).unwrap(),
            "missed events of 2 of 9 projects cannot be found: forge.main a: 404"
        );
        assert!(failing(&serde_json::json!({"reconcile": null})).is_none());
    }

    #[test]
    fn the_rules_in_force_are_told_and_why_newer_ones_are_not() {
        let mut report = serde_json::json!({"rules": {
            "loaded_at": "2026-11-20T08:00:00Z", "count": 1, "generation": 3, "fault": null,
        }});
        assert_eq!(rules(&report), ["1 rule since 2026-11-20T08:00:00Z (generation 3)"]);
        report["rules"]["fault"] = "rules/x.toml:12: no".into();
        assert_eq!(rules(&report)[1], "newer rules are not in force: rules/x.toml:12: no");
        assert!(rules(&Value::Null).is_empty());
    }

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        let at = |text: &str| address(Some(text.parse().unwrap())).unwrap().to_string();
        assert_eq!(at("0.0.0.0:8710"), "http://127.0.0.1:8710/");
        assert_eq!(at("[::]:8710"), "http://[::1]:8710/");
        assert_eq!(at("192.0.2.1:80"), "http://192.0.2.1/");
        assert!(address(None).is_err());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let report = serde_json::json!({"sources": {"the inbox": true, "the broker": false}});
        assert_eq!(why(&report, 503), "it does not hear the broker");
        assert_eq!(why(&Value::Null, 502), "it answers with status 502");
    }
}
