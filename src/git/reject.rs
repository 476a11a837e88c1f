//! Why git does not apply a patch, read off what it says: for people, never to decide whether
//! it did.

use anyhow::anyhow;

use super::call::{End, Output};
use super::stop::{at_patch, shown};
use crate::event::series::Refusal;
use crate::remote::Failure;

/// Whose fault it is that a patch does not apply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reject {
    /// It does not fit here.
    Conflict(Refusal),
    /// It fits nowhere.
    Refused(Refusal),
}

/// The code of a patch that git has understood, and that does not fit.
const DOES_NOT_FIT: End = End::Code(1);
/// The code of a patch that git has not understood, and of a failure of git's own.
const CANNOT: End = End::Code(128);

/// What a process is ended by for wanting more of the processor than it may.
const SIGXCPU: i32 = 24;
/// What a process is ended by for writing a larger file than it may.
const SIGXFSZ: i32 = 25;
/// What a process is ended by that has crashed: for an instruction, for a contradiction, for
/// memory.
const CRASHES: [i32; 4] = [4, 6, 7, 11];

/// Why the patch of this number was not applied, when it was not.
///
/// A failure is one of git, or of the machine, and says nothing about the patch.
pub(super) fn why(number: u32, output: &Output) -> Result<Reject, Failure> {
    let complaint = output.complaint();
    let refused = |reason: String| Ok(Reject::Refused(at_patch(number, reason)));
    let failed = || Failure::retry(anyhow!("`git apply` ended with {}: {complaint}", output.end));
    match output.end {
        End::Signal(SIGXCPU) => refused("git has to compute for too long for it".to_owned()),
        End::Signal(SIGXFSZ) => refused("it makes too large a file".to_owned()),
        End::Signal(signal) if CRASHES.contains(&signal) => refused("git crashes at it".to_owned()),
        DOES_NOT_FIT | CANNOT if complaint.contains("error: invalid path ") => {
            refused(reason(&complaint))
        }
        CANNOT if complaint.contains("ut of memory") => {
            refused("git needs too much memory for it".to_owned())
        }
        CANNOT if complaint.contains("fatal: ") => Err(failed()),
        DOES_NOT_FIT | CANNOT => Ok(Reject::Conflict(conflict(number, output))),
        End::Code(_) | End::Signal(_) => Err(failed()),
    }
}

/// What git says first, without its own word for it.
fn reason(complaint: &str) -> String {
    let first = complaint.split("; ").next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

/// Where the patch does not fit.
fn conflict(number: u32, output: &Output) -> Refusal {
    let text = String::from_utf8_lossy(&output.stderr);
    let at = text.lines().find_map(|line| {
        let (file, line) = line.strip_prefix("error: patch failed: ")?.rsplit_once(':')?;
        Some((shown(file.as_bytes()), line.parse::<u32>().ok()?))
    });
    if let Some((file, line)) = at {
        let reason = format!("it does not fit at line {line} of `{file}`");
        return Refusal { file: Some(file), line: Some(line), ..at_patch(number, reason) };
    }
    let missing = text.lines().find_map(|line| {
        let line = line.strip_prefix("error: ")?;
        let file = line
            .strip_suffix(": does not exist in index")
            .or_else(|| line.strip_suffix(": already exists in index"))?;
        Some((shown(file.as_bytes()), line.ends_with("already exists in index")))
    });
    if let Some((file, is_there)) = missing {
        let reason = if is_there {
            format!("it makes `{file}`, which is there already")
        } else {
            format!("it changes `{file}`, which is not there")
        };
        return Refusal { file: Some(file), ..at_patch(number, reason) };
    }
    if text.lines().any(|line| line.starts_with("error: No valid patches in input")) {
        return at_patch(number, "there is no patch in the mail");
    }
    at_patch(number, reason(&output.complaint()))
}
