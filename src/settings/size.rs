//! A number of bytes, as people write it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A number of bytes: `8 MiB`, `500 kB`, or just a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(usize);

impl ByteSize {
    /// The number of bytes.
    pub fn bytes(self) -> usize {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end)?;
        let factor: usize = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return None,
        };
        number.parse::<usize>().ok()?.checked_mul(factor).map(Self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a size in bytes, such as `8 MiB`")
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<ByteSize, E> {
        usize::try_from(v)
            .map(ByteSize)
            .map_err(|_too_large| E::invalid_value(Unexpected::Unsigned(v), &self))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<ByteSize, E> {
        usize::try_from(v)
            .map(ByteSize)
            .map_err(|_negative| E::invalid_value(Unexpected::Signed(v), &self))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<ByteSize, E> {
        ByteSize::parse(v).ok_or_else(|| E::invalid_value(Unexpected::Str(v), &self))
    }
}

impl schemars::JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number of bytes: `8 MiB`, `500 kB`, or just a number.",
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^ *[0-9]+ *([kKmMgG][iI]?)?[bB]? *$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("8 MiB", 8 * 1024 * 1024),
            ("8mib", 8 * 1024 * 1024),
            ("500 kB", 500_000),
            ("1 GiB", 1 << 30),
            ("12", 12),
            (" 12 B ", 12),
        ] {
            assert_eq!(ByteSize::parse(text), Some(ByteSize(bytes)), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5 MiB", "8 MiBs", "8 k", "99999999999 GiB"] {
            assert_eq!(ByteSize::parse(text), None, "{text}");
        }
    }
}
