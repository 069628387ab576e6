//! Which issuer has a receipt, by the configured table, and how it is reached: over mutual TLS in the role `portal`, which may do nothing
//! else there.
//!
//! ```text
//! code prefix, numbers ──▶ issuer        the longest prefix counts: who has the receipt
//! unit's code          ──▶ issuers       each that issues for it: who has lost it
//! ```
//! The table is no secret: segments stand in the public registry. So a number that nobody here gives out is answered at once.

use std::sync::Arc;
use std::time::Duration;

use receipt_core::hash::tagged;
use receipt_core::ids::{ReceiptCode, ReceiptNumber};
use tallystick_proto::portal::v1::portal_service_client::PortalServiceClient;
use tallystick_service::callers::Network;
use tallystick_service::identity::Role;
use tallystick_service::tls::{ChannelConfig, ChannelError, ExpectedPeer, Tls, connect_lazy};
use tonic::transport::Channel;

use crate::config::{DOCUMENT_BYTES_MAX, IssuerConfig, SegmentConfig};

/// A client of one issuer.
pub(crate) type IssuerClient = PortalServiceClient<Channel>;

/// Bytes of a source's name at issuers.
const SOURCE_NAME_BYTES: usize = 16;

/// The issuers, and whose what is.
#[derive(Debug)]
pub(crate) struct Issuers {
    issuers: Vec<Issuer>,
    segments: Vec<SegmentConfig>,
    /// Behind the names of sources.
    secret: [u8; 32],
}

#[derive(Debug)]
struct Issuer {
    id: u32,
    client: IssuerClient,
    unit_prefixes: Vec<String>,
}

impl Issuers {
    /// Connects at the first call.
    pub(crate) fn new(
        tls: &Arc<Tls>,
        configs: &[IssuerConfig],
        segments: &[SegmentConfig],
        secret: [u8; 32],
        timeout: Duration,
    ) -> Result<Self, ChannelError> {
        let issuer = |config: &IssuerConfig| {
            let expected = ExpectedPeer { role: Role::Issuer, id: Some(config.issuer_id) };
            let request_timeout = Some(timeout);
            let channel = ChannelConfig { request_timeout, ..ChannelConfig::new(&config.authority, expected) };
            let client = IssuerClient::new(connect_lazy(tls, &channel)?);
            let client = client.max_decoding_message_size(DOCUMENT_BYTES_MAX);
            Ok(Issuer { id: config.issuer_id, client, unit_prefixes: config.unit_prefixes.clone() })
        };
        let issuers = configs.iter().map(issuer).collect::<Result<_, _>>()?;
        Ok(Self { issuers, segments: segments.to_vec(), secret })
    }

    /// Whether anything can be fetched here at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Who gave out this number.
    pub(crate) fn of_receipt(&self, code: ReceiptCode, number: ReceiptNumber) -> Option<IssuerClient> {
        let code = code.to_string();
        let is_theirs = |segment: &&SegmentConfig| {
            code.starts_with(&segment.code_prefix)
                && (segment.first_number..=segment.last_number).contains(&number.get())
        };
        let segment = self.segments.iter().filter(is_theirs).max_by_key(|segment| segment.code_prefix.len())?;
        let issuer = self.issuers.iter().find(|issuer| issuer.id == segment.issuer_id)?;
        Some(issuer.client.clone())
    }

    /// Who issues for this unit, each with its number.
    pub(crate) fn of_unit(&self, unit_code: &str) -> Vec<(u32, IssuerClient)> {
        let serves = |issuer: &&Issuer| issuer.unit_prefixes.iter().any(|prefix| unit_code.starts_with(prefix));
        self.issuers.iter().filter(serves).map(|issuer| (issuer.id, issuer.client.clone())).collect()
    }

    /// How issuers know a source: a keyed hash, from which nobody without the secret gets an address.
    pub(crate) fn name_of(&self, source: Network) -> Vec<u8> {
        let hash = tagged("tallystick/portal-source/v1", &[&self.secret, &source.octets()]);
        hash.as_bytes()[..SOURCE_NAME_BYTES].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuers() -> Issuers {
        let channel = || tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let issuer = |id: u32, prefixes: &[&str]| Issuer {
            id,
            client: IssuerClient::new(channel()),
            unit_prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        };
        let segment = |prefix: &str, first_number, last_number, issuer_id| SegmentConfig {
            code_prefix: prefix.to_owned(),
            first_number,
            last_number,
            issuer_id,
        };
        Issuers {
            issuers: vec![issuer(1, &["1299"]), issuer(2, &["12", "11"])],
            segments: vec![segment("99", 0, 9_999_999_999, 1), segment("990601", 1, 10, 2), segment("9907", 1, 10, 3)],
            secret: [7; 32],
        }
    }

    #[tokio::test]
    async fn a_receipt_is_of_the_longest_prefix_with_its_number() {
        let issuers = issuers();
        let found = |code: &str, number: u64| {
            let (code, number) = (ReceiptCode::parse(code).unwrap(), ReceiptNumber::new(number).unwrap());
            issuers.of_receipt(code, number).is_some()
        };
        assert!(found("99060126", 1) && found("99060126", 11) && found("99050126", 1));
        assert!(!found("98060126", 1), "nobody's");
        assert!(!found("99070126", 1), "of an issuer that is not here");
        assert!(found("99070126", 11), "of the shorter prefix");
    }

    #[tokio::test]
    async fn a_unit_may_have_several_issuers() {
        let issuers = issuers();
        let count = |unit: &str| issuers.of_unit(unit).len();
        assert_eq!((count("129903004000000181"), count("119903004000000181"), count("200000000000000000")), (2, 1, 0));
    }

    #[tokio::test]
    async fn a_source_has_one_name_under_one_secret() {
        let (first, other) = (issuers(), Issuers { secret: [8; 32], ..issuers() });
        let network = |text: &str| Network::of(text.parse().unwrap());
        let name = first.name_of(network("192.0.2.1"));
        assert_eq!(name.len(), SOURCE_NAME_BYTES);
        assert_eq!(name, first.name_of(network("::ffff:192.0.2.1")));
        assert_ne!(name, first.name_of(network("192.0.2.2")));
        assert_ne!(name, other.name_of(network("192.0.2.1")));
    }
}
