//! What people ask in comments on a series: to build it again, or to let it be built.
//!
//! Whether somebody may is for the rules to say.

use jiff::Timestamp;

use super::api::Mail;
use super::client::shown;
use super::cursor::Errand;
use super::poll::{Done, Poll, is_of};
use super::read::{Reader, named};
use super::vouch::is_vouched;
use super::whole::{Lack, versions};
use crate::command::{Command, Verb};
use crate::event::EventKind;
use crate::event::series::{Request, Sender, SeriesEvent};
use crate::remote::Failure;
use crate::reporters::patches::bare;
use crate::source::poll::message;

/// What is asked for by `rebase=…`: to build upon what is there now.
const REBASE: &str = "rebase=latest";

/// What a comment asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// To build again: the rules that are meant, all when there are none; and whether anew upon
    /// the base.
    recheck: Option<(Vec<String>, bool)>,
    /// To let it be built.
    is_approved: bool,
}

impl Asked {
    fn of(commands: Vec<Command>) -> Self {
        let mut asked = Self::default();
        for command in commands {
            match command.verb {
                Verb::Test | Verb::Retest => asked.add(command.names),
                // A commit says nothing of mails, and what else stands there cannot be meant.
                Verb::Ok => asked.is_approved |= command.names.is_empty() && command.sha.is_none(),
                Verb::Cancel | Verb::Why | Verb::Help | Verb::Unknown => {}
            }
        }
        asked
    }

    /// Several requests of one comment are one: about all that each is about.
    fn add(&mut self, names: Vec<String>) {
        let (bases, mut names): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.eq_ignore_ascii_case(REBASE));
        let is_rebase = !bases.is_empty();
        match &mut self.recheck {
            Some((known, has_rebase)) => {
                *has_rebase |= is_rebase;
                if names.is_empty() || known.is_empty() {
                    known.clear();
                } else {
                    names.retain(|name| !known.contains(name));
                    known.append(&mut names);
                }
            }
            None => self.recheck = Some((names, is_rebase)),
        }
    }

    fn is_nothing(&self) -> bool {
        self.recheck.is_none() && !self.is_approved
    }
}

impl Poll {
    /// Reads a comment on a patch or cover letter, and tells what it asks for.
    pub(super) async fn hear(
        &self,
        errand: &Errand,
        (kind, of): (&str, u64),
        id: u64,
    ) -> Result<Done, Failure> {
        let what = format!("cannot read comment {id} on {of} of {kind}");
        let path = [kind, &of.to_string(), "comments", &id.to_string()];
        let comment: Mail = self.api.get(&path, &what).await?;
        let sent = comment.date.in_utc();
        if is_automatic(&comment) {
            return Ok(Done::Nothing("it is no person's".to_owned()));
        }
        if sent.is_none_or(|sent| sent < errand.cutoff) {
            return Ok(Done::Nothing("it is too old".to_owned()));
        }
        let commands = self.grammar.parse(comment.content.as_deref().unwrap_or_default());
        let asked = Asked::of(commands);
        if asked.is_nothing() {
            return Ok(Done::Nothing("it asks for nothing".to_owned()));
        }
        let reader = self.reader();
        let on: Mail = self.api.get(&[kind, &of.to_string()], &what).await?;
        let Some(series) = on.series.first().map(|series| series.id) else {
            return Ok(Done::Nothing("it is about no series".to_owned()));
        };
        let Some(series) = reader.series(series).await? else {
            return Ok(Done::Waits("its series: it is not there".to_owned()));
        };
        if !is_of(&series, &errand.project) {
            return Ok(Done::Nothing("it is of another project".to_owned()));
        }
        let versions = match versions(&series) {
            Ok(versions) => versions,
            Err(Lack::Yet(lack)) => return Ok(Done::Waits(lack)),
            Err(Lack::Ever(why)) => return Ok(Done::Nothing(why)),
        };
        let Some(whole) = versions.iter().find(|whole| whole.has(of)) else {
            return Ok(Done::Waits("the patches of the version that it is about".to_owned()));
        };
        let told = reader.told(&series, whole).await?;
        let sender = sender(&reader, &comment);
        let events = asked.events(&told.event, (bare(&comment.msgid), &sender, sent));
        Ok(Done::Told(events.iter().map(message).collect()))
    }
}

impl Asked {
    /// The events that tell of it.
    fn events(
        self,
        of: &SeriesEvent,
        (msgid, by, at): (&str, &Sender, Option<Timestamp>),
    ) -> Vec<SeriesEvent> {
        let event = |kind: EventKind, (names, rebase): (Vec<String>, bool)| SeriesEvent {
            event: kind,
            request: Some(Request {
                standing: None,
                id: shown(msgid),
                by: by.clone(),
                names,
                rebase,
                at,
                operator: false,
            }),
            // The date of a mail is in UTC: what it means is sure.
            at,
            ..of.clone()
        };
        let approved =
            self.is_approved.then(|| event(EventKind::SeriesApproved, Default::default()));
        let recheck = self.recheck.map(|asked| event(EventKind::SeriesRecheck, asked));
        approved.into_iter().chain(recheck).collect()
    }
}

/// Who wrote a comment.
fn sender(reader: &Reader<'_>, comment: &Mail) -> Sender {
    let (name, email) = named(&comment.submitter);
    let is_vouched = |server: &str| is_vouched(&comment.headers, server, &email);
    let vouched = reader.authserv_id.is_some_and(is_vouched);
    Sender { id: Some(comment.submitter.id.to_string()), name, email, vouched }
}

/// Whether a program wrote it, ours or another: programs that heed each other do not end.
fn is_automatic(comment: &Mail) -> bool {
    let headers = &comment.headers;
    let says = |name: &str, is_it: fn(&str) -> bool| {
        headers.all(name).into_iter().any(|value| is_it(value.trim()))
    };
    says("X-Patchwork-Hint", |value| value.eq_ignore_ascii_case("ignore"))
        || says("Auto-Submitted", |value| !value.eq_ignore_ascii_case("no"))
        || says("X-Pointsman-Run", |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Grammar;

    fn asked(text: &str) -> String {
        let asked = Asked::of(Grammar::default().parse(text));
        format!("{:?} {}", asked.recheck, asked.is_approved)
    }

    #[test]
    fn the_habits_of_lists_are_understood() {
        insta::assert_snapshot!(asked("Recheck-request: boot, iol-abi"), @r#"Some((["boot", "iol-abi"], false)) false"#);
        insta::assert_snapshot!(asked("Hi,\n\nRecheck-request: rebase=latest, boot\n\n-- \nAda"), @r#"Some((["boot"], true)) false"#);
        insta::assert_snapshot!(asked("/ci retest\n"), @"Some(([], false)) false");
        insta::assert_snapshot!(asked("/ci test boot"), @r#"Some((["boot"], false)) false"#);
        insta::assert_snapshot!(asked("/ci ok"), @"None true");
        insta::assert_snapshot!(asked("/ci ok\n/ci test boot\n\nrecheck-request: boot, abi"), @r#"Some((["boot", "abi"], false)) true"#);
        insta::assert_snapshot!(asked("/ci test boot\n/ci retest"), @"Some(([], false)) false");
    }

    #[test]
    fn what_is_not_asked_is_not_heard() {
        insta::assert_snapshot!(asked("On Friday Ada wrote:\n> Recheck-request: boot\n> /ci ok\n\nNo."), @"None false");
        insta::assert_snapshot!(asked("/ci ok cancel\n/ci ok aaaaaaaaaaaa\n/ci cancel\n/ci help"), @"None false");
        // A base that cannot be had is no base: no rule is called so, and nothing is built.
        insta::assert_snapshot!(asked("Recheck-request: rebase=next"), @r#"Some((["rebase=next"], false)) false"#);
    }
}
