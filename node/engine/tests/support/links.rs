//! Connections between nodes that a test can cut, or let stand still. Every node reaches every other through a proxy of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Node;

/// How two nodes reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Open,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections stay, and nothing passes.
    Still,
}

/// Of all pairs of nodes.
pub(crate) struct Links {
    states: BTreeMap<(usize, usize), watch::Sender<Link>>,
    proxies: Vec<JoinHandle<()>>,
}

impl Links {
    /// Puts itself between nodes of which none runs yet.
    pub(crate) async fn between(nodes: &mut [Node]) -> Self {
        let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.listen).collect();
        let (mut states, mut proxies) = (BTreeMap::new(), Vec::new());
        for node in nodes {
            for (other, target) in addresses.iter().enumerate().filter(|(other, _)| *other != node.index) {
                let pair = (node.index.min(other), node.index.max(other));
                let state = states.entry(pair).or_insert_with(|| watch::channel(Link::Open).0).subscribe();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap().to_string();
                node.addresses.lock().unwrap().insert(super::id(other), address);
                proxies.push(tokio::spawn(accept(listener, *target, state)));
            }
        }
        Self { states, proxies }
    }

    /// From now on these two reach each other so.
    pub(crate) fn set(&self, one: usize, other: usize, link: Link) {
        self.states[&(one.min(other), one.max(other))].send_replace(link);
    }

    /// So do all of one group and all of the other.
    pub(crate) fn set_all(&self, ones: &[usize], others: &[usize], link: Link) {
        for one in ones {
            others.iter().for_each(|other| self.set(*one, *other, link));
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.proxies.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: watch::Receiver<Link>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let mut state = state.clone();
        connections.spawn(async move {
            if *state.borrow_and_update() == Link::Cut {
                return;
            }
            let Ok(far) = TcpStream::connect(target).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let (there, back) = (state.clone(), state.clone());
            tokio::select! {
                () = pass(near_in, far_out, there) => {}
                () = pass(far_in, near_out, back) => {}
                _ = state.wait_for(|link| *link == Link::Cut) => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Link>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if state.wait_for(|link| *link != Link::Still).await.is_err() {
            return;
        }
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if state.wait_for(|link| *link != Link::Still).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
