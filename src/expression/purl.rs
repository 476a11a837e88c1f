//! Package URLs: `pkg:type/namespace/name@version?qualifiers#subpath`.
//!
//! What is read is the syntax that all types have in common; the rules of single types, such as
//! which of them ignore case, are not applied.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Serialize;

/// The longest that is read, in bytes.
const MAX_BYTES: usize = 2000;

/// What a package URL tells.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Purl {
    /// The kind of package, in lower case: `oci`, `rpm`, ….
    r#type: String,
    /// What stands before the name, its parts joined by `/`.
    namespace: Option<String>,
    /// The name.
    name: String,
    /// The version.
    version: Option<String>,
    /// Whatever else tells packages apart, by name.
    qualifiers: BTreeMap<String, String>,
    /// A path inside of the package.
    subpath: Option<String>,
}

/// Reads `text`; `Err` says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Purl, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("a package URL of more than 2000 bytes is not read");
    }
    let (scheme, rest) = text.split_once(':').ok_or("a package URL begins with `pkg:`")?;
    if !scheme.eq_ignore_ascii_case("pkg") {
        return Err("a package URL begins with `pkg:`");
    }
    let (rest, subpath) = cut_last(rest, '#');
    let (rest, qualifiers) = cut_last(rest, '?');
    let (kind, path) = rest
        .trim_start_matches('/')
        .split_once('/')
        .ok_or("a package URL has a type and a name, as `pkg:type/name`")?;
    let is_type = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
    if kind.is_empty() || !kind.chars().all(is_type) {
        return Err("the type of a package URL has only letters, digits and `.+-`");
    }
    // An `@` with a `/` behind it is the scope of a name, which some do not encode.
    let (path, version) = match path.rsplit_once('@') {
        Some((path, version)) if !version.contains('/') => (path, Some(version)),
        Some(_) | None => (path, None),
    };
    let mut parts = parts(path)?;
    let name = parts.pop().ok_or("a package URL has a name")?;
    Ok(Purl {
        r#type: kind.to_ascii_lowercase(),
        namespace: joined(&parts),
        name,
        version: version.filter(|version| !version.is_empty()).map(decoded).transpose()?,
        qualifiers: qualifiers.map(pairs).transpose()?.unwrap_or_default(),
        subpath: subpath.map(self::parts).transpose()?.and_then(|parts| joined(&parts)),
    })
}

/// What stands before the last `mark`, and what behind it.
fn cut_last(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.rsplit_once(mark) {
        Some((text, rest)) => (text, Some(rest)),
        None => (text, None),
    }
}

fn parts(path: &str) -> Result<Vec<String>, &'static str> {
    path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
}

fn joined(parts: &[String]) -> Option<String> {
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn pairs(text: &str) -> Result<BTreeMap<String, String>, &'static str> {
    let mut pairs = BTreeMap::new();
    for pair in text.split('&') {
        // One without a value is as good as absent.
        if let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) {
            pairs.insert(name.to_ascii_lowercase(), decoded(value)?);
        }
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_not_utf8| "a part of the package URL is not UTF-8")?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        serde_json::to_string(&parse(text).unwrap()).unwrap()
    }

    #[test]
    fn a_package_url_is_taken_apart() {
        insta::assert_snapshot!(told("pkg:oci/nano-image@sha256%3A0b31?repository_url=hub.example/nano&tag=&arch=arm64"), @r#"{"type":"oci","namespace":null,"name":"nano-image","version":"sha256:0b31","qualifiers":{"arch":"arm64","repository_url":"hub.example/nano"},"subpath":null}"#);
        insta::assert_snapshot!(told("pkg:golang/forge.example/rail/points@v1.2#cmd//lever"), @r#"{"type":"golang","namespace":"forge.example/rail","name":"points","version":"v1.2","qualifiers":{},"subpath":"cmd/lever"}"#);
        insta::assert_snapshot!(told("PKG://RPM/rail/points%20x"), @r#"{"type":"rpm","namespace":"rail","name":"points x","version":null,"qualifiers":{},"subpath":null}"#);
        // A scope, encoded and not.
        for text in ["pkg:npm/%40rail/points@1.0", "pkg:npm/@rail/points@1.0"] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(told(text), @r#"{"type":"npm","namespace":"@rail","name":"points","version":"1.0","qualifiers":{},"subpath":null}"#);
            }
        }
        assert_eq!(parse("pkg:npm/@rail/points").unwrap().version, None);
        assert_eq!(parse("pkg:deb/points@").unwrap().version, None);
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "begins with `pkg:`"),
            ("npm/points@1.0", "begins with `pkg:`"),
            ("https://forge.example/points", "begins with `pkg:`"),
            ("pkg:points", "a type and a name"),
            ("pkg:npm/", "has a name"),
            ("pkg:npm/@1.0", "has a name"),
            ("pkg:n pm/points", "letters, digits"),
            ("pkg:npm/%ff", "not UTF-8"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse(&format!("pkg:npm/{}", "a/".repeat(1000))).is_err());
    }
}
