//! An artifact as its producer announces it in our own words: on the bus, or at our door.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Artifact, ArtifactEvent, Change, File};
use crate::event::EventKind;
use crate::event::thread::Thread;

/// How much an error repeats of what was sent, in characters.
const SHOWN_MAX: usize = 300;

/// What a producer announces: the body of a message, and of a post to our door.
///
/// The topic `artifact/published` reads the same keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Who announces it, by its name in the settings; who posts to our door need not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
    /// As [`Artifact::name`].
    pub name: String,
    /// As [`Artifact::kind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// As [`Artifact::version`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// As [`Artifact::build`].
    pub build: String,
    /// As [`Artifact::url`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// As [`Artifact::files`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// As [`Artifact::boards`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<String>,
    /// As [`Artifact::tags`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The change that it was made of, where it was made of one.
    #[serde(default, skip_serializing_if = "Change::is_nothing")]
    pub change: Change,
    /// As [`Artifact::metadata`].
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Announcement {
    /// The topic of the message, without the prefix of the deployment.
    pub const TOPIC: &str = "pointsman.artifact.published";

    /// Reads what was sent; `Err` names the key that cannot be used, and says why.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let said: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the body is no JSON: {}", shown(&error)))?;
        let Value::Object(mut said) = said else {
            return Err("the body is no object".to_owned());
        };
        tidy(&mut said);
        serde_path_to_error::deserialize(Value::Object(said)).map_err(|error| {
            let (path, why) = (error.path().to_string(), shown(error.inner()));
            if path == "." { why } else { format!("`{path}`: {why}") }
        })
    }

    /// The event, announced by `instance`; `Err` names the key that cannot be used, and says why.
    pub fn into_event(self, instance: String) -> Result<ArtifactEvent, (&'static str, String)> {
        let Self { name, kind, version, build, url, files, boards, tags, metadata, .. } = self;
        let event = ArtifactEvent {
            event: EventKind::ArtifactPublished,
            instance,
            artifact: Artifact { name, kind, version, build, url, files, boards, tags, metadata },
            change: self.change,
            thread: Thread::default(),
            at: self.at,
        };
        event.told().map_err(|(field, why)| match field {
            "instance" => ("producer", why),
            _ => (field.strip_prefix("artifact.").unwrap_or(field), why),
        })
    }
}

/// What is said to be nothing is as good as not said, and many count their builds: so the topic
/// reads it, too.
fn tidy(said: &mut Map<String, Value>) {
    let is_empty = |value: &Value| value.as_str().is_some_and(str::is_empty);
    said.retain(|key, value| {
        !value.is_null() && (!is_empty(value) || matches!(key.as_str(), "name" | "build"))
    });
    if let Some(Value::Object(change)) = said.get_mut("change") {
        change.retain(|key, value| !value.is_null() && (!is_empty(value) || key == "number"));
    }
    if let Some(build) = said.get_mut("build")
        && let Value::Number(number) = build
    {
        *build = number.to_string().into();
    }
}

fn shown(error: &serde_json::Error) -> String {
    error.to_string().chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        json!({
            "name": "nano-minimal", "kind": "image", "version": "14.2", "build": "20261120.3",
            "url": "https://images.example/nano/20261120.3/",
            "files": [{
                "name": "rootfs", "url": "https://images.example/nano/20261120.3/rootfs.ext4.xz",
                "checksums": { "sha256": "5".repeat(64) }, "size": 1_048_576,
            }],
            "boards": ["qemu-arm64"], "tags": ["usb"],
            "change": {
                "instance": "forge.example", "project": "rail/nano", "number": 7,
                "sha": "C0FFEE00".repeat(5), "url": "https://forge.example/rail/nano/7",
            },
            "metadata": { "channel": "nightly", "parts": 3, "signed": true },
            "at": "2026-11-20T09:24:32+01:00",
        })
    }

    fn parse(body: &Value) -> Result<Announcement, String> {
        Announcement::parse(body.to_string().as_bytes())
    }

    #[test]
    fn what_is_announced_becomes_an_event() {
        let event = parse(&whole()).unwrap().into_event("images".to_owned()).unwrap();
        assert_eq!(event.subject().key(), "images/artifacts/nano-minimal");
        assert_eq!(event.event, EventKind::ArtifactPublished);
        assert_eq!(event.artifact.files[0].size, Some(1_048_576));
        assert_eq!(event.artifact.metadata["parts"], 3);
        let (change, sha) = event.change.place().unwrap();
        assert_eq!(
            (change.key(), sha.short()),
            ("forge.example/rail/nano#7".into(), "c0ffee00c0ff")
        );
        assert_eq!(event.at, Some("2026-11-20T08:24:32Z".parse().unwrap()));
    }

    #[test]
    fn little_is_needed_and_what_was_not_said_is_not_said_on() {
        let little = json!({ "name": "nano", "build": "3" });
        let announcement = parse(&little).unwrap();
        assert_eq!(serde_json::to_value(&announcement).unwrap(), little);
        let event = announcement.into_event("images".to_owned()).unwrap();
        assert!(event.artifact.files.is_empty() && event.change.is_nothing());
    }

    #[test]
    fn nothing_is_as_good_as_not_said() {
        let nothing = json!({
            "name": "nano", "build": 3, "kind": "", "version": null, "url": "", "files": null,
            "boards": null, "tags": "", "metadata": null, "at": "", "producer": "",
            "change": { "project": "rail/nano", "number": null, "sha": "", "url": null },
        });
        let said = json!({
            "name": "nano", "build": "3", "change": { "project": "rail/nano" },
        });
        assert_eq!(parse(&nothing).unwrap(), parse(&said).unwrap());
        assert!(parse(&json!({ "name": "nano", "build": true })).is_err());
    }

    #[test]
    fn said_on_it_says_the_same() {
        let announcement = parse(&whole()).unwrap();
        let again = parse(&serde_json::to_value(&announcement).unwrap()).unwrap();
        assert_eq!(again, announcement);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let refusal = |path: &str, value: Value| {
            let mut body = whole();
            *body.pointer_mut(path).unwrap() = value;
            match parse(&body) {
                Ok(read) => {
                    let (key, why) = read.into_event("images".to_owned()).unwrap_err();
                    format!("`{key}`: {why}")
                }
                Err(why) => why,
            }
        };
        let told = [
            refusal("/name", json!(7)),
            refusal("/name", json!("")),
            refusal("/build", json!("a\u{1b}[31m")),
            refusal("/url", json!("not there")),
            // It would be read where the job is run.
            refusal("/files/0/url", json!("file:///etc/shadow")),
            refusal("/files/0/checksums", json!({ "crc": "0" })),
            refusal(
                "/files/0",
                json!({ "name": "rootfs", "url": "https://a.example/", "sise": 1 }),
            ),
            refusal("/change/sha", json!("HEAD")),
            refusal("/metadata/parts", json!([1])),
            refusal("/at", json!("yesterday")),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        `name`: invalid type: integer `7`, expected a string
        `name`: it is empty
        `build`: it has control characters
        `url`: one of the addresses is none of http, https, ftp or tftp, or too long
        `files`: one of the addresses is none of http, https, ftp or tftp, or too long
        `files`: checksums are md5, sha1, sha256 or sha512
        `files[0].sise`: unknown field `sise`, expected one of `name`, `url`, `checksums`, `size`
        `change.sha`: `HEAD` is no commit id (40 or 64 hexadecimal digits)
        `metadata`: `parts` is neither a text nor a number nor a truth
        `at`: failed to parse four digit integer as year: invalid digit, expected 0-9 but got y
        ");
    }

    #[test]
    fn what_is_no_announcement_is_refused() {
        let refusal = |body: &str| Announcement::parse(body.as_bytes()).unwrap_err();
        let long = json!({ "name": "x".repeat(9_000), "build": { "y": "z".repeat(9_000) } });
        assert!(refusal(&long.to_string()).len() < 400);
        let told = [
            refusal(""),
            refusal("{"),
            refusal(r#"["images", "nano", null, null, "3"]"#),
            refusal(r#"{"name": "nano"}"#),
            refusal(r#"{"name": "nano", "build": "3"} {}"#),
            refusal(r#"{"name": "nano", "build": "3", "nmae": "x"}"#),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        the body is no JSON: EOF while parsing a value at line 1 column 0
        the body is no JSON: EOF while parsing an object at line 1 column 1
        the body is no object
        missing field `build`
        the body is no JSON: trailing characters at line 1 column 32
        `nmae`: unknown field `nmae`, expected one of `producer`, `name`, `kind`, `version`, `build`, `url`, `files`, `boards`, `tags`, `change`, `metadata`, `at`
        ");
    }
}
