//! Where to listen: an address with its port, or `off`.

use std::net::SocketAddr;

use serde::de::{Deserialize, Deserializer, Error, Unexpected};

const OFF: &str = "off";

/// Reads an address, or nothing from `off`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == OFF {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_not_an_address| {
        let expected = "an IP address with a port, such as `127.0.0.1:8710`, or `off`";
        D::Error::invalid_value(Unexpected::Str(&text), &expected)
    })
}
