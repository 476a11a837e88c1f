//! A branch that a series is on, and what became of putting it there.

use serde_json::{Value, json};

use super::{AppliedEvent, Branch};

impl Branch {
    /// The branch as expressions see it: as a whole, or up to the patch of this number.
    pub fn names(&self, patch: Option<u32>) -> Value {
        json!({
            "url": self.url,
            "name": self.name,
            "sha": self.sha,
            "short": self.sha.short(),
            "base": self.base.sha,
            "base_name": self.base.branch,
            "patch": patch,
        })
    }

    /// The branch up to the patch of this number, from 1; its base for 0.
    #[must_use]
    pub fn up_to(&self, patch: u32) -> Self {
        let count = usize::try_from(patch).unwrap_or(usize::MAX).min(self.commits.len());
        let commits = self.commits.get(..count).unwrap_or_default().to_vec();
        let sha = commits.last().unwrap_or(&self.base.sha).clone();
        Self { name: format!("{}-p{patch}", self.name), sha, commits, ..self.clone() }
    }
}

impl AppliedEvent {
    pub(in crate::event) fn moment(&self) -> String {
        format!("{}/{}/{}", self.on.revision(), self.run, self.round)
    }

    pub(in crate::event) fn names(&self) -> Value {
        let mut names = self.on.names();
        if let Some(map) = names.as_object_mut() {
            map.insert("event".to_owned(), self.event.as_str().into());
            if let Some(branch) = &self.branch {
                map.insert("branch".to_owned(), branch.names(None));
            }
        }
        names
    }
}
