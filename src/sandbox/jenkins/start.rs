//! How a stand-in Jenkins takes orders, with all that it forgives and all that it does not.

use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use super::ParameterKind;
use super::door::{Ask, Reply, forbidden};
use super::memory::{Cause, Given, Memory, job_path};
use super::pages;

impl Memory {
    /// `POST /build` and `POST /buildWithParameters`, which are not the same.
    pub(super) fn start_build(
        &mut self,
        ask: &Ask,
        job: &str,
        who: (&str, bool),
        with_parameters: bool,
    ) -> Reply {
        let Some(cause) = self.cause(ask, job, who) else {
            return if ask.field("token").is_some() {
                ask.error(403, "Invalid token provided.").into()
            } else {
                forbidden(ask, "hudson.model.Item.Build").into()
            };
        };
        if self.jobs.get(job).is_none_or(|job| job.spec.disabled) {
            return ask.error(409, "Conflict").into();
        }
        let given =
            if with_parameters { self.read_form(ask, job) } else { self.read_json(ask, job) };
        let given = match given {
            Ok(given) => given,
            Err((status, why)) => return ask.error(status, why).into(),
        };
        let has_parameters = !given.is_empty();
        let (id, is_twin) = self.enqueue(job, given, cause);
        let item = format!("{}queue/item/{id}/", ask.seen_as(self));
        let page = format!("{}{}", ask.seen_as(self), job_path(job));
        let created = StatusCode::CREATED;
        let response = match (with_parameters, has_parameters, is_twin) {
            (false, true, _) => pages::empty(created, header::LOCATION, &page),
            (true, _, true) => pages::empty(StatusCode::SEE_OTHER, header::LOCATION, &item),
            (true, _, false) | (false, false, _) => pages::empty(created, header::LOCATION, &item),
        };
        self.maybe_lose(response)
    }

    /// Somebody starts a build on the page of a job.
    pub(super) fn order(&mut self, job: &str, user: &str, parameters: &[(&str, &str)]) -> bool {
        let Some(found) = self.jobs.get(job).filter(|job| !job.spec.disabled) else {
            return false;
        };
        let mut given: Vec<_> = found.spec.parameters.iter().map(Given::default_of).collect();
        for (name, value) in parameters {
            for one in given.iter_mut().filter(|one| one.name == *name) {
                (*value).clone_into(&mut one.value);
            }
        }
        self.enqueue(job, given, Cause::User(user.to_owned()));
        true
    }

    fn maybe_lose(&mut self, response: Response) -> Reply {
        let is_lost = self.answers_to_lose > 0;
        self.answers_to_lose = self.answers_to_lose.saturating_sub(1);
        Reply { response, is_lost }
    }

    /// The values of a form: what the job does not define is dropped, what is missing has its
    /// default.
    fn read_form(&self, ask: &Ask, job: &str) -> Result<Vec<Given>, (u16, &'static str)> {
        const REFUSED: (u16, &str) = (500, "Server Error");
        let Some(job) = self.jobs.get(job).filter(|job| !job.spec.parameters.is_empty()) else {
            return Err(REFUSED);
        };
        let is_delay = |text: &str| text.trim_end_matches("sec").parse::<u32>().is_ok();
        if ask.field("delay").is_some_and(|delay| !is_delay(delay)) {
            return Err(REFUSED);
        }
        let mut all = Vec::new();
        for spec in &job.spec.parameters {
            let mut given = Given::default_of(spec);
            let mut values = ask.fields.iter().filter(|(name, _)| *name == spec.name);
            if let Some((_, value)) = values.next() {
                given.value = match &spec.kind {
                    ParameterKind::Boolean => (value == "true").to_string(),
                    ParameterKind::Choice(choices) if !choices.contains(value) => {
                        return Err(REFUSED);
                    }
                    ParameterKind::Text | ParameterKind::Choice(_) | ParameterKind::Password => {
                        value.clone()
                    }
                };
            }
            if values.next().is_some() {
                return Err(REFUSED);
            }
            all.push(given);
        }
        Ok(all)
    }

    /// The values of the field `json`; what is missing has no value at all.
    fn read_json(&self, ask: &Ask, job: &str) -> Result<Vec<Given>, (u16, &'static str)> {
        let specs = self.jobs.get(job).map(|job| job.spec.parameters.as_slice());
        let specs = specs.unwrap_or_default();
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let Some(text) = ask.field("json") else {
            return Err((400, "Nothing is submitted"));
        };
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            return Err((400, "Bad Request"));
        };
        let given = json.get("parameter").and_then(Value::as_array);
        let mut all = Vec::new();
        for one in given.into_iter().flatten() {
            let field = |name| one.get(name).and_then(Value::as_str);
            let spec = specs.iter().find(|spec| Some(spec.name.as_str()) == field("name"));
            if let Some(spec) = spec {
                let mut given = Given::default_of(spec);
                field("value").unwrap_or_default().clone_into(&mut given.value);
                all.push(given);
            }
        }
        Ok(all)
    }
}
