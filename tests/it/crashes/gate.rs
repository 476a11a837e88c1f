//! Gates on the way to the systems outside, which see what passes and can hold it back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What is behind a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Jenkins,
    Forge,
    Broker,
}

/// Where on its way a request is when its sender dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// It does not get there.
    Before,
    /// It has just got there.
    There,
    /// It was performed, and the answer does not get back.
    Back,
}

/// What is waited for at the gates.
#[derive(Clone, Copy, Debug)]
struct Armed {
    place: Place,
    stretch: Stretch,
    left: usize,
    /// What stands in the first line of the requests that are meant.
    words: &'static str,
}

/// Catches one passing request.
#[derive(Default)]
pub(super) struct Trap {
    armed: Mutex<Option<Armed>>,
    sprung: Notify,
}

impl Trap {
    /// Waits for the `number`th request with these words, or acknowledgement, at a gate.
    pub(super) fn arm(
        &self,
        (place, words): (Place, &'static str),
        stretch: Stretch,
        number: usize,
    ) {
        *self.armed.lock().unwrap() = Some(Armed { place, stretch, left: number.max(1), words });
    }

    /// Whether a request is one of those that are waited for, wherever it is.
    fn means(&self, request: &[u8]) -> bool {
        let armed = self.armed.lock().unwrap();
        let Some(Armed { words, .. }) = *armed else { return true };
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        words.is_empty() || String::from_utf8_lossy(line).contains(words)
    }

    /// Lets everything pass.
    pub(super) fn disarm(&self) {
        *self.armed.lock().unwrap() = None;
        // What was caught in the last moment is not taken for the next catch.
        self.sprung.notified().now_or_never();
    }

    /// Waits until it has caught something.
    pub(super) async fn sprung(&self) {
        self.sprung.notified().await;
    }

    /// Whether what passes is caught, and if so where it is.
    fn see(&self, place: Place, way: Way, count: usize) -> Option<Stretch> {
        let mut armed = self.armed.lock().unwrap();
        let waiting = armed.as_mut()?;
        let is_way = (waiting.stretch == Stretch::Back) == (way == Way::Back);
        if waiting.place != place || !is_way || count == 0 {
            return None;
        }
        waiting.left = waiting.left.saturating_sub(count);
        let stretch = waiting.stretch;
        if waiting.left > 0 {
            return None;
        }
        *armed = None;
        Some(stretch)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// A gate; it closes when it is dropped.
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    _guard: JoinSet<()>,
}

impl Gate {
    /// A gate before `target`.
    pub(super) async fn before(target: SocketAddr, place: Place, trap: &Arc<Trap>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let trap = Arc::clone(trap);
        let mut guard = JoinSet::new();
        guard.spawn(async move {
            let mut lines = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                lines.spawn(carry(near, target, place, Arc::clone(&trap)));
                while lines.try_join_next().is_some() {}
            }
        });
        Self { address, _guard: guard }
    }
}

/// Carries one connection, until one of its ends is gone.
async fn carry(near: TcpStream, target: SocketAddr, place: Place, trap: Arc<Trap>) {
    // A broker that restarts takes no connection; so does ours then.
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let mut frames = Frames::default();
    // Whether what goes on here now is meant.
    let is_meant = AtomicBool::new(true);
    let there = |bytes: &[u8]| {
        let count = if place == Place::Broker {
            frames.acknowledgements(bytes)
        } else {
            if bytes.first().is_some_and(u8::is_ascii_uppercase) {
                is_meant.store(trap.means(bytes), Ordering::SeqCst);
            }
            usize::from(is_meant.load(Ordering::SeqCst))
        };
        trap.see(place, Way::There, count)
    };
    let back = |_: &[u8]| trap.see(place, Way::Back, usize::from(is_meant.load(Ordering::SeqCst)));
    tokio::select! {
        () = pump(near_read, far_write, there, &trap) => {}
        () = pump(far_read, near_write, back, &trap) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut see: impl FnMut(&[u8]) -> Option<Stretch>,
    trap: &Trap,
) {
    let mut buffer = vec![0; 64 * 1024];
    let mut is_caught = false;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..count];
        // What comes after the one that was caught is held back too.
        let caught = if is_caught { Some(Stretch::Before) } else { see(bytes) };
        if matches!(caught, None | Some(Stretch::There)) && to.write_all(bytes).await.is_err() {
            return;
        }
        if caught.is_some() && !is_caught {
            is_caught = true;
            trap.sprung.notify_one();
        }
    }
}

/// Finds `basic.ack` among the frames of AMQP.
#[derive(Default)]
struct Frames {
    unread: Vec<u8>,
    is_greeted: bool,
}

impl Frames {
    /// The protocol header, with which a client begins.
    const GREETING: usize = 8;
    /// Type, channel and size before a payload, and the mark behind it.
    const HEAD: usize = 7;
    const MARK: usize = 1;
    /// Class `basic`, method `ack`.
    const ACK: [u8; 4] = [0, 60, 0, 80];

    fn acknowledgements(&mut self, bytes: &[u8]) -> usize {
        self.unread.extend_from_slice(bytes);
        if !self.is_greeted {
            if self.unread.len() < Self::GREETING {
                return 0;
            }
            self.unread.drain(..Self::GREETING);
            self.is_greeted = true;
        }
        let mut count = 0;
        while let Some(size) = self.unread.get(3..Self::HEAD) {
            let size = u32::from_be_bytes(size.try_into().unwrap());
            let end = Self::HEAD + usize::try_from(size).unwrap() + Self::MARK;
            if self.unread.len() < end {
                break;
            }
            let is_method = self.unread[0] == 1;
            count += usize::from(is_method && self.unread[Self::HEAD..].starts_with(&Self::ACK));
            self.unread.drain(..end);
        }
        count
    }
}
