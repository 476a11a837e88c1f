//! The bodies of requests: each has a limit and a time, and all of them together have a limit too.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a sender may take to send a body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many of the largest bodies there is room for at the same time.  Who signs a
/// webhook is known only at the end of it, so that a stranger with a signature is read, too.
const LARGEST_AT_ONCE: usize = 32;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// There is too much of it.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("the body takes too long")]
    TooSlow,
    /// The sender ended in the middle.
    #[error("the body broke off")]
    BrokeOff,
    /// Others' bodies take all the room.
    #[error("too much is being sent at once, try again later")]
    NoRoom,
}

impl Unread {
    /// How it is said in HTTP.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokeOff => StatusCode::BAD_REQUEST,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The room for bodies that are being read.
#[derive(Clone, Debug)]
pub struct Room {
    bytes: Arc<Semaphore>,
    body_max: usize,
}

/// A body, which takes its room until it is dropped.
#[derive(Debug)]
pub struct Read {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Read {
    /// What was sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    /// Room for bodies of up to `body_max` bytes.
    pub fn new(body_max: usize) -> Self {
        let bytes = body_max.saturating_mul(LARGEST_AT_ONCE).min(Semaphore::MAX_PERMITS);
        Self { bytes: Arc::new(Semaphore::new(bytes)), body_max }
    }

    /// Reads `body` to its end, within all limits.
    pub async fn read(&self, body: Body) -> Result<Read, Unread> {
        tokio::time::timeout(TIMEOUT, self.collect(body)).await.map_err(|_late| Unread::TooSlow)?
    }

    async fn collect(&self, body: Body) -> Result<Read, Unread> {
        let mut stream = body.into_data_stream();
        let mut bytes = Vec::new();
        let mut held: Option<OwnedSemaphorePermit> = None;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_broken| Unread::BrokeOff)?;
            if bytes.len() + chunk.len() > self.body_max {
                return Err(Unread::TooLarge(self.body_max));
            }
            let count = u32::try_from(chunk.len()).map_err(|_huge| Unread::NoRoom)?;
            let more = Arc::clone(&self.bytes).try_acquire_many_owned(count);
            let more = more.map_err(|_full| Unread::NoRoom)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Read { bytes, _room: held })
    }
}

/// Reads `body` to its end and keeps nothing of it; at most `body_max` bytes, and not for ever.
pub async fn drop_all(body: Body, body_max: usize) -> Result<(), Unread> {
    let all = async {
        let mut stream = body.into_data_stream();
        let mut read = 0_usize;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_broken| Unread::BrokeOff)?;
            read = read.saturating_add(chunk.len());
            if read > body_max {
                return Err(Unread::TooLarge(body_max));
            }
        }
        Ok(())
    };
    tokio::time::timeout(TIMEOUT, all).await.map_err(|_late| Unread::TooSlow)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_bodies_together_have_a_limit() {
        let room = Room::new(10);
        let mut held = Vec::new();
        for _ in 0..LARGEST_AT_ONCE {
            held.push(room.read(Body::from("0123456789")).await.unwrap());
        }
        assert!(matches!(room.read(Body::from("0")).await, Err(Unread::NoRoom)));
        held.pop();
        assert_eq!(room.read(Body::from("0")).await.unwrap().bytes(), b"0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_in_vain() {
        let endless =
            Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
        assert!(matches!(Room::new(10).read(endless).await, Err(Unread::TooSlow)));
        let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("gone"))]);
        let broken = Room::new(10).read(Body::from_stream(broken)).await;
        assert!(matches!(broken, Err(Unread::BrokeOff)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_kept_has_a_limit_and_a_time_too() {
        assert!(drop_all(Body::from("0123456789"), 10).await.is_ok());
        assert!(matches!(drop_all(Body::from("0123456789"), 9).await, Err(Unread::TooLarge(9))));
        let endless =
            Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
        assert!(matches!(drop_all(endless, 10).await, Err(Unread::TooSlow)));
        let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("gone"))]);
        let broken = drop_all(Body::from_stream(broken), 10).await;
        assert!(matches!(broken, Err(Unread::BrokeOff)));
    }
}
