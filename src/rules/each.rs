//! `for_each`: what an artifact is tested on, one build for each.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;

use super::spec::OneOrMany;
use crate::expression::Expression;

/// What there is a build for each of, as it is written.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum EachSpec {
    /// These.
    These(Vec<String>),
    /// What this expression gives, a list of texts: `artifact.boards`.
    Of(String),
    /// Every kind of board that has something, as its executor tells.
    Having(HavingSpec),
}

/// What a board has to have: one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HavingSpec {
    /// This, or all of these.
    #[serde(default)]
    pub tag: Option<OneOrMany<String>>,
    /// What this expression gives, a list of texts: `artifact.tags`.
    #[serde(default)]
    pub tags: Option<String>,
}

/// What there is a build for each of, checked.
#[derive(Clone, Debug)]
pub struct Each {
    /// The name under which texts know it.
    pub name: String,
    /// What.
    pub of: EachOf,
}

/// What there is a build for each of.
#[derive(Clone, Debug)]
pub enum EachOf {
    /// These.
    These(Vec<String>),
    /// What this gives.
    Of(Expression),
    /// The kinds of boards that have all of these.
    Having(Vec<String>),
    /// The kinds of boards that have all that this gives.
    HavingAllOf(Expression),
}

impl<'de> Deserialize<'de> for EachSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EachVisitor)
    }
}

/// Written by hand instead of `untagged`, whose errors do not say what is wrong.
struct EachVisitor;

impl<'de> serde::de::Visitor<'de> for EachVisitor {
    type Value = EachSpec;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of texts, an expression, or `{ tag = \"…\" }`")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<EachSpec, E> {
        Ok(EachSpec::Of(v.to_owned()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<EachSpec, A::Error> {
        let mut these = Vec::new();
        while let Some(one) = seq.next_element()? {
            these.push(one);
        }
        Ok(EachSpec::These(these))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<EachSpec, A::Error> {
        HavingSpec::deserialize(MapAccessDeserializer::new(map)).map(EachSpec::Having)
    }
}
