//! Accepting connections, for every server of every process: what a failed `accept` means, and how many there may be.
//!
//! Out of file descriptors, or a peer that was gone already: neither is the end of a service. Not here: what is done with a
//! connection, and how long it may be silent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::disk_fault::DiskFault;

/// Pause between two tries when the system gives no connection.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Between two lines of a process about connections that it cannot accept: it tries again and again, on each of its ports.
const TOLD_EVERY: Duration = Duration::from_secs(60);
static TOLD: Mutex<Option<Instant>> = Mutex::new(None);

fn tell(error: &std::io::Error) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
        let way = DiskFault::of_io(error).and_then(DiskFault::way).unwrap_or("they wait, and are tried again");
        tracing::warn!(%error, way, "cannot accept connections");
        *told = Some(Instant::now());
    }
}

/// The next connection, sending without delay; waits for it as long as it takes. To be dropped at the stop.
pub async fn next_connection(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => match stream.set_nodelay(true) {
                Ok(()) => return (stream, remote),
                Err(error) => tracing::debug!(%remote, %error, "a connection was gone before it was served"),
            },
            Err(error) => {
                tell(&error);
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// The same once there is a place for one more; those without wait in the kernel. `None`: `places` is closed.
pub async fn next_with_place(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, remote) = next_connection(listener).await;
    Some((stream, remote, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_above_the_bound_waits_for_a_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let places = Arc::new(Semaphore::new(1));
        let client = TcpStream::connect(address).await.unwrap();
        let (stream, remote, place) = next_with_place(&listener, &places).await.unwrap();
        assert_eq!(remote, client.local_addr().unwrap());
        assert!(stream.nodelay().unwrap());

        let _second = TcpStream::connect(address).await.unwrap();
        let next = next_with_place(&listener, &places);
        tokio::pin!(next);
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx).is_pending())).await);
        drop(place);
        assert!(next.await.is_some());
        places.close();
        assert!(next_with_place(&listener, &places).await.is_none());
    }
}
