//! Why a series is not put on a branch.

use crate::event::series::Refusal;
use crate::neutral;
use crate::remote::Failure;

/// Why a series is not put on a branch.
#[derive(Debug)]
pub enum Stop {
    /// It does not apply to this base.
    Conflict(Refusal),
    /// It touches what somebody has to look at first, and nobody has.
    Held(Refusal),
    /// It is refused, whoever lets it be built and whatever the base is.
    Refused(Refusal),
    /// Nothing is known about the series: we could not do it.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is wrong with the patch of this number, from 1.
pub(super) fn at_patch(number: u32, reason: impl Into<String>) -> Refusal {
    Refusal { reason: reason.into(), patch: Some(number), ..Refusal::default() }
}

/// A name or a line from outside, short enough to be told, and without what cannot be seen.
pub(super) fn shown(text: &[u8]) -> String {
    let text = neutral::plain(&String::from_utf8_lossy(text)).replace('\n', " ");
    text.chars().take(neutral::LINE_MAX_CHARS).collect()
}
