//! The table of what was measured, and what was promised.

use std::fmt;

/// What has to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The value is at least this.
    AtLeast(f64),
    /// The value is at most this.
    AtMost(f64),
    /// Nothing is promised; it is told for comparison.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is measured.
    pub(crate) measure: String,
    /// Our value, with its unit.
    pub(crate) ours: String,
    /// The value of whom we compare with.
    pub(crate) other: String,
    /// The value that the target speaks of.
    pub(crate) value: f64,
    /// The target.
    pub(crate) target: Target,
}

impl Row {
    fn passes(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.value >= least,
            Target::AtMost(most) => self.value <= most,
            Target::None => true,
        }
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn extend(&mut self, rows: Vec<Row>) {
        self.0.extend(rows);
    }

    pub(crate) fn passes(&self) -> bool {
        self.0.iter().all(Row::passes)
    }
}

impl fmt::Display for Table {
    /// As Markdown, to be copied into `README.md`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["measure", "ours", "floor or peer", "value", "target", ""];
        let mut lines = vec![head.map(str::to_owned)];
        for row in &self.0 {
            let target = match row.target {
                Target::AtLeast(least) => format!("≥ {}", number(least)),
                Target::AtMost(most) => format!("≤ {}", number(most)),
                Target::None => String::new(),
            };
            let verdict = match (row.target, row.passes()) {
                (Target::None, _) => "",
                (_, true) => "pass",
                (_, false) => "MISSED",
            };
            lines.push([
                row.measure.clone(),
                row.ours.clone(),
                row.other.clone(),
                number(row.value),
                target,
                verdict.to_owned(),
            ]);
        }
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for width in &widths {
                    write!(f, "|{}", "-".repeat(width + 2))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// A number with as many digits as are worth reading.
pub(crate) fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The value in the middle; 0 where there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
