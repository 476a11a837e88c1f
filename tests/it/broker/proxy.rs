//! A line to the broker that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Forwards connections until it is cut; later ones are forwarded again.
pub(super) struct Proxy {
    address: SocketAddr,
    scissors: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// A proxy before the broker at `address`.
    pub(super) async fn before(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scissors = Arc::new(Notify::new());
        let mut task = JoinSet::new();
        let own_address = listener.local_addr().unwrap();
        let cut = Arc::clone(&scissors);
        task.spawn(async move {
            let mut lines = JoinSet::new();
            loop {
                tokio::select! {
                    () = cut.notified() => lines.abort_all(),
                    accepted = listener.accept() => {
                        let (near, _) = accepted.unwrap();
                        let far = TcpStream::connect(&address).await.unwrap();
                        lines.spawn(forward(near, far));
                    }
                }
            }
        });
        Self { address: own_address, scissors, _task: task }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks all connections, without a word to either side.
    pub(super) fn cut(&self) {
        self.scissors.notify_one();
    }
}

async fn forward(mut near: TcpStream, mut far: TcpStream) {
    // Either side may go first; the end of the line is what the tests are about.
    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
}
