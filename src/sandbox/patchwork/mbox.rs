//! The stand-in's mails, as they can be fetched: with whatever readers have replied.

use super::memory::{Memory, Submission};

/// What readers can add to a patch.
const RESPONSES: [&str; 6] = ["tested", "reviewed", "acked", "signed-off", "nacked", "reported"];

/// The mails at a path, if there are any.
pub(super) fn answer(memory: &Memory, path: &[&str]) -> Option<String> {
    match path {
        ["series", id, "mbox"] => {
            let series = memory.series.get(&id.parse().ok()?)?;
            let patches = memory.seen(series).into_iter();
            Some(
                patches
                    .filter_map(|id| mail(memory, id, memory.patches.get(&id)?))
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        }
        ["project", project, kind @ ("patch" | "cover"), msgid, "mbox"] => {
            let all = if *kind == "patch" { &memory.patches } else { &memory.covers };
            let mut all = all.iter();
            let found = all.find(|(_, of)| of.project == *project && of.msgid == *msgid);
            found.and_then(|(id, of)| mail(memory, *id, of))
        }
        _ => None,
    }
}

/// A mail: its own text, what readers replied put before `---`, and the diff.
fn mail(memory: &Memory, id: u64, of: &Submission) -> Option<String> {
    let submitter = memory.people.get(&of.submitter)?;
    let submitter = format!("{} <{}>", submitter.name, submitter.email);
    let list = memory.projects.get(&of.project).map(|project| project.list_email.clone());
    let mut out = String::from("From patchwork Thu Jan  1 00:00:00 1970\n");
    out.push_str("Content-Type: text/plain; charset=\"utf-8\"\nMIME-Version: 1.0\n");
    out.push_str("Content-Transfer-Encoding: 8bit\n");
    out.push_str(&header("X-Patchwork-Submitter", &submitter));
    out.push_str(&header("X-Patchwork-Id", &id.to_string()));
    for (name, value) in &of.headers {
        let is_list = list.as_ref().is_some_and(|list| value.contains(list.as_str()));
        if name == "From" && is_list {
            out.push_str(&header("X-Patchwork-Original-From", value));
            out.push_str(&header("From", &submitter));
        } else {
            out.push_str(&header(name, value));
        }
    }
    out.push('\n');
    let (message, postscript) = match of.content.split_once("\n---") {
        Some((message, postscript)) => (message, Some(postscript)),
        None => (of.content.as_str(), None),
    };
    out.push_str(message.trim());
    out.push('\n');
    let comments = memory.comments.values();
    for comment in comments.filter(|comment| comment.patch == Some(id) || comment.cover == Some(id))
    {
        for line in comment.content.lines().filter(|line| is_response(line)) {
            out.push_str(line);
            out.push('\n');
        }
    }
    if let Some(postscript) = postscript {
        out.push_str("---");
        out.push_str(postscript.trim_end());
        out.push('\n');
    }
    if let Some(diff) = &of.diff {
        out.push('\n');
        out.push_str(diff);
    }
    Some(out)
}

fn header(name: &str, value: &str) -> String {
    format!("{name}: {value}\n")
}

fn is_response(line: &str) -> bool {
    let line = line.to_lowercase();
    RESPONSES.iter().any(|response| line.starts_with(&format!("{response}-by:")))
}
