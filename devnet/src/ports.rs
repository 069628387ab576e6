//! Free ports, held until the process that gets them starts.
//!
//! Ports are drawn below the range from which the kernel takes those of outgoing connections. With a port of that range a
//! node that is down for a while can find its port taken by somebody's connection attempt, or a peer that retries can
//! even connect to itself.
//!
//! Invariant: a held port is bound, so no other holder on this machine gets it. Not here: a promise for the moment between
//! [`HeldPorts::release`] and the process's own bind.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result, bail};
use tallystick_service::rng::{OsEntropy, random_array};

const FIRST_PORT: u16 = 12_000;
const PORT_COUNT: u16 = 18_000;
const ATTEMPTS_MAX: usize = 1_000;

/// Bound ports of one process.
#[derive(Debug, Default)]
pub struct HeldPorts {
    listeners: Vec<TcpListener>,
}

impl HeldPorts {
    /// Binds one more free port on 127.0.0.1.
    pub fn hold(&mut self) -> Result<SocketAddr> {
        for _ in 0..ATTEMPTS_MAX {
            let random = u16::from_be_bytes(random_array(&OsEntropy)?);
            let port = FIRST_PORT + random % PORT_COUNT;
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                let address = listener.local_addr().context("read a port's address")?;
                self.listeners.push(listener);
                return Ok(address);
            }
        }
        bail!("no free port between {FIRST_PORT} and {} on 127.0.0.1", FIRST_PORT + PORT_COUNT)
    }

    /// Lets go of all, right before the process binds them.
    pub fn release(&mut self) {
        self.listeners.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_port_is_taken_and_a_released_one_is_free() {
        let mut held = HeldPorts::default();
        let address = held.hold().unwrap();
        assert!(TcpListener::bind(address).is_err());
        held.release();
        assert!(TcpListener::bind(address).is_ok());
    }
}
