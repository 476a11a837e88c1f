//! Submitting: what LAVA looks at before it makes a job, and in which words it says no.

use super::Job;
use super::memory::Memory;
use crate::yaml::Node;

/// The longest name of a job, in characters.
const NAME_MAX_CHARS: usize = 200;

/// Why there is no job.
#[derive(Debug)]
pub(super) struct Refused {
    /// 400 with a message, or 500 with a page for people.
    pub(super) status: u16,
    pub(super) message: String,
}

/// A part of a definition that gets a board.
struct Part {
    device_type: String,
    tags: Vec<String>,
}

impl Refused {
    fn data(why: &str) -> Self {
        Self { status: 400, message: format!("Problem with submitted job data: {why}") }
    }

    fn devices(why: &str) -> Self {
        Self { status: 400, message: format!("Devices unavailable: {why}") }
    }
}

impl Memory {
    /// Makes a job, or several of a definition for several boards.
    pub(super) fn submit(&mut self, user: &str, text: &str) -> Result<Vec<u64>, Refused> {
        let definition = Node::parse(text).map_err(|error| {
            Refused::data(&format!("Loading job submission failed: while parsing, {error}."))
        })?;
        if let Some(fault) = fault(&definition) {
            return Err(Refused::data(&fault));
        }
        let parts = parts(&definition);
        let mut resolved = Vec::new();
        for part in parts {
            resolved.push(self.resolve(part)?);
        }
        let is_group =
            definition.get("protocols").is_some_and(|all| all.get("lava-multinode").is_some());
        let first = self.last_job + 1;
        let mut ids = Vec::new();
        for (at, part) in resolved.into_iter().enumerate() {
            let sub_id = is_group.then(|| format!("{first}.{at}"));
            ids.push(self.make((user, text), &definition, (part, sub_id)));
        }
        self.count();
        Ok(ids)
    }

    /// What the part is for: a kind of board that is there, with tags that are there.
    fn resolve(&self, mut part: Part) -> Result<Part, Refused> {
        if let Some(real) = self.aliases.get(&part.device_type) {
            part.device_type.clone_from(real);
        }
        let kind = &part.device_type;
        if !self.device_types.contains(kind) {
            return Err(Refused::devices(&format!("Device type '{kind}' is unavailable.")));
        }
        let is_there = |device: &&super::memory::Kept| {
            device.of.device_type == *kind && device.of.health != "Retired"
        };
        let devices: Vec<_> = self.devices.iter().filter(is_there).collect();
        if devices.is_empty() {
            return Err(Refused::devices(&format!("No devices of type {kind} are available.")));
        }
        if part.tags.iter().any(|tag| !self.tags.contains_key(tag)) {
            // LAVA does not expect it.
            return Err(Refused { status: 500, message: "no such tag".to_owned() });
        }
        let has_all = |device: &&super::memory::Kept| {
            part.tags.iter().all(|tag| device.of.tags.contains(tag))
        };
        if !devices.iter().any(has_all) {
            return Err(Refused::devices(&format!(
                "No devices of type {kind} are available which have all of the tags '{}'.",
                part.tags.join(", ")
            )));
        }
        Ok(part)
    }

    fn make(
        &mut self,
        (user, text): (&str, &str),
        definition: &Node,
        (part, sub_id): (Part, Option<String>),
    ) -> u64 {
        self.last_job += 1;
        let id = self.last_job;
        let word = |key: &str| definition.get(key).and_then(Node::text).unwrap_or_default();
        let job = Job {
            id,
            sub_id,
            submitter: user.to_owned(),
            description: word("job_name").to_owned(),
            device_type: part.device_type,
            tags: part.tags,
            device: None,
            state: "Submitted",
            health: "Unknown",
            is_personal: word("visibility") == "personal",
            definition: definition.to_string(),
            original_definition: text.to_owned(),
            submitted: self.clock.now(),
            started: None,
            ended: None,
            failure_comment: None,
            cases: Vec::new(),
            decided: None,
        };
        self.jobs.insert(id, job);
        id
    }
}

/// What is wrong with a definition by itself.
pub(super) fn fault(definition: &Node) -> Option<String> {
    if !matches!(definition, Node::Map(_)) {
        return Some("expected a dictionary".to_owned());
    }
    for key in ["job_name", "timeouts", "visibility", "actions"] {
        if definition.get(key).is_none() {
            return Some(format!("required key not provided @ data['{key}']"));
        }
    }
    let name = definition.get("job_name").and_then(Node::text).unwrap_or_default();
    if !(1..=NAME_MAX_CHARS).contains(&name.chars().count()) {
        return Some(
            "length of value must be at most 200 for dictionary value @ \
                     data['job_name']"
                .to_owned(),
        );
    }
    if !matches!(definition.get("actions"), Some(Node::List(_))) {
        return Some("expected a list for dictionary value @ data['actions']".to_owned());
    }
    if definition.get("metadata").is_some_and(|data| !matches!(data, Node::Map(_))) {
        return Some("expected a dictionary for dictionary value @ data['metadata']".to_owned());
    }
    let group = definition.get("protocols").and_then(|all| all.get("lava-multinode"));
    match (definition.get("device_type"), group) {
        (Some(_), Some(_)) => {
            return Some("\"device_type\" should not be used with multinode".to_owned());
        }
        (None, None) => return Some("\"device_type\" or multinode should be defined".to_owned()),
        (Some(_), None) | (None, Some(_)) => {}
    }
    definition.get("notify").and_then(notify_fault)
}

fn notify_fault(notify: &Node) -> Option<String> {
    if notify.get("criteria").and_then(|criteria| criteria.get("status")).is_none() {
        return Some("required key not provided @ data['notify']['criteria']".to_owned());
    }
    if notify.get("callback").is_some() && notify.get("callbacks").is_some() {
        return Some(
            "two or more values in the same group of exclusion 'callback' @ \
             data['notify'][<callback>]"
                .to_owned(),
        );
    }
    let all = notify.get("callback").into_iter();
    let mut all = all.chain(notify.get("callbacks").map(Node::items).unwrap_or_default());
    let is_whole = |one: &Node| one.get("url").and_then(Node::text).is_some();
    let is_faulty = !all.all(is_whole);
    is_faulty
        .then(|| "required key not provided @ data['notify']['callbacks'][0]['url']".to_owned())
}

/// What the boards of a definition are for.
fn parts(definition: &Node) -> Vec<Part> {
    let words = |node: &Node| -> Vec<String> {
        let tags = node.get("tags").map(Node::items).unwrap_or_default();
        tags.iter().filter_map(Node::text).map(str::to_owned).collect()
    };
    let part = |node: &Node| Part {
        device_type: node.get("device_type").and_then(Node::text).unwrap_or_default().to_owned(),
        tags: words(node),
    };
    let group = definition.get("protocols").and_then(|all| all.get("lava-multinode"));
    let Some(Node::Map(roles)) = group.and_then(|group| group.get("roles")) else {
        return vec![part(definition)];
    };
    let counted = |role: &Node| {
        let count = role.get("count").and_then(Node::text).and_then(|text| text.parse().ok());
        count.unwrap_or(1).min(10_usize)
    };
    roles.iter().flat_map(|(_, role)| (0..counted(role)).map(|_| part(role))).collect()
}
