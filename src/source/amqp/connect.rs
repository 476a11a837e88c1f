//! The connection: TLS, who we say we are, and what a refusal means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use lapin::types::LongString;
use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::AmqpSettings;
use crate::secret::SecretRef;
use crate::source::SourceError;

/// The limit of connecting as a whole, and of each later question to the broker.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// RabbitMQ's own user, which it accepts from the same machine only; its password is no secret.
const GUEST: &str = "guest";

/// Where the broker is, and who we are.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    /// Without the password.
    uri: AMQPUri,
    password: Password,
    ca: Option<PathBuf>,
    identity: Option<Identity>,
    client_properties: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
enum Password {
    /// In the address, as fedora-messaging has it.
    Known(SecretString),
    /// To be read at each connection.
    Kept(SecretRef),
}

/// Files with our certificate and its key.
#[derive(Clone, Debug)]
struct Identity {
    certificate: PathBuf,
    key: PathBuf,
}

impl Broker {
    /// The client properties that only we fill in.
    const RESERVED: [&str; 4] = ["connection_name", "information", "product", "version"];

    /// The broker of the settings; `inherited` is the address that holds when they have none.
    pub(super) fn new(settings: &AmqpSettings, inherited: Option<&str>) -> anyhow::Result<Self> {
        let address = settings
            .url
            .as_deref()
            .or(inherited)
            .context("`amqp.url` is missing: `amqp://` or `amqps://`")?;
        let (mut uri, password) = read_address(address).context("`amqp.url`")?;
        uri.query.heartbeat.get_or_insert(settings.heartbeat);
        let is_own = settings.url.is_some();
        ensure!(
            !is_own || ["", GUEST].contains(&password.expose_secret()),
            "`amqp.url` has a password in it: say where it is kept in `amqp.password`"
        );
        let identity = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => {
                Some(Identity { certificate: certificate.clone(), key: key.clone() })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(anyhow!("`amqp.certificate` and `amqp.key` go together"));
            }
        };
        if identity.is_some() && uri.scheme == AMQPScheme::AMQPS {
            uri.query.auth_mechanism = Some(SASLMechanism::External);
        }
        for name in Self::RESERVED {
            ensure!(
                !settings.client_properties.contains_key(name),
                "`amqp.client_properties.{name}` is reserved"
            );
        }
        ensure!(
            settings.client_properties.keys().all(|name| name.len() <= 255),
            "the name of a client property is longer than 255 bytes"
        );
        Ok(Self {
            uri,
            password: settings.password.clone().map_or(Password::Known(password), Password::Kept),
            ca: settings.ca.clone(),
            identity,
            client_properties: settings.client_properties.clone(),
        })
    }

    /// Connects, as `name` in the broker's list of connections.
    pub(super) async fn connect(&self, name: &str) -> Result<Connection, SourceError> {
        let place = self.place();
        let connection = tokio::time::timeout(ANSWER_TIMEOUT, self.dial(name)).await;
        let Ok(connection) = connection else {
            let seconds = ANSWER_TIMEOUT.as_secs();
            let error = anyhow!("no connection to {place} within {seconds} seconds");
            return Err(SourceError::Lost(error));
        };
        connection.map_err(|error| match error {
            SourceError::Lost(e) => SourceError::Lost(e.context(format!("cannot reach {place}"))),
            SourceError::Refused(e) => {
                SourceError::Refused(e.context(format!("cannot log in at {place}")))
            }
        })
    }

    async fn dial(&self, name: &str) -> Result<Connection, SourceError> {
        let tls = self.tls().map_err(SourceError::Refused)?;
        let mut uri = self.uri.clone();
        uri.authority.userinfo.password = self.read_password().map_err(SourceError::Refused)?;
        let runtime = lapin::runtime::default_runtime().map_err(judge)?;

        let host = uri.authority.host.clone();
        let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), uri.authority.port))
            .await
            .with_context(|| format!("cannot resolve `{host}`"))
            .map_err(SourceError::Lost)?
            .collect();
        let mut stream = AsyncTcpStream::connect(&runtime, addresses)
            .await
            .map_err(|error| SourceError::Lost(error.into()))?;
        if let Some(tls) = tls {
            stream = stream.into_rustls(&tls, &host).await.map_err(|error| judge(error.into()))?;
        }

        // lapin asks for a stream whenever it (re)connects; it has to do so once only, since
        // after a loss the queues have to be declared anew, and we connect again ourselves.
        let stream = Mutex::new(Some(stream));
        let hand_over = async move |_, _| {
            let stream = stream.lock().ok().and_then(|mut stream| stream.take());
            stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected).into())
        };
        Connection::connector(uri, runtime, hand_over, self.properties(name)).await.map_err(judge)
    }

    /// The broker, for people.
    fn place(&self) -> String {
        let authority = &self.uri.authority;
        format!("the broker at {}:{}", authority.host, authority.port)
    }

    fn read_password(&self) -> anyhow::Result<String> {
        Ok(match &self.password {
            Password::Known(password) => password.expose_secret().to_owned(),
            Password::Kept(place) => place.read()?.expose_secret().to_owned(),
        })
    }

    fn properties(&self, name: &str) -> ConnectionProperties {
        let own = [
            ("product", "Pointsman"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("information", env!("CARGO_PKG_DESCRIPTION")),
        ];
        let settings =
            self.client_properties.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        settings
            .chain(own)
            .fold(ConnectionProperties::default(), |properties, (name, text)| {
                properties.with_client_property(name.into(), LongString::from(text))
            })
            .with_connection_name(LongString::from(name))
    }

    fn tls(&self) -> anyhow::Result<Option<RustlsConnector>> {
        match self.uri.scheme {
            AMQPScheme::AMQP => return Ok(None),
            AMQPScheme::AMQPS => crate::remote::install_tls(),
        }
        // With an authority of its own the broker is believed on nobody else's word.
        let config = match &self.ca {
            None => RustlsConnectorConfig::new_with_native_certs()
                .context("cannot read the certificates of the system")?,
            Some(ca) => {
                RustlsConnectorConfig::default().with_parsable_certificates(certificates(ca)?)
            }
        };
        let connector = match &self.identity {
            None => config.connector_with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .with_context(|| format!("cannot read the key in `{}`", key.display()))?;
                config.connector_with_single_cert(chain, key)
            }
        };
        Ok(Some(connector.context("cannot use the certificate")?))
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let context = || format!("cannot read the certificates in `{}`", path.display());
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(context)?;
    ensure!(!certificates.is_empty(), context());
    Ok(certificates)
}

/// Splits an address in what can be shown and the password.
///
/// Where lapin's reading differs from everybody else's, this follows the others: an empty path is
/// the vhost `/`, a user without a password has an empty one, and an IPv6 host is not `localhost`.
fn read_address(address: &str) -> anyhow::Result<(AMQPUri, SecretString)> {
    // Neither error carries the text, which may have a password in it.
    let url = Url::parse(address).context("no address")?;
    let mut uri: AMQPUri = address
        .parse()
        .map_err(|error: String| anyhow!(error.replace(address, "…")))
        .context("no address of an AMQP broker")?;
    let password = std::mem::take(&mut uri.authority.userinfo.password);
    let password = match (url.username(), url.password()) {
        ("", None) => GUEST.to_owned(),
        (_, None) => String::new(),
        (_, Some(_)) => password,
    };
    if let Some(Host::Ipv6(host)) = url.host() {
        uri.authority.host = host.to_string();
    }
    if uri.vhost.is_empty() {
        "/".clone_into(&mut uri.vhost);
    }
    Ok((uri, SecretString::from(password)))
}

/// Whether it may pass: a broken connection may, a broker that says no may not.
pub(super) fn judge(error: lapin::Error) -> SourceError {
    if is_hopeless(error.kind()) {
        SourceError::Refused(error.into())
    } else {
        SourceError::Lost(error.into())
    }
}

/// The number by which the broker says why it refuses, if it does.
pub(super) fn code(error: &lapin::Error) -> Option<u16> {
    if let ErrorKind::ProtocolError(error) = error.kind() { Some(error.get_id()) } else { None }
}

fn is_hopeless(kind: &ErrorKind) -> bool {
    if let ErrorKind::ProtocolError(error) = kind {
        // Access refused, not found, precondition failed, command invalid, not allowed, not
        // implemented.  A node of a cluster that is down answers "not found" too.
        return [403, 404, 406, 503, 530, 540].contains(&error.get_id())
            && !error.get_message().as_str().contains("inaccessible");
    }
    if let ErrorKind::IOError(error) = kind {
        // A certificate that does not hold, ours or theirs, comes as an input error.
        return error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
    }
    matches!(kind, ErrorKind::InvalidProtocolVersion(_) | ErrorKind::AuthProviderError(_))
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPErrorKind};

    use super::*;

    fn broker(toml: &str) -> anyhow::Result<Broker> {
        Broker::new(&toml_edit::de::from_str(toml).unwrap(), None)
    }

    fn read(address: &str) -> (AMQPUri, String) {
        let (uri, password) = read_address(address).unwrap();
        (uri, password.expose_secret().to_owned())
    }

    fn hopeless(code: u16, text: &str) -> bool {
        let kind = AMQPErrorKind::from_id(code).unwrap();
        is_hopeless(&ErrorKind::ProtocolError(AMQPError::new(kind, text.into())))
    }

    #[test]
    fn an_address_is_read_as_other_clients_read_it() {
        let (uri, password) = read("amqps://fedora:@broker.example/%2Fpublic_pubsub?heartbeat=300");
        assert_eq!(uri.vhost, "/public_pubsub");
        assert_eq!(uri.query.heartbeat, Some(300));
        assert_eq!((uri.authority.port, password.as_str()), (5671, ""));

        let (uri, password) = read("amqp://?connection_attempts=3&retry_delay=5");
        assert_eq!((uri.authority.host.as_str(), uri.vhost.as_str()), ("localhost", "/"));
        assert_eq!(password, "guest");

        assert_eq!(read("amqp://[::1]:5673/").0.authority.host, "::1");
        assert_eq!(read("amqp://broker.example/").0.vhost, "/");
    }

    #[test]
    fn a_password_is_never_shown() {
        let settings = toml_edit::de::from_str("queue = 'q'").unwrap();
        let broker = Broker::new(&settings, Some("amqp://ada:hunter2@broker.example")).unwrap();
        assert_eq!(broker.read_password().unwrap(), "hunter2");
        assert!(!format!("{broker:?}").contains("hunter2"));
        for address in ["ada:hunter2", "http://ada:hunter2@x", "amqp://ada:hunter2@x:99999"] {
            let error = read_address(address).err().unwrap();
            assert!(!format!("{error:#} {error:?}").contains("hunter2"), "{error:#}");
        }
    }

    #[test]
    fn our_own_settings_hold_no_password() {
        let error = broker("url = 'amqp://ada:hunter2@broker.example'").err().unwrap();
        assert!(error.to_string().contains("`amqp.password`"));
        assert!(broker("url = 'amqp://guest:guest@127.0.0.1:5672'").is_ok());
    }

    #[test]
    fn a_certificate_means_external_where_there_is_tls() {
        let files = "certificate = 'c.pem'\nkey = 'k.pem'";
        let secure = broker(&format!("url = 'amqps://broker.example'\n{files}")).unwrap();
        assert_eq!(secure.uri.query.auth_mechanism, Some(SASLMechanism::External));
        let plain = broker(&format!("url = 'amqp://broker.example'\n{files}")).unwrap();
        assert_eq!(plain.uri.query.auth_mechanism, None);
        assert!(broker("url = 'amqps://broker.example'\ncertificate = 'c.pem'").is_err());
    }

    #[test]
    fn who_we_are_is_not_for_the_settings_to_say() {
        let toml = "url = 'amqp://broker.example'\nclient_properties = { product = 'x' }";
        assert!(broker(toml).err().unwrap().to_string().contains("reserved"));
    }

    #[test]
    fn a_no_is_final_and_a_broken_line_is_not() {
        assert!(hopeless(403, "ACCESS_REFUSED"));
        assert!(hopeless(406, "inequivalent arg 'durable'"));
        assert!(!hopeless(320, "CONNECTION_FORCED - broker forced connection closure"));
        assert!(!hopeless(405, "RESOURCE_LOCKED"));
        assert!(!hopeless(404, "home node of durable queue 'q' is down or inaccessible"));
        let io = |error: std::io::Error| is_hopeless(lapin::Error::from(error).kind());
        assert!(!io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(io(std::io::Error::other(rustls::Error::DecryptError)));
    }
}
