//! The door of a stand-in Jenkins: who may come in, and what is answered.

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use percent_encoding::percent_decode_str;
use serde_json::json;
use url::form_urlencoded;

use super::memory::{Cause, Memory};
use super::queue::Cancelling;
use super::{BuildResult, Mood, User, World, pages};
use crate::sandbox::serve::Line;

/// The largest request that is read, as in Jetty's default for forms, with some room.
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// One request, taken apart.
pub(super) struct Ask {
    pub(super) method: Method,
    /// The path as it was sent.
    pub(super) path: String,
    /// Its parts below the prefix, decoded.
    pub(super) segments: Vec<String>,
    /// Query and form are one to Jenkins.
    pub(super) fields: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
}

/// Who asks.
enum Caller<'a> {
    /// There are no accounts, so anybody may do anything.
    Anybody,
    Stranger,
    Token(&'a User),
    Password(&'a User),
}

/// An answer, and whether it gets lost on its way.
pub(super) struct Reply {
    pub(super) response: Response,
    pub(super) is_lost: bool,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self { response, is_lost: false }
    }
}

pub(super) async fn answer(
    State(world): State<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX_BYTES).await else {
        return pages::error(413, "Payload Too Large", parts.uri.path());
    };
    let mut mood = world.mood.subscribe();
    let mood = match mood.wait_for(|mood| *mood != Mood::Hanging).await {
        Ok(mood) => *mood,
        Err(_) => Mood::Hanging,
    };
    if line.is_dead() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let path = parts.uri.path();
    let mut memory = world.memory();
    memory.note_request(format!("{} {}", parts.method, parts.uri));
    let reply = match mood {
        Mood::StartingUp | Mood::Hanging => pages::error(503, "Starting Jenkins", path).into(),
        Mood::Failing(status) => pages::error(status, "Oops!", path).into(),
        Mood::TooMany { retry_after } => {
            let mut response = pages::error(429, "Too Many Requests", path);
            (response.headers_mut()).insert(header::RETRY_AFTER, retry_after.into());
            response.into()
        }
        Mood::Normal | Mood::QuietDown => match Ask::read(&memory, &parts, &body) {
            Some(ask) => memory.receive(&ask),
            None => pages::error(404, "Not Found", path).into(),
        },
    };
    drop(memory);
    world.run_later();
    if reply.is_lost {
        line.cut();
    }
    reply.response
}

impl Ask {
    /// Takes a request apart; nothing if it is not below the prefix.
    fn read(memory: &Memory, parts: &axum::http::request::Parts, body: &Bytes) -> Option<Self> {
        let path = parts.uri.path();
        let below = path.strip_prefix(memory.own.path())?;
        let segments = below.split('/').filter(|part| !part.is_empty());
        let decode = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let query = parts.uri.query().unwrap_or_default();
        let mut fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let is_form = kind
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if is_form {
            fields.extend(form_urlencoded::parse(body).into_owned());
        }
        Some(Self {
            method: parts.method.clone(),
            path: path.to_owned(),
            segments: segments.map(decode).collect(),
            fields,
            headers: parts.headers.clone(),
        })
    }

    /// The first value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        Some(&fields.find(|(key, _)| key == name)?.1)
    }

    /// The address by which the caller knows us; `Location` follows it.
    pub(super) fn seen_as(&self, memory: &Memory) -> String {
        let host = self.headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        format!("http://{}{}", host.unwrap_or("localhost"), memory.own.path())
    }

    pub(super) fn error(&self, status: u16, why: &str) -> Response {
        pages::error(status, why, &self.path)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Memory {
    fn receive(&mut self, ask: &Ask) -> Reply {
        let Some(caller) = self.caller(ask) else {
            let mut response = ask.error(401, "Unauthorized");
            let realm = header::HeaderValue::from_static("Basic realm=\"Jenkins\"");
            (response.headers_mut()).insert(header::WWW_AUTHENTICATE, realm);
            return response.into();
        };
        let (name, may_build, needs_crumb) = match caller {
            Caller::Anybody => ("anonymous".to_owned(), true, false),
            Caller::Stranger => ("anonymous".to_owned(), false, true),
            Caller::Token(user) => (user.name.clone(), user.may_build, false),
            Caller::Password(user) => (user.name.clone(), user.may_build, true),
        };
        if ask.method == Method::POST && needs_crumb && !self.has_crumb(ask) {
            let why = "No valid crumb was included in the request";
            return ask.error(403, why).into();
        }
        let parts: Vec<&str> = ask.segments.iter().map(String::as_str).collect();
        let is_get = ask.method == Method::GET;
        match parts[..] {
            ["whoAmI", "api", "json"] if is_get => pages::object(&json!({
                "_class": "hudson.security.WhoAmI",
                "anonymous": name == "anonymous",
                "authenticated": name != "anonymous",
                "authorities": ["authenticated"],
                "name": name,
            }))
            .into(),
            ["crumbIssuer", "api", "json"] if is_get => self.issue_crumb().into(),
            ["queue", "api", "json"] if is_get => pages::object(&self.queue_page()).into(),
            ["queue", "item", id, "api", "json"] if is_get => self.show_item(ask, id).into(),
            ["queue", "cancelItem"] if !is_get => self.cancel_item(ask, may_build).into(),
            ["job", ..] => match self.job_in(&parts) {
                Some((job, rest)) => self.ask_job(ask, &job, rest, (&name, may_build)),
                None => ask.error(404, "Not Found").into(),
            },
            // The page of an entry is not there, only its JSON.
            _ => ask.error(404, "Not Found").into(),
        }
    }

    fn ask_job(&mut self, ask: &Ask, job: &str, rest: &[&str], who: (&str, bool)) -> Reply {
        let is_get = ask.method == Method::GET;
        match *rest {
            ["api", "json"] if is_get => match self.jobs.get(job) {
                Some(found) => pages::object(&self.job_page(job, found)).into(),
                None => ask.error(404, "Not Found").into(),
            },
            [number, "api", "json"] if is_get => self.show_build(ask, job, number).into(),
            ["build" | "buildWithParameters"] if is_get => {
                ask.error(405, "Method Not Allowed").into()
            }
            ["build"] => self.start_build(ask, job, who, false),
            ["buildWithParameters"] => self.start_build(ask, job, who, true),
            [number, "stop"] if !is_get => self.stop_build(ask, job, number, who.1).into(),
            _ => ask.error(404, "Not Found").into(),
        }
    }

    /// The job that a path names, and what comes after it.
    fn job_in<'a>(&self, parts: &'a [&'a str]) -> Option<(String, &'a [&'a str])> {
        let mut rest = parts;
        let mut names = Vec::new();
        while let ["job", name, more @ ..] = rest {
            names.push(*name);
            rest = more;
        }
        let job = names.join("/");
        self.jobs.contains_key(&job).then_some((job, rest))
    }

    /// Who asks; nothing if the login is wrong.
    fn caller(&self, ask: &Ask) -> Option<Caller<'_>> {
        if self.users.is_empty() {
            return Some(Caller::Anybody);
        }
        let Some(login) = ask.header("authorization") else {
            return Some(Caller::Stranger);
        };
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(login.strip_prefix("Basic ")?).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (name, secret) = text.split_once(':')?;
        let user = self.users.iter().find(|user| user.name == name)?;
        if user.token.as_deref() == Some(secret) {
            Some(Caller::Token(user))
        } else if user.password.as_deref() == Some(secret) {
            Some(Caller::Password(user))
        } else {
            None
        }
    }

    fn issue_crumb(&mut self) -> Response {
        self.last_session += 1;
        let session = self.last_session;
        self.sessions.insert(session);
        let mut response = pages::object(&json!({
            "_class": "hudson.security.csrf.DefaultCrumbIssuer",
            "crumb": format!("crumb-{session}"),
            "crumbRequestField": "Jenkins-Crumb",
        }));
        let cookie = format!("JSESSIONID.5e55=node{session}; Path=/; HttpOnly");
        if let Ok(cookie) = cookie.parse() {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// A crumb is good only together with the cookie of its session.
    fn has_crumb(&self, ask: &Ask) -> bool {
        self.sessions.iter().any(|session| {
            ask.header("jenkins-crumb") == Some(&format!("crumb-{session}"))
                && ask.header("cookie") == Some(&format!("JSESSIONID.5e55=node{session}"))
        })
    }

    fn show_item(&self, ask: &Ask, id: &str) -> Response {
        let item = id.parse().ok().and_then(|id| self.items.get(&id));
        match item {
            Some(item) => pages::object(&self.item_page(item)),
            None => ask.error(404, "Not Found"),
        }
    }

    fn show_build(&self, ask: &Ask, job: &str, number: &str) -> Response {
        let build = number.parse().ok().and_then(|number| self.build(job, number));
        match build {
            Some(build) => pages::object(&self.build_page(job, build)),
            None => ask.error(404, "Not Found"),
        }
    }

    fn cancel_item(&mut self, ask: &Ask, may_build: bool) -> Response {
        let Some(id) = ask.field("id").and_then(|id| id.parse().ok()) else {
            return ask.error(404, "Not Found");
        };
        if !may_build && self.items.contains_key(&id) {
            return ask.error(422, "Item is not cancellable");
        }
        match self.cancel(id) {
            Cancelling::Done => StatusCode::NO_CONTENT.into_response(),
            Cancelling::TooLate => ask.error(500, "Server Error"),
            Cancelling::Unknown => ask.error(404, "Not Found"),
        }
    }

    fn stop_build(&mut self, ask: &Ask, job: &str, number: &str, may_build: bool) -> Response {
        let build = number.parse().ok().and_then(|number| self.build(job, number));
        let Some(number) = build.map(|build| build.number) else {
            return ask.error(404, "Not Found");
        };
        if !may_build {
            return forbidden(ask, "hudson.model.Item.Cancel");
        }
        if self.jobs.get(job).is_some_and(|job| !job.spec.ignores_stop) {
            self.finish(job, number, BuildResult::Aborted);
        }
        let page = format!("{}{}{number}/", ask.seen_as(self), super::memory::job_path(job));
        pages::empty(StatusCode::FOUND, header::LOCATION, &page)
    }

    /// Where a build comes from; nothing if it may not be started.  A right trigger token opens
    /// the job to anybody, and a wrong one closes it to everybody.
    pub(super) fn cause(&self, ask: &Ask, job: &str, who: (&str, bool)) -> Option<Cause> {
        let token = (self.jobs.get(job)).and_then(|job| job.spec.trigger_token.as_deref());
        match (token, ask.field("token")) {
            (Some(token), Some(given)) => (token == given).then(|| Cause::Remote {
                host: "127.0.0.1".to_owned(),
                note: ask.field("cause").map(str::to_owned),
            }),
            (Some(_), None) | (None, _) => who.1.then(|| Cause::User(who.0.to_owned())),
        }
    }
}

pub(super) fn forbidden(ask: &Ask, permission: &'static str) -> Response {
    let mut response = ask.error(403, "Forbidden");
    let value = header::HeaderValue::from_static(permission);
    (response.headers_mut()).insert("X-Required-Permission", value);
    response
}
