//! Room for what a message can do to the AMQP client's parser.
//!
//! Headers of a message may be nested as deep as a frame of 128 KiB allows, about 26,000 levels,
//! and `amq-protocol-types` descends into them by recursion, on a thread that the client makes
//! itself.  Two megabytes, a thread's usual stack, overflow at a few thousand levels: one message
//! would end the process, and its redelivery the next.  The size of that thread's stack can only
//! be set from outside, so the program starts itself once more with the variable that sets it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable from which the standard library takes the size of new threads' stacks.
const VARIABLE: &str = "RUST_MIN_STACK";
/// Enough for what fits into a frame; memory is only used as far as the stack really grows.
const BYTES: u64 = 64 * 1024 * 1024;

/// Replaces this process by itself with larger stacks, unless it has them; the process id stays.
///
/// Returns what kept it from doing so; the caller goes on without.
pub(super) fn widen() -> Result<(), std::io::Error> {
    let has_room = std::env::var_os(VARIABLE)
        .and_then(|bytes| bytes.into_string().ok())
        .and_then(|bytes| bytes.parse::<u64>().ok())
        .is_some_and(|bytes| bytes >= BYTES);
    if has_room {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("pointsman"));
    // It only returns when it failed.
    let error =
        Command::new(program).arg0(name).args(arguments).env(VARIABLE, BYTES.to_string()).exec();
    Err(error)
}
