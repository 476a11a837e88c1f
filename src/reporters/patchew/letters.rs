//! The mails of a series, as Patchew keeps them.

use anyhow::anyhow;
use async_trait::async_trait;

use super::{Patchew, client::said};
use crate::event::series::SeriesEvent;
use crate::git::Letters;
use crate::remote::Failure;
use crate::reporters::patches::{is_msgid, mbox};

/// How much the mails of a series may be together.
const LETTERS_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Whether a mail was there.
enum Fetched {
    Mail(Vec<u8>),
    Missing,
}

#[async_trait]
impl Letters for Patchew {
    /// Each mail by itself, as it was sent: no answer has been worked into it, and what is in it
    /// cannot be taken for a mail of its own.
    ///
    /// Where one cannot be asked for, because its Message-ID has a slash in it, all are taken from
    /// the mailbox of the series: it has to have these mails, in this order, and no others.
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        let shown = said(&series.series.root);
        let what = format!("cannot fetch the mails of `{shown}`");
        let ids: Vec<&str> = series.series.patches.iter().map(|p| p.msgid.as_str()).collect();
        if ids.is_empty()
            || !ids.iter().chain([&series.series.root.as_str()]).all(|id| is_msgid(id))
        {
            return Err(Failure::give_up(anyhow!("{what}: it has none that can be asked for")));
        }
        let project = self.source.client.project(&series.project).await?.to_string();
        let mut mails = Vec::with_capacity(ids.len());
        let mut bytes = 0;
        for id in &ids {
            match self.mail((&project, id), &what).await? {
                Fetched::Mail(mail) => {
                    bytes += mail.len();
                    mails.push(mail);
                }
                Fetched::Missing => {
                    return self.all((&project, &series.series.root), &ids, &what).await;
                }
            }
            if bytes > LETTERS_MAX_BYTES {
                let words = format!("they are more than {LETTERS_MAX_BYTES} bytes");
                return Err(Failure::give_up(anyhow!("{what}: {words}")));
            }
        }
        Ok(mails)
    }
}

impl Patchew {
    async fn mail(&self, (project, id): (&str, &str), what: &str) -> Result<Fetched, Failure> {
        let client = &self.source.client;
        let url = client.api(&["projects", project, "messages", id, "mbox"]);
        let Some(answer) = client.find(url, what).await? else { return Ok(Fetched::Missing) };
        let mail = mbox::only(&answer.body, id);
        let mail =
            mail.map_err(|why| Failure::give_up(anyhow!("{what}: `{}`: {why}", said(id))))?;
        Ok(Fetched::Mail(mail))
    }

    /// All mails from the mailbox of the series.
    async fn all(
        &self,
        (project, root): (&str, &str),
        ids: &[&str],
        what: &str,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let client = &self.source.client;
        let url = client.api(&["projects", project, "series", root, "mbox"]);
        let Some(answer) = client.find(url, what).await? else {
            // It says the same of a series that is not complete, and of one that is not there.
            let words = "there is no mailbox of it: it is not complete, or its Message-ID cannot be asked for";
            return Err(Failure::retry(anyhow!("{what}: {words}")));
        };
        mbox::split(&answer.body, ids)
            .map_err(|why| Failure::give_up(anyhow!("{what}: the mailbox of the series: {why}")))
    }
}
