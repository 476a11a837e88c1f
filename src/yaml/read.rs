//! Reading: from the events of the parser to values, within bounds.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{
    DEPTH_MAX, KEY_MAX_BYTES, Malformed, NODES_MAX, Node, Scalar, TEXT_MAX_BYTES, WORDS_MAX_BYTES,
};

/// The key whose mappings are merged into the one that it stands in.
const MERGE: &str = "<<";
/// How much of a key an error shows, in characters.
const SHOWN_MAX_CHARS: usize = 60;

pub(super) fn parse(text: &str) -> Result<Node, Malformed> {
    if text.len() > TEXT_MAX_BYTES {
        let what = format!("the text is longer than {TEXT_MAX_BYTES} bytes");
        return Err(Malformed { line: 1, what });
    }
    let mut builder = Builder::default();
    let mut events = Parser::new_from_str(text);
    while let Some(event) = events.next_event() {
        let (event, span) = event.map_err(|error| Malformed {
            line: error.marker().line(),
            what: error.info().to_owned(),
        })?;
        let line = span.start.line();
        builder.take(event).map_err(|what| Malformed { line, what })?;
    }
    builder.root.ok_or_else(|| Malformed { line: 1, what: "there is nothing".to_owned() })
}

/// What has been read so far.
#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    bytes: usize,
}

/// A list or mapping that goes on.
struct Open {
    anchor: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    /// The entries, and the key whose value comes next.
    Map(Vec<(Scalar, Node)>, Option<Scalar>),
}

/// How much a value is.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err("a second document begins here".to_owned())
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| core_tag(&tag)).transpose()?;
                if text.contains('\0') {
                    return Err("it has a NUL".to_owned());
                }
                let is_plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), is_plain, tag };
                self.put(Node::Scalar(scalar), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, tag.as_deref(), Parts::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(anchor, tag.as_deref(), Parts::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let named = self.anchors.get(&anchor);
                let (node, size) = named.ok_or("an alias names what it is in")?;
                let (node, size) = (node.clone(), *size);
                self.charge(size)?;
                self.attach(node)
            }
        }
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, parts: Parts) -> Result<(), String> {
        if let Some(tag) = tag {
            let tag = core_tag(tag)?;
            if !matches!(tag.as_str(), "map" | "seq") {
                return Err(format!("`!!{tag}` is not taken here"));
            }
        }
        self.charge(Size { nodes: 1, bytes: 0, depth: 1 })?;
        self.open.push(Open { anchor, parts });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(Open { anchor, parts }) = self.open.pop() else {
            return Err("an end without a beginning".to_owned());
        };
        let node = match parts {
            Parts::List(items) => Node::List(items),
            Parts::Map(entries, _) => Node::Map(merged(entries)?),
        };
        self.name(&node, anchor)?;
        self.attach(node)
    }

    /// A scalar.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), String> {
        self.charge(weight(&node))?;
        self.name(&node, anchor)?;
        self.attach(node)
    }

    /// Remembers what an anchor names; that costs as much as to write it twice.
    fn name(&mut self, node: &Node, anchor: usize) -> Result<(), String> {
        if anchor > 0 {
            let size = weight(node);
            self.charge(size)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(())
    }

    fn charge(&mut self, size: Size) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        if self.nodes > NODES_MAX || self.bytes > WORDS_MAX_BYTES {
            return Err("it is too much, with all that its aliases name".to_owned());
        }
        if self.open.len().saturating_add(size.depth) > DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(())
    }

    /// Puts a value where it belongs.
    fn attach(&mut self, node: Node) -> Result<(), String> {
        match self.open.last_mut().map(|open| &mut open.parts) {
            None => self.root = Some(node),
            Some(Parts::List(items)) => items.push(node),
            Some(Parts::Map(entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(as_key(node, entries)?),
            },
        }
        Ok(())
    }
}

/// A key; there is no other like it.
fn as_key(node: Node, entries: &[(Scalar, Node)]) -> Result<Scalar, String> {
    let Node::Scalar(key) = node else {
        return Err("a list or mapping is used as a key".to_owned());
    };
    if key.text.len() > KEY_MAX_BYTES {
        return Err(format!("a key is longer than {KEY_MAX_BYTES} bytes"));
    }
    if entries.iter().any(|(own, _)| own.text == key.text) {
        let shown: String = key.text.chars().take(SHOWN_MAX_CHARS).collect();
        return Err(format!("the key `{shown}` stands there twice"));
    }
    Ok(key)
}

/// The entries with those that `<<` brings: what stands there itself counts more, and what is
/// merged first counts more than what is merged later.
fn merged(entries: Vec<(Scalar, Node)>) -> Result<Vec<(Scalar, Node)>, String> {
    let is_merge = |key: &Scalar| key.is_plain && key.text == MERGE;
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(key, _)| is_merge(key));
    for (_, node) in merges {
        let more = match node {
            Node::List(items) => items,
            one @ (Node::Scalar(_) | Node::Map(_)) => vec![one],
        };
        for node in more {
            let Node::Map(more) = node else {
                return Err("`<<` merges what is no mapping".to_owned());
            };
            for (key, node) in more {
                if !own.iter().any(|(own, _)| own.text == key.text) {
                    own.push((key, node));
                }
            }
        }
    }
    Ok(own)
}

/// The name of a tag that every reader knows.
fn core_tag(tag: &Tag) -> Result<String, String> {
    const KNOWN: [&str; 7] = ["str", "int", "float", "bool", "null", "map", "seq"];
    let name = KNOWN.iter().find(|known| tag.is_yaml_core_schema() && tag.suffix == **known);
    let name = name.ok_or("it has a tag (`!`) that is not taken")?;
    Ok((*name).to_owned())
}

/// How much a value is; it is never deeper than [`DEPTH_MAX`].
fn weight(node: &Node) -> Size {
    let add = |sum: Size, part: Size| Size {
        nodes: sum.nodes.saturating_add(part.nodes),
        bytes: sum.bytes.saturating_add(part.bytes),
        depth: sum.depth.max(part.depth),
    };
    let inner = match node {
        Node::Scalar(scalar) => {
            return Size { nodes: 1, bytes: scalar.text.len(), depth: 0 };
        }
        Node::List(items) => items.iter().map(weight).fold(Size::default(), add),
        Node::Map(entries) => entries
            .iter()
            .map(|(key, node)| Size { bytes: key.text.len(), ..Size::default() }.plus(weight(node)))
            .fold(Size::default(), add),
    };
    Size { nodes: inner.nodes.saturating_add(1), depth: inner.depth.saturating_add(1), ..inner }
}

impl Size {
    fn plus(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            bytes: self.bytes.saturating_add(other.bytes),
            depth: self.depth.max(other.depth),
        }
    }
}
