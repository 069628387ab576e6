//! A client as a phone is one: HTTPS by the network's own authority, one request a connection.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An answer, its header in small letters.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Phone {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Phone {
    pub(crate) fn new(address: SocketAddr, authority: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Self { address, config: Arc::new(config) }
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\n{headers}"), "").await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.ask(&format!("POST {path} HTTP/1.1\r\ncontent-type: application/json\r\n"), &body.to_string()).await
    }

    pub(crate) async fn post_form(&self, path: &str, body: &str) -> Answer {
        let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n");
        self.ask(&head, body).await
    }

    pub(crate) async fn ask(&self, head: &str, body: &str) -> Answer {
        let name = ServerName::try_from("localhost").unwrap();
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let mut stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, tcp).await.unwrap();
        let length = body.len();
        let request = format!("{head}host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        // A peer that ends without a last word of TLS has answered all the same.
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("an answer without a head: {answer:?}"));
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
        let lower = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            format!("{}: {}", name.to_lowercase(), value.trim())
        };
        let head =
            std::iter::once(first.to_owned()).chain(rest.split("\r\n").map(lower)).collect::<Vec<_>>().join("\n");
        Answer { status, head, body: answer[end + 4..].to_vec() }
    }
}
