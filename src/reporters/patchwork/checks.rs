//! Checks: what a run has to say about a patch.
//!
//! They are only ever added, and of one user's checks of one name the newest counts.  So what
//! stands is read first, and what stands already is not said again.

use anyhow::anyhow;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::api::{Api, Numbered, PER_PAGE};
use super::client::{Caller, read};
use super::{ChecksOn, Patchwork};
use crate::action::{AboutSeries, Part, Report, Stage};
use crate::message::hash;
use crate::remote::Failure;
use crate::reporters::markup::cut;
use crate::subject::Verdict;

/// How long the words of a check may be: they are shown on one line.
const DESCRIPTION_MAX_CHARS: usize = 250;
/// How long the name of a base may be in it.
const BASE_MAX_CHARS: usize = 60;
/// How long the name of a check may be.
const CONTEXT_MAX_CHARS: usize = 255;
/// How long an address may be.
const URL_MAX_CHARS: usize = 200;
/// How many pages of checks a patch may have.
const PAGES_MAX: usize = 40;

/// A check that stands.
#[derive(Debug, Deserialize)]
struct Standing {
    id: u64,
    user: Numbered,
    state: String,
    context: String,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

/// A check to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    state: &'static str,
    context: String,
    target_url: Option<String>,
    description: String,
}

impl Patchwork {
    /// Makes the checks that a report is about, on each of its patches.
    pub(super) async fn check(&self, report: &Report) -> Result<(), Failure> {
        let Some(about) = report.series.as_deref() else {
            let subject = &report.subject;
            let why = format!("`{subject}` is no series, and has no place on Patchwork");
            return Err(Failure::give_up(anyhow!(why)));
        };
        if self.api.client.login_setting().is_none() {
            let name = self.api.client.connection();
            let why = format!("cannot make a check: there is no `{name}.token`");
            return Err(Failure::give_up(anyhow!(why)));
        }
        let places = places(about, (report.stage, self.checks_on))?;
        for (number, patch) in places {
            let check = Check {
                state: state(report.stage, about),
                context: context(&self.context_prefix, &report.rule, about),
                target_url: report.url.as_deref().and_then(address),
                description: description(report, about, number),
            };
            self.make(about, patch, &check).await?;
        }
        Ok(())
    }

    /// Makes a check, unless it stands already, or says less than what stands.
    async fn make(&self, about: &AboutSeries, patch: u64, check: &Check) -> Result<(), Failure> {
        let project = &about.of.project;
        let own = self.account.own(&self.api, project).await?;
        if let Some(own) = own {
            let standing = newest(&self.api, patch, (own, &check.context)).await?;
            if standing.is_some_and(|standing| check.is_said_by(&standing)) {
                return Ok(());
            }
        }
        let what = format!("cannot make a check on patch {patch} of `{project}`");
        let url = self.api.url(&["patches", &patch.to_string(), "checks"], &[]).await?;
        let body = check.body();
        let answer = self
            .api
            .client
            .ask(Caller::Ourselves, (reqwest::Method::POST, url), Some(&body))
            .await?;
        let what = if answer.status == StatusCode::FORBIDDEN {
            format!("{what}: our account has to be a maintainer of the project")
        } else {
            what
        };
        let made: Standing = read(&self.api.client.success(answer, &what)?, &what)?;
        self.account.learn(made.user.id);
        Ok(())
    }
}

impl Check {
    fn body(&self) -> Value {
        let Self { state, context, target_url, description } = self;
        let mut body = json!({ "state": state, "context": context, "description": description });
        // Old servers do not take a null for an address.
        if let (Some(fields), Some(url)) = (body.as_object_mut(), target_url) {
            fields.insert("target_url".to_owned(), url.as_str().into());
        }
        body
    }

    /// Whether `standing` says the same, or how the run has ended that this one says is going on.
    fn is_said_by(&self, standing: &Standing) -> bool {
        let said = standing.description.as_deref().unwrap_or_default();
        let is_same = standing.state == self.state
            && standing.target_url.as_deref().unwrap_or_default()
                == self.target_url.as_deref().unwrap_or_default()
            && said == self.description;
        let run = |text: &str| text.rsplit_once(RUN).map(|(_, run)| run.to_owned());
        let is_over = self.state == "pending"
            && standing.state != "pending"
            && run(said).is_some_and(|said| Some(said) == run(&self.description));
        is_same || is_over
    }
}

/// What stands before the run in the words of a check.
const RUN: &str = " (run ";

/// The newest of our checks of this name; some servers compare names without regard to case.
async fn newest(
    api: &Api,
    patch: u64,
    (own, context): (u64, &str),
) -> Result<Option<Standing>, Failure> {
    let what = format!("cannot read the checks on patch {patch}");
    let query = [("per_page", PER_PAGE)];
    let url = api.url(&["patches", &patch.to_string(), "checks"], &query).await?;
    let all: Vec<Standing> = api.list(url, PAGES_MAX, &what).await?;
    let ours = all
        .into_iter()
        .filter(|check| check.user.id == own && check.context.eq_ignore_ascii_case(context));
    Ok(ours.max_by_key(|check| check.id))
}

/// The patches that get a check: their places in the series, and their numbers.
fn places(
    about: &AboutSeries,
    (stage, checks_on): (Stage, ChecksOn),
) -> Result<Vec<(u32, u64)>, Failure> {
    let patches = &about.of.series.patches;
    let count = u32::try_from(patches.len()).unwrap_or(u32::MAX);
    let mut places = match (about.patch, checks_on) {
        (Some(patch), _) => vec![patch],
        (None, ChecksOn::Every) => (1..=count).collect(),
        (None, ChecksOn::First) => vec![1],
        (None, ChecksOn::Last) => vec![count],
    };
    if let (None, Some(blamed), Stage::Done(_)) = (about.patch, about.blamed, stage)
        && !places.contains(&blamed)
    {
        places.push(blamed);
    }
    let number = |place: u32| {
        let index = usize::try_from(place).ok()?.checked_sub(1)?;
        patches.get(index)?.id.as_deref()?.parse::<u64>().ok()
    };
    let numbered = places.into_iter().map(|place| {
        number(place).map(|number| (place, number)).ok_or_else(|| {
            Failure::give_up(anyhow!("patch {place} of {count} has no number at Patchwork"))
        })
    });
    numbered.collect()
}

/// Patchwork's word for how far a run is.
///
/// A warning is what is no fault of the series, or not surely: nobody has to mend the patch.
fn state(stage: Stage, about: &AboutSeries) -> &'static str {
    match stage {
        Stage::Held | Stage::Queued | Stage::Running => "pending",
        Stage::Done(Verdict::Success | Verdict::Skipped) => "success",
        Stage::Done(Verdict::Failure) if about.was_broken => "warning",
        Stage::Done(Verdict::Failure | Verdict::Conflict) => "fail",
        Stage::Done(Verdict::Unstable | Verdict::Error | Verdict::Cancelled) => "warning",
    }
}

/// The name of a check: letters, digits, `-` and `_`; no two names are one.
fn context(prefix: &str, rule: &str, about: &AboutSeries) -> String {
    let (name, is_plain) = match (about.part, about.patch) {
        // It is called as the repository is: `git.linux`.
        (Part::Apply, _) => (rule.replacen('.', "-", 1), false),
        (Part::Build, Some(_)) => (format!("{rule}-patch"), false),
        (Part::Build, None) => (rule.to_owned(), true),
    };
    // Some servers compare names without regard to case.
    let slug: String = name
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '-' | '_') => c,
            _ => '-',
        })
        .collect();
    let looks_other = is_plain && (slug.starts_with("git-") || slug.ends_with("-patch"));
    let context = format!("{prefix}{slug}");
    if slug == name && !looks_other && context.len() <= CONTEXT_MAX_CHARS {
        return context;
    }
    let hash = hash(&[name.as_bytes(), &[u8::from(is_plain)]]);
    let hash: String = hash.chars().take(8).collect();
    let kept: String = context.chars().take(CONTEXT_MAX_CHARS - hash.len() - 1).collect();
    format!("{kept}-{hash}")
}

/// The words of a check, in one line: what is said, which patch is to blame, upon which base, and
/// in which run.
fn description(report: &Report, about: &AboutSeries, number: u32) -> String {
    let blamed =
        about.blamed.filter(|_| about.patch.is_none() && matches!(report.stage, Stage::Done(_)));
    let blame = blamed.map(|blamed| match about.of.series.patches.len() {
        _ if blamed == number => ", broken by this patch".to_owned(),
        count => format!(", broken by patch {blamed}/{count}"),
    });
    let text = words(report);
    // Our own words say which patch is to blame; that it is this one is said besides.
    let is_said = |blame: &String| !blame.contains('/') || !text.contains("first bad");
    let blame = blame.filter(is_said);
    // Our own words say upon which base it is, and whether that is broken, too.
    let branch = about.branch.as_ref();
    let branch = branch.filter(|branch| !text.contains(branch.base.sha.short()));
    let before = branch.filter(|_| about.was_broken).map(|_| ", as it was before");
    let base = branch.map(|branch| {
        let name: Vec<&str> = branch.base.branch.split_whitespace().collect();
        format!(", on {} {}", cut(&name.join(" "), BASE_MAX_CHARS), branch.base.sha.short())
    });
    let run: String = report.run.as_str().chars().take(8).collect();
    let end = [
        blame.as_deref().unwrap_or_default(),
        before.unwrap_or_default(),
        base.as_deref().unwrap_or_default(),
        RUN,
        &run,
        ")",
    ];
    let end = end.concat();
    let room = DESCRIPTION_MAX_CHARS.saturating_sub(end.chars().count());
    cut(&text, room) + &end
}

/// What is said, in one line; a verdict that the state cannot show stands in it.
fn words(report: &Report) -> String {
    let words: Vec<&str> = report.text.split_whitespace().collect();
    let words = words.join(" ");
    let told = match report.stage {
        Stage::Done(
            verdict @ (Verdict::Skipped
            | Verdict::Unstable
            | Verdict::Conflict
            | Verdict::Cancelled
            | Verdict::Error),
        ) => Some(verdict.as_str()),
        Stage::Done(Verdict::Success | Verdict::Failure)
        | Stage::Held
        | Stage::Queued
        | Stage::Running => None,
    };
    match told {
        _ if words.is_empty() => report.stage.as_str().to_owned(),
        Some(told) if !words.to_lowercase().contains(told) => format!("{told}: {words}"),
        Some(_) | None => words,
    }
}

/// The page to look at, if Patchwork takes it for an address: it refuses hosts of a single word,
/// such as those of a container network.
fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_host = match url.host()? {
        Host::Domain(host) => is_domain(host),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    (is_host && url.as_str().len() <= URL_MAX_CHARS).then(|| url.into())
}

fn is_domain(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let Some((_, top)) = host.rsplit_once('.') else { return host == "localhost" };
    let is_top = top.starts_with("xn--")
        || (top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic() || c == '-'));
    is_top && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Form;
    use crate::reporters::contract::series::about;

    fn named(rule: &str, change: impl FnOnce(&mut AboutSeries)) -> String {
        let mut about = about(Form::Flag).series.unwrap();
        change(&mut about);
        context("pointsman-", rule, &about)
    }

    #[test]
    fn a_check_has_a_name_that_patchwork_takes() {
        insta::assert_snapshot!(named("kvm-boot", |_| {}), @"pointsman-kvm-boot");
        insta::assert_snapshot!(named("git.linux", |about| about.part = Part::Apply), @"pointsman-git-linux");
        insta::assert_snapshot!(named("kvm-boot", |about| about.patch = Some(2)), @"pointsman-kvm-boot-patch");
        insta::assert_snapshot!(named("KVM boot", |_| {}), @"pointsman-kvm-boot-d92ee8d1");
        insta::assert_snapshot!(named("kvm.boot@asan", |_| {}), @"pointsman-kvm-boot-asan-0e517f1c");
        insta::assert_snapshot!(named("ü", |_| {}), @"pointsman---a3be2bed");
    }

    #[test]
    fn no_two_checks_have_one_name() {
        let long = |end: char| "x".repeat(300) + &end.to_string();
        let mut names = vec![
            named(&long('a'), |_| {}),
            named(&long('b'), |_| {}),
            named("a b", |_| {}),
            named("a.b", |_| {}),
            named("a-b", |_| {}),
            named("A-b", |_| {}),
            named("git.linux", |about| about.part = Part::Apply),
            named("git.linux", |_| {}),
            named("git-linux", |_| {}),
            named("boot", |about| about.patch = Some(1)),
            named("boot-patch", |_| {}),
            named("boot", |_| {}),
        ];
        for name in &names {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            assert!(name.len() <= 255 && name.chars().all(is_letter), "{name}");
        }
        let count = names.len();
        for name in &mut names {
            *name = name.to_lowercase();
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }

    #[test]
    fn only_what_patchwork_takes_for_an_address_is_one() {
        for text in [
            "https://ci.example/job/x/17/",
            "http://localhost:8080/x",
            "http://10.0.0.1/",
            "http://[::1]/",
        ] {
            assert_eq!(address(text).as_deref(), Some(text));
        }
        let long = format!("https://ci.example/{}", "x".repeat(200));
        for text in [
            long.as_str(),
            "http://jenkins:8080/",
            "ftp://ci.example/",
            "x",
            "http://a_b.example/",
            "http://ci.e/",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
