//! What a message may tell of a series: it is checked, and nobody is believed to be the operator.

use super::{Series, SeriesEvent};
use crate::event::EventKind;

/// The longest name of a series, in bytes; a Message-ID is no longer than a line of a mail.
const NAME_MAX_BYTES: usize = 998;

impl SeriesEvent {
    /// The event as a message may tell it, or in one line what is wrong with it.
    ///
    /// Only a test may be of no patches: of what all series are put upon.
    ///
    /// A message does not speak for the operator, whatever it says.
    pub fn told(mut self) -> Result<Self, String> {
        self.series.check()?;
        if self.series.patches.is_empty() && self.event != EventKind::SeriesTest {
            return Err("`series.patches` is empty: a series has patches".to_owned());
        }
        let request = matches!(self.event, EventKind::SeriesRecheck | EventKind::SeriesApproved);
        let test = self.event == EventKind::SeriesTest;
        if self.request.is_some() != request {
            return Err(wrong_part(self.event, "request", request));
        }
        if self.test.is_some() != test {
            return Err(wrong_part(self.event, "test", test));
        }
        if let Some(request) = &mut self.request {
            request.operator = false;
        }
        Ok(self)
    }
}

impl Series {
    fn check(&self) -> Result<(), String> {
        check_name("id", &self.id)?;
        check_name("root", &self.root)?;
        if self.version == 0 {
            return Err("`series.version` is 0, and versions begin with 1".to_owned());
        }
        if self.patches.len() > Self::PATCHES_MAX {
            let (count, max) = (self.patches.len(), Self::PATCHES_MAX);
            return Err(format!("`series.patches` has {count} of them, and {max} are the most"));
        }
        for (place, letter) in self.patches.iter().enumerate() {
            check_name(&format!("patches.{place}.msgid"), &letter.msgid)?;
        }
        Ok(())
    }
}

/// Names stand in the ledger, in addresses and in answers: they are one word in one line.
fn check_name(field: &str, name: &str) -> Result<(), String> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() {
        return Err(format!("`series.{field}` is empty"));
    }
    if name.len() > NAME_MAX_BYTES || name.contains(is_bad) {
        return Err(format!("`series.{field}` is no name: it is too long, or has spaces in it"));
    }
    Ok(())
}

fn wrong_part(event: EventKind, part: &str, is_wanted: bool) -> String {
    if is_wanted {
        format!("`{part}` is missing: every `{event}` has it")
    } else {
        format!("`{part}` is there, and no `{event}` has it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::series::{Letter, Request, Sender, TestRequest};

    fn event(kind: EventKind) -> SeriesEvent {
        let letter = |id: &str| Letter { msgid: id.to_owned(), ..Letter::default() };
        let series = Series {
            id: "1234".to_owned(),
            version: 2,
            title: "points: Grease them".to_owned(),
            root: "20261120-points-v2-0@mail.example".to_owned(),
            patches: vec![letter("20261120-points-v2-1@mail.example")],
            ..Series::default()
        };
        SeriesEvent {
            event: kind,
            instance: "patches.example".to_owned(),
            project: "signalbox-devel".to_owned(),
            series,
            request: None,
            test: None,
            at: None,
        }
    }

    fn request() -> Request {
        Request {
            standing: None,
            id: "ask-1@mail.example".to_owned(),
            by: Sender::default(),
            names: Vec::new(),
            rebase: false,
            at: None,
            operator: true,
        }
    }

    fn fault(change: impl FnOnce(&mut SeriesEvent)) -> String {
        let mut event = event(EventKind::SeriesPosted);
        change(&mut event);
        event.told().err().unwrap_or_default()
    }

    #[test]
    fn nobody_is_the_operator_by_saying_so() {
        let said = SeriesEvent { request: Some(request()), ..event(EventKind::SeriesApproved) };
        let told = said.told().unwrap().request.unwrap();
        assert_eq!(told, Request { operator: false, ..request() });
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wrong() {
        insta::assert_snapshot!(fault(|it| it.series.id.clear()), @"`series.id` is empty");
        insta::assert_snapshot!(fault(|it| it.series.root.clear()), @"`series.root` is empty");
        insta::assert_snapshot!(
            fault(|it| it.series.version = 0),
            @"`series.version` is 0, and versions begin with 1"
        );
        insta::assert_snapshot!(
            fault(|it| it.series.patches.clear()),
            @"`series.patches` is empty: a series has patches"
        );
        insta::assert_snapshot!(
            fault(|it| it.series.patches = vec![it.series.patches[0].clone(); 1001]),
            @"`series.patches` has 1001 of them, and 1000 are the most"
        );
        insta::assert_snapshot!(
            fault(|it| it.series.patches[0].msgid = "a\nb".to_owned()),
            @"`series.patches.0.msgid` is no name: it is too long, or has spaces in it"
        );
        assert_eq!(fault(|it| it.series.patches = vec![it.series.patches[0].clone(); 1000]), "");
    }

    #[test]
    fn each_kind_has_its_own_parts_and_no_others() {
        let test = TestRequest {
            name: "build".to_owned(),
            repo: "https://git.example/points.git".to_owned(),
            head: "refs/tags/series/1".to_owned(),
            base: None,
            timeout: None,
            requirements: None,
            handed_at: None,
        };
        insta::assert_snapshot!(
            fault(|it| it.request = Some(request())),
            @"`request` is there, and no `series.posted` has it"
        );
        insta::assert_snapshot!(
            fault(|it| it.event = EventKind::SeriesRecheck),
            @"`request` is missing: every `series.recheck` has it"
        );
        insta::assert_snapshot!(
            fault(|it| it.event = EventKind::SeriesTest),
            @"`test` is missing: every `series.test` has it"
        );
        let mut tested = SeriesEvent { test: Some(test), ..event(EventKind::SeriesTest) };
        assert!(tested.clone().told().is_ok());
        // What is tested may be what all series are put upon.
        tested.series.patches.clear();
        assert!(tested.told().is_ok());
    }
}
