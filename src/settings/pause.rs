//! How often something is done: a duration, or `off`.

use std::time::Duration;

use humantime_serde::re::humantime;
use serde::de::{Deserialize, Deserializer, Error, Unexpected};

const OFF: &str = "off";

/// Reads a duration, or nothing from `off`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == OFF {
        return Ok(None);
    }
    humantime::parse_duration(&text).map(Some).map_err(|_no_duration| {
        D::Error::invalid_value(Unexpected::Str(&text), &"a duration, such as `15m`, or `off`")
    })
}
