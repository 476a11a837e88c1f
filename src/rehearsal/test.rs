//! One test of the rules, played from its first message to what is expected.

use std::path::Path;

use super::expect::mismatches;
use super::script::{self, StepFault};
use super::{Scene, Stage};
use crate::decision::Considered;
use crate::message::Message;
use crate::rules::coverage::Coverage;
use crate::rules::test::{StepSpec, Test};
use crate::service::Prepared;
use crate::topic::catalog::Catalog;

/// Something that is not as a test expects it.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Where it is expected: file and line.
    pub at: String,
    /// What is expected.
    pub expected: String,
    /// What was found instead.
    pub found: Finding,
}

/// What was found instead of what is expected.
#[derive(Clone, Debug)]
pub enum Finding {
    /// This.
    Words(String),
    /// What a rule said.
    Rule(Considered),
}

/// What is wrong with a test itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFault {
    /// Where: file and line.
    pub at: String,
    /// What.
    pub message: String,
    /// What was probably meant.
    pub help: Option<String>,
}

/// What happens in a step.
enum Cue {
    Message(Message),
    /// Builds end: those of this rule, on this board.
    End((Option<String>, Option<String>), crate::subject::Verdict),
}

/// Finds what is wrong with the messages of `test`, without playing it.
pub fn faults(test: &Test, catalog: &Catalog) -> Vec<TestFault> {
    let cues = test.steps();
    let count = cues.len();
    let steps = cues.iter().enumerate();
    steps.filter_map(|(number, step)| cue(test, (step, number, count), catalog).err()).collect()
}

/// Plays `test`, notes in `coverage` what its last step showed of the rules, and tells what is not
/// as expected.
pub async fn play(
    test: &Test,
    prepared: &Prepared,
    (catalog, coverage): (&Catalog, &mut Coverage),
) -> anyhow::Result<Vec<Mismatch>> {
    let steps = test.steps();
    let mut cues = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match cue(test, (step, number, steps.len()), catalog) {
            Ok(cue) => cues.push(cue),
            Err(fault) => return Ok(vec![of_fault(fault)]),
        }
    }
    let mut stage =
        Stage::open(prepared, &test.spec.people, (test.spec.branch, test.spec.boards.as_deref()))?;
    let mut last = Scene::default();
    let count = cues.len();
    for (number, cue) in cues.into_iter().enumerate() {
        let path = path_of(number, count);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match perform(&mut stage, cue).await? {
            Ok(scene) => last = scene,
            Err((expected, found)) => {
                let found = Finding::Words(found);
                return Ok(vec![Mismatch { at: test.at_key(&path), expected, found }]);
            }
        }
    }
    for heard in &last.heard {
        coverage.note(&prepared.rules, (&heard.event, &heard.decision));
    }
    Ok(mismatches(test, &last, &prepared.rules))
}

/// Lets it happen; the inner error says that it cannot: what was expected, and what was found.
async fn perform(stage: &mut Stage, cue: Cue) -> anyhow::Result<Result<Scene, (String, String)>> {
    match cue {
        Cue::Message(message) => {
            let scene = stage.hears(message).await?;
            Ok(match scene.dead {
                Some(reason) => Err(("a message that can be read".to_owned(), reason)),
                None => Ok(scene),
            })
        }
        Cue::End((rule, board), verdict) => {
            let scene = stage.ends((rule.as_deref(), board.as_deref()), verdict).await?;
            let of = rule.map(|rule| format!(" of `{rule}`")).unwrap_or_default();
            let on = board.map(|board| format!(" on `{board}`")).unwrap_or_default();
            let missing =
                || (format!("a build{of}{on} that is under way"), "there is none".to_owned());
            Ok(scene.ok_or_else(missing))
        }
    }
}

fn cue(
    test: &Test,
    (step, number, count): (&StepSpec, usize, usize),
    catalog: &Catalog,
) -> Result<Cue, TestFault> {
    let folder = Path::new(&test.file).parent().unwrap_or(Path::new("."));
    let made = match (&step.message, step.verdict) {
        (Some(name), _) => script::message((step, name), folder, catalog).map(Cue::Message),
        (None, Some(verdict)) => Ok(Cue::End((step.of.clone(), step.board.clone()), verdict)),
        (None, None) => {
            Err(StepFault { path: Vec::new(), message: "nothing happens".to_owned(), help: None })
        }
    };
    made.map_err(|fault| {
        let mut path = path_of(number, count);
        path.extend(fault.path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        TestFault { at: test.at_key(&path), message: fault.message, help: fault.help }
    })
}

/// The keys that lead to a step; the last one is the test itself.
fn path_of(number: usize, count: usize) -> Vec<String> {
    if number + 1 == count { Vec::new() } else { vec!["after".to_owned(), number.to_string()] }
}

fn of_fault(TestFault { at, message, help }: TestFault) -> Mismatch {
    let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
    let found = Finding::Words(format!("{message}{help}"));
    Mismatch { at, expected: "a message".to_owned(), found }
}
