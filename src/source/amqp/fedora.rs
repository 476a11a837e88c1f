//! The configuration file of fedora-messaging, read as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Table, TomlError};

/// What we use of the file.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FedoraConfig {
    /// The broker, perhaps with a password.
    pub(super) amqp_url: String,
    pub(super) passive_declares: bool,
    pub(super) publish_exchange: String,
    pub(super) topic_prefix: String,
    pub(super) tls: Tls,
    client_properties: BTreeMap<String, Property>,
    pub(super) queues: BTreeMap<String, Queue>,
    pub(super) bindings: Vec<Binding>,
    pub(super) qos: Option<Qos>,
    // Sections that mean something to the reference implementation only.
    #[serde(rename = "callback")]
    _callback: IgnoredAny,
    #[serde(rename = "consumer_config")]
    _consumer_config: IgnoredAny,
    #[serde(rename = "exchanges")]
    _exchanges: IgnoredAny,
    #[serde(rename = "log_config")]
    _log_config: IgnoredAny,
    #[serde(rename = "monitoring")]
    _monitoring: IgnoredAny,
    #[serde(rename = "publish_priority")]
    _publish_priority: IgnoredAny,
}

/// `[tls]`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) ca_cert: Option<PathBuf>,
    pub(super) keyfile: Option<PathBuf>,
    pub(super) certfile: Option<PathBuf>,
}

/// `[queues.NAME]`; as in the reference, all four are required.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) exclusive: bool,
    pub(super) arguments: Map<String, Value>,
}

/// `[[bindings]]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Binding {
    /// The key below `queues`; `""` stands for a name that the broker makes up.
    #[serde(default)]
    pub(super) queue: String,
    pub(super) exchange: String,
    pub(super) routing_keys: Vec<String>,
}

/// `[qos]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Qos {
    /// RabbitMQ knows no limit in bytes; only 0 makes sense.
    #[serde(rename = "prefetch_size")]
    _prefetch_size: u32,
    pub(super) prefetch_count: u16,
}

impl Default for Qos {
    fn default() -> Self {
        Self { _prefetch_size: 0, prefetch_count: 10 }
    }
}

#[derive(Clone, Deserialize)]
#[serde(from = "Value")]
struct Property(String);

impl From<Value> for Property {
    /// A list, such as the addresses in `app_contacts_email`, becomes one text.
    fn from(value: Value) -> Self {
        let words = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        };
        Self(match &value {
            Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => words(&value),
        })
    }
}

impl Default for FedoraConfig {
    fn default() -> Self {
        Self {
            amqp_url: "amqp://?connection_attempts=3&retry_delay=5".to_owned(),
            passive_declares: false,
            publish_exchange: "amq.topic".to_owned(),
            topic_prefix: String::new(),
            tls: Tls::default(),
            client_properties: BTreeMap::new(),
            queues: BTreeMap::from([(
                String::new(),
                Queue { durable: false, auto_delete: true, exclusive: true, arguments: Map::new() },
            )]),
            bindings: vec![Binding {
                queue: String::new(),
                exchange: "amq.topic".to_owned(),
                routing_keys: vec!["#".to_owned()],
            }],
            qos: None,
            _callback: IgnoredAny,
            _consumer_config: IgnoredAny,
            _exchanges: IgnoredAny,
            _log_config: IgnoredAny,
            _monitoring: IgnoredAny,
            _publish_priority: IgnoredAny,
        }
    }
}

impl FedoraConfig {
    /// The client properties that the reference keeps to itself, and refuses.
    const RESERVED: [&str; 3] = ["information", "product", "version"];

    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Self::parse(&text)
            .with_context(|| format!("`{}` is no fedora-messaging configuration", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let document: DocumentMut = text.parse().map_err(|error: TomlError| {
            // Its own text would show the line, and with it perhaps a password.
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            anyhow!("line {}: {}", before.matches('\n').count() + 1, error.message())
        })?;
        let config: Self = toml_edit::de::from_document(lower_case(document))?;
        if let Some(name) =
            Self::RESERVED.into_iter().find(|name| config.client_properties.contains_key(*name))
        {
            bail!("`client_properties.{name}` is reserved");
        }
        Ok(config)
    }

    /// What the administrators of the broker are told about us.
    pub(super) fn client_properties(&self) -> BTreeMap<String, String> {
        self.client_properties
            .iter()
            .map(|(name, Property(text))| (name.clone(), text.clone()))
            .collect()
    }
}

/// The reference reads top-level keys without regard to case.
fn lower_case(document: DocumentMut) -> DocumentMut {
    let mut lower = Table::new();
    for (key, item) in document.into_table() {
        lower.insert(&key.to_lowercase(), item);
    }
    DocumentMut::from(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r##"
        amqp_url = "amqps://signals:@broker.example/%2Fpublic_pubsub"
        callback = "signalbox.consumer:Points"
        passive_declares = true
        publish_exchange = "amq.topic"
        topic_prefix = "org.example.dev"
        publish_priority = 0
        [tls]
        ca_cert = "/etc/signals/ca.pem"
        keyfile = "/etc/signals/key.pem"
        certfile = "/etc/signals/certificate.pem"
        [client_properties]
        app = "Signals"
        app_contacts_email = ["ada@example.org", "grace@example.org"]
        [exchanges."amq.topic"]
        type = "topic"
        durable = true
        auto_delete = false
        arguments = {}
        [queues.5a1d0f80-0000-4000-8000-3f2b8c1d9e77]
        durable = false
        auto_delete = true
        exclusive = true
        arguments = { x-max-length = 1000 }
        [[bindings]]
        queue = "5a1d0f80-0000-4000-8000-3f2b8c1d9e77"
        exchange = "amq.topic"
        routing_keys = ["org.example.*.pull-request.#", "#.flag.added"]
        [consumer_config]
        anything = { goes = [1, 2] }
        [qos]
        prefetch_size = 0
        prefetch_count = 25
        [monitoring]
        port = 8070
        [log_config]
        version = 1
    "##;

    fn fault(text: &str) -> String {
        match FedoraConfig::parse(text) {
            Ok(_) => String::new(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn a_whole_file_is_taken_as_it_is() {
        let config = FedoraConfig::parse(FULL).unwrap();
        let queue = &config.queues["5a1d0f80-0000-4000-8000-3f2b8c1d9e77"];
        assert!(config.passive_declares && queue.exclusive && !queue.durable);
        assert_eq!(queue.arguments["x-max-length"], 1000);
        assert_eq!(config.queues.len(), 1);
        assert_eq!(config.bindings[0].routing_keys.len(), 2);
        assert_eq!(config.qos.as_ref().unwrap().prefetch_count, 25);
        assert_eq!(
            config.client_properties()["app_contacts_email"],
            "ada@example.org, grace@example.org"
        );
    }

    #[test]
    fn an_empty_file_is_the_default_of_the_reference() {
        let config = FedoraConfig::parse("").unwrap();
        let queue = &config.queues[""];
        assert!(queue.exclusive && queue.auto_delete && !queue.durable);
        assert_eq!(config.bindings[0].routing_keys, ["#"]);
        assert_eq!(config.bindings[0].queue, "");
    }

    #[test]
    fn an_unknown_key_is_named() {
        assert!(fault("topic_prefx = 'x'").contains("`topic_prefx`"));
        assert!(fault("[tls]\nca = 'x'").contains("`ca`"));
    }

    #[test]
    fn the_file_is_named_too() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "bogus = 1").unwrap();
        let error = FedoraConfig::read(file.path()).err().unwrap();
        let text = format!("{error:#}");
        assert!(text.contains("bogus"), "{text}");
        assert!(text.contains(file.path().to_str().unwrap()), "{text}");
    }

    #[test]
    fn a_queue_without_one_of_its_four_keys_is_refused() {
        let text = "[queues.q]\ndurable = true\nexclusive = false\nauto_delete = false";
        assert!(fault(text).contains("arguments"));
    }

    #[test]
    fn top_level_keys_are_read_without_regard_to_case() {
        let config = FedoraConfig::parse("Topic_Prefix = 'org.example'").unwrap();
        assert_eq!(config.topic_prefix, "org.example");
    }

    #[test]
    fn a_fault_beside_the_password_does_not_show_it() {
        let text = fault("topic_prefix = ''\namqp_url = \"amqp://ada:hunter2@broker.example\" x");
        assert!(text.contains("line 2"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn who_we_are_is_not_to_be_said_by_the_file() {
        assert!(fault("[client_properties]\nproduct = 'x'").contains("reserved"));
    }
}
