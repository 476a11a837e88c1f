//! What to do at the broker, from the settings: where it is, which queues to declare, what to bind.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};

use super::connect::Broker;
use super::fedora::FedoraConfig;
use super::{AmqpSettings, QueueType};

/// The longest name that AMQP can carry.
const NAME_MAX_BYTES: usize = 255;

/// What to do at the broker.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it is, and who we are.
    pub(super) broker: Broker,
    /// The queues to consume from.
    pub(super) queues: Vec<Queue>,
    /// Whether they are only looked for, never made.
    pub(super) passive: bool,
    /// How many messages the broker hands out before it waits for acknowledgements.
    pub(super) prefetch: u16,
    /// The exchange to publish to.
    pub(super) publish_exchange: String,
    /// What is put before the topics of our own messages.
    pub(super) topic_prefix: String,
    /// The exchange to which the keys that the rules want are bound; none where others say what is
    /// bound.
    follows: Option<String>,
}

/// What a queue is bound to: exchange and key.
pub(super) type Binding = (String, String);

/// A queue to consume from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Queue {
    /// Its name; `""` when the broker makes one up, anew with every connection.
    pub(super) name: String,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) exclusive: bool,
    pub(super) arguments: Map<String, Value>,
    /// What it is bound to.
    pub(super) bindings: BTreeSet<Binding>,
}

impl Plan {
    /// What is put before the topics of our own messages.
    pub fn topic_prefix(&self) -> &str {
        &self.topic_prefix
    }

    /// Makes the plan.  `keys` are the binding keys that the rules want; the bindings in a
    /// configuration file of fedora-messaging are used instead, where there is one.
    ///
    /// It reads that file, and no other: secrets and certificates are read at each connection.
    pub fn new(settings: &AmqpSettings, keys: &[String]) -> anyhow::Result<Self> {
        let fedora = settings.fedora_messaging.as_deref().map(FedoraConfig::read).transpose()?;
        let mut settings = settings.clone();
        let queues = match fedora {
            None => vec![own_queue(&settings, own_bindings(&settings, keys))?],
            Some(fedora) => {
                let queues = fedora_queues(&settings, &fedora)?;
                lay_over(&mut settings, &fedora);
                return Self::from_parts(&settings, queues, Some(&fedora));
            }
        };
        Self::from_parts(&settings, queues, None)
    }

    /// A plan by which nothing is consumed: for those who only publish, and need no queue.
    pub fn to_publish(settings: &AmqpSettings) -> anyhow::Result<Self> {
        let fedora = settings.fedora_messaging.as_deref().map(FedoraConfig::read).transpose()?;
        let mut settings = settings.clone();
        if let Some(fedora) = &fedora {
            lay_over(&mut settings, fedora);
        }
        Self::from_parts(&settings, Vec::new(), fedora.as_ref())
    }

    fn from_parts(
        settings: &AmqpSettings,
        queues: Vec<Queue>,
        fedora: Option<&FedoraConfig>,
    ) -> anyhow::Result<Self> {
        ensure!(settings.prefetch > 0, "`amqp.prefetch` is 0, which would be no limit at all");
        for queue in &queues {
            check(queue, settings.passive)?;
        }
        Ok(Self {
            broker: Broker::new(settings, fedora.map(|fedora| fedora.amqp_url.as_str()))?,
            queues,
            passive: settings.passive,
            prefetch: settings.prefetch,
            publish_exchange: settings.publish_exchange.clone(),
            topic_prefix: settings.topic_prefix.clone(),
            follows: (fedora.is_none() && settings.bind).then(|| settings.exchange.clone()),
        })
    }

    /// The same plan for other rules, which want `keys`; nothing of the settings is read again.
    pub fn with_keys(&self, keys: &[String]) -> anyhow::Result<Self> {
        let mut plan = self.clone();
        let Some(exchange) = &self.follows else { return Ok(plan) };
        for queue in &mut plan.queues {
            queue.bindings = keys.iter().map(|key| (exchange.clone(), key.clone())).collect();
            check(queue, plan.passive)?;
        }
        Ok(plan)
    }

    /// This plan, with what `other` binds besides.
    pub(super) fn widened(&self, other: &Self) -> Self {
        let mut plan = self.clone();
        for (queue, theirs) in plan.queues.iter_mut().zip(&other.queues) {
            queue.bindings.extend(theirs.bindings.iter().cloned());
        }
        plan
    }

    /// What is bound according to this plan and not to `other`, for each queue.
    pub(super) fn bound_beyond(&self, other: &Self) -> Vec<Vec<Binding>> {
        let queues = self.queues.iter().zip(&other.queues);
        queues
            .map(|(own, theirs)| own.bindings.difference(&theirs.bindings).cloned().collect())
            .collect()
    }
}

/// Takes from fedora-messaging's file what our own settings leave open.
fn lay_over(settings: &mut AmqpSettings, fedora: &FedoraConfig) {
    let or = |own: &Option<PathBuf>, theirs: &Option<PathBuf>| own.clone().or(theirs.clone());
    settings.passive |= fedora.passive_declares;
    settings.ca = or(&settings.ca, &fedora.tls.ca_cert);
    if settings.certificate.is_none() && settings.key.is_none() {
        settings.certificate.clone_from(&fedora.tls.certfile);
        settings.key.clone_from(&fedora.tls.keyfile);
    }
    if settings.publish_exchange == AmqpSettings::exchange() {
        settings.publish_exchange.clone_from(&fedora.publish_exchange);
    }
    if settings.topic_prefix.is_empty() {
        settings.topic_prefix.clone_from(&fedora.topic_prefix);
    }
    if let Some(qos) = &fedora.qos {
        // There, 0 means no limit, which nobody has memory for.
        if qos.prefetch_count > 0 {
            settings.prefetch = qos.prefetch_count;
        }
    }
    for (name, text) in fedora.client_properties() {
        settings.client_properties.entry(name).or_insert(text);
    }
}

fn own_bindings(settings: &AmqpSettings, keys: &[String]) -> BTreeSet<(String, String)> {
    keys.iter().map(|key| (settings.exchange.clone(), key.clone())).collect()
}

/// The one queue of our own settings.
fn own_queue(
    settings: &AmqpSettings,
    bindings: BTreeSet<(String, String)>,
) -> anyhow::Result<Queue> {
    let Some(name) = settings.queue.clone() else {
        bail!("`amqp.queue` is missing: the name of the queue to consume from");
    };
    let is_nameless = name.is_empty();
    let mut arguments = Map::new();
    if settings.queue_type == QueueType::Quorum {
        ensure!(!is_nameless, "a quorum queue needs a name in `amqp.queue`");
        arguments.insert("x-queue-type".to_owned(), Value::from("quorum"));
    }
    let bindings = if settings.bind { bindings } else { BTreeSet::new() };
    Ok(Queue {
        name,
        durable: !is_nameless,
        auto_delete: is_nameless,
        exclusive: is_nameless,
        arguments,
        bindings,
    })
}

/// The queues of fedora-messaging's file, or the one of our own settings with their bindings.
fn fedora_queues(settings: &AmqpSettings, fedora: &FedoraConfig) -> anyhow::Result<Vec<Queue>> {
    let bindings_of = |name: Option<&str>| {
        fedora
            .bindings
            .iter()
            .filter(|binding| settings.bind && name.is_none_or(|name| name == binding.queue))
            .flat_map(|binding| {
                binding.routing_keys.iter().map(|key| (binding.exchange.clone(), key.clone()))
            })
            .collect()
    };
    if settings.queue.is_some() {
        return Ok(vec![own_queue(settings, bindings_of(None))?]);
    }
    Ok(fedora
        .queues
        .iter()
        .map(|(name, queue)| Queue {
            name: name.clone(),
            durable: queue.durable,
            auto_delete: queue.auto_delete,
            exclusive: queue.exclusive,
            arguments: queue.arguments.clone(),
            bindings: bindings_of(Some(name)),
        })
        .collect())
}

fn check(queue: &Queue, passive: bool) -> anyhow::Result<()> {
    ensure!(
        !(passive && queue.name.is_empty()),
        "a queue that is only looked for (`passive`) needs a name"
    );
    let names = queue.bindings.iter().flat_map(|(exchange, key)| [exchange, key]);
    for name in names.chain([&queue.name]) {
        ensure!(
            name.len() <= NAME_MAX_BYTES,
            "a name is longer than the {NAME_MAX_BYTES} bytes that AMQP can carry: `{}…`",
            name.chars().take(60).collect::<String>()
        );
    }
    super::convert::table(&queue.arguments)
        .with_context(|| format!("the arguments of the queue `{}`", queue.name))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> AmqpSettings {
        toml_edit::de::from_str(toml).unwrap()
    }

    fn plan(toml: &str) -> anyhow::Result<Plan> {
        Plan::new(&settings(toml), &["#.points.moved".to_owned()])
    }

    fn fault(toml: &str) -> String {
        plan(toml).err().map(|e| format!("{e:#}")).unwrap_or_default()
    }

    fn with_fedora(fedora: &str, own: &str) -> Plan {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), fedora).unwrap();
        let path = file.path().display();
        plan(&format!("fedora_messaging = '{path}'\n{own}")).unwrap()
    }

    #[test]
    fn a_named_queue_is_durable_and_bound_to_what_the_rules_want() {
        let plan = plan("url = 'amqp://broker.example'\nqueue = 'signals'").unwrap();
        let [queue] = plan.queues.as_slice() else { panic!("{plan:?}") };
        assert!(queue.durable && !queue.exclusive && !queue.auto_delete);
        assert_eq!(
            queue.bindings,
            BTreeSet::from([("amq.topic".to_owned(), "#.points.moved".to_owned())])
        );
    }

    #[test]
    fn who_only_publishes_needs_no_queue() {
        let own = settings("url = 'amqp://broker.example'\ntopic_prefix = 'org.example'");
        let plan = Plan::to_publish(&own).unwrap();
        assert!(plan.queues.is_empty());
        assert_eq!(
            (plan.publish_exchange.as_str(), plan.topic_prefix()),
            ("amq.topic", "org.example")
        );
    }

    #[test]
    fn a_queue_named_by_the_broker_goes_with_the_connection() {
        let plan = plan("url = 'amqp://broker.example'\nqueue = ''").unwrap();
        assert!(plan.queues[0].exclusive && plan.queues[0].auto_delete);
    }

    #[test]
    fn a_quorum_queue_is_asked_for_by_an_argument() {
        let toml = "url = 'amqp://broker.example'\nqueue = 'q'\nqueue_type = 'quorum'";
        assert_eq!(plan(toml).unwrap().queues[0].arguments["x-queue-type"], "quorum");
    }

    #[test]
    fn where_the_administrator_binds_we_do_not() {
        let plan = plan("url = 'amqp://broker.example'\nqueue = 'q'\nbind = false").unwrap();
        assert!(plan.queues[0].bindings.is_empty());
    }

    #[test]
    fn other_rules_change_the_bindings_and_nothing_else() {
        let before = plan("url = 'amqp://broker.example'\nqueue = 'signals'").unwrap();
        let keys = ["#.points.moved", "#.train.came"].map(str::to_owned);
        let after = before.with_keys(&keys).unwrap();
        let key = |key: &str| vec![vec![("amq.topic".to_owned(), key.to_owned())]];
        assert_eq!(after.bound_beyond(&before), key("#.train.came"));
        assert_eq!(before.bound_beyond(&after), [vec![]]);
        let less = before.with_keys(&keys[1..]).unwrap();
        assert_eq!(before.bound_beyond(&less), key("#.points.moved"));
        assert_eq!(before.widened(&less).queues, after.queues);
        assert!(before.with_keys(&["k".repeat(256)]).is_err());
    }

    #[test]
    fn where_others_say_what_is_bound_other_rules_change_nothing() {
        let keys = ["#.train.came".to_owned()];
        let unbound = plan("url = 'amqp://broker.example'\nqueue = 'q'\nbind = false").unwrap();
        assert_eq!(unbound.with_keys(&keys).unwrap().queues, unbound.queues);
        let fedora = with_fedora("topic_prefix = 'a'", "queue = 'mine'");
        assert_eq!(fedora.with_keys(&keys).unwrap().queues, fedora.queues);
    }

    #[test]
    fn what_cannot_be_done_is_said_at_once() {
        let url = "url = 'amqp://broker.example'";
        assert!(fault(url).contains("`amqp.queue` is missing"));
        assert!(fault(&format!("{url}\nqueue = ''\npassive = true")).contains("needs a name"));
        assert!(fault(&format!("{url}\nqueue = 'q'\nprefetch = 0")).contains("prefetch"));
        let long = "q".repeat(256);
        assert!(fault(&format!("{url}\nqueue = '{long}'")).contains("255 bytes"));
    }

    #[test]
    fn the_bindings_of_fedora_messaging_are_used_as_they_are() {
        let fedora = r"
            amqp_url = 'amqps://broker.example/%2Fsignals'
            passive_declares = true
            topic_prefix = 'org.example'
            [queues.box]
            durable = true
            auto_delete = false
            exclusive = false
            arguments = {}
            [[bindings]]
            queue = 'box'
            exchange = 'zmq.topic'
            routing_keys = ['a.#', 'b.#']
            [[bindings]]
            queue = 'another'
            exchange = 'amq.topic'
            routing_keys = ['c.#']
            [qos]
            prefetch_count = 7
        ";
        let plan = with_fedora(fedora, "");
        assert!(plan.passive);
        assert_eq!((plan.prefetch, plan.topic_prefix.as_str()), (7, "org.example"));
        assert_eq!(plan.queues.len(), 1);
        let keys: Vec<_> = plan.queues[0].bindings.iter().collect();
        assert_eq!(format!("{keys:?}"), r#"[("zmq.topic", "a.#"), ("zmq.topic", "b.#")]"#);
    }

    #[test]
    fn our_own_settings_come_on_top_of_the_file() {
        let plan = with_fedora("topic_prefix = 'a'", "queue = 'mine'\ntopic_prefix = 'b'");
        assert_eq!(plan.topic_prefix, "b");
        assert_eq!(plan.queues[0].name, "mine");
        assert!(plan.queues[0].durable);
        assert!(plan.queues[0].bindings.contains(&("amq.topic".to_owned(), "#".to_owned())));
    }
}
