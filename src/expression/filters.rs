//! The filters that are ours.

use jiff::Timestamp;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{context, listed, purl};
use crate::subject::{RunId, Verdict};

/// Adds them to `environment`.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("epoch", epoch);
    environment.add_filter("files", listed::files);
    environment.add_filter("host", host);
    environment.add_filter("json", json);
    environment.add_filter("job_path", job_path);
    environment.add_filter("only", only);
    environment.add_filter("parameter", parameter);
    environment.add_filter("purl", package);
    environment.add_filter("run_id", run_id);
    environment.add_filter("verdict", verdict);
}

/// The host of a URL, with its port unless that is the usual one; none for anything else.
fn host(value: &Value) -> Result<Option<String>, Error> {
    let Some(text) = text(value)? else {
        return Ok(None);
    };
    Ok(Url::parse(text).ok().and_then(|url| {
        let host = url.host_str().filter(|host| !host.is_empty())?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }))
}

/// The value as JSON, which is also a whole value of YAML.
fn json(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = serde_json::to_string(value).map_err(|_not_json| wrong(value, "a plain value"))?;
    Ok(Value::from_safe_string(text))
}

/// Seconds since 1970, a number or a text and perhaps with a fraction, as RFC 3339; or a date as
/// forges write it, in whole seconds.
fn epoch(value: &Value) -> Result<Option<String>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    if let Some(time) = value.as_str().and_then(date) {
        return Ok(Some(time.to_string()));
    }
    if !value.is_number() && value.as_str().is_none() {
        return Err(wrong(value, "a number of seconds since 1970"));
    }
    let written = value.to_string();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(wrong(value, "a number of seconds since 1970"));
    }
    let nanoseconds = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction));
    let seconds: Option<i64> = whole.parse().ok();
    let nanoseconds: Option<i32> = nanoseconds.parse().ok();
    let time = seconds
        .zip(nanoseconds)
        .and_then(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).ok())
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the time is out of range"))?;
    Ok(Some(time.to_string()))
}

/// The moment of `2026-11-20 08:21:47 UTC`, `2026-11-20 10:21:47 +0200` or an RFC 3339 date.
///
/// One forge tells the same moment with and without the fraction of its second, depending on
/// where it tells it, so the fraction is left out.
fn date(text: &str) -> Option<Timestamp> {
    let written = text.trim().strip_suffix(" UTC").map(|date| format!("{date}Z"));
    let written = written.unwrap_or_else(|| text.trim().to_owned());
    let time = written
        .parse::<Timestamp>()
        .or_else(|_not_rfc| Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", &written));
    Timestamp::from_second(time.ok()?.as_second()).ok()
}

/// The full name of a Jenkins job, `folder/job`, from the URL of the job or of a build of it.
fn job_path(value: &Value) -> Result<Option<String>, Error> {
    let Some(url) = text(value)? else {
        return Ok(None);
    };
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut segments = path.split('/').skip_while(|segment| *segment != "job");
    let mut names = Vec::new();
    while let Some(word) = segments.next() {
        match (word, segments.next()) {
            ("job", Some(name)) if !name.is_empty() => {
                names.push(percent_decode_str(name).decode_utf8_lossy());
            }
            // A view is a way to a job, not a part of its name.
            ("view", Some(_)) => {}
            _ => break,
        }
    }
    Ok((!names.is_empty()).then(|| names.join("/")))
}

/// The value of a build parameter, from a list of `NAME=VALUE` or from an object; else none.
fn parameter(value: &Value, name: &str) -> Result<Value, Error> {
    let nothing = Value::from(());
    if value.is_none() {
        return Ok(nothing);
    }
    if value.kind() == ValueKind::Map {
        let found = value.get_attr(name)?;
        return Ok(if found.is_undefined() { nothing } else { found });
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(wrong(value, "a list of `NAME=VALUE` or an object"));
    }
    let found = value.try_iter()?.find_map(|entry| {
        let (key, found) = entry.as_str()?.split_once('=')?;
        (key == name).then(|| Value::from(found))
    });
    Ok(found.unwrap_or(nothing))
}

/// A text that is a run id, as it is; none for anything else.
fn run_id(value: &Value) -> Result<Option<String>, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    Ok(value.as_str().and_then(|text| RunId::try_from(text.to_owned()).ok()).map(String::from))
}

/// An object as it is, if it has no other keys than `names`; else an error that says which.
fn only(value: &Value, names: &Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(wrong(value, "an object"));
    }
    let names: Vec<Value> = names.try_iter()?.collect();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    for key in value.try_iter()? {
        let key = key.to_string();
        if !names.contains(&key.as_str()) {
            let key: String = key.chars().take(40).collect();
            let nearest = names
                .iter()
                .map(|name| (strsim::damerau_levenshtein(&key, name), name))
                .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
                .min()
                .map(|(_, name)| format!("; did you mean `{name}`?"));
            let message = format!("there is no key `{key}`{}", nearest.unwrap_or_default());
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
    }
    Ok(value.clone())
}

/// What a package URL tells: `type`, `namespace`, `name`, `version`, `qualifiers`, `subpath`.
fn package(value: &Value) -> Result<Value, Error> {
    let Some(text) = text(value)? else {
        return Ok(Value::from(()));
    };
    let purl =
        purl::parse(text).map_err(|message| Error::new(ErrorKind::InvalidOperation, message))?;
    Ok(context(&purl))
}

/// Our word for how a build ended; none while nobody says; for a word we do not know `otherwise`,
/// or else an error.
fn verdict(value: &Value, otherwise: Option<&str>) -> Result<Option<String>, Error> {
    let Some(word) = text(value)? else {
        return Ok(None);
    };
    let verdict = match word.to_ascii_lowercase().as_str() {
        // Jenkins has no result yet; rabbitmq-build-trigger calls that `ONGOING`.
        "" | "ongoing" | "null" => return Ok(None),
        "success" | "successful" | "pass" | "passed" | "recover" => Verdict::Success,
        // A Fedora CI pipeline that found something says `needs_inspection`, never `failed`.
        "failure" | "fail" | "failed" | "needs_inspection" => Verdict::Failure,
        // What Jenkins calls `UNSTABLE`, the Eiffel broadcaster calls `UNSUCCESSFUL`.
        "unstable" | "unsuccessful" => Verdict::Unstable,
        "error" | "timed_out" | "inconclusive" => Verdict::Error,
        "aborted" | "cancel" | "canceled" | "cancelled" => Verdict::Cancelled,
        // Fedora CI says `info` where it had nothing to do.
        "not_built" | "notbuilt" | "not_applicable" | "info" | "skipped" => Verdict::Skipped,
        _ => {
            let Some(word) = otherwise else {
                let message = "`verdict` does not know this word";
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            };
            return verdict(&Value::from(word), None);
        }
    };
    Ok(Some(verdict.as_str().to_owned()))
}

/// The text in `value`, if there is one.
fn text(value: &Value) -> Result<Option<&str>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    let text = value.as_str().ok_or_else(|| wrong(value, "a text"))?;
    Ok(Some(text))
}

fn wrong(value: &Value, wanted: &str) -> Error {
    let kind = value.kind();
    if kind == ValueKind::Undefined {
        return ErrorKind::UndefinedError.into();
    }
    Error::new(ErrorKind::InvalidOperation, format!("{wanted} is needed, this is a {kind}"))
}
