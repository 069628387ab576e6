//! Who calls: the holders of certificates in a development network.
//!
//! The names are those of the files in `clients/`.

use tallystick_service::identity::Role;

use crate::registry::{SYSTEM_HOSPITALS, SYSTEM_OFFICES, SYSTEM_ONE_PLACE, SYSTEM_WITHOUT_GRANTS};

/// Registry number of a system that nobody registered.
const SYSTEM_UNREGISTERED: u32 = 999;

/// A holder of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A business system, by registry number.
    System(u32),
    /// A system with a certificate of a registered number that ended yesterday.
    ExpiredSystem,
    /// A system whose certificate comes from an authority that nobody trusts.
    StrangerSystem,
    /// The audit office.
    Auditor,
    /// Whoever runs the machines, and hands in governance.
    Operator,
    /// An insurer or employer: a role that may neither issue nor submit.
    Claimer,
    /// A portal: may read proofs, and ask issuers for what a holder has named.
    Portal,
    /// A validator, by number from 1.
    Validator(u32),
    /// An issuer, by number from 1.
    Issuer(u32),
}

impl Caller {
    /// All whose certificates lie in `clients/`.
    pub const CLIENTS: [Self; 11] = [
        Self::System(SYSTEM_HOSPITALS),
        Self::System(SYSTEM_OFFICES),
        Self::System(SYSTEM_WITHOUT_GRANTS),
        Self::System(SYSTEM_ONE_PLACE),
        Self::System(SYSTEM_UNREGISTERED),
        Self::ExpiredSystem,
        Self::StrangerSystem,
        Self::Auditor,
        Self::Operator,
        Self::Claimer,
        Self::Portal,
    ];

    /// Its name, in files and as the certificate's common name.
    pub fn name(self) -> String {
        match self {
            Self::System(id) => format!("system-{id}"),
            Self::ExpiredSystem => "expired-system".to_owned(),
            Self::StrangerSystem => "stranger-system".to_owned(),
            Self::Auditor => "auditor".to_owned(),
            Self::Operator => "operator".to_owned(),
            Self::Claimer => "claimer".to_owned(),
            Self::Portal => "portal".to_owned(),
            Self::Validator(id) => format!("node-{id}"),
            Self::Issuer(id) => format!("issuer-{id}"),
        }
    }

    /// Who it is, as the certificate's URI name says it: `tallystick://<chain-name>/<role>/<registry id>`.
    pub fn identity_uri(self, chain_name: &str) -> String {
        let (role, id) = match self {
            Self::System(id) => (Role::System, id),
            Self::ExpiredSystem | Self::StrangerSystem => (Role::System, SYSTEM_HOSPITALS),
            Self::Auditor => (Role::Auditor, 1),
            Self::Operator => (Role::Operator, 1),
            Self::Claimer => (Role::Claimer, 1),
            Self::Portal => (Role::Portal, 1),
            Self::Validator(id) => (Role::Validator, id),
            Self::Issuer(id) => (Role::Issuer, id),
        };
        format!("tallystick://{chain_name}/{role}/{id}")
    }

    /// Whether its certificate has ended.
    pub fn is_expired(self) -> bool {
        self == Self::ExpiredSystem
    }

    /// Whether its certificate comes from an authority that nobody trusts.
    pub fn is_stranger(self) -> bool {
        self == Self::StrangerSystem
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tallystick_service::identity::PeerIdentity;

    use super::*;

    #[test]
    fn every_caller_has_a_name_of_its_own_and_an_identity_that_reads_back() {
        let mut callers = Caller::CLIENTS.to_vec();
        callers.extend([Caller::Validator(1), Caller::Issuer(1)]);
        let names: BTreeSet<String> = callers.iter().map(|caller| caller.name()).collect();
        assert_eq!(names.len(), callers.len());
        for caller in callers {
            let identity = PeerIdentity::parse(&caller.identity_uri("devnet")).unwrap();
            assert_eq!(identity.chain.as_str(), "devnet");
        }
    }
}
