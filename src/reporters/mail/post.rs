//! The way to the mail server, and what its answers mean.
//!
//! A connection for each letter: letters are few, and a connection that waited may be dead.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};

use super::letter::Written;
use super::{MailSettings, Security};
use crate::neutral;
use crate::remote::{Failure, install_tls};
use crate::reporters::markup::cut;

/// How much of the server's own words an error repeats.
const WORDS_MAX_CHARS: usize = 300;
/// How long a farewell may take: the letter is delivered by then.
const FAREWELL: Duration = Duration::from_secs(5);

/// A mail server, and how we get in.
pub(super) struct PostOffice {
    name: String,
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    login: Option<(String, SecretString)>,
    hello: ClientId,
    timeout: Duration,
}

impl std::fmt::Debug for PostOffice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostOffice({} at {})", self.name, self.address())
    }
}

/// What went wrong, and whether the server may have repeated what it was told in its words.
struct Trouble {
    error: Error,
    is_login: bool,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self { error, is_login: false }
    }
}

impl PostOffice {
    pub(super) fn new(name: &str, settings: &MailSettings) -> anyhow::Result<Self> {
        install_tls();
        let tls = match settings.security {
            Security::None => None,
            Security::StartTls | Security::Tls => Some(tls(settings)?),
        };
        let password = settings.password.as_ref().map(crate::secret::SecretRef::read);
        let password =
            password.transpose().with_context(|| format!("cannot use `mail.{name}.password`"))?;
        Ok(Self {
            name: name.to_owned(),
            host: settings.host.clone(),
            port: settings.port(),
            security: settings.security,
            tls,
            login: settings.username.clone().zip(password),
            hello: settings.hello.clone().map_or_else(ClientId::default, ClientId::Domain),
            timeout: settings.timeout,
        })
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Hands over a letter.
    pub(super) async fn send(&self, letter: &Written) -> Result<(), Failure> {
        let bytes = letter.message.formatted();
        let sent = async {
            let mut connection = self.open().await?;
            let mut envelope = letter.message.envelope();
            if let Some((author, others)) = &letter.author
                && !self.takes(author, envelope.from().cloned(), &mut connection).await?
            {
                envelope = others;
            }
            connection.send(envelope, &bytes).await?;
            Ok(connection)
        };
        let connection = self.in_time(sent, "cannot send a letter").await?;
        Self::leave(connection).await;
        Ok(())
    }

    /// Whether the server takes letters for the author of a series.  Anybody can send a mail as
    /// from an address that does not exist; that it cannot be told for now is a no, too.
    async fn takes(
        &self,
        author: &Address,
        from: Option<Address>,
        connection: &mut AsyncSmtpConnection,
    ) -> Result<bool, Trouble> {
        connection.command(Mail::new(from, Vec::new())).await?;
        let answer = connection.command(Rcpt::new(author.clone(), Vec::new())).await;
        if let Err(refusal) = &answer
            && refusal.status().is_some()
        {
            let reason = one_line(&refusal.to_string());
            tracing::info!(mail = self.name, reason, "The author of a series cannot be written to");
            connection.command(Rset).await?;
            return Ok(false);
        }
        answer?;
        connection.command(Rset).await?;
        Ok(true)
    }

    /// Goes in and out.
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        let tried = async {
            let mut connection = self.open().await?;
            let is_awake = connection.test_connected().await;
            Ok((connection, is_awake))
        };
        let (connection, is_awake) = self.in_time(tried, "cannot use it").await?;
        Self::leave(connection).await;
        if is_awake { Ok(()) } else { Err(Failure::retry(anyhow!("it does not answer `NOOP`"))) }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let tls = self.tls.clone().filter(|_| self.security == Security::Tls);
        let server = (self.host.as_str(), self.port);
        let limit = Some(self.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, limit, &self.hello, tls, None).await?;
        if let Some(tls) = self.tls.clone().filter(|_| self.security == Security::StartTls) {
            // A server that does not offer it is an error: nothing is said in the clear.
            connection.starttls(tls, &self.hello).await?;
        }
        if let Some((user, password)) = &self.login {
            let password = password.expose_secret().to_owned();
            let credentials = Credentials::new(user.clone(), password);
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let login = connection.auth(&mechanisms, &credentials).await;
            login.map_err(|error| Trouble { error, is_login: true })?;
        }
        Ok(connection)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>> + Send,
        what: &str,
    ) -> Result<T, Failure> {
        let what = format!("{what} by `mail.{}` ({})", self.name, self.address());
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result.map_err(|trouble| judged(&trouble, &what)),
            Err(_) => Err(Failure::retry(anyhow!("{what}: no answer in {:?}", self.timeout))),
        }
    }

    /// Says goodbye; whatever comes of it, the letter is delivered.
    async fn leave(mut connection: AsyncSmtpConnection) {
        let left = tokio::time::timeout(FAREWELL, connection.quit()).await;
        if !matches!(left, Ok(Ok(_))) {
            tracing::trace!("the mail server did not say goodbye");
        }
    }
}

fn tls(settings: &MailSettings) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca {
        let what = || format!("cannot use the certificates in `{}`", path.display());
        let pem = std::fs::read(path).with_context(what)?;
        let certificate = Certificate::from_pem(&pem).with_context(what)?;
        builder =
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build_rustls().context("cannot set up TLS")
}

/// What an error means: a reply that begins with 5 will be the same next time, and so will what
/// the server has not learned; anything else may pass.
fn judged(trouble: &Trouble, what: &str) -> Failure {
    let Trouble { error, is_login } = trouble;
    // A server may repeat what it did not understand, and that is the password.
    let text = match error.status() {
        Some(code) if *is_login => format!("it does not let `username` in ({code})"),
        Some(_) | None => one_line(&error.to_string()),
    };
    let source = anyhow!("{what}: {text}");
    if error.is_permanent() || error.is_client() {
        Failure::give_up(source)
    } else {
        Failure::retry(source)
    }
}

fn one_line(text: &str) -> String {
    cut(&neutral::plain(text).replace('\n', " "), WORDS_MAX_CHARS)
}
