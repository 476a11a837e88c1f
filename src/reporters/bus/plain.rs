//! Our own language: `pointsman.run.*` and `pointsman.notice`.

use serde_json::{Map, Value, json};

use super::stage;
use crate::action::{AboutArtifact, AboutSeries, Notice, OnBoard, Part, Report};
use crate::event::series::{Branch, SeriesEvent};
use crate::message::computed_id;
use crate::neutral;
use crate::source::amqp::publish::Outgoing;

/// What is told of a run: `pointsman.run.held`, `.queued`, `.started`, `.finished`.
pub(super) fn about_run(report: &Report) -> Outgoing {
    let (stage, verdict) = stage(report.stage);
    let mut body = json!({
        "run": report.run,
        "rule": report.rule,
        "subject": report.subject,
        "revision": report.revision,
        "stage": stage,
        "verdict": verdict,
        "url": report.url,
        "text": report.text,
    });
    if let Some(about) = &report.series {
        put(&mut body, "series", about_series(about));
    }
    if let Some(about) = &report.artifact {
        put(&mut body, "artifact", artifact(about));
        put(&mut body, "boards", boards(about));
    }
    // A stage may be told again with more in it, as when one board of several has ended.
    let id = computed_id(&[report.marker.as_bytes(), body.to_string().as_bytes()]);
    Outgoing { id, topic: format!("pointsman.run.{stage}"), headers: Map::new(), body }
}

/// Of which run something is told, for languages that have no words for it; the same at all
/// stages.
pub(super) fn whose(report: &Report) -> Value {
    let mut whose = json!({
        "run": report.run,
        "rule": report.rule,
        "subject": report.subject,
        "revision": report.revision,
    });
    if let Some(about) = &report.artifact {
        put(&mut whose, "artifact", artifact(about));
    }
    whose
}

/// What languages that have no words for it are told of a run besides.
pub(super) fn custom(report: &Report) -> Value {
    let mut custom = whose(report);
    let (_, verdict) = stage(report.stage);
    put(&mut custom, "verdict", json!(verdict));
    if let Some(about) = &report.artifact {
        put(&mut custom, "boards", boards(about));
    }
    custom
}

/// Adds something to what is told.
fn put(body: &mut Value, key: &str, value: Value) {
    if let Some(body) = body.as_object_mut() {
        body.insert(key.to_owned(), value);
    }
}

/// Which artifact was tested.
fn artifact(about: &AboutArtifact) -> Value {
    let artifact = &about.of.artifact;
    json!({ "name": artifact.name, "build": artifact.build, "url": artifact.url })
}

/// How far each of its boards is.
fn boards(about: &AboutArtifact) -> Value {
    about.boards.iter().map(on_board).collect()
}

fn on_board(of: &OnBoard) -> Value {
    let OnBoard { board, stage: at, reason, url, attempt } = of;
    let (stage, verdict) = stage(*at);
    json!({
        "board": board,
        "stage": stage,
        "verdict": verdict,
        "reason": reason.as_deref().map(neutral::plain),
        "url": url,
        "attempt": attempt,
    })
}

/// What was built: enough to fetch it, and to find the mail that is to blame.
fn about_series(about: &AboutSeries) -> Value {
    let AboutSeries { of, branch, patch, part, was_broken, blamed } = about;
    let mut series = posted(of);
    if let Some(series) = series.as_object_mut() {
        let part = match part {
            Part::Apply => "apply",
            Part::Build => "build",
        };
        series.insert("part".to_owned(), part.into());
        series.insert("patch".to_owned(), patch.map(|patch| mail(of, patch)).into());
        series.insert("branch".to_owned(), branch.as_ref().map(fetched).into());
        series.insert("was_broken".to_owned(), (*was_broken).into());
        series.insert("blamed".to_owned(), blamed.map(|patch| mail(of, patch)).into());
    }
    series
}

/// A series as it was posted.
fn posted(of: &SeriesEvent) -> Value {
    let series = &of.series;
    json!({
        "id": series.id,
        "version": series.version,
        "title": neutral::plain(&series.title),
        "root": series.root,
        "url": series.url,
        "count": series.patches.len(),
    })
}

/// The patch with this number, from 1.
fn mail(of: &SeriesEvent, number: u32) -> Value {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let letter = index.and_then(|index| of.series.patches.get(index));
    json!({ "number": number, "msgid": letter.map(|letter| &letter.msgid) })
}

/// Where a series can be fetched, and what it is upon.
fn fetched(branch: &Branch) -> Value {
    let Branch { url, name, sha, base, .. } = branch;
    json!({ "url": url, "name": name, "sha": sha, "base": base })
}

/// What is told of something that is no run.
pub(super) fn about_nothing_of_ours(notice: &Notice) -> Outgoing {
    let mut body = json!({
        "rule": notice.rule,
        "subject": notice.subject,
        "text": notice.text,
    });
    if let Some(of) = &notice.series {
        put(&mut body, "series", posted(of));
    }
    Outgoing {
        id: computed_id(&[notice.marker.as_bytes(), b"notice"]),
        topic: "pointsman.notice".to_owned(),
        headers: Map::new(),
        body,
    }
}
