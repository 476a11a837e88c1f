//! The statuses of commits: what can follow upon what, and the pipelines they are kept in.

use super::api::{Call, Reply};
use super::ci::Pipeline;
use super::memory::Memory;
use super::{DEVELOPER, Status};

/// The longest name, description and address of a status.
const TEXT_MAX: usize = 255;

/// `GET /projects/:id/repository/commits/:sha/statuses`.
pub(super) fn list(memory: &Memory, call: &Call, project: &str, sha: &str) -> Reply {
    let Some(project) = memory.seen_project(call, project) else {
        return Reply::error(404, "404 Project Not Found");
    };
    if !project.has_commit(sha) {
        return Reply::error(404, "404 Commit Not Found");
    }
    let name = call.query("name");
    let is_there = |reference: &str| call.query("ref").is_none_or(|wanted| wanted == reference);
    let found = project.statuses.iter().filter(|status| {
        let is_meant = name.is_none_or(|name| status.name == name);
        status.sha == sha && !status.is_retried && is_meant && is_there(&status.reference)
    });
    let pipelines = project.pipelines.iter();
    let pipelines = pipelines.filter(|one| one.sha == sha && is_there(&one.reference));
    let jobs = pipelines.flat_map(|pipeline| &pipeline.jobs);
    let jobs = jobs.filter(|(_, job)| name.is_none_or(|name| job.name == name));
    let found = found.map(|status| memory.status_json(status));
    Reply::page(call, found.chain(jobs.map(|job| memory.job_json(project, job))).collect())
}

/// `POST /projects/:id/statuses/:sha`.
pub(super) fn set(memory: &mut Memory, call: &Call, name: &str, sha: &str) -> Reply {
    let Some(user) = memory.caller(call) else {
        return Reply::error(401, "401 Unauthorized");
    };
    let Some(project) = memory.seen_project(call, name) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let access = project.members.get(&user).map_or(0, |member| member.access_level);
    if access < DEVELOPER {
        return Reply::error(403, "403 Forbidden");
    }
    if !project.has_commit(sha) {
        return Reply::error(404, "404 Commit Not Found");
    }
    let field = |key: &str| call.field(key);
    let too_long = ["name", "description", "target_url"]
        .into_iter()
        .find(|key| field(key).is_some_and(|text| text.chars().count() > TEXT_MAX));
    if let Some(key) = too_long {
        let words = format!("{{:{key}=>[\"is too long (maximum is 255 characters)\"]}}");
        return Reply::error(400, &words);
    }
    let branch = project.branches.iter().find(|(_, head)| *head == sha);
    let branch = branch.map(|(branch, _)| branch.clone());
    let newest = project.pipelines.iter().rfind(|pipeline| pipeline.sha == sha);
    let reference = field("ref").or_else(|| newest.map(|newest| newest.reference.clone()));
    let Some(reference) = reference.or(branch) else {
        return Reply::error(404, "404 References for commit Not Found");
    };
    let Some(state) = field("state") else {
        return Reply::error(400, "state is missing");
    };
    let id = project.id;
    let pipeline = memory.pipeline(id, sha, &reference);
    let place = Place { sha, reference: &reference, pipeline, user };
    let reply = memory.put(id, &place, &state, call);
    // It joins the pipeline, and may hold it or end it.
    if memory.sum_up(id, pipeline) {
        memory.echo_pipeline(id, pipeline);
    }
    reply
}

/// Where a status is kept.
struct Place<'a> {
    sha: &'a str,
    reference: &'a str,
    pipeline: u64,
    user: u64,
}

impl Memory {
    /// The newest pipeline of a commit on a branch, made if there is none.
    pub(super) fn pipeline(&mut self, project: u64, sha: &str, reference: &str) -> u64 {
        let is_meant =
            |pipeline: &&Pipeline| pipeline.sha == sha && pipeline.reference == reference;
        let pipelines = self.projects.get(&project).map(|project| project.pipelines.iter());
        match pipelines.and_then(|mut pipelines| pipelines.rfind(is_meant)) {
            Some(found) => found.id,
            None => self.begin(project, (sha, reference), ("external", 0)),
        }
    }

    /// Changes the status that is pending or running; where there is none, a new one takes the
    /// place of the older.
    fn put(&mut self, project: u64, place: &Place<'_>, state: &str, call: &Call) -> Reply {
        let id = self.next_id();
        let name = call.field("name").unwrap_or_else(|| "default".to_owned());
        let Some(project) = self.projects.get_mut(&project) else {
            return Reply::error(404, "404 Project Not Found");
        };
        let is_same = |status: &Status| status.pipeline == place.pipeline && status.name == name;
        let open = project.statuses.iter().position(|status| {
            is_same(status)
                && status.author == place.user
                && matches!(status.state.as_str(), "pending" | "running")
        });
        let from = open.and_then(|open| project.statuses.get(open));
        let from = from.map_or("created", |status| status.state.as_str());
        if let Some(event) = forbidden(from, state) {
            let words = format!(
                "Cannot transition status via :{event} from :{from} \
                 (Reason(s): Status cannot transition via \"{event}\")"
            );
            return Reply::error(400, &words);
        }
        let mut status = Status {
            id,
            sha: place.sha.to_owned(),
            reference: place.reference.to_owned(),
            name: name.clone(),
            state: state.to_owned(),
            description: call.field("description"),
            target_url: call.field("target_url"),
            author: place.user,
            pipeline: place.pipeline,
            is_retried: false,
        };
        if let Some(open) = open {
            let old = project.statuses.remove(open);
            status.id = old.id;
            status.description = status.description.or(old.description);
            status.target_url = status.target_url.or(old.target_url);
        }
        for older in project.statuses.iter_mut().filter(|status| is_same(status)) {
            older.is_retried = true;
        }
        project.statuses.push(status.clone());
        Reply::made(self.status_json(&status))
    }
}

/// The event that cannot happen, if `to` cannot follow upon `from`.
fn forbidden(from: &str, to: &str) -> Option<&'static str> {
    match (from, to) {
        ("pending" | "running", "pending") => Some("enqueue"),
        ("running", "running") => Some("run"),
        _ => None,
    }
}
