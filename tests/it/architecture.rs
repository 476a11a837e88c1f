//! What ARCHITECTURE.md promises of the code as a whole.

mod code;

use code::{File, files};

/// What only thinks: values in, values out.
const PURE: [&str; 16] = [
    "expression",
    "neutral",
    "yaml",
    "command",
    "message",
    "envelope",
    "subject",
    "event",
    "topic",
    "action",
    "run",
    "decision",
    "directory",
    "rules",
    "worker/backoff",
    "sandbox/jenkins/notifier",
];

/// What thinking needs none of.
const IMPURE: [&str; 11] = [
    "tokio",
    "reqwest",
    "lapin",
    "rusqlite",
    "axum",
    "async",
    "await",
    "fastrand",
    "SystemTime",
    "Instant",
    "new_v4",
];

/// The systems outside, by the word that stands for each.
const SYSTEMS: [&str; 12] = [
    "jenkins",
    "lava",
    "pagure",
    "rabbit",
    "lapin",
    "slack",
    "gitlab",
    "github",
    "mattermost",
    "forgejo",
    "patchwork",
    "patchew",
];

/// Where a system may be named besides its own files.  `neutral` knows the words that wake bots,
/// and one of them is the name of a forge; `command/alias` knows how people call them; a letter
/// says in a header who is not to read it.
const KNOW_SYSTEMS: [&str; 9] = [
    "registry",
    "settings",
    "sandbox",
    "demo",
    "cli",
    "source/amqp",
    "neutral",
    "command/alias",
    "reporters/mail/letter",
];

fn nothing(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Every line of code for which `is_wrong`, with its place.
fn lines(files: &[File], is_wrong: impl Fn(&File, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in file.code() {
            if is_wrong(file, line) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    found
}

#[test]
fn what_thinks_neither_waits_nor_asks_the_time() {
    let found = lines(&files("src"), |file, line| {
        PURE.iter().any(|module| file.is_of(module))
            && code::words(line).any(|word| IMPURE.contains(&word))
    });
    nothing(&found, "these lines act");
}

#[test]
fn a_module_knows_only_those_before_it() {
    let files = files("src");
    let lib = files.iter().find(|file| file.path == "src/lib.rs").unwrap();
    let order: Vec<_> = lib
        .code()
        .filter_map(|(_, line)| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(order.len() > 20, "{order:?}");
    let place = |name: &str| order.iter().position(|module| *module == name);
    let mut found = Vec::new();
    for file in &files {
        let Some(own) = place(file.module()) else { continue };
        for used in file.uses() {
            if place(&used).is_some_and(|used| used > own) {
                found.push(format!("{} uses {used}", file.path));
            }
        }
    }
    found.sort();
    found.dedup();
    nothing(&found, "these uses go against the flow");
}

#[test]
fn a_system_is_named_in_its_own_files_only() {
    let found = lines(&files("src"), |file, line| {
        let line = line.to_lowercase();
        let is_known = |system: &str| {
            file.path.contains(system) || KNOW_SYSTEMS.iter().any(|module| file.is_of(module))
        };
        SYSTEMS.iter().any(|system| line.contains(*system) && !is_known(system))
            // The lists of modules have to name them.
            && !line.trim_start_matches("pub ").starts_with("mod ")
    });
    nothing(&found, "these lines name a system");
}

#[test]
fn only_the_ledger_proves_that_something_is_stored() {
    let found =
        lines(&files("src"), |file, line| !file.is_of("ledger") && line.contains("Stored("));
    nothing(&found, "these lines make a proof");
}

#[test]
fn only_test_modules_are_for_tests() {
    let mut found = Vec::new();
    for file in files("src") {
        let lines: Vec<_> = file.text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("cfg(test)")) {
            let next = lines.get(at + 1).copied().unwrap_or_default();
            let is_module = ["mod ", "pub mod ", "pub(crate) mod ", "pub(super) mod "]
                .iter()
                .any(|start| next.starts_with(start));
            if !is_module && !line.starts_with("//") {
                found.push(format!("{}:{}: {next}", file.path, at + 1));
            }
        }
    }
    nothing(&found, "these are no modules");
}

#[test]
fn no_test_sleeps() {
    // Written apart, so as not to find itself.
    let sleep = concat!("sleep", "(");
    let mut found = Vec::new();
    for file in files("src").iter().chain(&files("tests")) {
        let tests = if file.is_test() { file.text.as_str() } else { file.tests() };
        if tests.contains(sleep) {
            found.push(file.path.clone());
        }
    }
    nothing(&found, "these tests sleep");
}

#[test]
fn no_file_is_longer_than_can_be_read() {
    let all = [files("src"), files("tests"), files("benches")].concat();
    let long = all.iter().filter(|file| file.text.lines().count() > 400);
    let found: Vec<_> =
        long.map(|file| format!("{}: {}", file.path, file.text.lines().count())).collect();
    nothing(&found, "these are too long");
}

#[test]
fn every_topic_has_an_example() {
    let topics = code::paths("topics", "toml");
    let is_topic = |path: &&String| !path.rsplit('/').next().unwrap().starts_with('_');
    let topics: Vec<_> = topics.iter().filter(is_topic).collect();
    assert!(topics.len() > 10, "{topics:?}");
    let found: Vec<_> = topics
        .into_iter()
        .filter(|path| !code::read(path).contains("[[example]]"))
        .cloned()
        .collect();
    nothing(&found, "these have none");
}

#[test]
fn the_commands_that_the_documentation_names_exist() {
    let mut found = Vec::new();
    for name in code::commands(&code::read("README.md")) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"));
        if !command.args(["help", &name]).output().unwrap().status.success() {
            found.push(name);
        }
    }
    nothing(&found, "these do not exist");
}
