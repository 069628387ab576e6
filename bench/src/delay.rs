//! TCP proxies that hold back every byte for a fixed time, each way: a link of a wide area network between two processes of one
//! machine.
//!
//! What they do not do: limit the rate, lose anything, or delay the handshake of TCP itself. Order is kept.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;
/// Reads under way in one direction: what a link holds at most, 64 MiB.
const READS_MAX: usize = 1024;

/// A proxy that runs. It and its connections end when it is dropped.
#[derive(Debug)]
pub struct DelayProxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl DelayProxy {
    /// Listens on a port of its own and passes each connection on to `target`.
    pub async fn start(target: SocketAddr, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a proxy's port")?;
        let address = listener.local_addr().context("read a proxy's port")?;
        Ok(Self { address, task: tokio::spawn(accept(listener, target, delay)) })
    }

    /// The address that the proxy listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, delay: Duration) {
    let mut connections = JoinSet::new();
    // A failed accept or connection ends here; the two processes notice it and try again.
    loop {
        if let Ok((near, _)) = listener.accept().await {
            connections.spawn(pass_on(near, target, delay));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn pass_on(near: TcpStream, target: SocketAddr, delay: Duration) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::join!(one_way(near_in, far_out, delay), one_way(far_in, near_out, delay));
}

/// Until the end of the stream, which arrives as late as its bytes, or until either side breaks.
async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(READS_MAX);
    let read = async move {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now() + delay, buffer[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // An error means that the other side has gone already.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_in_order_later_by_the_delay_and_so_does_the_end() {
        let delay = Duration::from_millis(40);
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = echo.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = echo.accept().await.unwrap();
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await.unwrap();
            to.shutdown().await.unwrap();
        });
        let proxy = DelayProxy::start(target, delay).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let sent: Vec<u8> = (0..500_000u32).map(|index| (index / 3) as u8).collect();
        let begun = Instant::now();
        let (mut from, mut to) = stream.split();
        let write = async {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(write, from.read_to_end(&mut received));
        read.unwrap();
        assert_eq!(received, sent);
        assert!(begun.elapsed() >= 2 * delay, "{:?}", begun.elapsed());
    }
}
