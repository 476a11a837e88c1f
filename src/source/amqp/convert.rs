//! AMQP's values as JSON, and back.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString, ShortStringError};
use serde_json::{Map, Number, Value};

use crate::message::Message;

/// How deep headers may be nested; what is deeper becomes null.
const DEPTH_MAX: u8 = 16;

/// The delivery mode of a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The delivery as a message; the body is moved, not copied.
pub(super) fn message(delivery: Delivery) -> Message {
    let Delivery { routing_key, properties, data, .. } = delivery;
    Message {
        id: text(properties.message_id().as_ref()),
        topic: routing_key.into(),
        content_type: text(properties.content_type().as_ref()),
        content_encoding: text(properties.content_encoding().as_ref()),
        headers: properties
            .headers()
            .as_ref()
            .map(|headers| table_to_json(headers, DEPTH_MAX))
            .unwrap_or_default(),
        body: data,
    }
}

/// The properties and headers of a persistent message.
pub(super) fn properties(message: &Message) -> Result<BasicProperties, ShortStringError> {
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_headers(table(&message.headers)?);
    if let Some(id) = &message.id {
        properties = properties.with_message_id(ShortString::try_new(id.as_str())?);
    }
    if let Some(kind) = &message.content_type {
        properties = properties.with_content_type(ShortString::try_new(kind.as_str())?);
    }
    if let Some(encoding) = &message.content_encoding {
        properties = properties.with_content_encoding(ShortString::try_new(encoding.as_str())?);
    }
    Ok(properties)
}

/// A JSON object as AMQP has it.  Whole numbers are 32 bits wide where they fit, as Python's
/// clients send them.
pub(super) fn table(object: &Map<String, Value>) -> Result<FieldTable, ShortStringError> {
    let mut table = FieldTable::default();
    for (name, value) in object {
        table.insert(ShortString::try_new(name.as_str())?, field(value)?);
    }
    Ok(table)
}

fn field(value: &Value) -> Result<AMQPValue, ShortStringError> {
    Ok(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(is_set) => AMQPValue::Boolean(*is_set),
        Value::Number(number) => number_to_field(number),
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Array(values) => {
            let fields = values.iter().map(field).collect::<Result<Vec<_>, _>>()?;
            AMQPValue::FieldArray(FieldArray::from(fields))
        }
        Value::Object(object) => AMQPValue::FieldTable(table(object)?),
    })
}

fn number_to_field(number: &Number) -> AMQPValue {
    match number.as_i64() {
        Some(whole) => {
            i32::try_from(whole).map_or(AMQPValue::LongLongInt(whole), AMQPValue::LongInt)
        }
        None => number.as_f64().map_or(AMQPValue::Void, AMQPValue::Double),
    }
}

fn text(short: Option<&ShortString>) -> Option<String> {
    short.map(|text| text.as_str().to_owned())
}

fn table_to_json(table: &FieldTable, depth_left: u8) -> Map<String, Value> {
    table
        .into_iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), value_to_json(value, depth_left.saturating_sub(1)))
        })
        .collect()
}

fn value_to_json(value: &AMQPValue, depth_left: u8) -> Value {
    match value {
        AMQPValue::Boolean(is_set) => Value::Bool(*is_set),
        AMQPValue::ShortShortInt(number) => Value::from(*number),
        AMQPValue::ShortShortUInt(number) => Value::from(*number),
        AMQPValue::ShortInt(number) => Value::from(*number),
        AMQPValue::ShortUInt(number) => Value::from(*number),
        AMQPValue::LongInt(number) => Value::from(*number),
        AMQPValue::LongUInt(number) => Value::from(*number),
        AMQPValue::LongLongInt(number) => Value::from(*number),
        // JSON has no word for what is not a number; `from` makes null of it.
        AMQPValue::Float(number) => Value::from(*number),
        AMQPValue::Double(number) => Value::from(*number),
        AMQPValue::DecimalValue(decimal) => {
            Value::from(f64::from(decimal.value) / 10_f64.powi(i32::from(decimal.scale)))
        }
        AMQPValue::ShortString(text) => Value::from(text.as_str()),
        AMQPValue::LongString(text) => lossy(text.as_bytes()),
        AMQPValue::ByteArray(bytes) => lossy(bytes.as_slice()),
        AMQPValue::Timestamp(seconds) => time(*seconds),
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) if depth_left == 0 => Value::Null,
        AMQPValue::FieldArray(values) => values
            .as_slice()
            .iter()
            .map(|value| value_to_json(value, depth_left.saturating_sub(1)))
            .collect(),
        AMQPValue::FieldTable(table) => Value::Object(table_to_json(table, depth_left)),
        AMQPValue::Void => Value::Null,
    }
}

fn lossy(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

/// AMQP counts seconds since 1970; some senders count milliseconds, which is out of the calendar
/// and becomes the bare number.
fn time(seconds: u64) -> Value {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| Value::from(seconds), |time| Value::String(time.to_string()))
}

#[cfg(test)]
mod tests {
    use lapin::types::{ByteArray, DecimalValue};
    use serde_json::json;

    use super::*;

    fn headers(fields: Vec<(&str, AMQPValue)>) -> Value {
        let mut table = FieldTable::default();
        for (name, value) in fields {
            table.insert(name.into(), value);
        }
        Value::Object(table_to_json(&table, DEPTH_MAX))
    }

    #[test]
    fn every_type_of_a_header_has_a_counterpart() {
        let mut death = FieldTable::default();
        death.insert("count".into(), AMQPValue::LongLongInt(2));
        death.insert("time".into(), AMQPValue::Timestamp(1_700_000_000));
        let seen = headers(vec![
            ("array", AMQPValue::ByteArray(ByteArray::from(vec![b'a', 0xff]))),
            ("bool", AMQPValue::Boolean(true)),
            ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 275 })),
            ("int", AMQPValue::LongInt(-20)),
            ("nan", AMQPValue::Double(f64::NAN)),
            ("infinite", AMQPValue::Float(f32::INFINITY)),
            ("text", AMQPValue::LongString("ü".into())),
            ("void", AMQPValue::Void),
            ("x-death", AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into())),
        ]);
        assert_eq!(
            seen,
            json!({
                "array": "a\u{fffd}", "bool": true, "decimal": 2.75, "int": -20, "nan": null,
                "infinite": null, "text": "ü", "void": null,
                "x-death": [{"count": 2, "time": "2023-11-14T22:13:20Z"}],
            })
        );
    }

    #[test]
    fn a_time_out_of_the_calendar_stays_a_number() {
        let seen = headers(vec![("t", AMQPValue::Timestamp(u64::MAX))]);
        assert_eq!(seen, json!({"t": u64::MAX}));
    }

    #[test]
    fn a_deep_header_ends_somewhere() {
        let mut value = AMQPValue::Boolean(true);
        for _ in 0..1_000 {
            value = AMQPValue::FieldArray(vec![value].into());
        }
        let seen = headers(vec![("deep", value)]).to_string();
        assert_eq!(seen.matches('[').count(), usize::from(DEPTH_MAX) - 1);
        assert!(seen.contains("null"));
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let object = json!({
            "severity": 20, "large": 5_000_000_000_i64, "share": 0.5, "none": null, "yes": true,
            "list": [1, "two", {"three": 3}],
        });
        let sent = table(object.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(table_to_json(&sent, DEPTH_MAX)), object);
    }

    #[test]
    fn a_small_number_is_sent_with_32_bits() {
        assert_eq!(field(&json!(20)).unwrap(), AMQPValue::LongInt(20));
    }

    #[test]
    fn a_name_that_amqp_cannot_carry_is_an_error() {
        let object = json!({"a".repeat(256): 1});
        assert!(table(object.as_object().unwrap()).is_err());
    }
}
