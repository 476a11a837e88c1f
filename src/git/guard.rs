//! What may not be in a series, or not before somebody has looked at it.

use super::mail::Patch;
use super::process::Git;
use super::scratch::Scratch;
use super::stop::Stop;
use crate::event::series::Refusal;
use crate::remote::Failure;
use crate::subject::CommitSha;
use schemars::JsonSchema;
use serde::Deserialize;

/// What may be in a series.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {}

/// What is done about something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A.
    Allow,
    /// H.
    Hold,
    /// R.
    Refuse,
}

/// Something.
#[derive(Clone, Debug)]
pub struct Finding {
    /// A.
    pub answer: Answer,
    /// R.
    pub refusal: Refusal,
}

/// Guard.
#[derive(Clone, Debug)]
pub struct Guard {}

impl Guard {
    /// New
    pub fn new(_policy: &Policy) -> anyhow::Result<Self> {
        Ok(Self {})
    }
    pub(super) fn letters(&self, _letters: &[Vec<u8>]) -> Vec<Finding> {
        Vec::new()
    }
    pub(super) fn patches(&self, _letters: &[Patch]) -> Vec<Finding> {
        Vec::new()
    }
    pub(super) async fn commits(
        &self,
        _git: &Git,
        _s: &Scratch,
        _p: &[Patch],
        _c: &[CommitSha],
    ) -> Result<Vec<Finding>, Failure> {
        Ok(Vec::new())
    }
}
pub(super) fn refuse(findings: Vec<Finding>) -> Result<Vec<Finding>, Stop> {
    Ok(findings)
}
pub(super) fn hold<'a>(_findings: impl Iterator<Item = &'a Finding>) -> Result<(), Stop> {
    Ok(())
}
