//! Secrets: where they are said to be, and what is there, which is never printed.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Where a secret is kept: `file:/path` or `env:NAME`.  The secret itself is refused, so that
/// settings can be shown, logged and committed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretRef {
    /// The content of a file, without the white space around it.
    File(PathBuf),
    /// The value of an environment variable.
    Env(String),
}

impl schemars::JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Where a secret is kept: `file:/path` or `env:NAME`.",
            "type": "string",
            "pattern": "^(file|env):.+",
        })
    }
}

/// A text that does not say where a secret is kept.  It does not carry the text, which may be the
/// secret itself.
#[derive(Debug, thiserror::Error)]
#[error("a secret is given as `file:/path` or `env:NAME`, never itself")]
pub struct NotAReference;

impl TryFrom<String> for SecretRef {
    type Error = NotAReference;

    fn try_from(text: String) -> Result<Self, NotAReference> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(_) | None => Err(NotAReference),
        }
    }
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The variable is not set, or is no text.
    #[error("the environment variable `{0}`, which should hold a secret, is not set")]
    Env(String),
    /// There is nothing in it.
    #[error("the secret in `{0}` is empty")]
    Empty(String),
}

impl SecretRef {
    /// Fetches the secret.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let (text, place) = match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| SecretError::File { path: path.clone(), source })?;
                (text, format!("file:{}", path.display()))
            }
            Self::Env(name) => {
                let text = std::env::var_os(name)
                    .and_then(|value| value.into_string().ok())
                    .ok_or_else(|| SecretError::Env(name.clone()))?;
                (text, format!("env:{name}"))
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty(place));
        }
        Ok(SecretString::from(text.to_owned()))
    }
}

/// Where one secret is kept, or several: there are two while one takes the place of the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretRefs(pub Vec<SecretRef>);

impl schemars::JsonSchema for SecretRefs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRefs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<SecretRef>();
        let more = generator.subschema_for::<Vec<SecretRef>>();
        schemars::json_schema!({ "anyOf": [one, more] })
    }
}

impl<'de> Deserialize<'de> for SecretRefs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Reads them: what is tried in turn could not tell what is wrong.
        struct Either;

        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = SecretRefs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`file:/path` or `env:NAME`, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretRefs, E> {
                let one = SecretRef::try_from(text.to_owned()).map_err(E::custom)?;
                Ok(SecretRefs(vec![one]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<SecretRefs, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(SecretRefs(all))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Fetches several secrets; the error is that of the first that cannot be read.
pub fn read_all(references: &[SecretRef]) -> Result<Vec<SecretString>, SecretError> {
    references.iter().map(SecretRef::read).collect()
}

/// Compares a secret with what somebody presents, in time that does not depend on where they
/// differ.
pub fn is_same(secret: &SecretString, presented: &str) -> bool {
    use subtle::ConstantTimeEq;
    secret.expose_secret().as_bytes().ct_eq(presented.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_or_several_are_kept_at_places() {
        let read = |text: &str| {
            serde_json::from_str::<SecretRefs>(text).map(|refs| refs.0.len()).map_err(|error| {
                let text = error.to_string();
                text.split(" at line").next().unwrap_or_default().to_owned()
            })
        };
        assert_eq!(read(r#""env:KEY""#), Ok(1));
        assert_eq!(read(r#"["env:OLD", "file:/key"]"#), Ok(2));
        let itself = "a secret is given as `file:/path` or `env:NAME`, never itself".to_owned();
        assert_eq!(read(r#""hunter2""#), Err(itself.clone()));
        assert_eq!(read(r#"["hunter2"]"#), Err(itself));
    }
}
