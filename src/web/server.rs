//! Who is let in, and for how long: connections have a limit, and so has the wait for a request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Site, router};

/// How many connections are open at once; further ones wait until one ends.
const CONNECTIONS_MAX: usize = 512;
/// How long a caller may take to say what it wants, on a new connection or on an idle one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest head of a request, and how much of a body is read ahead.
const BUFFER_BYTES: usize = 64 * 1024;
/// The pause after the machine could not give us a connection, as when it is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until `stop`, then lets the requests in hand end.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    stop: CancellationToken,
) -> std::io::Result<()> {
    serve_router(listener, router(site), CONNECTIONS_MAX, stop).await;
    Ok(())
}

pub(super) async fn serve_router(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    let mut open = JoinSet::new();
    loop {
        let taken = tokio::select! {
            () = stop.cancelled() => break,
            // The next caller is not even listened to while there is no place.
            taken = accept(&listener, &places) => taken,
            Some(ended) = open.join_next() => {
                note_panic(ended);
                continue;
            }
        };
        match taken {
            Ok((stream, place)) => {
                let (router, stop) = (router.clone(), stop.clone());
                open.spawn(async move {
                    answer(stream, router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "Cannot take a connection");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    while let Some(ended) = open.join_next().await {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "A request was not answered");
    }
}

/// Waits for a place, and then for a caller.  Dropped half way, neither is lost.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Answers the requests of one connection until either side ends it.
async fn answer(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Callers come and go as they like, and strangers say what they like.
        tracing::debug!(%error, "A connection ended before its request was answered");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    async fn start(
        connections_max: usize,
    ) -> (std::net::SocketAddr, CancellationToken, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_router(listener, router, connections_max, stop.clone()));
        (address, stop, tasks)
    }

    async fn hear(stream: &mut TcpStream) -> String {
        let mut heard = vec![0; 1024];
        let count = stream.read(&mut heard).await.unwrap();
        String::from_utf8(heard[..count].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn whoever_says_nothing_is_sent_away() {
        let (address, _stop, _tasks) = start(8).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: he").await.unwrap();
        // Once nothing can happen but the end of the wait, the paused clock goes there by itself.
        tokio::time::pause();
        let mut rest = Vec::new();
        let heard = stream.read_to_end(&mut rest).await;
        assert!(heard.is_err() || !String::from_utf8_lossy(&rest).contains("200 OK"));
    }

    #[tokio::test]
    async fn a_caller_waits_for_a_place() {
        let (address, _stop, _tasks) = start(1).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(REQUEST).await.unwrap();
        assert!(hear(&mut first).await.starts_with("HTTP/1.1 200 OK"));
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        // The first still has its place, and is answered.
        first.write_all(REQUEST).await.unwrap();
        assert!(hear(&mut first).await.starts_with("HTTP/1.1 200 OK"));
        assert!(second.try_read(&mut [0; 16]).is_err(), "the second was answered");
        drop(first);
        assert!(hear(&mut second).await.starts_with("HTTP/1.1 200 OK"));
    }

    #[tokio::test]
    async fn the_end_is_told_to_whoever_is_idle() {
        let (address, stop, mut tasks) = start(8).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        assert!(hear(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
        stop.cancel();
        tasks.join_next().await.unwrap().unwrap();
        assert_eq!(hear(&mut stream).await, "");
    }
}
