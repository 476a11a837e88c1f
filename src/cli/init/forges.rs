//! What is written for each kind of forge.

use super::ask::Answers;

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
        }
    }
}

impl Answers {
    /// The file of settings.
    pub(super) fn settings(&self) -> String {
        let source = if self.broker.is_some() {
            include_str!("../../../config/init/broker.toml")
        } else {
            include_str!("../../../config/init/door.toml")
        };
        let parts = [
            include_str!("../../../config/init/settings.toml"),
            source,
            include_str!("../../../config/init/jenkins.toml"),
            self.forge.about().settings,
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
            match line.strip_prefix("@door@ ") {
                // Webhooks come to our door only where no broker brings them.
                Some(_) if self.broker.is_some() => continue,
                Some(rest) => text.push_str(rest),
                None => text.push_str(line),
            }
            text.push('\n');
        }
        let rule = self.project.rsplit('/').next().unwrap_or_default();
        let values = [
            ("@BROKER_URL@", self.broker.as_deref().unwrap_or_default()),
            ("@JENKINS_URL@", self.jenkins.as_str()),
            ("@FORGE_URL@", self.url.as_str()),
            ("@HOST@", self.host.as_str()),
            ("@PROJECT@", self.project.as_str()),
            ("@JOB@", self.job.as_str()),
            ("@RULE@", rule),
        ];
        values.into_iter().fold(text, |text, (name, value)| text.replace(name, value))
    }
}
