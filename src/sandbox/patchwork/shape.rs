//! The stand-in's JSON, field by field as Patchwork writes it.

use serde_json::{Map, Value, json};

use super::Check;
use super::memory::{About, Event, Memory, Person, Submission, date};

/// How far a profile's number is from that of its user, which only looks the same in small
/// Patchworks: maintainers are told by their profiles.
const PROFILE: u64 = 1;

impl Memory {
    fn api(&self, rest: &str) -> String {
        format!("{}/api/{}/{rest}/", self.base, self.api)
    }

    pub(super) fn user_json(&self, id: u64) -> Value {
        let username = self.users.get(&id).map(|user| user.username.clone()).unwrap_or_default();
        json!({
            "id": id,
            "url": self.api(&format!("users/{id}")),
            "username": username,
            "first_name": "",
            "last_name": "",
            "email": format!("{username}@patches.example"),
        })
    }

    /// A user as it is told to `reader`: to nobody else it tells its settings.
    pub(super) fn user_detail(&self, id: u64, reader: Option<u64>) -> Option<Value> {
        self.users.get(&id)?;
        let mut json = self.user_json(id);
        if let Some(fields) = json.as_object_mut().filter(|_| reader == Some(id)) {
            let settings = json!({ "send_email": false, "items_per_page": 100, "show_ids": false });
            fields.insert("settings".to_owned(), settings);
        }
        Some(json)
    }

    fn person_json(&self, id: u64) -> Value {
        let nobody = Person { name: String::new(), email: String::new(), user: None };
        let Person { name, email, .. } = self.people.get(&id).unwrap_or(&nobody);
        let name = if name.is_empty() { Value::Null } else { name.as_str().into() };
        json!({ "id": id, "url": self.api(&format!("people/{id}")), "name": name, "email": email })
    }

    fn in_project(&self, name: &str) -> Value {
        let project = self.projects.get(name).cloned().unwrap_or_default();
        json!({
            "id": project.id,
            "url": self.api(&format!("projects/{}", project.id)),
            "name": name,
            "link_name": name,
            "list_id": project.list_email.replace('@', "."),
            "list_email": project.list_email,
            "web_url": "",
            "scm_url": "",
            "webscm_url": "",
            "list_archive_url": "",
            "list_archive_url_format": "",
            "commit_url_format": "",
        })
    }

    /// A project, by its number or else by its name.
    pub(super) fn project_json(&self, name: &str) -> Option<Value> {
        let mut projects = self.projects.iter();
        let by_number = projects.find(|(_, project)| project.id.to_string() == name);
        let (name, project) = match by_number {
            Some(found) => found,
            None => self.projects.get_key_value(name)?,
        };
        let maintainers: Vec<Value> = project
            .maintainers
            .iter()
            .map(|id| {
                let mut json = self.user_json(*id);
                if let Some(fields) = json.as_object_mut() {
                    let profile = id + PROFILE;
                    fields.insert("id".to_owned(), profile.into());
                    fields.insert("url".to_owned(), self.api(&format!("users/{profile}")).into());
                }
                json
            })
            .collect();
        let mut json = self.in_project(name);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("maintainers".to_owned(), maintainers.into());
            fields.insert("subject_match".to_owned(), "".into());
        }
        Some(json)
    }

    /// A cover letter or patch in few words.
    fn item_json(&self, kind: &str, id: u64, of: &Submission) -> Value {
        let singular = if kind == "covers" { "cover" } else { "patch" };
        let msgid = of.msgid.replace('/', "%2F");
        let page = format!("{}/project/{}/{singular}/{msgid}/", self.base, of.project);
        json!({
            "id": id,
            "url": self.api(&format!("{kind}/{id}")),
            "web_url": page,
            "msgid": format!("<{}>", of.msgid),
            "list_archive_url": null,
            "date": date(of.date),
            "name": of.name,
            "mbox": format!("{page}mbox/"),
        })
    }

    /// A series in few words.
    fn series_item(&self, id: u64) -> Value {
        let Some(series) = self.series.get(&id) else { return Value::Null };
        json!({
            "id": id,
            "url": self.api(&format!("series/{id}")),
            "web_url": format!("{}/project/{}/list/?series={id}", self.base, series.project),
            "date": date(series.date),
            "name": series.name,
            "version": series.version,
            "mbox": format!("{}/series/{id}/mbox/", self.base),
        })
    }

    pub(super) fn series_json(&self, id: u64) -> Option<Value> {
        let series = self.series.get(&id)?;
        let seen = self.seen(series);
        let received = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        // In the order in which they came, as older servers do.
        let mut patches = seen;
        patches.sort_unstable();
        let patches = patches
            .iter()
            .filter_map(|id| Some(self.item_json("patches", *id, self.patches.get(id)?)));
        let cover =
            series.cover.and_then(|id| Some(self.item_json("covers", id, self.covers.get(&id)?)));
        let mut json = self.series_item(id);
        let fields = json.as_object_mut()?;
        fields.insert("project".to_owned(), self.in_project(&series.project));
        fields.insert("submitter".to_owned(), self.person_json(series.submitter));
        fields.insert("total".to_owned(), series.total.into());
        fields.insert("received_total".to_owned(), received.into());
        fields.insert("received_all".to_owned(), (series.total <= received).into());
        fields.insert("patches".to_owned(), patches.collect::<Vec<_>>().into());
        fields.insert("cover_letter".to_owned(), cover.into());
        Some(json)
    }

    /// A patch as the list of patches has it.
    pub(super) fn listed_json(&self, id: u64, patch: &Submission) -> Value {
        let mut json = self.item_json("patches", id, patch);
        let series: Vec<Value> = patch.series.iter().map(|id| self.series_item(*id)).collect();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("project".to_owned(), self.in_project(&patch.project));
            fields.insert("submitter".to_owned(), self.person_json(patch.submitter));
            fields.insert("series".to_owned(), series.into());
            fields.insert("pull_url".to_owned(), Value::Null);
            fields.insert("state".to_owned(), "new".into());
            fields.insert("archived".to_owned(), false.into());
            fields.insert("delegate".to_owned(), Value::Null);
        }
        json
    }

    /// A cover letter or patch with all its words.
    pub(super) fn submission_json(&self, kind: &str, id: u64, of: &Submission) -> Value {
        let mut json = self.listed_json(id, of);
        let Some(fields) = json.as_object_mut() else { return json };
        fields.extend(self.item_json(kind, id, of).as_object().cloned().unwrap_or_default());
        fields.insert("headers".to_owned(), headers(&of.headers));
        fields.insert("content".to_owned(), of.content.clone().into());
        if kind == "patches" {
            fields.insert("diff".to_owned(), of.diff.clone().into());
        }
        json
    }

    /// A comment, if it is on this patch or cover letter.
    pub(super) fn comment_json(&self, kind: &str, of: u64, id: u64) -> Option<Value> {
        let comment = self.comments.get(&id)?;
        let place = if kind == "covers" { comment.cover } else { comment.patch };
        let subject = comment.headers.iter().find(|(name, _)| name == "Subject");
        (place == Some(of)).then(|| {
            json!({
                "id": id,
                "web_url": format!("{}/comment/{id}/", self.base),
                "msgid": format!("<{}>", comment.msgid),
                "list_archive_url": null,
                "date": date(comment.date),
                "subject": subject.map(|(_, subject)| subject),
                "submitter": self.person_json(comment.submitter),
                "content": comment.content,
                "headers": headers(&comment.headers),
                "addressed": null,
            })
        })
    }

    pub(super) fn check_json(&self, patch: u64, check: &Check) -> Value {
        json!({
            "id": check.id,
            "url": self.api(&format!("patches/{patch}/checks/{}", check.id)),
            "user": self.user_json(check.user),
            "date": "2026-11-20T08:20:00.100000",
            "state": check.state,
            "target_url": check.target_url,
            "context": check.context,
            "description": check.description,
        })
    }

    pub(super) fn event_json(&self, event: &Event) -> Value {
        let patch = |id: u64| self.patches.get(&id).map(|of| self.item_json("patches", id, of));
        let cover = |id: u64| self.covers.get(&id).map(|of| self.item_json("covers", id, of));
        let payload = match event.about {
            About::Series(id) => json!({ "series": self.series_item(id) }),
            About::Cover(id) => json!({ "cover": cover(id) }),
            About::Patch(id) => json!({ "patch": patch(id) }),
            About::PatchCompleted(id) => {
                let series = self.series_of_patch(id).map(|id| self.series_item(id));
                json!({ "patch": patch(id), "series": series })
            }
            About::Comment(id) => self.comment_payload(id),
            About::Check(id, check) => json!({ "patch": patch(id), "check": { "id": check } }),
        };
        json!({
            "id": event.id,
            "category": event.category,
            "project": self.in_project(&event.project),
            "date": event.date,
            "actor": null,
            "payload": payload,
        })
    }

    fn comment_payload(&self, id: u64) -> Value {
        let Some(comment) = self.comments.get(&id) else { return Value::Null };
        let (name, kind, of) = match (comment.patch, comment.cover) {
            (Some(patch), _) => ("patch", "patches", patch),
            (None, cover) => ("cover", "covers", cover.unwrap_or_default()),
        };
        let place = self.patches.get(&of).or_else(|| self.covers.get(&of));
        let mut payload = Map::new();
        payload.insert(name.to_owned(), place.map(|place| self.item_json(kind, of, place)).into());
        payload.insert(
            "comment".to_owned(),
            json!({
                "id": id,
                "url": self.api(&format!("{kind}/{of}/comments/{id}")),
                "web_url": format!("{}/comment/{id}/", self.base),
                "msgid": format!("<{}>", comment.msgid),
                "list_archive_url": null,
                "date": date(comment.date),
            }),
        );
        payload.into()
    }
}

/// Headers by name: a text, or a list where there are several of one name.
fn headers(all: &[(String, String)]) -> Value {
    let mut found = Map::new();
    for (name, value) in all {
        match found.get_mut(name) {
            Some(Value::Array(values)) => values.push(value.as_str().into()),
            Some(one) => *one = json!([one.clone(), value]),
            None => {
                found.insert(name.clone(), value.as_str().into());
            }
        }
    }
    found.into()
}
