//! The one HTTP client, and what an answer means for whoever asked.
//!
//! Redirects are off, every wait and every body has a limit, and an error never carries a body:
//! error pages are HTML, and may repeat what was sent.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode};
use url::Url;

use crate::clock::Clock;

pub mod gitlab;

/// What a failed call means for the one who tried.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may work later.
    #[error("temporary failure")]
    Retry {
        /// What went wrong.
        #[source]
        source: anyhow::Error,
        /// How long the other side asks us to wait.
        after: Option<Duration>,
    },
    /// It will not work however often we try.
    #[error("permanent failure")]
    GiveUp(#[source] anyhow::Error),
}

impl Failure {
    /// A failure that may pass.
    pub fn retry(source: impl Into<anyhow::Error>) -> Self {
        Self::Retry { source: source.into(), after: None }
    }

    /// A failure that will not pass.
    pub fn give_up(source: impl Into<anyhow::Error>) -> Self {
        Self::GiveUp(source.into())
    }
}

/// The whole chain of causes in one line, for logs and the ledger.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// A client for one outside system.
#[derive(Clone, Debug)]
pub struct Remote {
    client: reqwest::Client,
    base: Url,
    clock: Clock,
}

/// Makes ring the provider of cryptography for every TLS connection of the process.
pub fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let lost_the_race = rustls::crypto::ring::default_provider().install_default().is_err();
        if lost_the_race {
            tracing::trace!("another thread has chosen the provider of cryptography");
        }
    }
}

/// What the other side answered, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`Remote::BODY_MAX_BYTES`].
    pub body: Vec<u8>,
}

impl Remote {
    /// The largest answer that is read.
    pub const BODY_MAX_BYTES: usize = 8 * 1024 * 1024;
    /// The longest wait that a `Retry-After` can impose.
    pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// A client for the system at `base`; `timeout` limits each request as a whole.
    pub fn new(base: &Url, timeout: Duration, clock: Clock) -> Result<Self, reqwest::Error> {
        install_tls();
        let client = reqwest::Client::builder()
            .user_agent(concat!("pointsman/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Self::CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .build()?;
        let mut base = base.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { client, base, clock })
    }

    /// The address of the system, always with a slash at its end.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The address of `segments` below the base; each segment is percent-encoded.
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// A request that can be given headers and a body, and then to [`Remote::send`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends, and reads the answer to its end.  Any status is an answer; only a connection that
    /// fails, or a body without end, is a [`Failure`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        // reqwest's errors name the URL, and a URL may carry a token.
        let lost = |error: reqwest::Error| Failure::retry(error.without_url());
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > Self::BODY_MAX_BYTES {
                return Err(Failure::retry(anyhow::anyhow!(
                    "the answer is larger than {} bytes",
                    Self::BODY_MAX_BYTES
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// What an unwelcome answer means: 408, 425, 429 and 5xx may pass, anything else will not.
    ///
    /// `what` says what was tried, such as ``cannot start job `kernel` ``.
    pub fn refusal(&self, answer: &Answer, what: &str) -> Failure {
        let source = anyhow::anyhow!("{what}: {}", answer.status);
        let status = answer.status.as_u16();
        if matches!(status, 408 | 425 | 429) || answer.status.is_server_error() {
            Failure::Retry { source, after: self.retry_after(&answer.headers) }
        } else {
            Failure::GiveUp(source)
        }
    }

    /// How long `Retry-After` asks us to wait, in seconds or until a date (RFC 9110, 10.2.3).
    pub fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = if let Ok(seconds) = text.parse::<u64>() {
            Duration::from_secs(seconds)
        } else {
            let date = DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(date.duration_since(self.clock.now())).ok()?
        };
        Some(wait.min(Self::RETRY_AFTER_MAX))
    }
}

impl Answer {
    /// The body as JSON of a known shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::retry(anyhow::Error::new(error).context(what.to_owned())))
    }

    /// Where the `Location` header points, which may be a path only.
    pub fn location(&self, base: &Url) -> Option<Url> {
        base.join(self.headers.get(LOCATION)?.to_str().ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Hand, from_millis};

    fn remote() -> Remote {
        let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_000)));
        let base = Url::parse("https://ci.example/prefix").unwrap();
        Remote::new(&base, Duration::from_secs(1), clock).unwrap()
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, text.parse().unwrap());
        }
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Vec::new() }
    }

    #[test]
    fn what_is_in_a_url_is_encoded() {
        let url = remote().url(&["job", "a b/c?#", "ü"]);
        assert_eq!(url.as_str(), "https://ci.example/prefix/job/a%20b%2Fc%3F%23/%C3%BC");
    }

    #[test]
    fn busy_is_not_no() {
        for status in [408, 425, 429, 500, 502, 503] {
            let failure = remote().refusal(&answer(status, None), "cannot");
            assert!(matches!(failure, Failure::Retry { .. }), "{status}");
        }
        for status in [302, 400, 401, 403, 404, 409] {
            let failure = remote().refusal(&answer(status, None), "cannot");
            assert!(matches!(failure, Failure::GiveUp(_)), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let wait = |text| match remote().refusal(&answer(429, Some(text)), "cannot") {
            Failure::Retry { after, .. } => after,
            Failure::GiveUp(_) => None,
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Fri, 20 Nov 2026 08:21:57 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(wait("9999999"), Some(Remote::RETRY_AFTER_MAX));
        assert_eq!(wait("soon"), None);
    }
}
