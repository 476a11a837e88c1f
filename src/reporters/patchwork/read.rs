//! Reading a series again, with all that is to be told of it: events are only a hint.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use reqwest::Method;
use url::Url;

use super::api::{Api, Item, Listed, Mail, PER_PAGE, Person, Series};
use super::client::{Caller, read, shown};
use super::name::Name;
use super::vouch::is_vouched;
use super::whole::Whole;
use crate::event::EventKind;
use crate::event::series::{self, Hints, Letter, Sender, SeriesEvent};
use crate::remote::Failure;
use crate::reporters::patches::{bare, lines};

/// How many mails of a series are read to tell of it; who sends the others is not vouched for.
const MAILS_MAX: usize = 50;
/// How many pages the list of the patches of a series may have.
const PAGES_MAX: usize = 40;
/// How many series that one depends on are looked up by their numbers.
const LOOKUPS_MAX: usize = 5;

/// Reads what is to be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) api: &'a Api,
    /// The host by which messages call it.
    pub(super) instance: &'a str,
    /// The mail server that is believed.
    pub(super) authserv_id: Option<&'a str>,
}

/// A series as it can be told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) event: SeriesEvent,
    /// Whether its first patch answers a mail that is none of it, which may be its cover letter.
    pub(super) may_lack_cover: bool,
}

impl Reader<'_> {
    /// The series of this number, if there is one.
    pub(super) async fn series(&self, id: u64) -> Result<Option<Series>, Failure> {
        let what = format!("cannot read series {id}");
        let url = self.api.url(&["series", &id.to_string()], &[]).await?;
        let answer = self.api.client.ask(Caller::Anybody, (Method::GET, url), None).await?;
        if answer.status == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(&self.api.client.success(answer, &what)?, &what).map(Some)
    }

    /// What is to be told of a version of a series.
    pub(super) async fn told(&self, of: &Series, whole: &Whole) -> Result<Told, Failure> {
        let senders = self.senders(of.id).await?;
        let mut mails = Vec::new();
        for (kind, item) in items(whole) {
            mails.push(self.mail(kind, item).await?);
        }
        let texts = texts(whole, &mails);
        let mut hints = lines::hints(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        self.look_up(&mut hints, &texts).await;
        let submitter = self.submitter(whole, &senders, &mails)?;
        let may_lack_cover =
            whole.cover.is_none() && whole.patches.len() > 1 && answers(whole, &mails);
        let event = SeriesEvent {
            event: EventKind::SeriesPosted,
            instance: self.instance.to_owned(),
            project: of.project.as_ref().map(|of| of.link_name.clone()).unwrap_or_default(),
            series: self.as_told(of, whole, submitter, hints),
            request: None,
            test: None,
            // The date of an event has no zone: what it means is not sure.
            at: None,
        };
        let event = event.told().map_err(|why| {
            Failure::give_up(anyhow!("series {} cannot be told: {}", of.id, shown(&why)))
        })?;
        Ok(Told { event, may_lack_cover })
    }

    /// A patch, cover letter or comment with all its words.
    pub(super) async fn mail(&self, kind: &str, item: &Item) -> Result<Mail, Failure> {
        let what = format!("cannot read {} of {kind}", item.id);
        let mail: Mail = self.api.get(&[kind, &item.id.to_string()], &what).await?;
        if bare(&mail.msgid) == bare(&item.msgid) {
            Ok(mail)
        } else {
            Err(Failure::retry(anyhow!("{what}: it is another mail")))
        }
    }

    /// Who sent which patch of a series.
    async fn senders(&self, id: u64) -> Result<BTreeMap<u64, Person>, Failure> {
        let what = format!("cannot list the patches of series {id}");
        let query = [("series", id.to_string()), ("per_page", PER_PAGE.to_owned())];
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let url = self.api.url(&["patches"], &query).await?;
        let listed: Vec<Listed> = self.api.list(url, PAGES_MAX, &what).await?;
        Ok(listed.into_iter().map(|patch| (patch.id, patch.submitter)).collect())
    }

    /// Who sent a series: one person all of it, or else nobody that could be trusted for it.
    ///
    /// Patchwork takes whoever sent the first mail for the one who sent the series; but an answer
    /// with a patch in it, of whomever, becomes a part of it.
    fn submitter(
        &self,
        whole: &Whole,
        senders: &BTreeMap<u64, Person>,
        mails: &[Mail],
    ) -> Result<Sender, Failure> {
        let mut all = Vec::new();
        for patch in &whole.patches {
            let Some(person) = senders.get(&patch.id) else {
                return Err(Failure::retry(anyhow!("patch {} is not in the list", patch.id)));
            };
            all.push(person);
        }
        all.extend(mails.first().filter(|_| whole.cover.is_some()).map(|cover| &cover.submitter));
        let ids: BTreeSet<u64> = all.iter().map(|person| person.id).collect();
        let first = all.first().copied();
        let (name, email) = first.map(named).unwrap_or_default();
        let is_one = ids.len() == 1;
        if !is_one {
            tracing::info!("A series of `{}` has patches of {} people", self.instance, ids.len());
        }
        let is_all =
            items(whole).count() == whole.patches.len() + usize::from(whole.cover.is_some());
        let vouched = is_one && is_all && !mails.is_empty() && {
            let is_vouched =
                |server: &str| mails.iter().all(|mail| is_vouched(&mail.headers, server, &email));
            self.authserv_id.is_some_and(is_vouched)
        };
        let id = first.filter(|_| is_one).map(|person| person.id.to_string());
        Ok(Sender { id, name, email, vouched })
    }

    /// Adds the roots of series that are called by their numbers, as `Depends-on: series-7`.
    ///
    /// One that cannot be found stays as it is written: it is waited for, not forgotten.
    async fn look_up(&self, hints: &mut Hints, texts: &[String]) {
        let lines = texts.iter().flat_map(|text| text.lines());
        let numbers: BTreeSet<u64> = lines.filter_map(|line| self.number_in(line)).collect();
        for number in numbers.into_iter().take(LOOKUPS_MAX) {
            let root = match self.series(number).await {
                Ok(series) => series.and_then(|series| {
                    let first = series.cover_letter.as_ref().or(series.patches.first());
                    first.map(|item| bare(&item.msgid).to_owned())
                }),
                Err(failure) => {
                    let error = crate::remote::chain(&failure);
                    tracing::debug!(error, "Cannot look up series {number}, which one depends on");
                    None
                }
            };
            let root = root.unwrap_or_else(|| format!("series-{number}"));
            if !hints.depends.contains(&root) {
                hints.depends.push(root);
            }
        }
    }

    /// The series that `Depends-on: series-7` or `Depends-on: https://…/list/?series=7` names.
    fn number_in(&self, line: &str) -> Option<u64> {
        let (tag, value) = line.split_once(':')?;
        let is_tag = ["depends-on", "based-on"].iter().any(|known| tag.eq_ignore_ascii_case(known));
        let word = value.split_whitespace().next().filter(|_| is_tag)?;
        if let Some(number) = word.strip_prefix("series-") {
            return number.parse().ok();
        }
        let url: Url = self.api.client.own(word)?;
        let mut query = url.query_pairs();
        let number = query.find(|(name, _)| name == "series").map(|(_, value)| value.into_owned());
        let mut path = url.path_segments()?;
        let number = number
            .or_else(|| path.find(|part| *part == "series").and(path.next()).map(str::to_owned));
        number?.parse().ok()
    }

    fn as_told(
        &self,
        of: &Series,
        whole: &Whole,
        submitter: Sender,
        hints: Hints,
    ) -> series::Series {
        let named = |item: &Item| Name::parse(item.name.as_deref().unwrap_or_default());
        let first = whole.cover.as_ref().or(whole.patches.first());
        let name = first.map(named).unwrap_or_default();
        let own = |address: &Option<String>| {
            let url = address.as_deref().and_then(|address| self.api.client.own(address));
            url.map(String::from)
        };
        let letter = |item: &Item| Letter {
            id: Some(item.id.to_string()),
            msgid: bare(&item.msgid).to_owned(),
            title: named(item).title,
            url: own(&item.web_url),
            mbox: own(&item.mbox),
        };
        series::Series {
            id: of.id.to_string(),
            version: whole.version,
            title: name.title,
            tags: name.tags,
            root: first.map(|item| bare(&item.msgid).to_owned()).unwrap_or_default(),
            url: own(&of.web_url),
            mbox: own(&of.mbox),
            cover: whole.cover.as_ref().map(letter),
            patches: whole.patches.iter().map(letter).collect(),
            submitter,
            hints,
            sent_at: first.and_then(|item| item.date.in_utc()),
        }
    }
}

/// Name and address of a person.
pub(super) fn named(person: &Person) -> (String, String) {
    (person.name.clone().unwrap_or_default(), person.email.clone())
}

/// The mails that are read: the cover letter, and the first patches.
fn items(whole: &Whole) -> impl Iterator<Item = (&'static str, &Item)> {
    let cover = whole.cover.iter().map(|item| ("covers", item));
    cover.chain(whole.patches.iter().take(MAILS_MAX).map(|item| ("patches", item)))
}

/// What can have lines for us in it: all of the cover letter and of the first patch, and the
/// messages of the other commits.
fn texts(whole: &Whole, mails: &[Mail]) -> Vec<String> {
    let patches = usize::from(whole.cover.is_some());
    let texts = mails.iter().enumerate().map(|(place, mail)| {
        let text = mail.content.as_deref().unwrap_or_default();
        if place <= patches { text.to_owned() } else { message(text).to_owned() }
    });
    texts.collect()
}

/// What stands above `---`.
fn message(text: &str) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "--") {
            break;
        }
        end += line.len();
    }
    text.get(..end).unwrap_or(text)
}

/// Whether the first patch answers a mail that is none of the series.
fn answers(whole: &Whole, mails: &[Mail]) -> bool {
    let Some(first) = mails.first() else { return false };
    let answered = first.headers.first("In-Reply-To").map(bare);
    let is_own = |id: &str| whole.patches.iter().any(|item| bare(&item.msgid) == id);
    answered.is_some_and(|id| !id.is_empty() && !is_own(id))
}
