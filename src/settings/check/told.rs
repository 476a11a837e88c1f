//! The settings of the systems that carry messages to people.

use super::{Complaint, Complaints};
use crate::reporters::mail::{MailSettings, Security};
use crate::reporters::mattermost::MattermostSettings;
use crate::reporters::slack::SlackSettings;
use crate::settings::extract::Section;

impl Section for SlackSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.when(
            self.webhook.is_none() && self.token.is_none(),
            &["webhook"],
            "is missing, and `token` with `channel`, too: nothing could be posted",
        );
        complaints.when(
            self.webhook.is_some() && (self.token.is_some() || self.channel.is_some()),
            &["webhook"],
            "is not used beside `token` and `channel`: give one or the other",
        );
        complaints.when(
            self.token.is_some() && self.channel.is_none() && self.webhook.is_none(),
            &["channel"],
            "is missing: a `token` can post to many",
        );
        complaints.when(
            self.token.is_none() && self.webhook.is_none() && self.channel.is_some(),
            &["channel"],
            "needs a `token`",
        );
        let is_id = self.channel.as_deref().is_none_or(SlackSettings::is_channel);
        complaints.when(
            !is_id,
            &["channel"],
            "is no id of a channel, such as `C0123456789`, which its details show",
        );
        if let Some(url) = &self.url {
            complaints.address("url", url);
        }
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}

impl Section for MattermostSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let parts = [
            ("url", self.url.is_some()),
            ("token", self.token.is_some()),
            ("channel_id", self.channel_id.is_some()),
        ];
        let has_some = parts.iter().any(|(_, is_there)| *is_there);
        complaints.when(
            self.webhook.is_none() && !has_some,
            &["webhook"],
            "is missing, and `url`, `token` and `channel_id`, too: nothing could be posted",
        );
        complaints.when(
            self.webhook.is_some() && has_some,
            &["webhook"],
            "is not used beside `url`, `token` and `channel_id`: give one or the other",
        );
        for (key, is_there) in parts {
            let is_missing = self.webhook.is_none() && has_some && !is_there;
            complaints.when(
                is_missing,
                &[key],
                "is missing: `url`, `token` and `channel_id` belong together",
            );
        }
        let is_id = self.channel_id.as_deref().is_none_or(MattermostSettings::is_id);
        complaints.when(
            !is_id,
            &["channel_id"],
            "is no id of a channel: 26 letters and digits, which its details show",
        );
        if let Some(url) = &self.url {
            complaints.address("url", url);
        }
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}

impl Section for MailSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let is_host = !self.host.is_empty()
            && self.host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
        complaints.when(!is_host, &["host"], "is no name of a host");
        complaints.when(self.port == Some(0), &["port"], "has to be at least 1");
        complaints.when(
            self.security == Security::None && !self.is_local(),
            &["security"],
            "cannot be `none` but for a server on this machine: say `starttls` or `tls`",
        );
        complaints.when(
            self.security == Security::None && self.ca.is_some(),
            &["ca"],
            "is not used where `security` is `none`",
        );
        complaints.when(
            self.username.is_some() && self.password.is_none(),
            &["username"],
            "needs a `password`",
        );
        complaints.when(
            self.username.is_none() && self.password.is_some(),
            &["password"],
            "is some user's: say `username`",
        );
        complaints.when(self.to.is_empty(), &["to"], "is empty: nobody would be written to");
        let is_wrong = |text: &String| !MailSettings::is_address(text);
        let what = "is no address, such as `Pointsman <ci@forge.example>`";
        complaints.when(is_wrong(&self.from), &["from"], what);
        complaints.when(self.reply_to.as_ref().is_some_and(is_wrong), &["reply_to"], what);
        for (key, list) in [("to", &self.to), ("cc", &self.cc)] {
            if let Some(wrong) = list.iter().find(|text| is_wrong(text)) {
                complaints.when(true, &[key], &format!("has {wrong:?}, which is no address"));
            }
        }
        let has_control = self.prefix.contains(char::is_control);
        complaints.when(has_control, &["prefix"], "has an end of line in it");
        let is_name = |name: &String| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        };
        let is_wrong = !self.hello.as_ref().is_none_or(is_name);
        complaints.when(is_wrong, &["hello"], "is no name of a host");
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}
