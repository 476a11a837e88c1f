//! Looking at the broker before anything depends on it; nothing is made or changed there.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};

use super::connect::{ANSWER_TIMEOUT, code};
use super::plan::Plan;
use crate::remote::chain;

impl Plan {
    /// Asks the broker whether we may come in, and whether the exchanges and queues are there:
    /// what was looked at, and what is wrong with it.
    pub async fn probe(&self) -> Vec<(String, Option<String>)> {
        let connection = match self.broker.connect("pointsman check").await {
            Ok(connection) => connection,
            Err(error) => return vec![("the broker".to_owned(), Some(chain(&error)))],
        };
        let mut findings = vec![("the broker".to_owned(), None)];
        for exchange in self.exchanges() {
            let problem = look_for_exchange(&connection, exchange).await.err();
            findings.push((format!("exchange `{exchange}`"), problem.map(|e| chain(e.as_ref()))));
        }
        for queue in self.queues.iter().filter(|queue| !queue.name.is_empty()) {
            let problem = look_for_queue(&connection, &queue.name, self.passive).await.err();
            findings.push((format!("queue `{}`", queue.name), problem.map(|e| chain(e.as_ref()))));
        }
        let farewell = connection.close(200, ShortString::default());
        if !matches!(tokio::time::timeout(ANSWER_TIMEOUT, farewell).await, Ok(Ok(()))) {
            tracing::debug!("The broker did not take leave");
        }
        findings
    }

    /// The exchanges that are used; the default one is always there.
    fn exchanges(&self) -> BTreeSet<&str> {
        let bindings = self.queues.iter().flat_map(|queue| &queue.bindings);
        let mut exchanges: BTreeSet<_> = bindings.map(|(exchange, _)| exchange.as_str()).collect();
        exchanges.insert(&self.publish_exchange);
        exchanges.remove("");
        exchanges
    }
}

/// A channel of its own: the broker closes the channel over a question that it answers with no.
async fn channel(connection: &Connection) -> anyhow::Result<Channel> {
    let channel = tokio::time::timeout(ANSWER_TIMEOUT, connection.create_channel()).await;
    channel.context("the broker opens no channel")?.context("cannot open a channel")
}

async fn look_for_exchange(connection: &Connection, exchange: &str) -> anyhow::Result<()> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let channel = channel(connection).await?;
    let question = channel.exchange_declare(
        ShortString::try_new(exchange)?,
        // The kind does not count in a passive declaration.
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, question);
    match answer.await.context("the broker does not answer")? {
        Ok(()) => Ok(()),
        Err(error) if code(&error) == Some(404) => Err(anyhow!("it does not exist")),
        Err(error) => Err(anyhow!(error).context("cannot look for it")),
    }
}

/// A queue that is not there is no problem if we are to make it.
async fn look_for_queue(
    connection: &Connection,
    queue: &str,
    has_to_exist: bool,
) -> anyhow::Result<()> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let channel = channel(connection).await?;
    let question =
        channel.queue_declare(ShortString::try_new(queue)?, options, FieldTable::default());
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, question);
    match answer.await.context("the broker does not answer")? {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == Some(404) && !has_to_exist => Ok(()),
        Err(error) if code(&error) == Some(404) => {
            Err(anyhow!("it does not exist, and `amqp.passive` forbids to make it"))
        }
        Err(error) => Err(anyhow!(error).context("cannot look for it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_is_looked_for_but_the_default_one() {
        let settings =
            "url = 'amqp://broker.example'\nqueue = 'q'\nexchange = 'in'\npublish_exchange = ''";
        let settings = toml_edit::de::from_str(settings).unwrap();
        let plan = Plan::new(&settings, &["a.b".to_owned()]).unwrap();
        assert_eq!(plan.exchanges().into_iter().collect::<Vec<_>>(), ["in"]);
    }

    #[tokio::test]
    async fn a_broker_that_cannot_be_reached_is_one_finding() {
        // Port 1 (tcpmux) is closed wherever this runs.
        let settings = toml_edit::de::from_str("url = 'amqp://127.0.0.1:1'\nqueue = 'q'").unwrap();
        let plan = Plan::new(&settings, &["a.b".to_owned()]).unwrap();
        let findings = plan.probe().await;
        assert_eq!(findings.len(), 1);
        let problem = findings[0].1.as_ref().unwrap();
        assert!(problem.contains("cannot reach"), "{problem}");
    }
}
