//! What messages list: files and where to fetch them, in whichever of the ways that senders have.

use std::collections::BTreeSet;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::json;

/// How many entries of a list are looked at: more than an artifact may have.
const ENTRIES_MAX: usize = 1000;
/// The longest name and the longest address, in bytes.
const NAME_MAX: usize = 200;
const ADDRESS_MAX: usize = 2000;
/// What no address has as it is.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ');

/// The files of an artifact, as `artifact.files` has them: `[{name, url}, …]`.
///
/// They may be listed as an object that has an address (or an object with one) under each name,
/// or as a list of addresses, or of objects that have a `name` and an address.  Names become such
/// as files may have.  What has no address is left out; of two with one name the first counts.
pub(super) fn files(value: &Value) -> Result<Value, Error> {
    let mut files = Files::default();
    let kind = value.kind();
    if kind == ValueKind::Map {
        for key in value.try_iter()?.take(ENTRIES_MAX) {
            files.add(key.as_str(), &value.get_item(&key)?);
        }
    } else if matches!(kind, ValueKind::Seq | ValueKind::Iterable) {
        for entry in value.try_iter()?.take(ENTRIES_MAX) {
            let name = attribute(&entry, "name");
            files.add(name.as_ref().and_then(Value::as_str), &entry);
        }
    } else if kind == ValueKind::Undefined {
        return Err(ErrorKind::UndefinedError.into());
    } else if kind != ValueKind::None {
        let message = format!("a list or an object of files is needed, this is a {kind}");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    Ok(super::context(&files.listed))
}

#[derive(Default)]
struct Files {
    listed: Vec<serde_json::Value>,
    /// The names as they were told.
    told: BTreeSet<String>,
    /// The names as they are listed.
    taken: BTreeSet<String>,
}

impl Files {
    fn add(&mut self, name: Option<&str>, entry: &Value) {
        let Some(address) = address_in(entry) else { return };
        let name = name.map_or_else(|| last_part(&address), str::to_owned);
        if !self.told.insert(name.clone()) {
            return;
        }
        let base = label(&name);
        let mut label = base.clone();
        let mut number = 1;
        while !self.taken.insert(label.clone()) {
            number += 1;
            label = format!("{base}-{number}");
        }
        self.listed.push(json!({ "name": label, "url": address }));
    }
}

fn attribute(value: &Value, name: &str) -> Option<Value> {
    if value.kind() != ValueKind::Map {
        return None;
    }
    value.get_attr(name).ok().filter(|found| !found.is_undefined())
}

/// The address in an entry: the entry itself, its `url` or `uri`, or the first one it has.
fn address_in(entry: &Value) -> Option<String> {
    if let Some(text) = entry.as_str() {
        return address(text);
    }
    if entry.kind() != ValueKind::Map {
        return None;
    }
    let named = |name: &str| attribute(entry, name).and_then(|found| address(found.as_str()?));
    named("url").or_else(|| named("uri")).or_else(|| {
        let mut keys = entry.try_iter().ok()?.take(ENTRIES_MAX);
        keys.find_map(|key| address(entry.get_item(&key).ok()?.as_str()?))
    })
}

/// `text`, if it is an absolute address; what would have to be encoded is.
fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    let encoded = utf8_percent_encode(text, ENCODED).to_string();
    (is_scheme && !rest.is_empty() && encoded.len() <= ADDRESS_MAX).then_some(encoded)
}

/// The last part of the path of an address.
fn last_part(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    percent_decode_str(last).decode_utf8_lossy().into_owned()
}

/// `name` with `_` for what a file's name may not have.
fn label(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._:+-".contains(c) { c } else { '_' };
    let label: String = name.chars().map(fit).take(NAME_MAX - 5).collect();
    if label.is_empty() { "file".to_owned() } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::context;

    fn told(listed: &serde_json::Value) -> String {
        let files = files(&context(listed)).unwrap();
        let files: Vec<serde_json::Value> = serde_json::from_value(json!(files)).unwrap();
        let lines = files.iter().map(|file| {
            format!("{} {}", file["name"].as_str().unwrap(), file["url"].as_str().unwrap())
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn files_are_found_in_whichever_way_they_are_listed() {
        insta::assert_snapshot!(told(&json!({
            "rootfs.img": {"store": "https://ci.example/a/rootfs.img"},
            "boot/kernel image": "https://ci.example/a/kernel image",
            "boot_kernel image": "https://ci.example/b/kernel",
            "log": {"store": "artifact/log"},
            "none": null,
        })), @r"
        boot_kernel_image https://ci.example/a/kernel%20image
        boot_kernel_image-2 https://ci.example/b/kernel
        rootfs.img https://ci.example/a/rootfs.img
        ");
        insta::assert_snapshot!(told(&json!([
            {"name": "dtb", "type": "PLAIN", "uri": "https://store.example/x?y=1"},
            {"type": "PLAIN", "uri": "https://store.example/a/rootfs%20x.img?y=/1"},
            {"type": "PLAIN", "uri": "https://mirror.example/a/rootfs%20x.img"},
            "https://store.example/",
            "isbn:0-486", 7, [], {"name": "nothing"},
        ])), @r"
        dtb https://store.example/x?y=1
        rootfs_x.img https://store.example/a/rootfs%20x.img?y=/1
        store.example https://store.example/
        ");
        assert_eq!(told(&json!(null)), "");
        assert!(files(&context(&json!("x"))).is_err());
        assert!(files(&Value::UNDEFINED).is_err());
    }

    #[test]
    fn an_endless_list_ends() {
        let many: Vec<String> = (0..5000).map(|n| format!("https://ci.example/{n}")).collect();
        assert_eq!(told(&json!(many)).lines().count(), ENTRIES_MAX);
        let long = format!("https://ci.example/{}", "a".repeat(3000));
        assert_eq!(told(&json!([long])), "");
        let name = "a".repeat(300);
        let files = told(&json!([{"name": name, "url": "https://ci.example/a"}]));
        assert!(files.starts_with(&"a".repeat(195)) && !files.starts_with(&"a".repeat(196)));
    }
}
