//! The messages that are measured with: pull requests on a Pagure, as fedora-messaging sends them.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

/// The topic of the messages that a rule wants.
pub(crate) const RELEVANT: &str = "example.forge.prod.pagure.pull-request.new";

/// The project that they are about.
pub(crate) const PROJECT: &str = "rail/signalbox";

/// The size of a body, as facts about real brokers have it.
const BODY_BYTES: usize = 5_000;

/// A message of the topics file, whose number and head are put in for each message anew.
const MODEL: &str = include_str!("../topics/pagure/examples/new.json");

/// What else is on a busy broker; none of it is wanted by a rule.
const OTHERS: [&str; 12] = [
    "example.forge.prod.pagure.issue.new",
    "example.forge.prod.pagure.issue.comment.added",
    "example.forge.prod.pagure.git.receive",
    "example.forge.prod.pagure.commit.flag.added",
    "example.builds.prod.buildsys.build.state.change",
    "example.builds.prod.buildsys.task.state.change",
    "example.builds.prod.buildsys.tag",
    "example.builds.prod.buildsys.repo.done",
    "example.updates.prod.bodhi.update.comment",
    "example.updates.prod.bodhi.update.request.testing",
    "example.wiki.prod.wiki.article.edit",
    "example.hosts.prod.ansible.playbook.complete",
];

/// Makes messages, each with its own pull request.
pub(crate) struct Messages {
    /// The body, cut where the number, the project and the head go.
    parts: Vec<String>,
    properties: BasicProperties,
}

impl Messages {
    /// The words that stand in the model for what differs.
    const MARKS: [&str; 3] = ["\u{1}number", "\u{1}project", "\u{1}head"];

    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut body: Value = serde_json::from_str(MODEL)?;
        if let Some(proposal) = body.get_mut("pullrequest").and_then(Value::as_object_mut) {
            let [number, project, head] = Self::MARKS;
            proposal.insert("id".to_owned(), number.into());
            proposal.insert("commit_stop".to_owned(), head.into());
            if let Some(fullname) =
                proposal.get_mut("project").and_then(|project| project.get_mut("fullname"))
            {
                *fullname = project.into();
            }
            proposal.insert("initial_comment".to_owned(), "".into());
        }
        let missing = BODY_BYTES.saturating_sub(body.to_string().len() + 40);
        if let Some(comment) = body.pointer_mut("/pullrequest/initial_comment") {
            let words = "The points were stiff in winter; this oils them. ";
            *comment = words.chars().cycle().take(missing).collect::<String>().into();
        }
        let text = body.to_string();
        Ok(Self { parts: cut(&text), properties: properties()? })
    }

    /// The body of a proposal to `project` with `number`.
    pub(crate) fn body(&self, project: &str, number: u64) -> Vec<u8> {
        let mut body = String::with_capacity(BODY_BYTES + 64);
        for part in &self.parts {
            match part.as_str() {
                "\"number\"" => body.push_str(&number.to_string()),
                "\"project\"" => body.push_str(&json!(project).to_string()),
                "\"head\"" => body.push_str(&json!(format!("{number:040x}")).to_string()),
                text => body.push_str(text),
            }
        }
        body.into_bytes()
    }

    /// Properties and headers, with an id that no other message has.
    pub(crate) fn properties(&self) -> BasicProperties {
        let id = uuid::Uuid::new_v4().to_string();
        self.properties.clone().with_message_id(id.as_str().into())
    }

    /// The topic of message `number`, of which one in `share` is wanted.
    pub(crate) fn topic(number: u64, share: u64) -> &'static str {
        if number.is_multiple_of(share) {
            return RELEVANT;
        }
        let place = usize::try_from(number).unwrap_or_default() % OTHERS.len();
        OTHERS.get(place).copied().unwrap_or(RELEVANT)
    }
}

/// Cuts `text` at the marks; a mark becomes a part of its own, in quotes.
fn cut(text: &str) -> Vec<String> {
    // JSON writes the control character that begins a mark as an escape.
    let mut parts = Vec::new();
    for part in text.split("\"\\u0001") {
        match Messages::MARKS.iter().find_map(|mark| {
            let mark = mark.trim_start_matches('\u{1}');
            Some((mark, part.strip_prefix(mark)?.strip_prefix('"')?))
        }) {
            Some((mark, rest)) => {
                parts.push(format!("\"{mark}\""));
                parts.push(rest.to_owned());
            }
            None => parts.push(part.to_owned()),
        }
    }
    parts
}

fn properties() -> anyhow::Result<BasicProperties> {
    let mut headers = FieldTable::default();
    let texts = [
        // The schema that every consumer knows: another one would cost the peer a warning each.
        ("fedora_messaging_schema", "base.message"),
        ("sent-at", "2026-11-20T08:21:47+00:00"),
    ];
    for (name, text) in texts {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    headers.insert("fedora_messaging_severity".into(), AMQPValue::LongInt(20));
    anyhow::ensure!(headers.inner().len() == 3, "a header got lost");
    Ok(BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_headers(headers))
}
