//! What opens other repositories to us: a token, or a key; never in an argument or an address.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::address::Address;
use super::call::{Call, Protocol};
use super::settings::GitSettings;

/// How ssh is begun.  git hands this to a shell: it is always the same, and paths are variables.
///
/// Nobody is asked anything, no agent and nobody's own settings have a say, and a host whose key
/// is not known is not talked to.
const SSH: &str = "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes \
    -o ForwardAgent=no -o ForwardX11=no -o ClearAllForwardings=yes -o ConnectTimeout=30";
const SSH_KEY: &str = " -o IdentitiesOnly=yes -i \"$POINTSMAN_SSH_KEY\"";
const SSH_HOSTS: &str = " -o UserKnownHostsFile=\"\\\"$POINTSMAN_SSH_HOSTS\\\"\"";

/// What opens the repositories of one connection.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// Where the token may be shown, and the header that shows it.
    token: Option<(String, SecretString)>,
    ssh: Vec<(&'static str, String)>,
}

impl Access {
    /// What the settings say; the secret is read here.
    pub(super) fn new(settings: &GitSettings) -> anyhow::Result<Self> {
        let mut access = Self::default();
        if let (Some(token), Some(origin)) = (&settings.token, settings.push.origin()) {
            let token = token.read().context("cannot read `token`")?;
            let both = format!("{}:{}", settings.user, token.expose_secret());
            let header = format!("Authorization: Basic {}", STANDARD.encode(both));
            access.token = Some((origin, SecretString::from(header)));
        }
        let mut command = SSH.to_owned();
        let paths = [
            ("POINTSMAN_SSH_KEY", SSH_KEY, &settings.ssh_key),
            ("POINTSMAN_SSH_HOSTS", SSH_HOSTS, &settings.known_hosts),
        ];
        for (variable, option, path) in paths {
            let Some(path) = path else { continue };
            let path = std::path::absolute(path).context("cannot find the working directory")?;
            let path = path.to_str().context("a path for ssh is no text")?;
            command.push_str(option);
            access.ssh.push((variable, path.to_owned()));
        }
        access.ssh.push(("GIT_SSH_COMMAND", command));
        access.ssh.push(("GIT_SSH_VARIANT", "ssh".to_owned()));
        Ok(access)
    }

    /// Lets `call` reach `address`; what opens other hosts is not given to it.
    pub(super) fn open(&self, mut call: Call, address: &Address) -> Call {
        // Another host is none of those that are configured.
        call = call.setting("http.followRedirects", "false");
        match address.protocol() {
            Protocol::Https | Protocol::Http => {
                let token = self
                    .token
                    .as_ref()
                    .filter(|(origin, _)| address.origin().is_some_and(|own| own == *origin));
                if let Some((origin, header)) = token {
                    call = call.secret(format!("http.{origin}/.extraHeader"), header.clone());
                }
                call
            }
            Protocol::Ssh => {
                self.ssh.iter().fold(call, |call, (name, value)| call.env(name, value))
            }
            Protocol::File => call,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn settings(rest: &str) -> GitSettings {
        let text = format!("upstream = '/u'\ndir = '/d'\n{rest}");
        toml_edit::de::from_str(&text).unwrap()
    }

    fn address(text: &str) -> Address {
        Address::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_token_is_shown_to_one_origin_and_to_no_reader() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "hunter2\n").unwrap();
        let settings = settings(&format!(
            "push = 'https://git.example/s.git'\nuser = 'ada'\ntoken = 'file:{}'",
            file.display()
        ));
        let access = Access::new(&settings).unwrap();
        let secrets = |text: &str| {
            let call = access.open(Call::new(["push"]), &address(text));
            let shown = format!("{call:?} {access:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("YWRh"), "{shown}");
            call.secrets
        };
        let own = secrets("https://git.example:443/other.git");
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].0, "http.https://git.example/.extraHeader");
        assert_eq!(own[0].1.expose_secret(), "Authorization: Basic YWRhOmh1bnRlcjI=");
        for other in ["https://git.example:8443/s.git", "https://evil.example/s.git", "/srv/s.git"]
        {
            assert!(secrets(other).is_empty(), "{other}");
        }
    }

    /// The shell that git uses takes paths as they are.
    #[test]
    fn what_ssh_is_told_is_always_the_same() {
        let settings = settings(
            "push = 'ssh://git@git.example/s.git'\nssh_key = '/etc/my keys/$(id)'\n\
             known_hosts = '/etc/known `id` hosts'",
        );
        let access = Access::new(&settings).unwrap();
        let call = access.open(Call::new(["push"]), &settings.push);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ssh() { printf '%s\\n' \"$@\"; }; eval \"$GIT_SSH_COMMAND\""]);
        shell.env_clear().envs(call.env);
        let told = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        insta::assert_snapshot!(told, @r#"
        -F
        none
        -o
        BatchMode=yes
        -o
        StrictHostKeyChecking=yes
        -o
        ForwardAgent=no
        -o
        ForwardX11=no
        -o
        ClearAllForwardings=yes
        -o
        ConnectTimeout=30
        -o
        IdentitiesOnly=yes
        -i
        /etc/my keys/$(id)
        -o
        UserKnownHostsFile="/etc/known `id` hosts"
        "#);
    }

    #[test]
    fn without_a_token_there_is_none() {
        let access = Access::new(&settings("push = 'https://git.example/s.git'")).unwrap();
        let call = access.open(Call::new(["push"]), &address("https://git.example/s.git"));
        assert!(call.secrets.is_empty());
    }
}
