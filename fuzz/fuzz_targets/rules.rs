//! Whatever stands in a file of rules, it is read or its faults are told, each in a line and at a
//! place that there is.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::{Corpus, fuzz_target};
use pointsman::action::Form;
use pointsman::directory::{Connection, Directory};
use pointsman::rules::{RuleSet, RuleSource};

static DIRECTORY: LazyLock<Arc<Directory>> = LazyLock::new(|| {
    let builds = Connection {
        hosts: vec!["ci.example".to_owned()],
        builds: Some(Duration::from_secs(10)),
        reserved: vec!["token".to_owned()],
        ..Connection::default()
    };
    let forge = Connection {
        hosts: vec!["forge.example".to_owned()],
        forms: &[Form::Flag, Form::Comment],
        is_forge: true,
        ..Connection::default()
    };
    let mut directory = Directory::default();
    for (name, connection) in [("jenkins.main", builds), ("pagure.io", forge)] {
        directory.insert(name.to_owned().try_into().expect("a name"), connection);
    }
    Arc::new(directory)
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let source = RuleSource { name: "rules.toml".to_owned(), text: text.to_owned() };
    match RuleSet::parse(&[source], Arc::clone(&DIRECTORY)) {
        Ok(rules) => {
            let _ = (rules.kinds(), rules.projects(), rules.rules().len());
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(fault.line_number().is_none_or(|line| line <= text.lines().count() + 1));
                assert!(!fault.message.is_empty());
            }
        }
    }
    Corpus::Keep
});
