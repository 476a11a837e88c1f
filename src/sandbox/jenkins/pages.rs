//! What a stand-in Jenkins shows: JSON of things, HTML of errors.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::memory::{Build, Cause, Given, Job, Memory};
use super::queue::{Fate, Item, Wait};
use super::{BuildResult, ParameterKind};

/// How many builds a job's page lists unless all are asked for.
const BUILDS_MAX: usize = 100;

/// How many it lists when all are asked for.  Jenkins knows no such end, but whoever asks it for
/// all names a range.
const ALL_BUILDS_MAX: usize = 200;

/// An error, as Jetty shows it.
pub(super) fn error(status: u16, why: &str, path: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = status.as_u16();
    let page = format!(
        "<html>\n<head><title>Error {code} {why}</title></head>\n\
         <body><h2>HTTP ERROR {code} {why}</h2>\n<table>\n\
         <tr><th>URI:</th><td>{path}</td></tr>\n<tr><th>MESSAGE:</th><td>{why}</td></tr>\n\
         </table>\n</body>\n</html>\n"
    );
    let kind = (header::CONTENT_TYPE, "text/html;charset=iso-8859-1");
    (status, [kind], page).into_response()
}

/// An object.
pub(super) fn object(value: &Value) -> Response {
    // Jenkins writes control characters as we do: as escapes.
    let kind = (header::CONTENT_TYPE, "application/json;charset=utf-8");
    ([kind], value.to_string()).into_response()
}

/// An empty answer, with one header.
pub(super) fn empty(status: StatusCode, name: HeaderName, value: &str) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
    (status, headers).into_response()
}

impl Memory {
    pub(super) fn queue_page(&self) -> Value {
        let items = self.items.values();
        let waiting = items.filter(|item| item.fate == Fate::Waits);
        json!({
            "_class": "hudson.model.Queue",
            "discoverableItems": [],
            "items": waiting.map(|item| self.item_page(item)).collect::<Vec<_>>(),
        })
    }

    pub(super) fn item_page(&self, item: &Item) -> Value {
        let mut page = json!({
            "actions": actions(&item.given, &item.cause),
            "blocked": false, "buildable": false, "stuck": false, "why": null,
            "id": item.id,
            "inQueueSince": item.since.as_millisecond(),
            "params": params(&item.given),
            "task": {
                "_class": "hudson.model.FreeStyleProject",
                "name": last_name(&item.job),
                "url": self.job_url(&item.job).as_str(),
                "color": self.jobs.get(&item.job).map_or("notbuilt", Job::color),
            },
            // Relative, and without the prefix: so does Jenkins.
            "url": format!("queue/item/{}/", item.id),
        });
        let more = match (item.fate, self.wait(item)) {
            (Fate::Left(number), _) => json!({
                "_class": "hudson.model.Queue$LeftItem", "cancelled": false,
                "executable": self.short_build(&item.job, number),
            }),
            (Fate::Cancelled, _) => json!({
                "_class": "hudson.model.Queue$LeftItem", "cancelled": true, "executable": null,
            }),
            (Fate::Waits, Wait::Quiet) => json!({
                "_class": "hudson.model.Queue$WaitingItem",
                "why": "In the quiet period. Expires in 4.9 sec",
                "timestamp": item.since.as_millisecond() + 5_000,
            }),
            (Fate::Waits, Wait::Shutdown) => json!({
                "_class": "hudson.model.Queue$BuildableItem", "buildable": true,
                "why": "Jenkins is about to shut down",
                "buildableStartMilliseconds": item.since.as_millisecond(), "pending": false,
            }),
            (Fate::Waits, Wait::Blocked(number)) => json!({
                "_class": "hudson.model.Queue$BlockedItem", "blocked": true,
                "why": format!("Build #{number} is already in progress (ETA: N/A)"),
                "buildableStartMilliseconds": item.since.as_millisecond(),
            }),
            (Fate::Waits, Wait::Stuck(label)) => json!({
                "_class": "hudson.model.Queue$BuildableItem", "buildable": true, "stuck": true,
                "why": format!("‘Jenkins’ doesn’t have label ‘{label}’"),
                "buildableStartMilliseconds": item.since.as_millisecond(), "pending": false,
            }),
        };
        merge(&mut page, more);
        page
    }

    pub(super) fn build_page(&self, job: &str, build: &Build) -> Value {
        let running = build.result.is_none();
        json!({
            "_class": "hudson.model.FreeStyleBuild",
            "actions": actions(&build.given, &build.cause),
            "artifacts": [],
            "building": running,
            "description": null,
            "displayName": format!("#{}", build.number),
            "duration": u64::try_from(build.took.as_millis()).unwrap_or(u64::MAX),
            "estimatedDuration": -1,
            "executor": if running { json!({}) } else { Value::Null },
            "fullDisplayName": format!("{} #{}", job.replace('/', " » "), build.number),
            "id": build.number.to_string(),
            // When the end is announced this still says that the build goes on.
            "inProgress": true,
            "keepLog": false,
            "number": build.number,
            "queueId": build.queue_id,
            "result": build.result.as_ref().map(BuildResult::as_str),
            "timestamp": build.begun.as_millisecond(),
            "url": self.build_url(job, build.number).as_str(),
            "builtOn": "",
            "changeSet": {"_class": "hudson.scm.EmptyChangeLogSet", "items": [], "kind": null},
            "culprits": [],
        })
    }

    /// A superset of what any `tree=` asks for.
    pub(super) fn job_page(&self, name: &str, job: &Job) -> Value {
        let newest = job.builds.iter().rev().take(ALL_BUILDS_MAX);
        let builds: Vec<Value> = newest.map(|build| self.build_page(name, build)).collect();
        let definitions: Vec<Value> = job.spec.parameters.iter().map(definition).collect();
        let property = if definitions.is_empty() {
            json!([])
        } else {
            json!([{
                "_class": "hudson.model.ParametersDefinitionProperty",
                "parameterDefinitions": definitions,
            }])
        };
        let is_queued =
            self.items.values().any(|item| item.fate == Fate::Waits && item.job == *name);
        json!({
            "_class": "hudson.model.FreeStyleProject",
            "actions": [{}],
            "description": "",
            "displayName": last_name(name),
            "fullDisplayName": name.replace('/', " » "),
            "fullName": name,
            "name": last_name(name),
            "url": self.job_url(name).as_str(),
            "buildable": !job.spec.disabled,
            "builds": builds.iter().take(BUILDS_MAX).collect::<Vec<_>>(),
            "allBuilds": builds,
            "color": job.color(),
            "inQueue": is_queued,
            "nextBuildNumber": job.last_number + 1,
            "property": property,
            "concurrentBuild": job.spec.concurrent,
            "disabled": job.spec.disabled,
        })
    }

    fn short_build(&self, job: &str, number: u64) -> Value {
        json!({
            "_class": "hudson.model.FreeStyleBuild",
            "number": number,
            "url": self.build_url(job, number).as_str(),
        })
    }
}

impl Job {
    fn color(&self) -> &'static str {
        if self.spec.disabled {
            return "disabled";
        }
        let ended = self.builds.iter().rev().find_map(|build| build.result.as_ref());
        let is_running = self.builds.iter().any(|build| build.result.is_none());
        match (ended, is_running) {
            (Some(BuildResult::Success), false) => "blue",
            (Some(BuildResult::Success), true) => "blue_anime",
            (Some(BuildResult::Unstable), false) => "yellow",
            (Some(BuildResult::Unstable), true) => "yellow_anime",
            (Some(BuildResult::Failure | BuildResult::Other(_)), false) => "red",
            (Some(BuildResult::Failure | BuildResult::Other(_)), true) => "red_anime",
            (Some(BuildResult::Aborted), false) => "aborted",
            (Some(BuildResult::Aborted), true) => "aborted_anime",
            (Some(BuildResult::NotBuilt) | None, false) => "notbuilt",
            (Some(BuildResult::NotBuilt) | None, true) => "notbuilt_anime",
        }
    }
}

fn definition(spec: &super::ParameterSpec) -> Value {
    let kind = match spec.kind {
        ParameterKind::Text => "String",
        ParameterKind::Boolean => "Boolean",
        ParameterKind::Choice(_) => "Choice",
        ParameterKind::Password => "Password",
    };
    let mut default = value(&Given::default_of(spec));
    if let Value::Object(default) = &mut default {
        default.remove("name");
    }
    let mut definition = json!({
        "_class": format!("hudson.model.{kind}ParameterDefinition"),
        "defaultParameterValue": default,
        "name": spec.name,
        "type": format!("{kind}ParameterDefinition"),
    });
    if let ParameterKind::Choice(choices) = &spec.kind {
        merge(&mut definition, json!({"choices": choices}));
    }
    definition
}

fn actions(given: &[Given], cause: &Cause) -> Value {
    let cause = json!({"_class": "hudson.model.CauseAction", "causes": [cause_page(cause)]});
    if given.is_empty() {
        return json!([cause]);
    }
    let parameters: Vec<Value> = given.iter().map(value).collect();
    json!([{"_class": "hudson.model.ParametersAction", "parameters": parameters}, cause])
}

fn cause_page(cause: &Cause) -> Value {
    let more = match cause {
        Cause::User(name) => json!({"userId": name, "userName": name}),
        Cause::Remote { host, note } => json!({"addr": host, "note": note}),
    };
    let mut page = json!({
        "_class": format!("hudson.model.Cause${}", cause.class()),
        "shortDescription": cause.sentence(),
    });
    merge(&mut page, more);
    page
}

/// A password has no value.
fn value(given: &Given) -> Value {
    let Given { name, kind, value } = given;
    match kind {
        ParameterKind::Text | ParameterKind::Choice(_) => json!({
            "_class": "hudson.model.StringParameterValue", "name": name, "value": value,
        }),
        ParameterKind::Boolean => json!({
            "_class": "hudson.model.BooleanParameterValue", "name": name,
            "value": value == "true",
        }),
        ParameterKind::Password => json!({
            "_class": "hudson.model.PasswordParameterValue", "name": name,
        }),
    }
}

fn params(given: &[Given]) -> String {
    let mut text = String::new();
    for given in given {
        if write!(text, "\n{}={}", given.name, given.masked()).is_err() {
            break;
        }
    }
    text
}

fn last_name(job: &str) -> &str {
    job.rsplit('/').next().unwrap_or(job)
}

fn merge(page: &mut Value, more: Value) {
    if let (Value::Object(page), Value::Object(more)) = (page, more) {
        page.extend(more);
    }
}
