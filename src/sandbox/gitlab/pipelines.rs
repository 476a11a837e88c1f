//! The stand-in's API of pipelines, branches and tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::api::{Call, Reply};
use super::ci::{CiJob, Configuration, Pipeline};
use super::memory::{Memory, Project};
use super::{DEVELOPER, MAINTAINER};

/// The access level of an owner.
const OWNER: u8 = 50;

/// `/projects/:id/pipelines/…`, and `…/pipeline` and `…/trigger/pipeline`, which start one.
pub(super) fn answer(memory: &mut Memory, call: &Call, name: &str, rest: &[&str]) -> Reply {
    let Some(project) = memory.seen_project(call, name) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let id = project.id;
    match (call.method.as_str(), rest) {
        ("POST", ["pipeline"]) => create(memory, call, id),
        ("POST", ["trigger", "pipeline"]) => trigger(memory, call, id),
        ("GET", ["pipelines"]) => list(memory, call, project),
        (method, ["pipelines", number, rest @ ..]) => {
            let number: u64 = number.parse().unwrap_or_default();
            let Some(pipeline) = project.pipelines.iter().find(|one| one.id == number) else {
                return Reply::error(404, "404 Not found");
            };
            match (method, rest) {
                ("GET", []) => Reply::ok(memory.pipeline_json(project, pipeline)),
                ("GET", ["variables"]) => variables(memory, call, project, pipeline),
                ("GET", ["jobs"]) => jobs(memory, call, (project, pipeline), false),
                ("GET", ["bridges"]) => jobs(memory, call, (project, pipeline), true),
                ("POST", ["cancel"]) => cancel(memory, call, (id, number)),
                _ => Reply::error(404, "404 Not Found"),
            }
        }
        _ => Reply::error(404, "404 Not Found"),
    }
}

/// `GET /projects/:id/repository/{branches,tags,commits}/:name`.
pub(super) fn repository(memory: &Memory, call: &Call, name: &str, rest: &[&str]) -> Reply {
    let Some(project) = memory.seen_project(call, name) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let at = |name: &str, head: Option<String>| match head {
        Some(head) => Reply::ok(json!({ "name": name, "commit": { "id": head } })),
        None => Reply::error(404, "404 Not Found"),
    };
    match rest {
        ["branches", name] => at(name, project.branch(name)),
        ["tags", name] => at(name, project.tags.get(*name).cloned()),
        ["commits", sha] if project.has_commit(sha) => Reply::ok(json!({ "id": sha })),
        ["commits", _] => Reply::error(404, "404 Commit Not Found"),
        _ => Reply::error(404, "404 Not Found"),
    }
}

fn create(memory: &mut Memory, call: &Call, id: u64) -> Reply {
    let Some(user) = memory.caller(call) else {
        return Reply::error(401, "401 Unauthorized");
    };
    let Some(project) = memory.projects.get(&id) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let level = project.level(user);
    if level < DEVELOPER || project.ci.is_off {
        return Reply::error(403, "403 Forbidden");
    }
    let Some(reference) = call.field("ref") else {
        return Reply::error(400, "ref is missing");
    };
    let mut given = BTreeMap::new();
    for variable in call.list("variables") {
        let text = |key: &str| variable.get(key).and_then(Value::as_str).unwrap_or_default();
        if given.insert(text("key").to_owned(), text("value").to_owned()).is_some() {
            return refused(&format!("Duplicate variable name: {}", text("key")));
        }
    }
    let role = project.ci.variables_role.as_deref();
    let needed = match role {
        Some("no_one_allowed") => u8::MAX,
        Some("owner") => OWNER,
        Some("maintainer") => MAINTAINER,
        Some(_) | None => DEVELOPER,
    };
    if !given.is_empty() && level < needed {
        return refused("Insufficient permissions to set pipeline variables");
    }
    start(memory, (id, &reference), ("api", user), given)
}

/// As whoever owns the trigger token.
fn trigger(memory: &mut Memory, call: &Call, id: u64) -> Reply {
    let form = call.form();
    let token = form.get("token").map(String::as_str).unwrap_or_default();
    let owner = memory.projects.get(&id).and_then(|project| project.triggers.get(token));
    let Some(owner) = owner.copied() else {
        return Reply::error(404, "404 Not Found");
    };
    let variable = |(key, value): (&String, &String)| {
        let key = key.strip_prefix("variables[")?.strip_suffix(']')?;
        Some((key.to_owned(), value.clone()))
    };
    let given = form.iter().filter_map(variable).collect();
    let reference = form.get("ref").cloned().unwrap_or_default();
    start(memory, (id, &reference), ("trigger", owner), given)
}

fn start(
    memory: &mut Memory,
    (id, reference): (u64, &str),
    by: (&'static str, u64),
    variables: BTreeMap<String, String>,
) -> Reply {
    let Some(project) = memory.projects.get_mut(&id) else {
        return Reply::error(404, "404 Project Not Found");
    };
    if let Some((branch, head)) = project.moves_at_start.take() {
        project.branches.insert(branch, head);
    }
    let name = reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    let Some(head) = project.branch(name).or_else(|| project.tags.get(name).cloned()) else {
        return refused("Reference not found");
    };
    let configuration = project.ci.configuration.clone();
    let errors = match configuration {
        Configuration::Fine => None,
        Configuration::Empty => {
            return refused(
                "Pipeline will not run for the selected trigger. The rules configuration \
                 prevented any jobs from being added to the pipeline.",
            );
        }
        // A trigger leaves a pipeline that has failed.
        Configuration::Broken(errors) if by.0 == "trigger" => Some(errors),
        Configuration::Broken(errors) => return refused(&errors),
    };
    let number = memory.begin(id, (&head, name), by);
    if let Ok(pipeline) = memory.pipeline_mut(id, number) {
        pipeline.variables = variables;
        if errors.is_some() {
            "failed".clone_into(&mut pipeline.status);
        }
        pipeline.yaml_errors = errors;
    }
    let project = memory.projects.get(&id);
    let begun = project.and_then(|project| {
        let pipeline = project.pipelines.iter().find(|pipeline| pipeline.id == number)?;
        Some(memory.pipeline_json(project, pipeline))
    });
    Reply::made(begun.unwrap_or_default())
}

fn refused(words: &str) -> Reply {
    let message = json!({ "message": { "base": [words] } });
    Reply { json: Some(message), ..Reply::bare(400) }
}

fn list(memory: &Memory, call: &Call, project: &Project) -> Reply {
    let is = |key: &str, told: &str| call.query(key).is_none_or(|wanted| wanted == told);
    let found = project.pipelines.iter().rev().filter(|pipeline| {
        let user = memory.users.get(&pipeline.user).map_or("", |user| user.name.as_str());
        is("ref", &pipeline.reference)
            && is("sha", &pipeline.sha)
            && is("status", &pipeline.status)
            && is("source", pipeline.source)
            && is("username", user)
    });
    Reply::page(call, found.map(|one| memory.short_pipeline_json(project, one)).collect())
}

fn variables(memory: &Memory, call: &Call, project: &Project, pipeline: &Pipeline) -> Reply {
    let level = memory.caller(call).map_or(0, |user| project.level(user));
    let is_own = memory.caller(call) == Some(pipeline.user) && level >= DEVELOPER;
    if level < MAINTAINER && !is_own {
        return Reply::error(403, "403 Forbidden");
    }
    let shown = pipeline
        .variables
        .iter()
        .map(|(key, value)| json!({ "variable_type": "env_var", "key": key, "value": value }));
    Reply::ok(shown.collect())
}

fn jobs(
    memory: &Memory,
    call: &Call,
    (project, pipeline): (&Project, &Pipeline),
    is_bridge: bool,
) -> Reply {
    let scope = call.query("scope[]");
    let meant = pipeline.jobs.iter().rev().filter(|(_, job)| {
        job.is_bridge == is_bridge && scope.is_none_or(|scope| job.status == scope)
    });
    Reply::page(call, meant.map(|job| memory.job_json(project, job)).collect())
}

fn cancel(memory: &mut Memory, call: &Call, (id, number): (u64, u64)) -> Reply {
    let caller = memory.caller(call);
    let project = memory.projects.get(&id);
    let level = caller.zip(project).map_or(0, |(user, project)| project.level(user));
    if level < DEVELOPER {
        return Reply::error(403, "403 Forbidden");
    }
    let is_open = |status: &str| !matches!(status, "success" | "failed" | "canceled" | "skipped");
    if let Ok(pipeline) = memory.pipeline_mut(id, number)
        && is_open(&pipeline.status)
    {
        "canceled".clone_into(&mut pipeline.status);
        for (_, job) in pipeline.jobs.iter_mut().filter(|(_, job)| is_open(&job.status)) {
            "canceled".clone_into(&mut job.status);
        }
    }
    memory.echo_pipeline(id, number);
    let project = memory.projects.get(&id);
    let shown = project.and_then(|project| {
        let pipeline = project.pipelines.iter().find(|pipeline| pipeline.id == number)?;
        Some(memory.pipeline_json(project, pipeline))
    });
    Reply::changed(200, shown)
}

impl Project {
    /// What somebody may do here.
    fn level(&self, user: u64) -> u8 {
        self.members.get(&user).map_or(0, |member| member.access_level)
    }
}

impl Memory {
    fn short_pipeline_json(&self, project: &Project, pipeline: &Pipeline) -> Value {
        json!({
            "id": pipeline.id,
            "iid": pipeline.id,
            "project_id": project.id,
            "sha": pipeline.sha,
            "ref": pipeline.reference,
            "status": pipeline.status,
            "source": pipeline.source,
            "web_url": format!("{}/{}/-/pipelines/{}", self.base, project.path, pipeline.id),
        })
    }

    fn pipeline_json(&self, project: &Project, pipeline: &Pipeline) -> Value {
        let mut json = self.short_pipeline_json(project, pipeline);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("yaml_errors".to_owned(), pipeline.yaml_errors.clone().into());
            fields.insert("user".to_owned(), self.user_json(pipeline.user));
        }
        json
    }

    pub(super) fn job_json(&self, project: &Project, (id, job): &(u64, CiJob)) -> Value {
        json!({
            "id": id,
            "name": job.name,
            "stage": job.stage,
            "status": job.status,
            "allow_failure": job.may_fail,
            "failure_reason": job.reason,
            "web_url": format!("{}/{}/-/jobs/{id}", self.base, project.path),
        })
    }
}
