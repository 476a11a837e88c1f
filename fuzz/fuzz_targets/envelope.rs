//! Whatever a broker delivers is opened and read by all topics, or refused.
//!
//! The input is a topic, headers, an empty line, and a body.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pointsman::topic::read::Selection;
use pointsman_fuzz::{Post, every_topic, read};

static TOPICS: LazyLock<Selection> = LazyLock::new(every_topic);

fuzz_target!(|data: &[u8]| read(&Post::read(data).message(), &TOPICS));
