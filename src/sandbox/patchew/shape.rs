//! The stand-in's JSON, field by field as Patchew writes it.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::memory::{Memory, Project, Row, Series};
use crate::sandbox::mails::Mail;

/// What Django leaves as it is in a path; a slash in a Message-ID is not encoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b'+')
    .remove(b'/');

/// A date as it is written there: UTC, and no zone.
pub(super) fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

impl Memory {
    pub(super) fn project_uri(&self, project: &Project) -> String {
        format!("{}/api/v1/projects/{}/", self.base, project.id)
    }

    fn uri(&self, project: &Project, kind: &str, msgid: &str) -> String {
        let msgid = utf8_percent_encode(msgid, PATH);
        format!("{}{kind}/{msgid}/", self.project_uri(project))
    }

    pub(super) fn project_json(&self, project: &Project) -> Value {
        let uri = self.project_uri(project);
        json!({
            "resource_uri": uri,
            "name": project.name,
            "mailing_list": "devel@lists.example",
            "prefix_tags": "",
            "url": "https://points.example/",
            "git": "https://git.example/points.git main",
            "description": "",
            "display_order": 0,
            "logo": null,
            "parent_project": null,
            "messages": format!("{uri}messages/"),
            "results": format!("{uri}results/"),
            "series": format!("{uri}series/"),
            "mirror": mirror(project),
            "testing_probes": {},
        })
    }

    fn mail_json(&self, (project, series): (&Project, &Series), mail: &Mail) -> Value {
        let (name, address) = &series.author;
        json!({
            "resource_uri": self.uri(project, "messages", &mail.msgid),
            "message_id": mail.msgid,
            "subject": mail.subject,
            "date": date(mail.date),
            "sender": { "name": name, "address": address },
            "recipients": [{ "address": "devel@lists.example" }],
            "tags": [],
        })
    }

    pub(super) fn message_json(&self, of: (&Project, &Series), mail: &Mail) -> Value {
        with(self.mail_json(of, mail), json!({ "mbox": mail.raw }))
    }

    /// A series as it is in a list.
    pub(super) fn series_json(&self, project: &Project, series: &Series) -> Value {
        let Some(head) = series.head().or(series.mails.first()) else { return Value::Null };
        let uri = self.uri(project, "series", &series.root);
        let own = json!({
            "resource_uri": uri,
            "tags": series.tags,
            "message": self.uri(project, "messages", &series.root),
            "stripped_subject": head.title,
            "num_patches": series.patches().len(),
            "total_patches": series.total,
            "results": format!("{uri}results/"),
            "mbox_uri": format!("{uri}mbox/"),
            "last_comment_date": null,
            "last_reply_date": date(series.last_reply),
            "is_complete": series.is_complete(),
            "is_merged": series.is_merged,
            "is_obsolete": series.is_obsolete,
            "is_tested": series.is_tested,
            "is_reviewed": false,
            "maintainers": [],
            "based_on": null,
        });
        with(self.mail_json((project, series), head), own)
    }

    /// A series by itself.
    pub(super) fn detail_json(&self, project: &Project, series: &Series) -> Value {
        let patches: Vec<Value> = series
            .patches()
            .into_iter()
            .map(|mail| {
                let own = json!({
                    "stripped_subject": mail.title,
                    "last_comment_date": null,
                    "patch_num": mail.number,
                });
                with(self.mail_json((project, series), mail), own)
            })
            .collect();
        with(self.series_json(project, series), json!({ "patches": patches, "replies": [] }))
    }

    /// A series that waits for whoever applies.
    pub(super) fn unapplied_json(&self, project: &Project, series: &Series) -> Value {
        let uri = self.uri(project, "series", &series.root);
        let mut mirror = mirror(project);
        if let Some(mirror) = mirror.as_object_mut() {
            mirror.insert("source".to_owned(), "https://git.example/points.git main".into());
        }
        let own = json!({
            "mirror": mirror,
            "result_uri": format!("{uri}results/git/"),
            "push_options": null,
        });
        with(self.series_json(project, series), own)
    }

    pub(super) fn result_json(place: &str, row: &Row) -> Value {
        json!({
            "resource_uri": format!("{place}results/{}/", row.name),
            "name": row.name,
            "status": row.status,
            "last_update": row.last_update.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            "data": row.data,
            "log_url": null,
        })
    }

    pub(super) fn series_uri(&self, project: &Project, series: &Series) -> String {
        self.uri(project, "series", &series.root)
    }
}

fn mirror(project: &Project) -> Value {
    match &project.pushurl {
        Some(pushurl) => json!({
            "pushurl": pushurl,
            "url": "https://git.example/public/points.git",
            "head": project.head,
        }),
        None => json!({}),
    }
}

/// A document with more fields, or others.
fn with(mut document: Value, more: Value) -> Value {
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}
