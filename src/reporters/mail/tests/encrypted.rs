//! With TLS, against a server with a certificate of its own.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const CERTIFICATE: &[u8] = include_bytes!("server.pem");
const KEY: &[u8] = include_bytes!("server.key");

/// What was heard before and after TLS began.
type Heard = (Vec<String>, Vec<String>);

/// Serves one connection, and tells at its end what it heard.
fn serve(security: Security) -> (u16, JoinHandle<Heard>) {
    crate::remote::install_tls();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut clear = Vec::new();
        if security == Security::StartTls {
            stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
            clear = talk(&mut stream, "250-mail.example\r\n250 STARTTLS\r\n");
        }
        let certificates = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(certificates.unwrap(), key).unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream: StreamOwned<ServerConnection, TcpStream> =
            StreamOwned::new(connection, stream);
        if security == Security::Tls && stream.write_all(b"220 mail.example ESMTP\r\n").is_err() {
            return (clear, Vec::new());
        }
        let secret = talk(&mut stream, "250-mail.example\r\n250 AUTH PLAIN\r\n");
        (clear, secret)
    });
    (port, server)
}

/// Talks until TLS is to begin, or the other side is gone.
fn talk(stream: &mut (impl Read + Write), hello: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let mut is_letter = false;
    loop {
        let mut line = String::new();
        // One byte at a time: what follows may be TLS, and is not for us.
        let mut reader = BufReader::with_capacity(1, &mut *stream);
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return heard;
        }
        let word = line.split([' ', ':']).next().unwrap_or_default().trim().to_owned();
        let reply = match word.as_str() {
            "." => "250 Ok: queued\r\n",
            _ if is_letter => "",
            "EHLO" => hello,
            "STARTTLS" => "220 Go ahead\r\n",
            "AUTH" => "235 Welcome\r\n",
            "DATA" => "354 Go on\r\n",
            "QUIT" => "221 Bye\r\n",
            _ => "250 Ok\r\n",
        };
        is_letter = word == "DATA" || (is_letter && word != ".");
        if !is_letter || word == "DATA" {
            heard.push(word.clone());
        }
        if stream.write_all(reply.as_bytes()).and_then(|()| stream.flush()).is_err()
            || word == "STARTTLS"
        {
            return heard;
        }
    }
}

/// A reporter that believes the authority of the server's certificate, or the system's.
fn reporter(port: u16, security: Security, is_believed: bool) -> (Mail, TempDir) {
    let folder = TempDir::new().unwrap();
    let (ca, password) = (folder.path().join("ca.pem"), folder.path().join("password"));
    std::fs::write(&ca, include_bytes!("ca.pem")).unwrap();
    std::fs::write(&password, PASSWORD).unwrap();
    let settings = MailSettings {
        host: "localhost".to_owned(),
        port: Some(port),
        security,
        ca: is_believed.then_some(ca),
        password: Some(SecretRef::File(password)),
        ..settings()
    };
    (Mail::new("list", &settings, clock()).unwrap(), folder)
}

#[tokio::test]
async fn a_letter_travels_in_secret() {
    for security in [Security::StartTls, Security::Tls] {
        let (port, server) = serve(security);
        let (reporter, _folder) = reporter(port, security, true);
        reporter.tell(&told(Verdict::Success), Try::First).await.unwrap();
        let (clear, secret) = server.join().unwrap();
        let greeting: &[&str] = if security == Security::Tls { &[] } else { &["EHLO", "STARTTLS"] };
        assert_eq!(clear, greeting);
        let talk = ["EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "RCPT", "DATA", ".", "QUIT"];
        assert_eq!(secret, talk);
    }
}

#[tokio::test]
async fn a_stranger_is_told_nothing() {
    for security in [Security::StartTls, Security::Tls] {
        let (port, server) = serve(security);
        let (reporter, _folder) = reporter(port, security, false);
        let failure = reporter.tell(&told(Verdict::Success), Try::First).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
        let (_, secret) = server.join().unwrap();
        assert_eq!(secret, [""; 0]);
    }
}
