//! Messages that belong together: a later one tells only which earlier one it continues.

use serde::{Deserialize, Serialize};

/// Which messages an event belongs together with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thread {
    /// Under which id later messages speak of this one.
    #[serde(default)]
    pub id: Option<String>,
    /// The id of the earlier message that tells the rest.
    #[serde(default)]
    pub of: Option<String>,
}

impl Thread {
    /// Whether the event stands alone.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
