//! The commands, on a real ledger, with their output caught.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::CommandFactory;

use super::console::{Console, Look};
use super::{Arguments, Exit, run};
use crate::clock::{Clock, Hand, from_millis};
use crate::ledger::Ledger;
use crate::ledger::intake::Intake;
use crate::message::Message;
use crate::service::Prepared;
use crate::settings::Settings;
use crate::topic::catalog::Catalog;

mod init;
mod ledger;
mod outside;
mod replay;
mod rules;
mod series;
mod thinking;

const START: i64 = 1_795_162_907_000;

const RULES: &str = r#"
[[rule]]
name = "points"
on = ["pull_request.opened", "pull_request.updated"]
where = { project = "rail/*" }
trust = "anyone"
build = { on = "jenkins.main", job = "points", parameters = { SHA = "{{ head.sha }}" } }
report = [{ to = "bus" }]

[[rule]]
name = "drafts"
on = "pull_request.opened"
when = ["pull_request.draft"]
notify = [{ to = "bus", text = "a draft: {{ title }}" }]
"#;

/// What a command has printed.
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

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What came of a command.
struct Outcome {
    exit: Exit,
    output: String,
    errors: String,
}

/// A folder with settings, rules, and perhaps a ledger.
struct World {
    folder: tempfile::TempDir,
    hand: Hand,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder, hand: Hand::at(from_millis(START)) };
        let settings = "[ledger]\npath = 'l.db'\n[rules]\ndir = 'rules'\n[jenkins.main]\n\
                        url = 'https://ci.example/'\nuser = 'pointsman'\ntoken = 'file:token'\n\
                        [pagure.main]\nurl = 'https://forge.example/'\ntoken = 'file:token'\n";
        world.write("pointsman.toml", settings);
        world.write("token", "s3cret");
        std::fs::create_dir(world.path("rules")).unwrap();
        world.write("rules/rules.toml", RULES);
        // A secret's file is relative to the working directory of the service.
        let settings = settings.replace("file:token", &format!("file:{}", world.file("token")));
        world.write("pointsman.toml", &settings);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn clock(&self) -> Clock {
        Clock::manual(self.hand.clone())
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.path("l.db"), self.clock()).unwrap()
    }

    fn prepared(&self) -> Prepared {
        Prepared::new(Settings::load(&[self.path("pointsman.toml")]).unwrap()).unwrap()
    }

    /// The first example of a topic.
    fn example(topic: &str) -> Message {
        let catalog = Catalog::load(&[]).unwrap();
        catalog.topic(topic).unwrap().examples[0].message.clone()
    }

    /// Stores a message as the service would, and lets three minutes go by.
    async fn hears(&self, id: &str, message: Message) -> Ledger {
        let (ledger, prepared) = (self.ledger(), self.prepared());
        let message = Message { id: Some(id.to_owned()), ..message };
        let (id, found) = prepared.reader.read(&message);
        let digest = message.digest();
        let intake = Intake { source: "the inbox", id, digest, message, inbox: None, found };
        let (stored, _) = ledger.put(vec![intake], prepared.decide()).await.unwrap();
        drop(stored);
        self.hand.forward_to(from_millis(self.clock().now().as_millisecond() + 180_000));
        ledger
    }

    /// A proposal was heard of, and something that nobody can read.
    async fn with_history() -> Self {
        let world = Self::new();
        world.hears("aaaa-1111", Self::example("pagure/pull-request.new")).await;
        let body = b"{\"pullrequest\": \"\\u001b[2J\xc2\x9b\"}".to_vec();
        let topic = "x.pagure.pull-request.new".to_owned();
        let ledger = world.hears("aaaa-2222", Message { topic, body, ..Message::default() }).await;
        assert_eq!(ledger.counts().await.unwrap().dead_letters, 1);
        world
    }

    fn console(&self, input: &str) -> (Console, Page, Page) {
        let (output, errors) = (Page::default(), Page::default());
        let streams = (Box::new(output.clone()) as _, Box::new(errors.clone()) as _);
        let look = Look { colours: false, error_colours: false, width: None };
        let input = Box::new(std::io::Cursor::new(input.to_owned()));
        let console = Console::new(input, streams, look).with_clock(self.clock());
        (console, output, errors)
    }

    async fn reads(&self, input: &str, command: &[&str]) -> Outcome {
        let (mut console, output, errors) = self.console(input);
        let settings = self.file("pointsman.toml");
        let arguments = [&["pointsman", "-c", settings.as_str()], command].concat();
        let arguments = arguments.into_iter();
        let exit = Box::pin(run(arguments.map(Into::into), &mut console)).await;
        let mask = |text: String| text.replace(&self.file(""), "");
        Outcome { exit, output: mask(output.text()), errors: mask(errors.text()) }
    }

    async fn does(&self, command: &[&str]) -> Outcome {
        self.reads("", command).await
    }

    /// The output of a command that has to succeed.
    async fn shows(&self, command: &[&str]) -> String {
        let outcome = self.does(command).await;
        assert_eq!((outcome.exit, outcome.errors.as_str()), (Exit::Success, ""), "{command:?}");
        outcome.output
    }
}

#[test]
fn the_arguments_make_sense() {
    Arguments::command().debug_assert();
}

#[tokio::test]
async fn an_unknown_command_is_a_fault_of_usage_and_help_is_not() {
    let world = World::new();
    let outcome = world.does(&["walk"]).await;
    assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Usage, ""));
    assert!(outcome.errors.contains("unrecognized subcommand 'walk'"), "{}", outcome.errors);
    assert!(world.shows(&["--help"]).await.contains("Usage: pointsman"));
    assert!(world.shows(&["--version"]).await.starts_with("pointsman "));
}

#[tokio::test]
async fn without_a_ledger_nothing_is_made() {
    let world = World::new();
    for command in [["runs", "list"], ["messages", "list"], ["actions", "list"], ["why", "x"]] {
        let outcome = world.does(&command).await;
        assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Failure, ""), "{command:?}");
        assert_eq!(
            outcome.errors,
            "error: there is no ledger at `l.db` (`ledger.path`); the service makes it when it \
             starts\n"
        );
    }
    assert!(!world.path("l.db").exists());
}

#[tokio::test]
async fn faulty_settings_are_told_of_and_nothing_is_done() {
    let world = World::new();
    world.write("pointsman.toml", "[ledger]\npth = 'l.db'\n");
    for command in ["run", "runs", "topics", "rules", "tail"] {
        let outcome = world.does(&[command]).await;
        assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Usage, ""), "{command}");
        assert!(outcome.errors.contains("did you mean `path`?"), "{}", outcome.errors);
    }
}

#[tokio::test]
async fn rules_that_are_not_there_are_a_fault_of_the_settings() {
    let world = World::new();
    std::fs::remove_dir_all(world.path("rules")).unwrap();
    let outcome = world.does(&["rules"]).await;
    assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Usage, ""));
    assert!(outcome.errors.contains("(`rules.dir`)"), "{}", outcome.errors);
    assert_eq!(world.does(&["check"]).await.exit, Exit::Failure);
}

#[tokio::test]
async fn every_command_has_json_that_stays_json() {
    let world = World::with_history().await;
    let rules = world.file("rules");
    let commands: [&[&str]; 16] = [
        &["check"],
        &["explain", "pagure/pull-request.new"],
        &["explain", "aaaa-2222"],
        &["topics"],
        &["rules"],
        &["rules", "points"],
        &["test"],
        &["replay", "--rules", &rules],
        &["runs"],
        &["runs", "list", "--open"],
        &["actions", "list"],
        &["actions", "show", "1"],
        &["messages", "list"],
        &["messages", "show", "aaaa-1"],
        &["messages", "show", "aaaa-2"],
        &["why", "signalbox"],
    ];
    for command in commands {
        let text = world.shows(&[command, &["--json"]].concat()).await;
        assert_eq!(text.lines().count(), 1, "{command:?}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{command:?}");
    }
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_failure() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let world = World::with_history().await;
    let settings = world.file("pointsman.toml");
    for command in ["runs", "tail", "topics", "rules"] {
        let look = Look { colours: true, error_colours: true, width: Some(80) };
        let streams = (Box::new(Gone) as _, Box::new(Gone) as _);
        let mut console =
            Console::new(Box::new(std::io::empty()), streams, look).with_clock(world.clock());
        let arguments = ["pointsman", "-c", &settings, command];
        let exit = Box::pin(run(arguments.map(Into::into), &mut console)).await;
        assert_eq!(exit, Exit::Success, "{command}");
    }
}

#[tokio::test]
async fn what_editors_and_shells_read_can_be_read() {
    let world = World::new();
    for of in ["settings", "rules"] {
        let text = world.shows(&["schema", of]).await;
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(schema["properties"].is_object(), "{of}");
    }
    let script = world.shows(&["completions", "bash"]).await;
    assert!(script.contains("complete -F _pointsman"), "{script}");
}
