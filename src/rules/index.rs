//! Which rules an event can concern at all, without asking each of them.

use std::collections::{BTreeMap, HashMap};

use globset::{Glob, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::event::{Event, EventKind};

/// What a `where` entry wants: one of several values, exact or with wildcards.
#[derive(Clone, Debug)]
pub struct Place {
    /// The name in the event.
    pub name: &'static str,
    /// The values as written.
    pub wanted: Vec<String>,
    globs: Vec<GlobMatcher>,
}

impl Place {
    /// Reads the values of a `where` entry.
    pub fn parse(name: &'static str, wanted: &[String]) -> Result<Self, globset::Error> {
        let globs = wanted
            .iter()
            .filter(|text| !is_exact(text))
            .map(|text| Ok(Glob::new(text)?.compile_matcher()))
            .collect::<Result<_, globset::Error>>()?;
        Ok(Self { name, wanted: wanted.to_vec(), globs })
    }

    /// Whether all its values are meant literally.
    pub fn is_exact(&self) -> bool {
        self.globs.is_empty()
    }

    /// Whether the event is there.
    pub fn covers(&self, event: &Event) -> bool {
        event.indexed(self.name).is_some_and(|found| self.admits(found))
    }

    /// Whether `found` is one of its values.
    pub fn admits(&self, found: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == found)
            || self.globs.iter().any(|glob| glob.is_match(found))
    }
}

/// Whether a value is meant literally.
fn is_exact(text: &str) -> bool {
    !text.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// An index over rules by kind and place.
///
/// Each rule stands under one entry of its `where`: the first whose values are all exact, else
/// the first with wildcards, else under none.  So a rule that names its project costs nothing to
/// events of other projects.
#[derive(Debug, Default)]
pub struct Index(HashMap<EventKind, KindIndex>);

#[derive(Debug, Default)]
struct KindIndex {
    exact: BTreeMap<&'static str, HashMap<String, Vec<usize>>>,
    globs: Vec<(&'static str, GlobSet, Vec<usize>)>,
    rest: Vec<usize>,
}

impl Index {
    /// Builds the index over rules given as kinds and places, in order.
    pub fn build<'a>(
        rules: &(impl Iterator<Item = (&'a [EventKind], &'a [Place])> + Clone),
    ) -> Result<Self, globset::Error> {
        let mut index = HashMap::<EventKind, KindIndex>::new();
        for kind in EventKind::ALL {
            let of_kind = rules.clone().enumerate().filter(|(_, (kinds, _))| kinds.contains(&kind));
            let entry = kind_index(of_kind.map(|(number, (_, places))| (number, places)))?;
            index.insert(kind, entry);
        }
        Ok(Self(index))
    }

    /// The rules that `event` can concern, by number, ascending.
    pub fn candidates(&self, event: &Event) -> Vec<usize> {
        let Some(index) = self.0.get(&event.kind()) else {
            return Vec::new();
        };
        let mut found = index.rest.clone();
        for (name, rules) in &index.exact {
            if let Some(rules) = event.indexed(name).and_then(|value| rules.get(value)) {
                found.extend(rules);
            }
        }
        for (name, globs, rules) in &index.globs {
            if let Some(value) = event.indexed(name) {
                let matched = globs.matches(value);
                found.extend(matched.into_iter().filter_map(|glob| rules.get(glob)));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn kind_index<'a>(
    rules: impl Iterator<Item = (usize, &'a [Place])>,
) -> Result<KindIndex, globset::Error> {
    let mut index = KindIndex::default();
    let mut globs = BTreeMap::<&'static str, (GlobSetBuilder, Vec<usize>)>::new();
    for (number, places) in rules {
        if let Some(place) = places.iter().find(|place| place.globs.is_empty()) {
            let entries = index.exact.entry(place.name).or_default();
            for value in &place.wanted {
                entries.entry(value.clone()).or_default().push(number);
            }
        } else if let Some(place) = places.first() {
            let (set, rules) =
                globs.entry(place.name).or_insert_with(|| (GlobSetBuilder::new(), Vec::new()));
            for value in &place.wanted {
                set.add(Glob::new(value)?);
                rules.push(number);
            }
        } else {
            index.rest.push(number);
        }
    }
    for (name, (set, rules)) in globs {
        index.globs.push((name, set.build()?, rules));
    }
    Ok(index)
}
