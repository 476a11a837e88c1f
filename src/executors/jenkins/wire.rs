//! Jenkins' JSON, and what we make of it.
//!
//! Whole objects are read with the types of `jenkins_api`; they refuse the excerpts that `tree=`
//! gives, which have types of their own here.

use jenkins_api::action::parameters::{StringParameterValue, TextParameterValue};
use jenkins_api::action::{CommonAction, ParametersAction};
use jenkins_api::build::CommonBuild;
use jenkins_api::queue::QueueItem;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::executors::BuildState;
use crate::subject::{RunId, Verdict};

/// Everything that waits, with its parameters.
pub(super) const QUEUE_QUERY: &str =
    "tree=items%5Bid,why,actions%5Bparameters%5Bname,value%5D%5D%5D";

/// The newest builds of a job, with their parameters; `builds` would end after 100.
pub(super) const BUILDS_QUERY: &str = "tree=allBuilds%5Bnumber,queueId,building,result,\
                                       actions%5Bparameters%5Bname,value%5D%5D%5D%7B0,200%7D";

/// What can be started with which parameters.
pub(super) const JOB_QUERY: &str = "tree=name,buildable,\
                                    property%5BparameterDefinitions%5Bname,type%5D%5D,\
                                    actions%5BparameterDefinitions%5Bname,type%5D%5D";

/// The longest reason for waiting that is passed on, in characters.
const WHY_MAX: usize = 200;

/// A build or an entry of the queue as Jenkins shows it.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) state: BuildState,
    pub(super) queued: Option<u64>,
    pub(super) number: Option<u64>,
    pub(super) run: Option<RunId>,
}

/// An order that Jenkins has taken.
#[derive(Debug, PartialEq)]
pub(super) struct Accepted {
    /// The entry of the queue; some ways of ordering tell only the job.
    pub(super) item: Option<u64>,
}

/// Whether an answer to a start says that the order is taken.
pub(super) fn accepted(status: StatusCode, location: Option<&Url>) -> Option<Accepted> {
    let item = location.and_then(item_of);
    match status {
        StatusCode::CREATED => Some(Accepted { item }),
        // Equal parameters are in the queue already.  The entry is ours: nobody else has this run
        // id.  Without an entry it is a redirect like any other.
        StatusCode::SEE_OTHER => item.map(|id| Accepted { item: Some(id) }),
        _ => None,
    }
}

/// The number of the entry that `…/queue/item/N/` names.
fn item_of(location: &Url) -> Option<u64> {
    let mut segments = location.path_segments()?.rev().filter(|part| !part.is_empty());
    let id = segments.next()?.parse().ok()?;
    (segments.next() == Some("item") && segments.next() == Some("queue")).then_some(id)
}

/// Reads a build.
pub(super) fn build(body: &[u8], run_parameter: &str) -> serde_json::Result<Seen> {
    let mut value = without_null_actions(body)?;
    // The crate's type knows five results and fails at any other.
    let result = value.get_mut("result").map(Value::take).unwrap_or_default();
    let build: CommonBuild = serde_json::from_value(value)?;
    Ok(Seen {
        state: state(build.building, result.as_str()),
        queued: u64::try_from(build.queue_id).ok(),
        number: Some(build.number.into()),
        run: run_of(&build.actions, run_parameter),
    })
}

/// The object without the gaps that some plugins leave in its list of actions, which the crate's
/// types do not expect.
fn without_null_actions(body: &[u8]) -> serde_json::Result<Value> {
    let mut value: Value = serde_json::from_slice(body)?;
    if let Some(Value::Array(actions)) = value.get_mut("actions") {
        actions.retain(|action| !action.is_null());
    }
    Ok(value)
}

/// Reads an entry of the queue.
pub(super) fn item(body: &[u8], run_parameter: &str) -> serde_json::Result<Seen> {
    let item: QueueItem = serde_json::from_value(without_null_actions(body)?)?;
    let state = match (&item.executable, item.cancelled) {
        (Some(_), _) => BuildState::Running,
        (None, Some(true)) => BuildState::Finished(Verdict::Cancelled),
        (None, Some(false) | None) => BuildState::Queued(why(item.why)),
    };
    Ok(Seen {
        state,
        queued: Some(item.id.into()),
        number: item.executable.map(|build| build.number.into()),
        run: run_of(&item.actions, run_parameter),
    })
}

/// Reads the answer to [`QUEUE_QUERY`].
pub(super) fn queue(body: &[u8], run_parameter: &str) -> serde_json::Result<Vec<Seen>> {
    let queue: Queue = serde_json::from_slice(body)?;
    let seen = queue.items.into_iter().map(|item| Seen {
        run: excerpt_run(&item.actions, run_parameter),
        state: BuildState::Queued(why(item.why)),
        queued: Some(item.id),
        number: None,
    });
    Ok(seen.collect())
}

/// Reads the answer to [`BUILDS_QUERY`].
pub(super) fn builds(body: &[u8], run_parameter: &str) -> serde_json::Result<Vec<Seen>> {
    let job: Builds = serde_json::from_slice(body)?;
    let seen = job.all_builds.into_iter().map(|build| Seen {
        run: excerpt_run(&build.actions, run_parameter),
        state: state(build.building, build.result.as_deref()),
        queued: build.queue_id.and_then(|id| u64::try_from(id).ok()),
        number: Some(build.number),
    });
    Ok(seen.collect())
}

/// Reads the answer to [`JOB_QUERY`].
pub(super) fn job(body: &[u8]) -> serde_json::Result<Job> {
    serde_json::from_slice(body)
}

#[derive(Deserialize)]
struct Queue {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: u64,
    why: Option<String>,
    #[serde(default)]
    actions: Vec<Option<Action>>,
}

/// The list is no option: a Jenkins that does not know the word must not look like a job that was
/// never built.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Builds {
    all_builds: Vec<Build>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Build {
    number: u64,
    queue_id: Option<i64>,
    building: bool,
    result: Option<String>,
    #[serde(default)]
    actions: Vec<Option<Action>>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    parameters: Vec<Parameter>,
}

/// A password has no value, a flag is a boolean.
#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(default)]
    value: Value,
}

/// What `check --online` asks of a job.
#[derive(Deserialize)]
pub(super) struct Job {
    #[serde(default)]
    pub(super) buildable: bool,
    #[serde(default)]
    property: Vec<Option<Definitions>>,
    #[serde(default)]
    actions: Vec<Option<Definitions>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definitions {
    #[serde(default)]
    parameter_definitions: Vec<Definition>,
}

/// A parameter that a job defines.
#[derive(Deserialize)]
pub(super) struct Definition {
    pub(super) name: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

impl Job {
    /// The parameters, which stand among the properties, and in old versions among the actions.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Definition> {
        let parts = self.property.iter().chain(&self.actions).flatten();
        parts.flat_map(|part| &part.parameter_definitions)
    }
}

/// A result that is set while the build goes on is not the last word; `inProgress` on the other
/// hand still holds when the end has been announced.
fn state(building: bool, result: Option<&str>) -> BuildState {
    match (building, result) {
        (true, _) | (false, None) => BuildState::Running,
        (false, Some(result)) => BuildState::Finished(match result {
            "SUCCESS" => Verdict::Success,
            "UNSTABLE" => Verdict::Unstable,
            "FAILURE" => Verdict::Failure,
            "ABORTED" => Verdict::Cancelled,
            "NOT_BUILT" => Verdict::Skipped,
            _ => Verdict::Error,
        }),
    }
}

fn why(text: Option<String>) -> Option<String> {
    let text = text?;
    let text = text.chars().filter(|c| !c.is_control());
    Some(text.take(WHY_MAX).collect::<String>()).filter(|text| !text.is_empty())
}

fn run_of(actions: &[CommonAction], run_parameter: &str) -> Option<RunId> {
    let actions = actions.iter().filter_map(|action| action.as_variant::<ParametersAction>().ok());
    let mut parameters = actions.flat_map(|action| action.parameters);
    let parameter = parameters.find(|parameter| parameter.name == run_parameter)?;
    let value = match parameter.as_variant::<StringParameterValue>() {
        Ok(parameter) => parameter.value,
        Err(_) => parameter.as_variant::<TextParameterValue>().ok()?.value,
    };
    RunId::try_from(value).ok()
}

fn excerpt_run(actions: &[Option<Action>], run_parameter: &str) -> Option<RunId> {
    let mut parameters = actions.iter().flatten().flat_map(|part| &part.parameters);
    let parameter = parameters.find(|parameter| parameter.name == run_parameter)?;
    RunId::try_from(parameter.value.as_str()?.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted_at(status: u16, location: &str) -> Option<Accepted> {
        let location = Url::parse("https://ci.example/").unwrap().join(location);
        accepted(StatusCode::from_u16(status).unwrap(), location.ok().as_ref())
    }

    #[test]
    fn an_order_is_taken_with_a_queue_item_or_without() {
        let taken = |item| Some(Accepted { item });
        assert_eq!(accepted_at(201, "/queue/item/7/"), taken(Some(7)));
        assert_eq!(accepted_at(201, "/prefix/queue/item/7/"), taken(Some(7)));
        assert_eq!(accepted_at(201, "http://other:8080/queue/item/7"), taken(Some(7)));
        assert_eq!(accepted_at(201, "/job/points/"), taken(None));
        assert_eq!(accepted_at(303, "/queue/item/7/"), taken(Some(7)));
    }

    #[test]
    fn a_redirect_to_elsewhere_is_no_order_taken() {
        assert_eq!(accepted_at(303, "/securityRealm/commenceLogin"), None);
        assert_eq!(accepted_at(302, "/queue/item/7/"), None);
        assert_eq!(accepted_at(200, "/queue/item/7/"), None);
    }

    #[test]
    fn a_result_counts_only_when_the_build_has_ended() {
        assert_eq!(state(true, None), BuildState::Running);
        assert_eq!(state(true, Some("FAILURE")), BuildState::Running);
        assert_eq!(state(false, None), BuildState::Running);
        assert_eq!(state(false, Some("SUCCESS")), BuildState::Finished(Verdict::Success));
    }

    #[test]
    fn a_reason_for_waiting_is_short_and_of_one_line() {
        assert_eq!(why(Some("a\nb\u{1b}[0m".to_owned())), Some("ab[0m".to_owned()));
        assert_eq!(why(Some("é".repeat(300))), Some("é".repeat(WHY_MAX)));
        assert_eq!(why(Some("\n".to_owned())), None);
    }

    #[test]
    fn an_excerpt_without_the_list_of_builds_is_no_job_without_builds() {
        assert!(builds(b"{}", "RUN").is_err());
        assert!(queue(b"{}", "RUN").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let error = item(br#"{"id": "hush"}"#, "RUN").unwrap_err();
        let failure = super::super::client::unreadable(&error, "cannot ask");
        let crate::remote::Failure::Retry { source, .. } = failure else {
            panic!("a proxy's page may pass");
        };
        assert!(error.to_string().contains("hush"));
        insta::assert_snapshot!(
            source,
            @"cannot ask: the answer is not what Jenkins answers"
        );
    }

    #[test]
    fn a_gap_in_the_actions_is_passed_over() {
        let body = br#"{"_class":"hudson.model.FreeStyleBuild","actions":[null,{"_class":"x.Y"}],
            "artifacts":[],"building":false,"description":null,"displayName":"\u00231","duration":9,
            "estimatedDuration":9,"executor":null,"fullDisplayName":"j \u00231","id":"1",
            "keepLog":false,"number":1,"queueId":1,"result":"SUCCESS","timestamp":1,
            "url":"https://ci.example/job/j/1/","builtOn":"","changeSet":{"_class":"x.Z",
            "items":[],"kind":null},"culprits":[]}"#;
        assert_eq!(build(body, "RUN").unwrap().state, BuildState::Finished(Verdict::Success));
    }
}
