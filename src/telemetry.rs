//! How the service tells what it is doing: logs for people, metrics for machines.

use std::ffi::OsStr;
use std::io::IsTerminal;

use schemars::JsonSchema;
use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Format;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::line::OneLine;

pub mod metrics;

mod line;

/// What is logged, and how: `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written: a level, or directives such as `info,pointsman::worker=debug`.
    pub filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, `compact` elsewhere.
    Auto,
    /// Several lines for each event, for people at a desk.
    Pretty,
    /// One line for each event.
    Compact,
    /// One JSON object for each event.
    Json,
}

/// What stands at the other end of standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A person: lines are coloured.
    Terminal,
    /// journald, which knows the time itself and takes the level from the head of the line.
    Journal,
    /// A file or a pipe.
    Plain,
}

impl Output {
    /// Finds out where standard error leads; `journal_stream` is the variable `JOURNAL_STREAM`.
    ///
    /// The variable alone proves nothing, because children inherit it whose output goes
    /// elsewhere: it has to name the very file that standard error is (systemd.exec(5)).
    pub fn of_stderr(journal_stream: Option<&OsStr>) -> Self {
        let stderr = std::io::stderr();
        if stderr.is_terminal() {
            return Self::Terminal;
        }
        let named = journal_stream.and_then(OsStr::to_str);
        match (named, identity(&stderr)) {
            (Some(named), Some(identity)) if named == identity => Self::Journal,
            (Some(_) | None, Some(_) | None) => Self::Plain,
        }
    }
}

/// Device and inode of what `stream` leads to, as `JOURNAL_STREAM` writes them.
#[cfg(unix)]
fn identity(stream: &impl std::os::fd::AsFd) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let file = std::fs::File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// There is no journald here.
#[cfg(not(unix))]
fn identity<T>(_: &T) -> Option<String> {
    None
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The filter cannot be read.
    #[error("cannot read the log filter")]
    Filter(#[from] ParseError),
    /// Something else logs already in this process.
    #[error("cannot start logging")]
    Init(#[from] TryInitError),
}

/// Starts logging to standard error; once per process.
pub fn start(log: &LogSettings, output: Output) -> Result<(), StartError> {
    subscriber(log, output, std::io::stderr)?.try_init()?;
    Ok(())
}

/// Reads the directives of a log filter.
pub fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(directives)
}

fn subscriber<W>(
    log: &LogSettings,
    output: Output,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + 'static, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter(&log.filter)?;
    let lines = lines(log.format, output, writer);
    Ok(tracing_subscriber::registry().with(lines).with(filter))
}

/// The part of the subscriber that writes.
fn lines<S, W>(format: LogFormat, output: Output, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer =
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(output == Output::Terminal);
    match (format, output) {
        (LogFormat::Json, _) => layer.json().flatten_event(true).boxed(),
        (LogFormat::Pretty, _) | (LogFormat::Auto, Output::Terminal) => layer.pretty().boxed(),
        (LogFormat::Compact, Output::Terminal) => layer.compact().boxed(),
        (LogFormat::Auto | LogFormat::Compact, Output::Plain) => {
            layer.event_format(OneLine::bare(Format::default().compact())).boxed()
        }
        (LogFormat::Auto | LogFormat::Compact, Output::Journal) => {
            let format = Format::default().compact().without_time().with_level(false);
            layer.event_format(OneLine::with_priority(format)).boxed()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::remote::{Failure, chain};

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Page {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buf);
            Ok(buf.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(format: LogFormat, filter: &str) -> LogSettings {
        LogSettings { format, filter: filter.to_owned() }
    }

    /// What is written when `happening` happens, with times masked.
    fn written(log: &LogSettings, output: Output, happening: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = subscriber(log, output, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, happening);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        text.split_inclusive(' ').map(|word| if is_time(word) { "TIME " } else { word }).collect()
    }

    fn is_time(word: &str) -> bool {
        word.trim().ends_with('Z') && word.starts_with("20") && word.contains('T')
    }

    fn happening() {
        let span = tracing::info_span!("action", action.key = "k1", attempt = 2);
        let _entered = span.enter();
        let error =
            Failure::give_up(anyhow::anyhow!("no such job").context("cannot start `points`"));
        tracing::warn!(error = %chain(&error), "Buried an action");
    }

    #[test]
    fn a_pipe_gets_one_line_with_time_and_level() {
        let text = written(&log(LogFormat::Auto, "info"), Output::Plain, happening);
        insta::assert_snapshot!(text, @r#"TIME  WARN action: pointsman::telemetry::tests: Buried an action error=permanent failure: cannot start `points`: no such job action.key="k1" attempt=2"#);
    }

    #[test]
    fn the_journal_gets_priorities_and_no_time() {
        let events: [fn(); 5] = [
            || tracing::error!("a"),
            || tracing::warn!("b"),
            || tracing::info!("c"),
            || tracing::debug!("d"),
            || tracing::trace!("e"),
        ];
        let text = written(&log(LogFormat::Auto, "trace"), Output::Journal, || {
            for event in events {
                event();
            }
        });
        insta::assert_snapshot!(text, @r#"
        <3>pointsman::telemetry::tests: a
        <4>pointsman::telemetry::tests: b
        <6>pointsman::telemetry::tests: c
        <7>pointsman::telemetry::tests: d
        <7>pointsman::telemetry::tests: e
        "#);
    }

    #[test]
    fn a_line_break_from_outside_forges_no_line() {
        for output in [Output::Plain, Output::Journal] {
            let text = written(&log(LogFormat::Compact, "info"), output, || {
                tracing::info!(title = %"x\r\n<0>all is lost\u{1b}[31m", "Read a message\n<0>y");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains(['\r', '\u{1b}']), "{text}");
        }
    }

    #[test]
    fn json_is_flat_and_tells_the_whole_chain() {
        let text = written(&log(LogFormat::Json, "info"), Output::Plain, happening);
        let mut line: serde_json::Value = serde_json::from_str(&text).unwrap();
        line["timestamp"] = "TIME".into();
        insta::assert_yaml_snapshot!(line, @r#"
        error: "permanent failure: cannot start `points`: no such job"
        level: WARN
        message: Buried an action
        span:
          action.key: k1
          attempt: 2
          name: action
        spans:
          - action.key: k1
            attempt: 2
            name: action
        target: "pointsman::telemetry::tests"
        timestamp: TIME
        "#);
    }

    #[test]
    fn what_the_filter_keeps_out_is_not_written() {
        let log = log(LogFormat::Auto, "warn,pointsman::telemetry=info");
        assert_ne!(written(&log, Output::Plain, || tracing::info!("a")), "");
        assert_eq!(written(&log, Output::Plain, || tracing::debug!("b")), "");
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        for format in [LogFormat::Auto, LogFormat::Pretty, LogFormat::Compact, LogFormat::Json] {
            for output in [Output::Journal, Output::Plain] {
                let text = written(&log(format, "info"), output, happening);
                assert!(!text.contains('\u{1b}'), "{format:?} {output:?}: {text}");
            }
        }
        let text = written(&log(LogFormat::Auto, "info"), Output::Terminal, happening);
        assert!(text.contains('\u{1b}'), "{text}");
        assert!(text.lines().count() > 1, "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let outcome =
            subscriber(&log(LogFormat::Auto, "pointsman=loud"), Output::Plain, std::io::sink);
        assert!(outcome.is_err());
    }

    #[test]
    fn an_inherited_journal_stream_is_not_believed() {
        let output = Output::of_stderr(Some(OsStr::new("0:0")));
        assert_ne!(output, Output::Journal);
    }
}
