//! How a build itself says that it has ended: where, and with what token.
//!
//! Who proposes a change may write what its build does, so the word of a build counts for
//! nothing: all that it can do is to have us look at once at what we would have looked at anyway.
//! The token is that of one run, and can be shown to whoever builds it.

use anyhow::ensure;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::hooks::signature;
use crate::secret;
use crate::subject::RunId;

/// The build parameter with the address that is posted to.
pub const ADDRESS_PARAMETER: &str = "POINTSMAN_REPORT_URL";
/// The build parameter with the token of the run.
pub const TOKEN_PARAMETER: &str = "POINTSMAN_REPORT_TOKEN";
/// Where, below the address of our pages, the file with the job that reports is.
pub const FILE_AT: [&str; 2] = ["ci", "report.yml"];
/// The file with the job that reports, which a build's own configuration includes.
pub const FILE: &str = include_str!("ended/report.yml");
/// The name of that job.
pub const JOB: &str = "pointsman-report";
/// The stage of that job, which is the last of all.
pub const STAGE: &str = ".post";

/// How short the secret may be, in bytes: tokens are shown, and can be tried against guesses.
const SECRET_MIN_BYTES: usize = 16;

/// Where builds say that they have ended.
#[derive(Clone, Debug)]
pub struct EndedDoor {
    page_url: Url,
    secret: SecretString,
}

impl EndedDoor {
    /// The door below `page_url`, with tokens that are made of `secret`.
    pub fn new(page_url: &Url, secret: SecretString) -> anyhow::Result<Self> {
        let is_long = secret.expose_secret().len() >= SECRET_MIN_BYTES;
        ensure!(is_long, "the secret is shorter than {SECRET_MIN_BYTES} bytes");
        Ok(Self { page_url: page_url.clone(), secret })
    }

    /// Where the build of `run` says that it has ended.
    pub fn address(&self, run: &RunId) -> Url {
        below(&self.page_url, &["runs", run.as_str(), "ended"])
    }

    /// Where the file with the job that reports is, below `page_url`.
    pub fn file_address(page_url: &Url) -> Url {
        below(page_url, &FILE_AT)
    }

    /// The token of `run`: the HMAC-SHA-256 of its id by our secret, in hexadecimal digits.
    pub fn token(&self, run: &RunId) -> SecretString {
        SecretString::from(signature::sign(&self.secret, run.as_str().as_bytes()))
    }

    /// Whether `presented` is the token of `run`, found out in time that does not depend on where
    /// they differ.
    pub fn is_token(&self, run: &RunId, presented: &str) -> bool {
        secret::is_same(&self.token(run), presented)
    }
}

fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(digit: char) -> RunId {
        RunId::try_from(digit.to_string().repeat(32)).unwrap()
    }

    fn door(secret: &str) -> anyhow::Result<EndedDoor> {
        let page_url = Url::parse("https://pointsman.example/ci-bus/").unwrap();
        EndedDoor::new(&page_url, SecretString::from(secret.to_owned()))
    }

    #[test]
    fn a_token_is_that_of_one_run_and_one_secret() {
        let (ours, theirs) = (door("points-are-set-1").unwrap(), door("points-are-set-2").unwrap());
        let token = ours.token(&run('1'));
        let token = token.expose_secret();
        assert!(ours.is_token(&run('1'), token));
        assert!(!ours.is_token(&run('2'), token));
        assert!(!theirs.is_token(&run('1'), token));
        assert!(!ours.is_token(&run('1'), ""));
        assert!(!format!("{ours:?}").contains("points-are-set"));
    }

    #[test]
    fn addresses_are_below_our_pages() {
        let door = door("points-are-set-1").unwrap();
        let address = door.address(&run('1'));
        insta::assert_snapshot!(address, @"https://pointsman.example/ci-bus/runs/11111111111111111111111111111111/ended");
        let bare = Url::parse("https://pointsman.example").unwrap();
        insta::assert_snapshot!(EndedDoor::file_address(&bare), @"https://pointsman.example/ci/report.yml");
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert!(door("short").unwrap_err().to_string().contains("16 bytes"));
    }

    #[test]
    fn the_file_has_the_job_and_only_variables() {
        assert!(FILE.contains(&format!("\n{JOB}:\n  stage: {STAGE}\n")));
        for variable in [ADDRESS_PARAMETER, TOKEN_PARAMETER] {
            assert!(FILE.contains(&format!("\"${variable}\"")), "{variable}");
        }
        assert!(!FILE.contains("http"));
    }
}
