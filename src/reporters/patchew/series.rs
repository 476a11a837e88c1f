//! From Patchew's words for a series to ours.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Source;
use super::wire::{Address, Head, Patch, date};
use crate::event::EventKind;
use crate::event::series::{Hints, Letter, Sender, Series, SeriesEvent};
use crate::remote::Failure;
use crate::reporters::patches::heading::Heading;
use crate::reporters::patches::lines;
use crate::reporters::patches::mail::Mail;
use crate::reporters::patches::vouch;
use crate::reporters::patches::{bare, is_msgid};

/// How many mails its author speaks in: the cover letter and the first patch.
const SPOKEN_MAX: usize = 2;
/// How many mails of a series are read to see whether they are from the sender.
const MAILS_MAX: usize = 100;

/// A series as Patchew has it.
pub(super) struct Found {
    /// The series.
    pub(super) event: SeriesEvent,
    /// Whether each of its patches is there, once.
    pub(super) is_whole: bool,
}

impl Source {
    /// Reads a series; nothing where there is none, or none that can be spoken of.
    pub(super) async fn read(&self, project: &str, msgid: &str) -> Result<Option<Found>, Failure> {
        let shown = super::client::said(msgid);
        let what = format!("cannot read series `{shown}` of `{project}`");
        if !is_msgid(msgid) {
            return Ok(None);
        }
        let id = self.client.project(project).await?.to_string();
        let url = self.client.api(&["projects", &id, "series", msgid]);
        let Some(answer) = self.client.find(url, &what).await? else { return Ok(None) };
        let head: Head = answer.json(&what)?;
        if head.message_id != msgid || head.patches.iter().any(|p| !is_msgid(&p.message_id)) {
            return Ok(None);
        }
        let (patches, is_whole) = patches(&head);
        let mut event = self.event((project, &id), &head, &patches);
        let is_whole = is_whole && head.is_complete;
        if is_whole {
            let sender = &event.series.submitter.email;
            let said = self.heard((project, &id), &head, (&patches, sender)).await?;
            (event.series.hints, event.series.submitter.vouched) = said;
        }
        Ok(Some(Found { event, is_whole }))
    }

    fn event(&self, (project, id): (&str, &str), head: &Head, patches: &[&Patch]) -> SeriesEvent {
        let heading = Heading::of(&head.subject);
        let is_cover = patches.first().is_none_or(|first| first.message_id != head.message_id);
        let letter = |msgid: &str, title: String| Letter {
            id: None,
            msgid: msgid.to_owned(),
            title,
            url: Some(self.page(project, &head.message_id, msgid)),
            mbox: Some(self.client.api(&["projects", id, "messages", msgid, "mbox"]).into()),
        };
        let dates = patches.iter().map(|patch| patch.date.as_str()).chain([head.date.as_str()]);
        let series = Series {
            id: head.message_id.clone(),
            version: heading.version,
            title: heading.title.clone(),
            tags: heading.tags,
            root: head.message_id.clone(),
            url: Some(self.page(project, &head.message_id, &head.message_id)),
            mbox: Some(
                self.client.api(&["projects", id, "series", &head.message_id, "mbox"]).into(),
            ),
            cover: is_cover.then(|| letter(&head.message_id, heading.title)),
            patches: patches
                .iter()
                .map(|patch| letter(&patch.message_id, Heading::of(&patch.subject).title))
                .collect(),
            submitter: sender(head, patches),
            hints: Hints::default(),
            sent_at: date(&head.date),
        };
        SeriesEvent {
            event: EventKind::SeriesPosted,
            instance: self.instance.clone(),
            project: project.to_owned(),
            series,
            request: None,
            test: None,
            // When it was complete is not told; that it has been answered since does not count.
            at: dates.filter_map(date).max(),
        }
    }

    /// The page of a mail; that of the first one is the page of the series.
    fn page(&self, project: &str, root: &str, msgid: &str) -> String {
        let url = if root == msgid {
            self.client.page(&[project, root])
        } else {
            self.client.page(&[project, root, msgid])
        };
        url.into()
    }

    /// What the mails of a series say: the hints of its author, and whether they are from the
    /// sender.
    ///
    /// The author speaks in the first mail and in the first patch.  What Patchew has found in
    /// answers does not count: anybody can add to it.
    async fn heard(
        &self,
        place: (&str, &str),
        head: &Head,
        (patches, email): (&[&Patch], &str),
    ) -> Result<(Hints, bool), Failure> {
        let others = patches.iter().map(|patch| patch.message_id.as_str());
        let ids = others.filter(|msgid| *msgid != head.message_id);
        let ids: Vec<&str> = [head.message_id.as_str()].into_iter().chain(ids).collect();
        let server = self.authserv_id.as_deref().filter(|_| ids.len() <= MAILS_MAX);
        let mut texts = Vec::new();
        let mut is_vouched = server.is_some() && !email.is_empty();
        for (number, msgid) in ids.iter().enumerate() {
            if number >= SPOKEN_MAX && !is_vouched {
                break;
            }
            let raw = self.raw(place, msgid).await?;
            let mail = Mail::read(&raw);
            if let Some(server) = server {
                is_vouched &= vouch::is_vouched(|name| mail.all(name).collect(), server, email);
            }
            if number < SPOKEN_MAX {
                texts.push(mail.text());
            }
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut hints = lines::hints(&texts);
        let own = bare(&head.message_id);
        hints.depends.retain(|msgid| msgid != own);
        Ok((hints, is_vouched))
    }

    /// A mail; nothing where it cannot be asked for, as by an id with a slash in it.
    async fn raw(&self, (project, id): (&str, &str), msgid: &str) -> Result<Vec<u8>, Failure> {
        let what = format!("cannot read a mail of `{project}`");
        let url = self.client.api(&["projects", id, "messages", msgid, "mbox"]);
        let answer = self.client.find(url, &what).await?;
        Ok(answer.map(|answer| answer.body).unwrap_or_default())
    }
}

/// The patches of a series in order, and whether each is there.
///
/// Patchew counts whatever answers the first mail and is called a patch: also one of a newer
/// version, one that was sent twice, or one of somebody else.  Of those with one number that of
/// the series' own version is meant, of those that of its sender, and of those the first that was
/// sent.
fn patches(head: &Head) -> (Vec<&Patch>, bool) {
    let version = Heading::of(&head.subject).version;
    let total = head.total_patches.max(1);
    let own = address(head.sender.as_ref());
    let mut by_number: BTreeMap<u32, (bool, bool, Option<Timestamp>, &Patch)> = BTreeMap::new();
    for patch in &head.patches {
        let heading = Heading::of(&patch.subject);
        let number = heading.number.map(|(number, _)| number).or(patch.number).unwrap_or(1);
        let is_other = address(patch.sender.as_ref()) != own;
        let rank = (heading.version != version, is_other, date(&patch.date), patch);
        let kept = by_number.entry(number).or_insert(rank);
        if (rank.0, rank.1, rank.2) < (kept.0, kept.1, kept.2) {
            *kept = rank;
        }
    }
    let is_whole = total as usize <= Series::PATCHES_MAX
        && (1..=total).all(|number| by_number.contains_key(&number));
    let chosen = by_number.range(1..=total).map(|(_, (.., patch))| *patch);
    (chosen.take(Series::PATCHES_MAX).collect(), is_whole)
}

/// The sender: known by the address only, which anybody can write.
///
/// Whoever answers the first mail with a patch gets it into the series: where it is of several,
/// nobody is known.
fn sender(head: &Head, patches: &[&Patch]) -> Sender {
    let own = address(head.sender.as_ref());
    let is_one = patches.iter().all(|patch| address(patch.sender.as_ref()) == own);
    let name = head.sender.as_ref().and_then(|sender| sender.name.clone());
    // Who is called something else than an address is nobody whom the operator may have named.
    let email = own.filter(|own| is_one && own.contains('@'));
    Sender { name: name.unwrap_or_default(), email: email.unwrap_or_default(), ..Sender::default() }
}

/// An address, in lower case.
fn address(sender: Option<&Address>) -> Option<String> {
    sender.map(|sender| sender.address.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(msgid: &str, subject: &str, second: u32) -> Patch {
        Patch {
            message_id: msgid.to_owned(),
            subject: subject.to_owned(),
            date: format!("2026-11-20T08:15:{second:02}"),
            sender: None,
            number: None,
        }
    }

    fn seen(subject: &str, total: u32, found: Vec<Patch>) -> String {
        let head = Head {
            resource_uri: String::new(),
            message_id: "0@x".to_owned(),
            subject: subject.to_owned(),
            date: "2026-11-20T08:15:00".to_owned(),
            sender: None,
            last_reply_date: None,
            total_patches: total,
            is_complete: true,
            is_merged: false,
            is_obsolete: false,
            patches: found,
        };
        let (patches, is_whole) = patches(&head);
        let ids: Vec<_> = patches.iter().map(|patch| patch.message_id.as_str()).collect();
        format!("{} {is_whole}", ids.join(" "))
    }

    #[test]
    fn patches_are_those_of_the_series_own_version() {
        let found = vec![
            patch("2@x", "[PATCH v2 2/2] b", 2),
            patch("1-v3@x", "[PATCH v3 1/2] a", 0),
            patch("1@x", "[PATCH v2 1/2] a", 1),
            patch("2-again@x", "[PATCH v2 2/2] b", 9),
            patch("3@x", "[PATCH v2 3/2] one too many", 3),
        ];
        assert_eq!(seen("[PATCH v2 0/2] x", 2, found), "1@x 2@x true");
    }

    #[test]
    fn a_number_that_is_missing_is_missed() {
        let found = vec![patch("1@x", "[PATCH 1/3] a", 1), patch("3@x", "[PATCH 3/3] c", 3)];
        assert_eq!(seen("[PATCH 0/3] x", 3, found), "1@x 3@x false");
        let mut foreign = patch("2@x", "[PATCH 2/3] b", 0);
        foreign.sender = Some(Address { name: None, address: "mallory@x".to_owned() });
        let own = patch("2-own@x", "[PATCH 2/3] b", 2);
        let found =
            vec![foreign, patch("1@x", "[PATCH 1/3] a", 1), own, patch("3@x", "[PATCH 3/3] c", 3)];
        assert_eq!(seen("[PATCH 0/3] x", 3, found), "1@x 2-own@x 3@x true");
        let one = vec![patch("0@x", "[PATCH] a", 0)];
        assert_eq!(seen("[PATCH] a", 1, one), "0@x true");
    }
}
