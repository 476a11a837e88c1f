//! Where the parts of a rule stand.

use super::Reader;
use crate::rules::Spots;

impl Reader<'_, '_, '_> {
    /// Where `where` entries and conditions stand.
    pub(super) fn spots(&self) -> Spots {
        let spot = |path: &[&str]| {
            let line = self.span(path).map_or(1, |span| self.inspection.line_of(span.start));
            format!("{}:{line}", self.inspection.name)
        };
        let count = self.spec.when.as_ref().map_or(0, |when| when.as_slice().len());
        Spots {
            places: self.spec.place.keys().map(|name| spot(&["where", name])).collect(),
            conditions: (0..count).map(|number| spot(&["when", &number.to_string()])).collect(),
        }
    }
}
