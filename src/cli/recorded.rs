//! Messages in the form in which fedora-messaging records them, from a file or standard input.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::console::Console;
use crate::message::Message;
use crate::web::api::Recorded;

/// The longest record that is read.
const RECORD_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Where messages are read from.
pub(super) type Input = Box<dyn BufRead + Send>;

/// A file, or standard input where the path is `-`.
pub(super) fn open(path: &str, console: &mut Console) -> anyhow::Result<Input> {
    if path == "-" {
        return Ok(Box::new(BufReader::new(console.take_input())));
    }
    let file =
        std::fs::File::open(Path::new(path)).with_context(|| format!("cannot open `{path}`"))?;
    Ok(Box::new(BufReader::new(file)))
}

/// All of it, which has to be text in JSON.
pub(super) fn body(input: Input) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(RECORD_MAX_BYTES + 1).read_to_end(&mut bytes).context("cannot read the body")?;
    ensure!(
        bytes.len() as u64 <= RECORD_MAX_BYTES,
        "the body is longer than {RECORD_MAX_BYTES} bytes"
    );
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).context("the body is no JSON")?;
    Ok(bytes)
}

/// What was found at one place of the input.
#[derive(Debug)]
pub(super) struct Record {
    /// The line where it begins, from 1.
    pub(super) line: usize,
    /// The message, or what is wrong with it.
    pub(super) message: Result<Message, String>,
}

/// The records of an input: one on each line, or one document or list over all lines.
pub(super) struct Records {
    input: Input,
    line: usize,
    rest: std::vec::IntoIter<Value>,
}

impl Records {
    pub(super) fn new(input: Input) -> Self {
        Self { input, line: 0, rest: Vec::new().into_iter() }
    }

    /// The next record, or nothing at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Record>> {
        if let Some(value) = self.rest.next() {
            return Ok(Some(Record { line: self.line, message: read(value) }));
        }
        loop {
            let mut line = Vec::new();
            let mut bounded = self.input.by_ref().take(RECORD_MAX_BYTES + 1);
            if bounded.read_until(b'\n', &mut line).context("cannot read the messages")? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if line.len() as u64 > RECORD_MAX_BYTES {
                bail!("line {} is longer than {RECORD_MAX_BYTES} bytes", self.line);
            }
            if !line.trim_ascii().is_empty() {
                return self.record(line).map(Some);
            }
        }
    }

    fn record(&mut self, line: Vec<u8>) -> anyhow::Result<Record> {
        let number = self.line;
        match serde_json::from_slice::<Value>(&line) {
            Ok(Value::Array(values)) => {
                self.rest = values.into_iter();
                let first =
                    self.rest.next().map_or_else(|| Err("the list is empty".to_owned()), read);
                Ok(Record { line: number, message: first })
            }
            Ok(value) => Ok(Record { line: number, message: read(value) }),
            // A document over several lines begins with a line that is none.
            Err(error) if error.is_eof() && number == 1 => self.document(line),
            Err(error) => Ok(Record { line: number, message: Err(format!("no JSON: {error}")) }),
        }
    }

    /// The whole input as one document.
    fn document(&mut self, mut text: Vec<u8>) -> anyhow::Result<Record> {
        let rest = self.input.by_ref().take(RECORD_MAX_BYTES + 1).read_to_end(&mut text);
        rest.context("cannot read the messages")?;
        if text.len() as u64 > RECORD_MAX_BYTES {
            bail!(
                "the document is longer than {RECORD_MAX_BYTES} bytes; put each message on a line"
            );
        }
        let message = match serde_json::from_slice::<Value>(&text) {
            Ok(Value::Array(values)) => {
                self.rest = values.into_iter();
                self.rest.next().map_or_else(|| Err("the list is empty".to_owned()), read)
            }
            Ok(value) => read(value),
            Err(error) => Err(format!("no JSON: {error}")),
        };
        Ok(Record { line: 1, message })
    }
}

fn read(value: Value) -> Result<Message, String> {
    let recorded: Recorded =
        serde_json::from_value(value).map_err(|error| format!("no recorded message: {error}"))?;
    recorded.into_message()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(usize, Result<String, String>)> {
        let mut records = Records::new(Box::new(std::io::Cursor::new(text.to_owned())));
        let mut found = Vec::new();
        while let Some(record) = records.next().unwrap() {
            found.push((record.line, record.message.map(|message| message.topic)));
        }
        found
    }

    #[test]
    fn each_line_is_a_message_and_a_bad_one_does_not_hide_the_others() {
        let text =
            "{\"topic\":\"a\",\"body\":{}}\n\n{oops\n{\"topic\":\"b\",\"body\":1}\n{\"body\":{}}\n";
        let found = all(text);
        assert_eq!(found[0], (1, Ok("a".to_owned())));
        assert!(found[1].1.as_ref().unwrap_err().contains("no JSON"));
        assert_eq!(found[2], (4, Ok("b".to_owned())));
        assert!(found[3].1.as_ref().unwrap_err().contains("missing field `topic`"));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_message_may_be_spread_over_lines_and_several_may_be_a_list() {
        assert_eq!(all("{\n  \"topic\": \"a\",\n  \"body\": {}\n}\n"), [(1, Ok("a".to_owned()))]);
        let list = "[{\"topic\":\"a\",\"body\":{}},\n {\"topic\":\"b\",\"body\":{}}]";
        assert_eq!(all(list), [(1, Ok("a".to_owned())), (1, Ok("b".to_owned()))]);
        assert_eq!(all(""), []);
    }
}
