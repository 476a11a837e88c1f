//! What is new since somebody last looked.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::actions::{self, ActionState, ActionView};
use super::events::{self, EventView};
use super::messages::{self, MessageState, MessageView};
use super::{Ledger, LedgerError, rows};

/// Something that was written.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A message came.
    Message(MessageView),
    /// An event was decided upon.
    Event(Box<EventView>),
    /// An action was made, or its state has changed.
    Action(Box<ActionView>),
}

impl News {
    /// When it was written, in milliseconds since 1970, and its place among what came at once.
    fn order(&self) -> (i64, u8, i64) {
        match self {
            Self::Message(message) => (message.received_at.as_millisecond(), 0, message.seq),
            Self::Event(event) => (event.at.as_millisecond(), 1, event.seq),
            Self::Action(action) => (action.changed_at.as_millisecond(), 2, action.seq),
        }
    }

    /// What makes it this piece of news and no other.
    fn key(&self) -> (u8, i64, String) {
        let (_, kind, seq) = self.order();
        let detail = match self {
            Self::Message(message) => message.received_at.to_string(),
            Self::Event(_) => String::new(),
            Self::Action(action) => {
                format!("{} {} {}", action.state, action.attempts, action.changed_at)
            }
        };
        (kind, seq, detail)
    }
}

/// Where somebody is in the news.
///
/// Rows are dated before they wait for the writer, and a clock may be set back a little: so a
/// few seconds are looked at again, and what was told before is left out.
#[derive(Clone, Debug, Default)]
pub struct Bookmark {
    from: i64,
    told: HashMap<(u8, i64, String), i64>,
}

impl Bookmark {
    /// How far back it looks again, in milliseconds.
    const MARGIN_MS: i64 = 5_000;

    /// Keeps what was not told before, and moves on.
    fn pass(&mut self, page: Page) -> Vec<News> {
        let from = self.from;
        self.told.retain(|_, at| *at >= from);
        let mut fresh = Vec::new();
        let mut last = from;
        for news in page.news {
            let at = news.order().0;
            last = last.max(at.saturating_sub(Self::MARGIN_MS));
            if self.told.insert(news.key(), at).is_none() {
                fresh.push(news);
            }
        }
        // A full page is followed by the next, which begins where this one ends.
        let next = page.full_until.map_or(last, |until| until.max(from.saturating_add(1)));
        self.from = self.from.max(next);
        fresh.sort_by_key(News::order);
        fresh
    }
}

/// What was found at one look.
#[derive(Debug, Default)]
struct Page {
    news: Vec<News>,
    /// Up to when all was found, if there is more.
    full_until: Option<i64>,
}

impl Page {
    /// How much news of a kind is on a page.
    const SIZE: usize = 1_000;

    fn add(&mut self, found: Vec<News>) {
        if let Some(last) = found.last().filter(|_| found.len() >= Self::SIZE) {
            let until = last.order().0;
            self.full_until = Some(self.full_until.map_or(until, |other| other.min(until)));
        }
        self.news.extend(found);
    }
}

impl Ledger {
    /// The last `count` events, and where to go on: what is older than now is not told later.
    pub async fn latest(&self, count: u32) -> Result<(Vec<News>, Bookmark), LedgerError> {
        let from = self.now().saturating_sub(Bookmark::MARGIN_MS);
        self.read(move |db| {
            let mut bookmark = Bookmark { from, told: HashMap::new() };
            for news in since(db, from)?.news {
                bookmark.told.insert(news.key(), news.order().0);
            }
            let sql = format!("{} ORDER BY e.seq DESC LIMIT ?1", events::COLUMNS);
            let mut latest = rows(db, (&sql, [count]), events::read)?;
            latest.reverse();
            Ok((latest.into_iter().map(|event| News::Event(Box::new(event))).collect(), bookmark))
        })
        .await
    }

    /// What was written since the bookmark, in order; the bookmark moves on.
    pub async fn news(&self, mut bookmark: Bookmark) -> Result<(Vec<News>, Bookmark), LedgerError> {
        self.read(move |db| {
            let page = since(db, bookmark.from)?;
            let fresh = bookmark.pass(page);
            Ok((fresh, bookmark))
        })
        .await
    }
}

/// What is dated `from` or later, by the indexes over time.
fn since(db: &Connection, from: i64) -> Result<Page, LedgerError> {
    let limit = Page::SIZE;
    let mut page = Page::default();
    for state in [MessageState::Read, MessageState::Ignored, MessageState::Dead] {
        let sql = format!(
            "{} WHERE state = ?1 AND received_at >= ?2 ORDER BY received_at LIMIT {limit}",
            messages::COLUMNS
        );
        let found = rows(db, (&sql, params![state.as_str(), from]), |row| {
            messages::read(row).map(News::Message)
        })?;
        page.add(found);
    }
    let sql = format!("{} WHERE e.at >= ?1 ORDER BY e.at, e.seq LIMIT {limit}", events::COLUMNS);
    page.add(rows(db, (&sql, [from]), |row| {
        events::read(row).map(|event| News::Event(Box::new(event)))
    })?);
    for state in ActionState::ALL {
        let sql = format!(
            "{} WHERE a.state = ?1 AND a.changed_at >= ?2 ORDER BY a.changed_at LIMIT {limit}",
            actions::COLUMNS
        );
        let found = rows(db, (&sql, params![state.as_str(), from]), |row| {
            actions::read(row).map(|action| News::Action(Box::new(action)))
        })?;
        page.add(found);
    }
    Ok(page)
}
