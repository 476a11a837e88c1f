use super::*;

/// All faults of one file, one on each line.
fn faults(content: &str) -> String {
    lines(&load(&[("a.toml", content)], &[]).unwrap_err())
}

#[test]
fn a_chat_is_posted_to_in_one_way() {
    let text = faults(
        r#"
[slack.none]
[slack.both]
webhook = "env:HOOK"
token = "env:TOKEN"
[slack.half]
token = "env:TOKEN"
[slack.name]
token = "env:TOKEN"
channel = "ops"
[slack.secret]
webhook = "https://hooks.example/services/T0/B0/x"
[mattermost.none]
[mattermost.both]
webhook = "env:HOOK"
url = "https://chat.example/"
[mattermost.half]
token = "env:TOKEN"
channel_id = "town-square"
"#,
    );
    insta::assert_snapshot!(text, @r"
    a.toml:2: `slack.none.webhook`: is missing, and `token` with `channel`, too: nothing could be posted
    a.toml:4: `slack.both.webhook`: is not used beside `token` and `channel`: give one or the other
    a.toml:6: `slack.half.channel`: is missing: a `token` can post to many
    a.toml:10: `slack.name.channel`: is no id of a channel, such as `C0123456789`, which its details show
    a.toml:12: `slack.secret.webhook`: a secret is given as `file:/path` or `env:NAME`, never itself
    a.toml:13: `mattermost.none.webhook`: is missing, and `url`, `token` and `channel_id`, too: nothing could be posted
    a.toml:15: `mattermost.both.webhook`: is not used beside `url`, `token` and `channel_id`: give one or the other
    a.toml:17: `mattermost.half.url`: is missing: `url`, `token` and `channel_id` belong together
    a.toml:19: `mattermost.half.channel_id`: is no id of a channel: 26 letters and digits, which its details show
    ");
}

#[test]
fn a_letter_has_addresses_and_is_not_sent_in_the_clear() {
    let text = faults(
        r#"
[mail.clear]
host = "smtp.example"
security = "none"
from = "nobody"
to = []
[mail.open]
host = "127.0.0.1"
security = "none"
username = "pointsman"
from = "ci@forge.example"
to = ["ada@forge.example", "x@y.example\r\nBcc: z@y.example"]
hello = "two words"
prefix = "C\nI"
[mail.odd]
host = "smtp example"
port = 0
security = "ssl"
from = "ci@forge.example"
to = ["ada@forge.example"]
password = "hunter2"
"#,
    );
    insta::assert_snapshot!(text, @r#"
    a.toml:4: `mail.clear.security`: cannot be `none` but for a server on this machine: say `starttls` or `tls`
    a.toml:5: `mail.clear.from`: is no address, such as `Pointsman <ci@forge.example>`
    a.toml:6: `mail.clear.to`: is empty: nobody would be written to
    a.toml:10: `mail.open.username`: needs a `password`
    a.toml:12: `mail.open.to`: has "x@y.example\r\nBcc: z@y.example", which is no address
    a.toml:13: `mail.open.hello`: is no name of a host
    a.toml:14: `mail.open.prefix`: has an end of line in it
    a.toml:18: `mail.odd.security`: `ssl` is none of `starttls`, `tls`, `none`
    a.toml:21: `mail.odd.password`: a secret is given as `file:/path` or `env:NAME`, never itself
    "#);
    assert!(!text.contains("hunter2"));
}
