//! How mails become series, patches and comments: by subject and references, as Patchwork does.

use anyhow::Context as _;
use jiff::Timestamp;

use super::memory::{About, Comment, Memory, Series, Submission, date};
use super::{NewMail, NewSeries};

/// A mail's subject, taken apart.
struct Heading {
    /// With what is in brackets as one list, without `PATCH`.
    name: String,
    version: u32,
    place: Option<(u32, u32)>,
}

/// The mails of a series, the cover letter's first.
pub(super) fn mails_of(new: &NewSeries) -> Vec<NewMail> {
    let count = new.patches.len();
    let version = new.version.max(1);
    let msgid = |number: usize| format!("{}-{number}", new.msgid);
    let first = usize::from(new.cover.is_none());
    let heading = |number: usize, title: &str| {
        let mut words = vec!["PATCH".to_owned()];
        words.extend(new.tags.iter().cloned());
        words.extend((version > 1).then(|| format!("v{version}")));
        words.extend((count > 1 || number == 0).then(|| format!("{number}/{count}")));
        format!("[{}] {title}", words.join(" "))
    };
    let mail = |number: usize, title: &str, body: String| NewMail {
        from: new.from.clone(),
        subject: heading(number, title),
        msgid: format!("{}@{}", msgid(number), domain(&new.from)),
        references: (number != first)
            .then(|| format!("{}@{}", msgid(first), domain(&new.from)))
            .into_iter()
            .collect(),
        date: None,
        headers: new.headers.clone(),
        body,
    };
    let cover = new.cover.iter().map(|(title, text)| mail(0, title, text.clone()));
    let patches = new.patches.iter().zip(1..).map(|(patch, number)| {
        let body = format!("{}\n---\n\n{}-- \n2.47.3\n", patch.message, patch.diff);
        mail(number, &patch.title, body)
    });
    cover.chain(patches).collect()
}

fn domain(from: &str) -> &str {
    from.rsplit('@').next().unwrap_or_default().trim_end_matches('>')
}

impl Heading {
    fn parse(subject: &str) -> Self {
        let mut words = Vec::new();
        let mut rest = subject.trim();
        while let Some((inside, behind)) =
            rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            let inside = inside.split([',', ' ']).filter(|word| !word.is_empty());
            words.extend(inside.filter(|word| !word.eq_ignore_ascii_case("patch")));
            rest = behind.trim_start();
        }
        let number = |text: &str| text.parse::<u32>().ok();
        let place = words.iter().find_map(|word| {
            let (left, right) = word.split_once('/')?;
            Some((number(left)?, number(right)?))
        });
        let version = words.iter().find_map(|word| number(word.strip_prefix(['v', 'V'])?));
        let name = if words.is_empty() {
            rest.to_owned()
        } else {
            format!("[{}] {rest}", words.join(","))
        };
        Self { name, version: version.unwrap_or(1), place }
    }
}

impl Memory {
    pub(super) fn deliver(&mut self, project: &str, mail: &NewMail) -> anyhow::Result<u64> {
        self.projects.get(project).with_context(|| format!("there is no project `{project}`"))?;
        let hint = mail.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("X-Patchwork-Hint") && value.eq_ignore_ascii_case("ignore")
        });
        anyhow::ensure!(!hint, "the mail wants to be ignored");
        let is_known = |known: &Submission| known.project == project && known.msgid == mail.msgid;
        let is_double = self.patches.values().any(is_known) || self.covers.values().any(is_known);
        anyhow::ensure!(!is_double, "the mail is there already");
        if mail.subject.to_lowercase().starts_with("re:") {
            return self.reply(project, mail);
        }
        let heading = Heading::parse(&mail.subject);
        let (content, diff) = split(&mail.body);
        let submission = Submission {
            project: project.to_owned(),
            msgid: mail.msgid.clone(),
            name: heading.name.clone(),
            date: mail.date.unwrap_or_else(|| self.clock.now()),
            submitter: self.sender(project, mail),
            headers: headers_of(mail, self.clock.now()),
            content,
            diff,
            series: None,
        };
        match (&submission.diff, heading.place) {
            (Some(_), _) => Ok(self.add_patch(submission, &heading, &mail.references)),
            (None, Some((0, _))) => Ok(self.add_cover(submission, &heading)),
            (None, _) => anyhow::bail!("the mail is no patch, no cover letter and no reply"),
        }
    }

    /// Whom a mail is from: a list that puts its own address there says whom in `Reply-To`.
    fn sender(&mut self, project: &str, mail: &NewMail) -> u64 {
        let list = self.projects.get(project).map(|project| project.list_email.clone());
        let (name, email) = super::memory::address(&mail.from);
        let original = mail.headers.iter().find(|(name, _)| name == "Reply-To");
        match original {
            Some((_, original)) if list.is_some_and(|list| list == email) => {
                let name = name.split(" via ").next().unwrap_or_default();
                let (_, email) = super::memory::address(original);
                self.person(&format!("{name} <{email}>"))
            }
            Some(_) | None => self.person(&mail.from),
        }
    }

    fn add_cover(&mut self, cover: Submission, heading: &Heading) -> u64 {
        let (id, project) = (self.new_id(), cover.project.clone());
        let known =
            self.projects.get(&project).and_then(|known| known.references.get(&cover.msgid));
        let series = known.copied().unwrap_or_else(|| {
            let total = heading.place.map_or(1, |(_, total)| total);
            self.add_series(&cover, (heading.version, total), &[])
        });
        if let Some(series) = self.series.get_mut(&series) {
            series.cover.get_or_insert(id);
            let title = cover.name.split_once("] ").map_or(cover.name.as_str(), |(_, title)| title);
            series.name = Some(title.to_owned());
        }
        self.covers.insert(id, Submission { series: Some(series), ..cover });
        self.tell(&project, "cover-created", About::Cover(id));
        id
    }

    fn add_patch(&mut self, patch: Submission, heading: &Heading, references: &[String]) -> u64 {
        let (id, project) = (self.new_id(), patch.project.clone());
        let (number, total) = heading.place.unwrap_or((1, 1));
        let found = heading.place.and_then(|_| self.find_series(&patch, references));
        let is_free = |id: &u64| {
            self.series.get(id).is_some_and(|series| !series.patches.contains_key(&number))
        };
        let series = found
            .filter(is_free)
            .unwrap_or_else(|| self.add_series(&patch, (heading.version, total), references));
        let name = patch.name.clone();
        self.patches.insert(id, Submission { series: Some(series), ..patch });
        self.tell(&project, "patch-created", About::Patch(id));
        let mut is_complete = false;
        if let Some(series) = self.series.get_mut(&series) {
            if number == 1 {
                series.name.get_or_insert(name);
            }
            series.patches.insert(number, id);
            let count = u32::try_from(series.patches.len()).unwrap_or(u32::MAX);
            is_complete = count >= series.total;
        }
        self.tell(&project, "patch-completed", About::PatchCompleted(id));
        if is_complete {
            self.tell_complete(series);
        }
        id
    }

    /// Puts a patch into a series, whatever its subject says.
    pub(super) fn put_into(&mut self, mail: &NewMail, (series, number): (u64, u32)) {
        let project = self.series.get(&series).map(|series| series.project.clone());
        let project = project.unwrap_or_default();
        let (content, diff) = split(&mail.body);
        let patch = Submission {
            msgid: mail.msgid.clone(),
            name: Heading::parse(&mail.subject).name,
            date: mail.date.unwrap_or_else(|| self.clock.now()),
            submitter: self.sender(&project, mail),
            headers: headers_of(mail, self.clock.now()),
            content,
            diff,
            series: Some(series),
            project,
        };
        let id = self.new_id();
        self.patches.insert(id, patch);
        if let Some(series) = self.series.get_mut(&series) {
            series.patches.insert(number, id);
        }
    }

    /// The series that a mail belongs to by what it answers; whatever version that is of.
    fn find_series(&self, patch: &Submission, references: &[String]) -> Option<u64> {
        let known = &self.projects.get(&patch.project)?.references;
        let mut candidates = std::iter::once(&patch.msgid).chain(references.iter().rev());
        candidates.find_map(|id| known.get(id).copied())
    }

    fn add_series(
        &mut self,
        of: &Submission,
        (version, total): (u32, u32),
        references: &[String],
    ) -> u64 {
        let id = self.new_id();
        let series = Series {
            project: of.project.clone(),
            name: None,
            date: of.date,
            submitter: of.submitter,
            version,
            total,
            cover: None,
            patches: std::collections::BTreeMap::new(),
        };
        self.series.insert(id, series);
        if let Some(project) = self.projects.get_mut(&of.project) {
            for reference in references.iter().chain([&of.msgid]) {
                project.references.entry(reference.clone()).or_insert(id);
            }
        }
        self.tell(&of.project, "series-created", About::Series(id));
        id
    }

    fn reply(&mut self, project: &str, mail: &NewMail) -> anyhow::Result<u64> {
        let is_answered = |msgid: &str| mail.references.iter().any(|id| id == msgid);
        let find = |all: &std::collections::BTreeMap<u64, Submission>| {
            let mut all = all.iter();
            let found = all.find(|(_, of)| of.project == project && is_answered(&of.msgid));
            found.map(|(id, _)| *id)
        };
        let (patch, cover) = (find(&self.patches), find(&self.covers));
        anyhow::ensure!(
            patch.is_some() || cover.is_some(),
            "the mail answers nothing that is known"
        );
        let id = self.new_id();
        let comment = Comment {
            patch,
            cover: cover.filter(|_| patch.is_none()),
            msgid: mail.msgid.clone(),
            date: mail.date.unwrap_or_else(|| self.clock.now()),
            submitter: self.sender(project, mail),
            headers: headers_of(mail, self.clock.now()),
            content: mail.body.trim().to_owned(),
        };
        self.comments.insert(id, comment);
        let category = match patch {
            Some(_) => "patch-comment-created",
            None => "cover-comment-created",
        };
        self.tell(project, category, About::Comment(id));
        Ok(id)
    }
}

/// The headers of a mail, as they came.
fn headers_of(mail: &NewMail, now: Timestamp) -> Vec<(String, String)> {
    let own = |name: &str, value: String| (name.to_owned(), value);
    let sent = mail.date.unwrap_or(now);
    let day = jiff::tz::TimeZone::UTC.to_datetime(sent).strftime("%a, %d %b %Y %H:%M:%S +0000");
    let mut headers = mail.headers.clone();
    headers.push(own("From", mail.from.clone()));
    headers.push(own("Subject", mail.subject.clone()));
    headers.push(own("Date", day.to_string()));
    headers.push(own("Message-ID", format!("<{}>", mail.msgid)));
    if let Some(last) = mail.references.last() {
        headers.push(own("In-Reply-To", format!("<{last}>")));
        let all: Vec<String> = mail.references.iter().map(|id| format!("<{id}>")).collect();
        headers.push(own("References", all.join(" ")));
    }
    headers.push(own("X-Received", date(now)));
    headers
}

/// The text of a mail without signature, and the diff in it.
fn split(body: &str) -> (String, Option<String>) {
    const BEGINNINGS: [&str; 17] = [
        " ",
        "+",
        "-",
        "@",
        "\\",
        "diff ",
        "index ",
        "new file ",
        "deleted file ",
        "old mode ",
        "new mode ",
        "similarity ",
        "dissimilarity ",
        "rename ",
        "copy ",
        "Binary ",
        "Index: ",
    ];
    let mut content = String::new();
    let mut diff = String::new();
    for line in body.split_inclusive('\n') {
        if line.trim_end_matches('\n') == "-- " {
            break;
        }
        let is_begun = line.starts_with("diff --git ") || !diff.is_empty();
        let is_diff = is_begun && BEGINNINGS.iter().any(|beginning| line.starts_with(beginning));
        if is_diff {
            diff.push_str(line);
        } else {
            content.push_str(line);
        }
    }
    (content.trim().to_owned(), (!diff.is_empty()).then_some(diff))
}
