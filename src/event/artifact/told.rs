//! What a message tells of an artifact, checked: it comes from outside, and goes into job
//! definitions and to people.

use serde_json::Value;

use super::{Artifact, ArtifactEvent, File};

impl ArtifactEvent {
    /// The longest name, version or build id, in characters.
    const WORD_MAX: usize = 200;
    /// The longest address, in bytes.
    const URL_MAX: usize = 2000;
    /// The most files.
    const FILES_MAX: usize = 100;
    /// The most kinds of boards.
    pub const BOARDS_MAX: usize = 100;
    /// The most tags.
    const TAGS_MAX: usize = 20;
    /// The most entries of `metadata`.
    const METADATA_MAX: usize = 50;
    /// The longest entry of `metadata`, in characters.
    const METADATA_CHARS_MAX: usize = 1000;

    /// The event, if what it tells can be used; `Err` names the field that cannot, and says why.
    pub fn told(self) -> Result<Self, (&'static str, String)> {
        let Artifact { name, kind, version, build, url, files, boards, tags, metadata } =
            &self.artifact;
        // What continues an earlier message leaves to that what it has told.
        let is_part = self.thread.of.is_some();
        word("artifact.name", name, is_part)?;
        word("artifact.build", build, is_part)?;
        for (field, text) in [("artifact.kind", kind), ("artifact.version", version)] {
            if let Some(text) = text {
                word(field, text, false)?;
            }
        }
        word("instance", &self.instance, false)?;
        if let Some(url) = url {
            address("artifact.url", url)?;
        }
        if let Some(url) = &self.change.url {
            address("change.url", url)?;
        }
        several("artifact.files", files.len(), Self::FILES_MAX)?;
        let mut names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < files.len() {
            return Err(("artifact.files", "two files have the same name".to_owned()));
        }
        files.iter().try_for_each(check_file)?;
        several("artifact.boards", boards.len(), Self::BOARDS_MAX)?;
        boards.iter().try_for_each(|name| label("artifact.boards", name))?;
        several("artifact.tags", tags.len(), Self::TAGS_MAX)?;
        tags.iter().try_for_each(|name| label("artifact.tags", name))?;
        several("artifact.metadata", metadata.len(), Self::METADATA_MAX)?;
        for (name, value) in metadata {
            word("artifact.metadata", name, false)?;
            scalar(name, value)?;
        }
        Ok(self)
    }
}

type Checked = Result<(), (&'static str, String)>;

fn several(field: &'static str, count: usize, max: usize) -> Checked {
    if count <= max { Ok(()) } else { Err((field, format!("there are {count}, at most {max}"))) }
}

fn word(field: &'static str, text: &str, may_be_empty: bool) -> Checked {
    let is_short = text.chars().count() <= ArtifactEvent::WORD_MAX;
    if text.is_empty() && !may_be_empty {
        Err((field, "it is empty".to_owned()))
    } else if !is_short {
        Err((field, format!("it is longer than {} characters", ArtifactEvent::WORD_MAX)))
    } else if text.chars().any(char::is_control) {
        Err((field, "it has control characters".to_owned()))
    } else {
        Ok(())
    }
}

/// A name as LAVA has them for device types and tags.
fn label(field: &'static str, text: &str) -> Checked {
    let is_label = text.chars().all(|c| c.is_ascii_alphanumeric() || "._:+-".contains(c));
    word(field, text, false)?;
    if is_label { Ok(()) } else { Err((field, "only letters, digits and `._:+-`".to_owned())) }
}

/// An address that is fetched over a network: `file:` would be read where the job is run.
fn address(field: &'static str, url: &str) -> Checked {
    const SCHEMES: [&str; 4] = ["http", "https", "ftp", "tftp"];
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    let is_address = url.split_once("://").is_some_and(|(scheme, rest)| {
        let is_known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        is_known && !rest.is_empty() && !rest.starts_with('/')
    });
    if url.len() <= ArtifactEvent::URL_MAX && is_plain && is_address {
        Ok(())
    } else {
        Err((
            field,
            "one of the addresses is none of http, https, ftp or tftp, or too long".to_owned(),
        ))
    }
}

fn check_file(file: &File) -> Checked {
    const FIELD: &str = "artifact.files";
    label(FIELD, &file.name)?;
    address(FIELD, &file.url)?;
    for (of, sum) in &file.checksums {
        let digits = match of.as_str() {
            "md5" => 32,
            "sha1" => 40,
            "sha256" => 64,
            "sha512" => 128,
            _ => return Err((FIELD, "checksums are md5, sha1, sha256 or sha512".to_owned())),
        };
        if sum.len() != digits || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err((FIELD, format!("{of} has {digits} hexadecimal digits")));
        }
    }
    Ok(())
}

fn scalar(name: &str, value: &Value) -> Checked {
    const FIELD: &str = "artifact.metadata";
    match value {
        Value::String(text) if text.chars().count() > ArtifactEvent::METADATA_CHARS_MAX => {
            let max = ArtifactEvent::METADATA_CHARS_MAX;
            Err((FIELD, format!("`{name}` is longer than {max} characters")))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => Ok(()),
        Value::Array(_) | Value::Object(_) => {
            Err((FIELD, format!("`{name}` is neither a text nor a number nor a truth")))
        }
    }
}
