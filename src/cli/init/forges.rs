//! What is written for each kind of forge.

use super::ask::{Answers, Builder};
use super::series::Series;

/// The kinds of forges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Pagure.
    Pagure,
    /// GitHub, or a GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Forgejo or Gitea.
    Forgejo,
    /// Patchwork, for patch series.
    Patchwork,
    /// Patchew, for patch series.
    Patchew,
}

/// What is known of a kind.
struct About {
    /// The word for it.
    word: &'static str,
    /// Where most projects are.
    url: &'static str,
    /// Its section of the settings.
    settings: &'static str,
    /// The rules.
    rules: &'static str,
}

impl Kind {
    fn about(self) -> About {
        match self {
            Self::Pagure => About {
                word: "pagure",
                url: "https://pagure.io/",
                settings: include_str!("../../../config/init/pagure.toml"),
                rules: include_str!("../../../config/init/rules/pagure.toml"),
            },
            Self::Github => About {
                word: "github",
                url: "https://github.com/",
                settings: include_str!("../../../config/init/github.toml"),
                rules: include_str!("../../../config/init/rules/github.toml"),
            },
            Self::Gitlab => About {
                word: "gitlab",
                url: "https://gitlab.com/",
                settings: include_str!("../../../config/init/gitlab.toml"),
                rules: include_str!("../../../config/init/rules/gitlab.toml"),
            },
            Self::Forgejo => About {
                word: "forgejo",
                url: "https://codeberg.org/",
                settings: include_str!("../../../config/init/forgejo.toml"),
                rules: include_str!("../../../config/init/rules/forgejo.toml"),
            },
            Self::Patchwork => About {
                word: "patchwork",
                url: "https://patchwork.kernel.org/",
                settings: include_str!("../../../config/init/patchwork.toml"),
                rules: include_str!("../../../config/init/rules/series.toml"),
            },
            Self::Patchew => About {
                word: "patchew",
                url: "https://patchew.org/",
                settings: include_str!("../../../config/init/patchew.toml"),
                rules: include_str!("../../../config/init/rules/series.toml"),
            },
        }
    }

    /// The word for it: that of its section in the settings.
    pub(in crate::cli) fn as_str(self) -> &'static str {
        self.about().word
    }

    /// Where most projects are.
    pub(super) fn url(self) -> &'static str {
        self.about().url
    }

    /// How many parts the name of a project has, at least and at most.
    pub(super) fn name_parts(self) -> (usize, usize) {
        match self {
            // With a namespace, or as a fork.
            Self::Pagure => (1, 4),
            Self::Github | Self::Forgejo => (2, 2),
            // Groups are in groups.
            Self::Gitlab => (2, 20),
            Self::Patchwork | Self::Patchew => (1, 1),
        }
    }

    /// Whether mails are proposed there, and no commits.
    pub(in crate::cli) fn has_series(self) -> bool {
        match self {
            Self::Patchwork | Self::Patchew => true,
            Self::Pagure | Self::Github | Self::Gitlab | Self::Forgejo => false,
        }
    }

    /// By what its senders are known, as their events call it.
    fn sender(self) -> &'static str {
        if self == Self::Patchew { "email" } else { "id" }
    }
}

impl Builder {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Jenkins => "jenkins",
            Self::Gitlab => "gitlab",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Self::Jenkins => include_str!("../../../config/init/jenkins.toml"),
            Self::Gitlab => include_str!("../../../config/init/gitlab-ci.toml"),
        }
    }
}

impl Answers {
    /// The file of settings.
    pub(super) fn settings(&self) -> String {
        let source = match (&self.broker, &self.series) {
            (Some(_), _) => include_str!("../../../config/init/broker.toml"),
            // Nobody tells of series: they are asked for.
            (None, Some(_)) => "",
            (None, None) => include_str!("../../../config/init/door.toml"),
        };
        let git = self.series.as_ref().map(|_| include_str!("../../../config/init/git.toml"));
        let parts = [
            include_str!("../../../config/init/settings.toml"),
            source,
            self.builder.settings(),
            self.forge.about().settings,
            git.unwrap_or_default(),
        ];
        self.filled(&parts.concat())
    }

    /// The file of rules.
    pub(super) fn rules(&self) -> String {
        self.filled(self.forge.about().rules)
    }

    /// A template with the answers in it.  None of them holds what would end a text in TOML.
    fn filled(&self, template: &str) -> String {
        let mut text = String::new();
        for line in template.lines() {
            match line.strip_prefix('@').and_then(|rest| rest.split_once("@ ")) {
                Some((word, rest)) if is_word(word) => {
                    if !self.has(word) {
                        continue;
                    }
                    text.push_str(rest);
                }
                Some(_) | None => text.push_str(line),
            }
            text.push('\n');
        }
        let rule = self.project.rsplit('/').next().unwrap_or_default();
        let nothing = Series::default();
        let Series { upstream, base, push, maintainer } = self.series.as_ref().unwrap_or(&nothing);
        let values = [
            ("@BROKER_URL@", self.broker.as_deref().unwrap_or_default()),
            ("@JENKINS_URL@", self.builder_url.as_str()),
            ("@GITLAB_URL@", self.builder_url.as_str()),
            ("@BUILDER@", &format!("{}.main", self.builder.as_str())),
            ("@FORGE_URL@", self.url.as_str()),
            ("@HOST@", self.host.as_str()),
            ("@PROJECT@", self.project.as_str()),
            ("@JOB@", self.job.as_str()),
            ("@RULE@", rule),
            ("@UPSTREAM@", upstream.as_str()),
            ("@BASE@", base.as_str()),
            ("@PUSH@", push.as_str()),
            ("@ID@", self.forge.sender()),
            ("@MAINTAINER@", maintainer.as_str()),
        ];
        values.into_iter().fold(text, |text, (name, value)| text.replace(name, value))
    }

    /// Whether lines are kept that are there for this only.
    fn has(&self, word: &str) -> bool {
        let push = self.series.as_ref().map(|series| series.push.as_str()).unwrap_or_default();
        match word {
            // Webhooks come to our door only where no broker brings them.
            "door" => self.broker.is_none(),
            "https" => push.starts_with("https://"),
            "ssh" => push.starts_with("ssh://"),
            word => word == self.builder.as_str() || word == self.forge.as_str(),
        }
    }
}

/// Whether `word` says what a line is there for.
fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
}
