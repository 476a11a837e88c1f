//! A server that can be unplugged, plugged in again at the same port, and made to lose an answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use anyhow::Context as _;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    tasks: JoinSet<()>,
    unplug: DropGuard,
}

impl Server {
    /// Answers with `router` at `address`; port 0 stands for any free one.
    pub(super) async fn start(address: SocketAddr, router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen at {address}"))?;
        let address = listener.local_addr()?;
        let unplugged = CancellationToken::new();
        let lines = Lines { listener, unplugged: unplugged.clone() };
        let service = router.into_make_service_with_connect_info::<Line>();
        let serve = axum::serve(lines, service)
            .with_graceful_shutdown(unplugged.clone().cancelled_owned())
            .into_future();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = serve.await {
                tracing::warn!(%error, "A stand-in stopped serving");
            }
        });
        Ok(Self { address, tasks, unplug: unplugged.drop_guard() })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends at once: nothing is answered any more, and the port is free.
    pub(super) async fn stop(mut self) {
        drop(self.unplug);
        self.tasks.shutdown().await;
    }
}

/// One connection, as the one who answers sees it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    cut: Arc<AtomicBool>,
    unplugged: CancellationToken,
}

impl Line {
    /// Lets nothing more through: the caller never learns the answer.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Waits until the server is unplugged.
    pub(super) async fn unplugged(&self) {
        self.unplugged.cancelled().await;
    }

    /// Whether nobody would hear an answer.
    pub(super) fn is_dead(&self) -> bool {
        self.cut.load(Ordering::SeqCst) || self.unplugged.is_cancelled()
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

struct Lines {
    listener: TcpListener,
    unplugged: CancellationToken,
}

impl Listener for Lines {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let line = Line { cut: Arc::default(), unplugged: self.unplugged.clone() };
        (Wire { stream, line }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Wire {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.line.is_dead() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
