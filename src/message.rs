//! A message as a source delivers it: nothing of it has been believed yet.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Variant, Version};

/// What a source delivers: a topic, properties, headers and the bytes of a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The sender's own id (AMQP `message_id`), where there is one.
    pub id: Option<String>,
    /// The routing key, deployment prefix included.
    pub topic: String,
    /// The MIME type the sender claims; never trusted, and often absent.
    pub content_type: Option<String>,
    /// The encoding the sender claims.
    pub content_encoding: Option<String>,
    /// The headers, as JSON; an AMQP timestamp is an RFC 3339 string, bytes are text.
    pub headers: Map<String, Value>,
    /// The body, unparsed.
    pub body: Vec<u8>,
}

/// The identity of a message.
///
/// It is the sender's id where there is one, without the year that fedmsg's bridges put before
/// it (`2019-<uuid>`), and otherwise a hash of topic and body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

impl MessageId {
    /// An id that was computed before, as the ledger or the user gives it back.
    pub fn known(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Message {
    /// The longest id that is kept as it came; a longer one is hashed.
    const ID_LENGTH_MAX: usize = 200;

    /// The identity under which this message is remembered.
    pub fn identity(&self) -> MessageId {
        match self.id.as_deref().map(without_year) {
            Some(id) if !id.is_empty() && id.len() <= Self::ID_LENGTH_MAX => {
                MessageId(id.to_owned())
            }
            Some(id) if !id.is_empty() => MessageId(format!("sha256-{}", hash(&[id.as_bytes()]))),
            Some(_) | None => {
                MessageId(format!("sha256-{}", hash(&[self.topic.as_bytes(), &self.body])))
            }
        }
    }
}

impl Message {
    /// What tells this message from another one that was given the same id.
    pub fn digest(&self) -> String {
        hash(&[self.topic.as_bytes(), &self.body])
    }
}

/// Strips the `2019-` that fedmsg's bridges put before a UUID.
fn without_year(id: &str) -> &str {
    match id.split_once('-') {
        Some((year, rest))
            if year.len() == 4
                && year.bytes().all(|b| b.is_ascii_digit())
                && Uuid::try_parse(rest).is_ok() =>
        {
            rest
        }
        Some(_) | None => id,
    }
}

/// The first 32 hexadecimal digits of the SHA-256 of `parts`, each preceded by its length.
pub fn hash(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let first: [u8; 16] = std::array::from_fn({
        let whole = digest.finalize();
        move |place| whole.get(place).copied().unwrap_or_default()
    });
    format!("{:032x}", u128::from_be_bytes(first))
}

/// A message id computed from `parts`, the same whenever it is; in the form of a UUID, which some
/// readers insist on.
pub fn computed_id(parts: &[&[u8]]) -> String {
    uuid(parts, Version::Custom)
}

/// As [`computed_id`], for readers who know no version of UUIDs beyond the fifth, which is that of
/// names that were hashed.
pub fn computed_name_id(parts: &[&[u8]]) -> String {
    uuid(parts, Version::Sha1)
}

fn uuid(parts: &[&[u8]], version: Version) -> String {
    let bytes = Uuid::try_parse(&hash(parts)).unwrap_or_default().into_bytes();
    Builder::from_bytes(bytes)
        .with_variant(Variant::RFC4122)
        .with_version(version)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: Option<&str>, body: &str) -> Message {
        Message {
            id: id.map(str::to_owned),
            topic: "a.b".to_owned(),
            body: body.as_bytes().to_vec(),
            ..Message::default()
        }
    }

    #[test]
    fn a_bridged_id_is_the_id_it_bridges() {
        let bridged = message(Some("2019-0a1b2c3d-aaaa-4bbb-8ccc-0123456789ab"), "{}");
        let own = message(Some("0a1b2c3d-aaaa-4bbb-8ccc-0123456789ab"), "{}");
        assert_eq!(bridged.identity(), own.identity());
        let (one, two) = (message(Some("0001-build"), "{}"), message(Some("0002-build"), "{}"));
        assert_ne!(one.identity(), two.identity());
    }

    #[test]
    fn without_an_id_topic_and_body_are_the_identity() {
        assert_eq!(message(None, "x").identity(), message(Some(""), "x").identity());
        assert_ne!(message(None, "x").identity(), message(None, "y").identity());
    }

    #[test]
    fn an_endless_id_is_shortened() {
        let id = "a".repeat(5_000);
        assert_eq!(message(Some(&id), "").identity().as_str().len(), 39);
    }
}
