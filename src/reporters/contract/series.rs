//! A patch series, as reporters are told of one.

use serde_json::json;

use super::{Notice, Report, notice, report};
use crate::action::{AboutSeries, Form, Part};
use crate::event::series::{Base, Branch, SeriesEvent};
use crate::executors::Try;
use crate::remote::{Failure, chain};
use crate::reporters::Reporter;
use crate::subject::CommitSha;

/// Two patches with a cover letter, in their second version.
pub(crate) fn posted() -> SeriesEvent {
    let letter = |number: usize, title: &str| json!({ "msgid": format!("20261120-{number}-ada@points.example"), "title": title });
    let value = json!({
        "event": "series.posted",
        "instance": "patches.example",
        "project": "signalbox-devel",
        "series": {
            "id": "12",
            "version": 2,
            "title": "Oil the points",
            "tags": ["signalbox-next"],
            "root": "20261120-0-ada@points.example",
            "url": "https://patches.example/project/signalbox-devel/list/?series=12",
            "cover": letter(0, "Oil the points"),
            "patches": [letter(1, "points: Oil the blades"), letter(2, "points: Oil the lock")],
            "submitter": { "name": "Ada Lovelace", "email": "ada@points.example" },
        },
    });
    serde_json::from_value(value).unwrap()
}

/// A commit.
pub(crate) fn sha(letter: char) -> CommitSha {
    letter.to_string().repeat(40).try_into().unwrap()
}

/// Where the series is.
pub(crate) fn branch() -> Branch {
    Branch {
        url: "https://git.example/series.git".to_owned(),
        name: "pointsman/main/12/v2".to_owned(),
        sha: sha('c'),
        base: Base {
            sha: sha('b'),
            branch: "master".to_owned(),
            why: "the first that it applies to".to_owned(),
        },
        commits: vec![sha('a'), sha('c')],
        tried: Vec::new(),
        is_merged: false,
    }
}

/// A report about it, on its branch.
pub(crate) fn about(form: Form) -> Report {
    let of = posted();
    let mut report = report(&of.subject(), &of.revision(), form);
    report.series = Some(Box::new(AboutSeries {
        of,
        branch: Some(branch()),
        patch: None,
        part: Part::Build,
        was_broken: false,
        blamed: None,
    }));
    report
}

/// A notice about it.
pub(crate) fn notice_about(marker: &str) -> Notice {
    let of = posted();
    Notice { series: Some(Box::new(of.clone())), ..notice(&of.subject(), marker) }
}

/// A forge has no place for a series: it says so once and for all, and asks nobody.
pub(crate) async fn has_no_place_at(reporter: &dyn Reporter) {
    let mut answers = Vec::new();
    for form in [Form::Flag, Form::Comment] {
        answers.push(reporter.tell(&about(form), Try::Again).await);
    }
    answers.push(reporter.notify(&notice_about("pointsman:1"), Try::Again).await);
    for answer in answers {
        let Err(Failure::GiveUp(_)) = &answer else { panic!("{answer:?}") };
        let text = chain(&answer.unwrap_err());
        assert!(text.contains("signalbox-devel/series/12` "), "{text}");
        assert!(text.contains("has no place"), "{text}");
    }
}
