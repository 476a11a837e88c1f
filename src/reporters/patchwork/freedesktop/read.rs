//! What is read of a Patchwork of freedesktop.org's kind, and from its words to ours.

use anyhow::anyhow;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Source;
use crate::event::EventKind;
use crate::event::series::{Letter, Sender, Series, SeriesEvent};
use crate::remote::{Answer, Failure};
use crate::reporters::patches::heading::Heading;
use crate::reporters::patches::mail::Mail;
use crate::reporters::patches::{lines, mbox};
use crate::reporters::patchwork::api::Date;
use crate::reporters::patchwork::client::{Caller, read, shown};

/// The only kind of event that is asked for.
pub(super) const NEW_REVISION: &str = "series-new-revision";
/// How many pages of a list are read, at most, and how much is on one.
const PAGES_MAX: usize = 20;
const PER_PAGE: &str = "100";
/// How much the mails of a series may be together.
const LETTERS_MAX_BYTES: usize = 32 * 1024 * 1024;

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    /// Where the next one is: only that there is one is believed.
    #[serde(default)]
    next: Option<Value>,
    #[serde(default)]
    results: Vec<Value>,
}

/// Something that happened.  It has no number.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Told {
    #[serde(default)]
    pub(super) name: String,
    pub(super) event_time: Date,
    #[serde(default)]
    pub(super) series: Option<u64>,
    /// Which user did it; that is not the number of a sender.
    #[serde(default)]
    pub(super) user: Option<u64>,
    #[serde(default)]
    pub(super) parameters: Parameters,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Parameters {
    pub(super) revision: u32,
}

#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) id: u64,
}

/// A series over all its revisions.
#[derive(Deserialize)]
pub(super) struct Posted {
    pub(super) id: u64,
    #[serde(default)]
    project: Option<u64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    pub(super) n_patches: usize,
    #[serde(default)]
    pub(super) version: u32,
    #[serde(default)]
    pub(super) last_updated: Option<Date>,
}

#[derive(Deserialize)]
pub(super) struct Revision {
    #[serde(default)]
    cover_letter: Option<String>,
    /// Numbers.
    #[serde(default)]
    pub(super) patches: Vec<u64>,
}

#[derive(Deserialize)]
struct Patch {
    #[serde(default)]
    submitter: Option<u64>,
    #[serde(default)]
    date: Option<Date>,
}

/// A revision of a series.
pub(super) struct Found {
    pub(super) event: SeriesEvent,
    /// The date of its newest mail.
    pub(super) sent: Option<Timestamp>,
    /// Its patches, by their numbers.
    pub(super) patches: Vec<u64>,
}

/// A patch, as it is read.
struct Piece {
    letter: Letter,
    text: String,
    subject: String,
    sender: Sender,
    date: Option<Timestamp>,
}

impl Source {
    /// The number of a project; one that does not exist is a failure and no silence.
    pub(super) async fn project(&self, name: &str) -> Result<u64, Failure> {
        let shown = shown(name);
        let what = format!("cannot find project `{shown}`");
        let Some(project) = self.find::<Project>(&["projects", name], &what).await? else {
            let setting = format!("{}.projects", self.client.connection());
            return Err(Failure::give_up(anyhow!(
                "there is no project `{shown}` (see `{setting}`)"
            )));
        };
        Ok(project.id)
    }

    /// The events of a project after a date, or of one of its series, the oldest first; and
    /// whether those are all.
    pub(super) async fn events(
        &self,
        project: &str,
        since: Option<Date>,
        series: Option<u64>,
    ) -> Result<(Vec<Told>, bool), Failure> {
        let (since, series) = (since.map(|date| date.to_string()), series.map(|id| id.to_string()));
        let mut query = vec![("name", NEW_REVISION), ("ordering", "event_time")];
        query.extend(since.as_deref().map(|since| ("since", since)));
        query.extend(series.as_deref().map(|series| ("series", series)));
        let what = format!("cannot list the events of `{}`", shown(project));
        let (events, is_all) = self.list(&["projects", project, "events"], &query, &what).await?;
        Ok((events.into_iter().filter(|told: &Told| told.name == NEW_REVISION).collect(), is_all))
    }

    /// The newest event of a project.
    pub(super) async fn newest(&self, project: &str) -> Result<Option<Told>, Failure> {
        let query = [("name", NEW_REVISION), ("ordering", "-event_time"), ("perpage", "1")];
        let what = format!("cannot list the events of `{}`", shown(project));
        let url = self.client.url(&["api", "1.0", "projects", project, "events"], &query);
        let page: Page = read(&self.client.get(Caller::Anybody, url, &what).await?, &what)?;
        Ok(page.results.into_iter().next().and_then(|event| serde_json::from_value(event).ok()))
    }

    /// The series of a project that have changed after a date.
    pub(super) async fn changed(&self, project: &str, since: Date) -> Result<Vec<Posted>, Failure> {
        let since = since.to_string();
        let query = [("updated_since", since.as_str()), ("ordering", "last_updated")];
        let what = format!("cannot list the series of `{}`", shown(project));
        Ok(self.list(&["projects", project, "series"], &query, &what).await?.0)
    }

    /// Reads a revision of a series; nothing where there is none, or it is of another project.
    pub(super) async fn read(
        &self,
        (project, id): (&str, u64),
        (series, version): (u64, u32),
    ) -> Result<Option<Found>, Failure> {
        let what =
            format!("cannot read revision {version} of series {series} of `{}`", shown(project));
        let number = series.to_string();
        let Some(posted) = self.find::<Posted>(&["series", &number], &what).await? else {
            return Ok(None);
        };
        let Some(revision) = self.revision(series, version, &what).await? else { return Ok(None) };
        let is_here = posted.project.is_none_or(|project| project == id);
        let count = revision.patches.len();
        if !is_here || version == 0 || count == 0 || count > Series::PATCHES_MAX {
            return Ok(None);
        }
        let mut pieces = Vec::with_capacity(count);
        for patch in &revision.patches {
            let Some(piece) = self.piece(*patch, &what).await? else { return Ok(None) };
            pieces.push(piece);
        }
        let event = self.event(project, (&posted, version), &revision, &pieces);
        let sent = pieces.iter().filter_map(|piece| piece.date).max();
        Ok(Some(Found { event, sent, patches: revision.patches }))
    }

    pub(super) async fn revision(
        &self,
        series: u64,
        version: u32,
        what: &str,
    ) -> Result<Option<Revision>, Failure> {
        let (series, version) = (series.to_string(), version.to_string());
        self.find(&["series", &series, "revisions", &version], what).await
    }

    fn event(
        &self,
        project: &str,
        (posted, version): (&Posted, u32),
        revision: &Revision,
        pieces: &[Piece],
    ) -> SeriesEvent {
        let id = posted.id.to_string();
        let first = pieces.first();
        let cover = revision.cover_letter.as_deref().unwrap_or_default();
        let texts: Vec<&str> =
            [cover].into_iter().chain(first.map(|first| first.text.as_str())).collect();
        let number = version.to_string();
        let mbox = ["api", "1.0", "series", &id, "revisions", &number, "mbox"];
        let series = Series {
            version,
            title: posted.name.clone().unwrap_or_default(),
            tags: first.map(|first| Heading::of(&first.subject).tags).unwrap_or_default(),
            // The Message-ID of a cover letter is not told.
            root: first.map(|first| first.letter.msgid.clone()).unwrap_or_default(),
            url: Some(format!("{}#rev{version}", self.client.url(&["series", &id], &[]))),
            mbox: Some(self.client.url(&mbox, &[]).into()),
            cover: None,
            patches: pieces.iter().map(|piece| piece.letter.clone()).collect(),
            submitter: submitter(pieces),
            hints: lines::hints(&texts),
            sent_at: first.and_then(|first| first.date),
            id,
        };
        SeriesEvent {
            event: EventKind::SeriesPosted,
            instance: self.instance.clone(),
            project: project.to_owned(),
            series,
            request: None,
            test: None,
            at: pieces.iter().filter_map(|piece| piece.date).max(),
        }
    }

    /// Reads a patch, and its mail: only that has its Message-ID.
    async fn piece(&self, id: u64, what: &str) -> Result<Option<Piece>, Failure> {
        let number = id.to_string();
        let Some(patch) = self.find::<Patch>(&["patches", &number], what).await? else {
            return Ok(None);
        };
        let Some(answer) = self.mail(&number, what).await? else { return Ok(None) };
        let mail = Mail::read(&answer.body);
        let Some(msgid) = mail.msgid() else { return Ok(None) };
        let subject = mail.subject();
        let (name, email) = mail.sender();
        let letter = Letter {
            id: Some(number.clone()),
            msgid: msgid.to_owned(),
            title: Heading::of(&subject).title,
            url: Some(self.client.url(&["patch", &number], &[]).into()),
            mbox: Some(self.client.url(&["api", "1.0", "patches", &number, "mbox"], &[]).into()),
        };
        let sender =
            Sender { id: patch.submitter.map(|id| id.to_string()), name, email, vouched: false };
        let date = patch.date.and_then(Date::in_utc);
        Ok(Some(Piece { letter, text: mail.text(), subject, sender, date }))
    }

    async fn mail(&self, number: &str, what: &str) -> Result<Option<Answer>, Failure> {
        self.answer(&["patches", number, "mbox"], what).await
    }

    /// The mails of a series, each by itself: what is in one cannot be taken for another.
    pub(super) async fn letters(&self, event: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        let what = format!("cannot fetch the mails of series {}", shown(&event.series.id));
        let give_up = |why: &str| Failure::give_up(anyhow!("{what}: {why}"));
        if event.series.patches.is_empty() {
            return Err(give_up("it has none"));
        }
        let mut mails = Vec::with_capacity(event.series.patches.len());
        let mut bytes = 0;
        for patch in &event.series.patches {
            let number = patch.id.as_deref().and_then(|id| id.parse::<u64>().ok());
            let number = number.ok_or_else(|| give_up("a patch of it has no number"))?.to_string();
            let answer = self.mail(&number, &what).await?;
            let answer = answer.ok_or_else(|| give_up(&format!("there is no patch {number}")))?;
            let mail = mbox::only(&answer.body, &patch.msgid)
                .map_err(|why| give_up(&format!("patch {number}: {why}")))?;
            bytes += mail.len();
            if bytes > LETTERS_MAX_BYTES {
                return Err(give_up(&format!("they are more than {LETTERS_MAX_BYTES} bytes")));
            }
            mails.push(mail);
        }
        Ok(mails)
    }

    /// Something that may not be there.
    async fn find<T: DeserializeOwned>(
        &self,
        path: &[&str],
        what: &str,
    ) -> Result<Option<T>, Failure> {
        let answer = self.answer(path, what).await?;
        answer.map(|answer| read(&answer, what)).transpose()
    }

    async fn answer(&self, path: &[&str], what: &str) -> Result<Option<Answer>, Failure> {
        let url = self.client.url(&[&["api", "1.0"], path].concat(), &[]);
        let answer = self.client.ask(Caller::Anybody, (Method::GET, url), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.client.success(answer, what).map(Some)
    }

    /// What is on the pages of a list, and whether that is all.  A page is found by its number:
    /// the address that is told may be of a host behind a proxy.
    async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        what: &str,
    ) -> Result<(Vec<T>, bool), Failure> {
        let mut items = Vec::new();
        for number in 1..=PAGES_MAX {
            let number = number.to_string();
            let paging = [("perpage", PER_PAGE), ("page", number.as_str())];
            let path = [&["api", "1.0"], path].concat();
            let url = self.client.url(&path, &[query, &paging].concat());
            let page: Page = read(&self.client.get(Caller::Anybody, url, what).await?, what)?;
            for item in page.results {
                match serde_json::from_value(item) {
                    Ok(item) => items.push(item),
                    Err(error) => {
                        tracing::warn!(%error, "Left out what could not be read in a list: {what}");
                    }
                }
            }
            if page.next.is_none() {
                return Ok((items, true));
            }
        }
        Ok((items, false))
    }
}

/// Who sent a revision: who sent all patches of it.
///
/// A series belongs to who sent its first revision, and anybody can answer it with another; so
/// that of the series says nothing, and where patches are from several, nobody is known.
fn submitter(pieces: &[Piece]) -> Sender {
    let Some(first) = pieces.first() else { return Sender::default() };
    let is_one = pieces.iter().all(|piece| piece.sender.id == first.sender.id);
    let id = first.sender.id.clone().filter(|_| is_one);
    Sender { id, ..first.sender.clone() }
}
