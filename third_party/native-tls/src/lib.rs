//! A stand-in with the interface of `native-tls` 0.2 that refuses every connection.
//!
//! `jenkins_api` is used for its types only, but its manifest also asks for an HTTP client whose
//! TLS is OpenSSL.  That client is never called; this crate keeps it compiling without OpenSSL's
//! headers, and makes sure that it could not open a TLS connection if somebody did call it.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::fmt;
use std::io::{Read, Result as IoResult, Write};

/// The only error: there is no TLS here.
#[derive(Debug)]
pub struct Error(());

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this build has no native TLS; use the rustls client")
    }
}

impl std::error::Error for Error {}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// A certificate that cannot be made.
#[derive(Clone, Debug)]
pub struct Certificate(Infallible);

impl Certificate {
    /// Refuses.
    pub fn from_der(_der: &[u8]) -> Result<Self> {
        Err(Error(()))
    }

    /// Refuses.
    pub fn from_pem(_pem: &[u8]) -> Result<Self> {
        Err(Error(()))
    }
}

/// An identity that cannot be made.
#[derive(Clone, Debug)]
pub struct Identity(Infallible);

impl Identity {
    /// Refuses.
    pub fn from_pkcs12(_der: &[u8], _password: &str) -> Result<Self> {
        Err(Error(()))
    }
}

/// Collects options and forgets them.
#[derive(Debug, Default)]
pub struct TlsConnectorBuilder(());

impl TlsConnectorBuilder {
    /// Does nothing.
    pub fn identity(&mut self, _identity: Identity) -> &mut Self {
        self
    }

    /// Does nothing.
    pub fn add_root_certificate(&mut self, _certificate: Certificate) -> &mut Self {
        self
    }

    /// Does nothing: nothing is ever accepted.
    pub fn danger_accept_invalid_certs(&mut self, _accept: bool) -> &mut Self {
        self
    }

    /// Does nothing: nothing is ever accepted.
    pub fn danger_accept_invalid_hostnames(&mut self, _accept: bool) -> &mut Self {
        self
    }

    /// Does nothing.
    pub fn use_sni(&mut self, _use: bool) -> &mut Self {
        self
    }

    /// Does nothing.
    pub fn disable_built_in_roots(&mut self, _disable: bool) -> &mut Self {
        self
    }

    /// Makes a connector that refuses.
    pub fn build(&self) -> Result<TlsConnector> {
        Ok(TlsConnector(()))
    }
}

/// A connector that refuses to connect.
#[derive(Clone, Debug)]
pub struct TlsConnector(());

impl TlsConnector {
    /// Makes a connector that refuses.
    pub fn new() -> Result<Self> {
        Ok(Self(()))
    }

    /// Starts with no options.
    pub fn builder() -> TlsConnectorBuilder {
        TlsConnectorBuilder(())
    }

    /// Refuses.
    pub fn connect<S>(
        &self,
        _domain: &str,
        _stream: S,
    ) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
        Err(HandshakeError::Failure(Error(())))
    }
}

/// An acceptor that cannot be made.
#[derive(Clone, Debug)]
pub struct TlsAcceptor(Infallible);

impl TlsAcceptor {
    /// Cannot be called.
    pub fn accept<S>(
        &self,
        _stream: S,
    ) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
        match self.0 {}
    }
}

/// Why no TLS connection came about.
#[derive(Debug)]
pub enum HandshakeError<S> {
    /// Always this.
    Failure(Error),
    /// Never this.
    WouldBlock(MidHandshakeTlsStream<S>),
}

impl<S> From<Error> for HandshakeError<S> {
    fn from(error: Error) -> Self {
        Self::Failure(error)
    }
}

/// A handshake that cannot have begun.
#[derive(Debug)]
pub struct MidHandshakeTlsStream<S>(Infallible, std::marker::PhantomData<S>);

impl<S> MidHandshakeTlsStream<S> {
    /// Cannot be called.
    pub fn handshake(self) -> std::result::Result<TlsStream<S>, HandshakeError<S>> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn get_mut(&mut self) -> &mut S {
        match self.0 {}
    }
}

/// A connection that cannot exist.
#[derive(Debug)]
pub struct TlsStream<S>(Infallible, std::marker::PhantomData<S>);

impl<S> TlsStream<S> {
    /// Cannot be called.
    pub fn get_ref(&self) -> &S {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn get_mut(&mut self) -> &mut S {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn shutdown(&mut self) -> IoResult<()> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn buffered_read_size(&self) -> Result<usize> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn peer_certificate(&self) -> Result<Option<Certificate>> {
        match self.0 {}
    }
}

impl<S> Read for TlsStream<S> {
    fn read(&mut self, _buffer: &mut [u8]) -> IoResult<usize> {
        match self.0 {}
    }
}

impl<S> Write for TlsStream<S> {
    fn write(&mut self, _buffer: &[u8]) -> IoResult<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> IoResult<()> {
        match self.0 {}
    }
}
