//! The calls that change something.

use axum::http::Method;
use serde_json::Value;

use super::access::Caller;
use super::api::{Call, Reply};
use super::memory::{CheckRun, Memory, Status, text};

/// How many statuses of one name a commit can have.
const STATUSES_MAX: usize = 1_000;
/// How long a description, a name and a comment can be.
const DESCRIPTION_MAX_CHARS: usize = 140;
const NAME_MAX_CHARS: usize = 255;
const COMMENT_MAX_CHARS: usize = 65_536;
/// How a check run can end.
const CONCLUSIONS: [&str; 7] =
    ["action_required", "cancelled", "failure", "neutral", "skipped", "success", "timed_out"];

/// Answers a call that changes something in a repository that the caller sees.
pub(super) fn answer(
    memory: &mut Memory,
    (caller, repo): (&Caller, &str),
    call: &Call,
    rest: &[&str],
) -> Reply {
    if memory.repos.get(repo).is_some_and(|repo| repo.is_archived) {
        return Reply::no(403, "Repository was archived so is read-only.");
    }
    let permission = match rest {
        ["statuses", ..] => "statuses",
        ["check-runs", ..] => "checks",
        _ => "pull_requests",
    };
    if permission == "checks" && matches!(caller, Caller::User(..)) {
        return Reply::no(403, "You must authenticate via a GitHub App.");
    }
    if !memory.may_write(caller, repo, permission) {
        return Reply::forbidden(permission);
    }
    let Some(user) = memory.name_of(caller) else {
        return Reply::nothing_there();
    };
    match (&call.method, rest) {
        (&Method::POST, ["statuses", commit]) => status(memory, (repo, commit), &call.body, &user),
        (&Method::POST, ["check-runs"]) => add_check(memory, repo, &call.body),
        (&Method::PATCH, ["check-runs", id]) => change_check(memory, repo, (id, &call.body)),
        (&Method::POST, ["issues", number, "comments"]) => {
            add_comment(memory, (repo, number), &user, text(&call.body, "body"))
        }
        (&Method::PATCH, ["issues", "comments", id]) => {
            edit_comment(memory, repo, (id, &user), text(&call.body, "body"))
        }
        (&Method::DELETE, ["issues", "comments", id]) => {
            let deleted =
                id.parse().ok().and_then(|id| memory.delete_comment(repo, id, &user).ok());
            deleted.map_or_else(Reply::nothing_there, |posts| Reply::done(204, None, posts))
        }
        (_, _) => Reply::nothing_there(),
    }
}

fn status(memory: &mut Memory, (repo, commit): (&str, &str), said: &Value, user: &str) -> Reply {
    let state = text(said, "state");
    if !["error", "failure", "pending", "success"].contains(&state) {
        return Reply::invalid("State is not included in the list");
    }
    let context = text(said, "context");
    if context.chars().count() > NAME_MAX_CHARS {
        return Reply::invalid("context is too long (maximum is 255 characters)");
    }
    if text(said, "description").chars().count() > DESCRIPTION_MAX_CHARS {
        return Reply::invalid("description is too long (maximum is 140 characters)");
    }
    let target = text(said, "target_url");
    if !target.is_empty() && !target.starts_with("http://") && !target.starts_with("https://") {
        return Reply::invalid("target_url must use http(s) scheme");
    }
    let known = memory.repos.get(repo);
    if !known.is_some_and(|repo| repo.commits.contains(commit)) {
        return Reply::no(422, &format!("No commit found for SHA: {commit}"));
    }
    let same = |status: &&Status| status.commit == commit && status.context == context;
    let count = known.map_or(0, |repo| repo.statuses.iter().filter(same).count());
    if count >= STATUSES_MAX {
        return Reply::invalid("This SHA and context has reached the maximum number of statuses.");
    }
    let word = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
    let status = Status {
        id: memory.next_id(),
        commit: commit.to_owned(),
        context: context.to_owned(),
        state: state.to_owned(),
        description: word("description"),
        target_url: word("target_url"),
        creator: user.to_owned(),
    };
    if let Ok(repo) = memory.repo_mut(repo) {
        repo.statuses.push(status.clone());
    }
    let post = memory.status_post(repo, &status);
    Reply::done(201, Some(memory.status(&status)), vec![post])
}

fn add_check(memory: &mut Memory, repo: &str, said: &Value) -> Reply {
    let commit = text(said, "head_sha");
    if !memory.repos.get(repo).is_some_and(|repo| repo.commits.contains(commit)) {
        return Reply::no(422, &format!("No commit found for SHA: {commit}"));
    }
    let mut check = CheckRun {
        id: memory.next_id(),
        commit: commit.to_owned(),
        name: String::new(),
        external_id: String::new(),
        status: "queued".to_owned(),
        conclusion: None,
        title: String::new(),
        summary: String::new(),
        details_url: None,
        app: memory.app.as_ref().map(|app| app.slug.clone()).unwrap_or_default(),
    };
    if let Err(refused) = write_check(&mut check, said) {
        return refused;
    }
    if let Ok(repo) = memory.repo_mut(repo) {
        repo.checks.push(check.clone());
    }
    let post = memory.check_post(repo, &check);
    Reply::done(201, Some(memory.check(repo, &check)), vec![post])
}

fn change_check(memory: &mut Memory, repo: &str, (id, said): (&str, &Value)) -> Reply {
    let id: Option<u64> = id.parse().ok();
    let checks = memory.repos.get_mut(repo).into_iter().flat_map(|repo| &mut repo.checks);
    let Some(check) = checks.into_iter().find(|check| Some(check.id) == id) else {
        return Reply::nothing_there();
    };
    if let Err(refused) = write_check(check, said) {
        return refused;
    }
    let check = check.clone();
    // GitHub tells only of the end.
    let is_end = check.status == "completed";
    let posts = is_end.then(|| memory.check_post(repo, &check)).into_iter().collect();
    Reply::done(200, Some(memory.check(repo, &check)), posts)
}

fn write_check(check: &mut CheckRun, said: &Value) -> Result<(), Reply> {
    let some = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
    let output = said.get("output").cloned().unwrap_or_default();
    let (title, summary) = (text(&output, "title"), text(&output, "summary"));
    if title.is_empty() || summary.is_empty() {
        return Err(Reply::invalid("For 'properties/output', nil is not an object."));
    }
    let status = some("status").unwrap_or_else(|| check.status.clone());
    let conclusion = some("conclusion");
    if (status == "completed") != conclusion.is_some() {
        return Err(Reply::invalid("a completed check run has a conclusion, and no other"));
    }
    if conclusion.as_deref().is_some_and(|word| !CONCLUSIONS.contains(&word)) {
        return Err(Reply::invalid("Conclusion is not included in the list"));
    }
    check.name = some("name").unwrap_or_else(|| check.name.clone());
    check.external_id = some("external_id").unwrap_or_else(|| check.external_id.clone());
    check.details_url = some("details_url").or_else(|| check.details_url.take());
    check.status = status;
    check.conclusion = conclusion;
    title.clone_into(&mut check.title);
    summary.clone_into(&mut check.summary);
    Ok(())
}

fn add_comment(
    memory: &mut Memory,
    (repo, number): (&str, &str),
    user: &str,
    words: &str,
) -> Reply {
    if let Some(refused) = refused(words) {
        return refused;
    }
    let Ok(number) = number.parse() else {
        return Reply::nothing_there();
    };
    let Ok((id, posts)) = memory.add_comment((repo, number), user, words) else {
        return Reply::nothing_there();
    };
    Reply::done(201, told(memory, repo, id), posts)
}

fn edit_comment(memory: &mut Memory, repo: &str, (id, user): (&str, &str), words: &str) -> Reply {
    if let Some(refused) = refused(words) {
        return refused;
    }
    let Ok(id) = id.parse() else {
        return Reply::nothing_there();
    };
    match memory.edit_comment(repo, (id, user), words) {
        Ok(posts) => Reply::done(200, told(memory, repo, id), posts),
        Err(_) => Reply::nothing_there(),
    }
}

fn refused(words: &str) -> Option<Reply> {
    if words.trim().is_empty() {
        return Some(Reply::invalid("body can't be blank"));
    }
    (words.chars().count() > COMMENT_MAX_CHARS)
        .then(|| Reply::invalid("body is too long (maximum is 65536 characters)"))
}

fn told(memory: &Memory, repo: &str, id: u64) -> Option<Value> {
    let comments = memory.repos.get(repo).into_iter().flat_map(|repo| &repo.comments);
    let comment = comments.into_iter().find(|comment| comment.id == id)?;
    Some(memory.comment(repo, comment))
}
