//! The command line: arguments, what is printed, and the exit code.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use console::Console;

use crate::demo;

pub mod console;

mod faults;
mod load;
mod recorded;
mod signals;
mod stack;
mod table;
mod times;
mod words;

mod actions;
mod catalog;
mod check;
mod editor;
mod explain;
mod init;
mod ledger;
mod messages;
mod poll;
mod publish;
mod ready;
mod replay;
mod rules;
mod run;
mod runs;
mod series;
mod tail;
mod test;
mod why;

/// How many rows a list has when nobody says how many.
const LIMIT: u32 = 50;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to.
    Success,
    /// Something failed, or was found to be wrong.
    Failure,
    /// The arguments, the settings or the rules are faulty; nothing was done.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
        })
    }
}

/// Turns messages about changes into builds, and builds into verdicts where people look.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// A file of settings; may be given several times, later files win.
    ///
    /// Without one it is `pointsman.toml` in the working directory, if there is such a file.
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service until it is told to stop (SIGTERM or SIGINT).
    Run,
    /// See it work: the service between stand-ins for Pagure and Jenkins, with nothing to install.
    Demo {
        /// Play it fast, check what stands at the end, and exit with 0 only if it is right.
        #[arg(long)]
        once: bool,
    },
    /// Write settings, a first rule and its tests, for somebody who begins.
    #[command(after_help = "\
What is not said is asked.  Nothing is replaced that is there, and no secret is asked for: the
settings only say where each is kept.

Examples:
  pointsman init /etc/pointsman
  pointsman init . --forge github --project rail/signalbox --jenkins https://ci.example/ --yes")]
    Init(init::Init),
    /// Find everything that is wrong with settings, rules and topics; `test` tests the rules.
    Check(check::Check),
    /// Run the tests that the rules carry, and tell what of the rules no test sees.
    #[command(after_help = "\
Tests are written as `[[test]]` in a rules file, or in a file `NAME.test.toml` beside it.
They go through the code that serves, on a ledger of their own, and reach nothing outside.
A rule in shadow mode is tested as if it were live.

Examples:
  pointsman test                       all of them
  pointsman test draft                 those with `draft` in their names
  pointsman test --full                and fail where a condition was never seen true, or false")]
    Test(test::Test),
    /// Tell what a message would cause, and why; nothing is done.
    #[command(after_help = "\
Examples:
  pointsman explain pagure/pull-request.new     the example of a topic
  pointsman explain message.json                a message in a file
  pointsman explain 6f0c2d1e                    a message in the ledger, by the beginning of its id")]
    Explain(explain::Explain),
    /// Tell what happened about a pull request or a series, and why the rules did what they did.
    #[command(after_help = "\
Examples:
  pointsman why forge.example/rail/signalbox#7
  pointsman why patches.example/signalbox-devel/series/1234
  pointsman why signalbox#7                     if no other subject is called so")]
    Why(why::Why),
    /// Let a patch series be built that is held because nobody vouches for its author.
    #[command(after_help = "\
Example:
  pointsman approve patches.example/signalbox-devel/series/1234 --version 2")]
    Approve(series::Approve),
    /// Ask for the builds of a patch series again.
    #[command(after_help = "\
Examples:
  pointsman recheck series/1234                 if no other subject is called so
  pointsman recheck series/1234 kvm-boot --rebase")]
    Recheck(series::Recheck),
    /// Follow what happens, as it happens.
    Tail(tail::Tail),
    /// List or show the builds that rules have ordered.
    Runs(runs::Runs),
    /// List, show or retry what is to be done, was done, or was given up.
    Actions {
        #[command(subcommand)]
        command: Option<actions::Actions>,
    },
    /// List, show or read again the messages that came in.
    Messages {
        #[command(subcommand)]
        command: Option<messages::Messages>,
    },
    /// List the topics: which messages are understood, and what they mean.
    Topics(catalog::Topics),
    /// List the rules and what they have said so far, or show one in full.
    Rules(rules::Rules),
    /// Tell what other rules would have done about the messages in the ledger; nothing is done.
    #[command(after_help = "\
The messages of the ledger are read again, once by the rules in force and once by the others, each
on a ledger of its own that is thrown away.  Nothing outside is reached, and the ledger is only
read.  That it is not done for real is no choice: there is no other way.

Examples:
  pointsman replay --since 7d --rules new/      the rules in `new/`, and the last seven days
  pointsman replay --since 2026-11-01T00:00:00Z --until 2026-11-08T00:00:00Z --rules new/")]
    Replay(replay::Replay),
    /// Publish messages on the broker, or put them into our own inbox where there is no broker.
    ///
    /// The messages keep their ids, so that those who have read them before know them again.
    #[command(after_help = "\
Examples:
  pointsman publish recorded.jsonl              messages as `fedora-messaging record` writes them
  pointsman publish --topic a.b body.json       one message, from its body")]
    Publish(publish::Publish),
    /// Ask the sources of patch series for what is new, and publish it for all who listen.
    ///
    /// It asks those with `polled_by = "poller"`, and is the only one who does, however many
    /// services listen.
    #[command(after_help = "\
What is published has the topics `pointsman.series.*` (after `amqp.topic_prefix`).  How far a
source was heard is written down only when the broker has confirmed everything; what is published
twice has the same id.

Examples:
  pointsman poll                       until it is told to stop (SIGTERM or SIGINT)
  pointsman poll --once                once, for cron; exit code 1 if a source could not be asked")]
    Poll(poll::Poll),
    /// Ask the running service whether it is ready.
    Ready(ready::Ready),
    /// Print the JSON Schema of settings or rules, for editors.
    Schema {
        /// Which files it is for.
        of: editor::Schema,
    },
    /// Print the completions of this command for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it goes on until a signal comes, and then has something to bring to an end.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Run | Self::Poll(_) | Self::Tail(_))
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let mut console = Console::of_process();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return console.usage(&error).into(),
    };
    if matches!(arguments.command, Command::Run)
        && let Err(error) = stack::widen()
    {
        // It serves all the same; only a message made to hurt would tell the difference.
        let error = anyhow::Error::new(error).context("cannot start again with larger stacks");
        console.error(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return console.error(&error.into()).into(),
    };
    let stop = console.stop();
    let exit = runtime.block_on(async {
        if arguments.command.is_lasting() {
            let work = Box::pin(execute(arguments, &mut console));
            signals::heeding(work, &stop).await
        } else {
            Ok(Some(Box::pin(execute(arguments, &mut console)).await))
        }
    });
    // Whatever still runs was given its time.
    runtime.shutdown_background();
    match exit {
        Ok(exit) => exit.unwrap_or(Exit::Failure).into(),
        Err(error) => console.error(&error).into(),
    }
}

/// Does what `arguments` (the name of the program first) say, on `console`.
pub async fn run<I>(arguments: I, console: &mut Console) -> Exit
where
    I: IntoIterator<Item = OsString>,
{
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => Box::pin(execute(arguments, console)).await,
        Err(error) => console.usage(&error),
    }
}

async fn demo(options: demo::Options) -> anyhow::Result<Exit> {
    let is_right = demo::run(options).await?;
    Ok(if is_right { Exit::Success } else { Exit::Failure })
}

async fn execute(arguments: Arguments, console: &mut Console) -> Exit {
    let Arguments { common, command } = arguments;
    let done = match command {
        Command::Run => run::run(&common, console).await,
        Command::Init(init) => init::run(&common, &init, console),
        Command::Check(check) => check::run(&common, check, console).await,
        Command::Test(test) => Box::pin(test::run(&common, test, console)).await,
        Command::Explain(explain) => explain::run(&common, explain, console).await,
        Command::Demo { once } => demo(demo::Options { once, json: common.json }).await,
        Command::Why(why) => why::run(&common, why, console).await,
        Command::Approve(approve) => series::approve(&common, approve, console).await,
        Command::Recheck(recheck) => series::recheck(&common, recheck, console).await,
        Command::Tail(tail) => tail::run(&common, tail, console).await,
        Command::Runs(runs) => runs::run(&common, runs, console).await,
        Command::Actions { command } => {
            actions::run(&common, command.unwrap_or_default(), console).await
        }
        Command::Messages { command } => {
            messages::run(&common, command.unwrap_or_default(), console).await
        }
        Command::Topics(topics) => catalog::topics(&common, &topics, console),
        Command::Rules(rules) => rules::run(&common, rules, console).await,
        Command::Replay(replay) => Box::pin(replay::run(&common, replay, console)).await,
        Command::Poll(poll) => Box::pin(poll::run(&common, poll, console)).await,
        Command::Publish(publish) => publish::run(&common, publish, console).await,
        Command::Ready(ready) => ready::run(&common, ready, console).await,
        Command::Schema { of } => editor::schema(of, console),
        Command::Completions { shell } => editor::completions(shell, console),
    };
    done.unwrap_or_else(|error| console.error(&error))
}

#[cfg(test)]
mod tests;
