//! The definition of a job: the author's, and what we add to it.

use anyhow::{anyhow, bail, ensure};
use secrecy::{ExposeSecret, SecretString};

use super::wire;
use crate::action::Order;
use crate::executors::ended::EndedDoor;
use crate::subject::RunId;
use crate::yaml::Node;

/// The longest definition that is submitted, in bytes.
const TEXT_MAX_BYTES: usize = 128 * 1024;
/// The longest name that LAVA takes, in characters.
const NAME_MAX_CHARS: usize = 200;
/// Where the run stands in the metadata.
const RUN: &str = "pointsman.run";
/// Where it stands, in the metadata, what the job is about.
const CAUSE: &str = "pointsman.cause";

/// A definition as it is submitted.  It has no [`Debug`], for it has a token.
pub(super) struct Definition {
    /// The whole of it.
    pub(super) text: String,
    /// The kind of board that it is for.
    pub(super) device_type: String,
    /// What its board has to have.
    pub(super) tags: Vec<String>,
    /// The token that it has.
    pub(super) token: Option<SecretString>,
}

impl Definition {
    /// The definition of `order`, with the run and with how the job says to `door` that it has
    /// ended.
    ///
    /// It is written anew, so that LAVA reads what was looked at here; comments are lost by that.
    pub(super) fn prepare(order: &Order, door: Option<&EndedDoor>) -> anyhow::Result<Self> {
        let text = order.definition.as_deref().filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| {
            anyhow!(
                "there is no definition: `job` in the rule's `build` has to be the file that has it"
            )
        })?;
        let job = wire::plain(&order.job, NAME_MAX_CHARS);
        let mut node = Node::parse(text)
            .map_err(|error| anyhow::Error::new(error).context(format!("`{job}` is no YAML")))?;
        ensure!(matches!(node, Node::Map(_)), "`{job}` is no mapping");
        let group = node.get("protocols").and_then(|all| all.get("lava-multinode"));
        ensure!(group.is_none(), "`{job}` is for several boards (multinode), and a run is one job");
        let device_type = place_on(&mut node, order.board.as_deref())?;
        let name = node.get("job_name").and_then(Node::text).unwrap_or(&job);
        let name = named(name, &order.run);
        node.set("job_name", Node::quoted(name));
        let mut metadata = part(&mut node, "metadata")?;
        metadata.set(RUN, Node::quoted(order.run.as_str()));
        metadata.set(CAUSE, Node::quoted(wire::words(&order.cause)));
        node.set("metadata", metadata);
        let token = door.map(|door| door.token(&order.run));
        if let (Some(door), Some(token)) = (door, &token) {
            let mut notify = part(&mut node, "notify")?;
            call_back(&mut notify, door.address(&order.run).as_str(), token);
            node.set("notify", notify);
        }
        let tags = node.get("tags").map(Node::items).unwrap_or_default();
        let tags = tags.iter().filter_map(Node::text).map(str::to_owned).collect();
        let text = node.to_string();
        ensure!(
            text.len() <= TEXT_MAX_BYTES,
            "`{job}` is longer than {TEXT_MAX_BYTES} bytes when it is written out"
        );
        Ok(Self { text, device_type, tags, token })
    }
}

/// Puts the job on this kind of board, and says on which it is.
fn place_on(node: &mut Node, board: Option<&str>) -> anyhow::Result<String> {
    let own = node.get("device_type").and_then(Node::text);
    let device_type = match (own, board) {
        (Some(own), Some(board)) if own != board => {
            let (own, board) = (wire::words(own), wire::words(board));
            bail!("its `device_type` is `{own}`, and it is to run on `{board}`");
        }
        (Some(own), _) => return Ok(own.to_owned()),
        (None, Some(board)) => board.to_owned(),
        (None, None) => bail!("it has no `device_type`, and the rule chooses no board"),
    };
    node.set("device_type", Node::quoted(device_type.clone()));
    Ok(device_type)
}

/// The name with the run at its end, as long as LAVA takes it.
fn named(name: &str, run: &RunId) -> String {
    let max_chars = NAME_MAX_CHARS.saturating_sub(run.as_str().len()).saturating_sub(1);
    let name = wire::plain(name, max_chars);
    format!("{} {}", name.trim_end(), run.as_str()).trim_start().to_owned()
}

/// Takes a mapping out of the definition, which is empty where there is none.
fn part(node: &mut Node, key: &str) -> anyhow::Result<Node> {
    match node.remove(key) {
        None => Ok(Node::Map(Vec::new())),
        Some(part) if part.is_null() => Ok(Node::Map(Vec::new())),
        Some(part @ Node::Map(_)) => Ok(part),
        Some(Node::Scalar(_) | Node::List(_)) => bail!("its `{key}` is no mapping"),
    }
}

/// Adds our call to whomever else the author has told.
///
/// When it is made is said once for all: where the author says when, as for a mail about failures
/// only, it stays so.  A job that does not call is asked after.
fn call_back(notify: &mut Node, address: &str, token: &SecretString) {
    let ours = Node::map([
        ("url", Node::quoted(address)),
        ("method", Node::quoted("POST")),
        ("token", Node::quoted(token.expose_secret())),
        ("dataset", Node::quoted("minimal")),
        ("content-type", Node::quoted("json")),
    ]);
    // There may be one, or a list of them, and not both.
    let one = notify.remove("callback").filter(|one| !one.is_null());
    let mut all: Vec<Node> = one.into_iter().collect();
    if let Some(Node::List(more)) = notify.remove("callbacks") {
        all.extend(more);
    }
    all.push(ours);
    notify.set("callbacks", Node::List(all));
    if notify.get("criteria").is_none_or(Node::is_null) {
        notify.set("criteria", Node::map([("status", Node::quoted("finished"))]));
    }
}
