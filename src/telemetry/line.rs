//! One event, one line: what a text from outside contains cannot begin a line of its own.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Writes what `format` writes, with line breaks and other control characters escaped.
pub(super) struct OneLine<F> {
    format: F,
    has_priority: bool,
}

impl<F> OneLine<F> {
    /// Lines as they are.
    pub(super) fn bare(format: F) -> Self {
        Self { format, has_priority: false }
    }

    /// Lines that begin with their syslog priority, such as `<6>`, as sd-daemon(3) asks.
    pub(super) fn with_priority(format: F) -> Self {
        Self { format, has_priority: true }
    }
}

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(ctx, Writer::new(&mut line), event)?;
        if self.has_priority {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        for c in line.trim().chars() {
            // Tabs and all letters stay as they are.
            if c.is_control() && c != '\t' {
                write!(writer, "{}", c.escape_default())?;
            } else {
                writer.write_char(c)?;
            }
        }
        writeln!(writer)
    }
}

/// The syslog priority of a level: 3 is an error, 7 is for debugging.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
