//! Patch series as people send them: real mails, with real diffs in them.

use jiff::{SignedDuration, Timestamp};

/// A file that a patch makes or changes.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the patch is called.
    pub title: String,
    /// The file.
    pub path: String,
    /// What it was, with a line end at its end; nothing where it is new.
    pub before: String,
    /// What it is then, with a line end at its end.
    pub after: String,
}

impl Change {
    /// A new file.
    pub fn file(title: &str, path: &str, text: &str) -> Self {
        Self {
            title: title.to_owned(),
            path: path.to_owned(),
            before: String::new(),
            after: text.to_owned(),
        }
    }

    /// The change as `git diff` writes it.
    pub fn diff(&self) -> String {
        let Self { path, before, after, .. } = self;
        let (old, new) = (before.lines().count(), after.lines().count());
        let from = if before.is_empty() { "/dev/null".to_owned() } else { format!("a/{path}") };
        let mode = if before.is_empty() { "new file mode 100644\n" } else { "" };
        let start = usize::from(!before.is_empty());
        let mut diff = format!(
            "diff --git a/{path} b/{path}\n{mode}--- {from}\n+++ b/{path}\n\
             @@ -{start},{old} +1,{new} @@\n"
        );
        let lines = before.lines().map(|line| ('-', line));
        for (sign, line) in lines.chain(after.lines().map(|line| ('+', line))) {
            diff.push(sign);
            diff.push_str(line);
            diff.push('\n');
        }
        diff
    }
}

/// A series to be sent.
#[derive(Clone, Debug)]
pub struct NewSeries {
    /// The project whose list it is sent to.
    pub project: String,
    /// Who sends it.
    pub author: String,
    /// Their address.
    pub email: String,
    /// What the series is called.
    pub title: String,
    /// The words in brackets, such as `RFC`.
    pub tags: Vec<String>,
    /// Which version it is.
    pub version: u32,
    /// What its Message-IDs begin with.
    pub stem: String,
    /// The cover letter's words, if there is one.
    pub cover: Option<String>,
    /// Words in the message of each patch.
    pub words: String,
    /// What it changes.
    pub changes: Vec<Change>,
    /// When it is sent: each mail a second after the one before.
    pub date: Timestamp,
}

/// One mail of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its Message-ID.
    pub msgid: String,
    /// What it answers.
    pub in_reply_to: Option<String>,
    /// Its whole subject.
    pub subject: String,
    /// Its subject without what is in brackets.
    pub title: String,
    /// Which patch it is; 0 for the cover letter.
    pub number: u32,
    /// Its date.
    pub date: Timestamp,
    /// All of it, as it was sent.
    pub raw: String,
}

impl NewSeries {
    /// A series of patches that each make a file, with a cover letter.
    pub fn of(project: &str, stem: &str, patches: u32, date: Timestamp) -> Self {
        let change = |number: u32| {
            let text = format!("blade {number}\nof {stem}\n");
            Change::file(&format!("points: Add blade {number}"), &format!("blade-{number}"), &text)
        };
        Self {
            project: project.to_owned(),
            author: "Ada Löwe".to_owned(),
            email: "ada@mail.example".to_owned(),
            title: "points: Lock the blades".to_owned(),
            tags: Vec::new(),
            version: 1,
            stem: stem.to_owned(),
            cover: Some("The blades move.\n".to_owned()),
            words: "Because they move.\n".to_owned(),
            changes: (1..=patches).map(change).collect(),
            date,
        }
    }

    /// The Message-ID of a patch, or of the cover letter by 0.
    pub fn msgid(&self, number: u32) -> String {
        format!("{}-{number}-{}", self.stem, self.email)
    }

    /// The Message-ID of its first mail.
    pub fn root(&self) -> String {
        self.msgid(u32::from(self.cover.is_none()))
    }

    /// How many patches it has.
    pub fn count(&self) -> u32 {
        u32::try_from(self.changes.len()).unwrap_or(u32::MAX)
    }

    /// Its mails, the cover letter first.
    pub fn mails(&self) -> Vec<Mail> {
        let cover = self.cover.as_ref().map(|words| {
            let diffstat = format!(" {} files changed\n\n--\n2.47.3\n", self.changes.len());
            self.mail(0, &self.title, &format!("{words}\n{diffstat}"))
        });
        let patches = self.changes.iter().zip(1..).map(|(change, number)| {
            let signed = format!("Signed-off-by: {} <{}>", self.author, self.email);
            let body = format!(
                "{}\n{signed}\n---\n {} | 2 ++\n\n{}--\n2.47.3\n",
                self.words,
                change.path,
                change.diff()
            );
            self.mail(number, &change.title, &body)
        });
        cover.into_iter().chain(patches).collect()
    }

    fn mail(&self, number: u32, title: &str, body: &str) -> Mail {
        let mut words = self.tags.clone();
        words.push("PATCH".to_owned());
        if self.version > 1 {
            words.push(format!("v{}", self.version));
        }
        if self.count() > 1 || self.cover.is_some() {
            words.push(format!("{number}/{}", self.count()));
        }
        let subject = format!("[{}] {title}", words.join(" "));
        let msgid = self.msgid(number);
        let in_reply_to = (msgid != self.root()).then(|| self.root());
        let date = self.date + SignedDuration::from_secs(i64::from(number));
        let answers = in_reply_to.as_ref().map(|id| format!("In-Reply-To: <{id}>\n"));
        let raw = format!(
            "Message-Id: <{msgid}>\n{}From: {} <{}>\nDate: {}\nSubject: {subject}\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}",
            answers.unwrap_or_default(),
            self.author,
            self.email,
            date.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        );
        Mail { msgid, in_reply_to, subject, title: title.to_owned(), number, date, raw }
    }
}
