//! Where a repository is: an address that can be shown, logged and handed to git.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::call::Protocol;

/// The address of a repository: `https://`, `ssh://`, or an absolute path; never with a password.
///
/// Nothing in it can be taken for an option, nor for a helper (`ext::`) that git would run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

impl schemars::JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The address of a repository: `https://…`, `ssh://…` or an absolute path.",
            "type": "string",
        })
    }
}

/// Why a text is no address of a repository.  The text is not in it: it may carry a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It is written as `user@host:path`.
    #[error("is written as for scp: write `ssh://user@host/path`")]
    Scp,
    /// Its scheme is none of ours.
    #[error("is neither `https://…`, `ssh://…` nor an absolute path")]
    Scheme,
    /// It is not encrypted.
    #[error("cannot be `http://` but on this machine: write `https://`")]
    Open,
    /// Somebody could read it in a log.
    #[error("carries a user or password, which do not belong into an address")]
    Secret,
    /// Something else does not belong there.
    #[error("has something in it that no address of a repository has")]
    Odd,
}

impl Address {
    /// The longest address.
    const BYTES_MAX: usize = 1000;

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The way there.
    pub fn protocol(&self) -> Protocol {
        match self.0.split_once("://") {
            Some(("https", _)) => Protocol::Https,
            Some(("http", _)) => Protocol::Http,
            Some(("ssh", _)) => Protocol::Ssh,
            Some(_) | None => Protocol::File,
        }
    }

    /// Scheme, host and port, where credentials for one address are good for another.
    pub fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.0).ok()?;
        match self.protocol() {
            Protocol::Https | Protocol::Http => Some(url.origin().ascii_serialization()),
            Protocol::Ssh | Protocol::File => None,
        }
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        let is_odd = |c: char| c.is_control() || c.is_whitespace();
        if text.len() > Self::BYTES_MAX || text.contains(is_odd) {
            return Err(InvalidAddress::Odd);
        }
        if text.starts_with('/') {
            return Ok(Self(text));
        }
        if !text.contains("://") {
            let is_scp = text.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
            return Err(if is_scp { InvalidAddress::Scp } else { InvalidAddress::Scheme });
        }
        let url = Url::parse(&text).map_err(|_invalid| InvalidAddress::Scheme)?;
        let host = url.host_str().unwrap_or_default();
        // git takes the scheme as it is written.
        let scheme = text.split("://").next().unwrap_or_default();
        match scheme {
            "https" | "http" if !url.username().is_empty() => return Err(InvalidAddress::Secret),
            "http" if !matches!(host, "127.0.0.1" | "localhost" | "[::1]") => {
                return Err(InvalidAddress::Open);
            }
            "https" | "http" | "ssh" => {}
            _other => return Err(InvalidAddress::Scheme),
        }
        if url.password().is_some() {
            return Err(InvalidAddress::Secret);
        }
        // ssh would take a host or a user that begins with `-` for an option.
        let begins_well =
            |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        let is_odd = !begins_well(host)
            || !(url.username().is_empty() || begins_well(url.username()))
            || url.query().is_some()
            || url.fragment().is_some();
        if is_odd { Err(InvalidAddress::Odd) } else { Ok(Self(text)) }
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Protocol, InvalidAddress> {
        Address::try_from(text.to_owned()).map(|address| address.protocol())
    }

    #[test]
    fn an_address_is_https_ssh_or_a_path() {
        assert_eq!(read("https://git.example/a/b.git"), Ok(Protocol::Https));
        assert_eq!(read("ssh://git@git.example:2222/a/b.git"), Ok(Protocol::Ssh));
        assert_eq!(read("/srv/git/b.git"), Ok(Protocol::File));
        assert_eq!(read("http://127.0.0.1:8080/b.git"), Ok(Protocol::Http));
    }

    #[test]
    fn nothing_else_is_an_address() {
        for (text, why) in [
            ("git@git.example:a/b.git", InvalidAddress::Scp),
            ("srv/b.git", InvalidAddress::Scheme),
            ("git://git.example/b.git", InvalidAddress::Scheme),
            ("file:///srv/b.git", InvalidAddress::Scheme),
            ("HTTPS://git.example/b.git", InvalidAddress::Scheme),
            ("ext::sh -c id", InvalidAddress::Odd),
            ("ext::id", InvalidAddress::Scp),
            ("http://git.example/b.git", InvalidAddress::Open),
            ("https://me:hunter2@git.example/b.git", InvalidAddress::Secret),
            ("https://me@git.example/b.git", InvalidAddress::Secret),
            ("ssh://me:hunter2@git.example/b.git", InvalidAddress::Secret),
            ("ssh://-oProxyCommand=id/b.git", InvalidAddress::Odd),
            ("ssh://-x@git.example/b.git", InvalidAddress::Odd),
            ("https://git.example/b.git?token=x", InvalidAddress::Odd),
            ("/srv/a\nb", InvalidAddress::Odd),
            ("", InvalidAddress::Scheme),
        ] {
            assert_eq!(read(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn credentials_are_good_for_one_origin() {
        let origin = |text: &str| Address::try_from(text.to_owned()).unwrap().origin();
        assert_eq!(origin("https://git.example/a"), origin("https://git.example:443/b"));
        assert_ne!(origin("https://git.example/a"), origin("https://git.example:8443/a"));
        assert_eq!(origin("/srv/a"), None);
        assert_eq!(origin("ssh://git.example/a"), None);
    }
}
