//! Where the generated code is mounted, one module per proto package. Not edited by hand: see `tallystick/*/v1/*.proto`.
#![allow(missing_docs, unreachable_pub, reason = "generated code")]
#![allow(clippy::all, clippy::too_many_lines, clippy::unwrap_used, clippy::expect_used, reason = "generated code")]

/// Package `tallystick.receipt`: the draft that a caller supplies.
pub mod receipt {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.receipt.v1");
    }
}

/// Package `tallystick.issuer`: what business systems call.
pub mod issuer {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.issuer.v1");
    }
}

/// Package `tallystick.ledger`: what issuers, auditors and verifiers read.
pub mod ledger {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.ledger.v1");
    }
}

/// Package `tallystick.peer`: what validators say to each other outside consensus.
pub mod peer {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.peer.v1");
    }
}

/// Package `tallystick.admin`: governance in, registry views out.
pub mod admin {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.admin.v1");
    }
}

/// Package `tallystick.portal`: what the portal asks of issuers.
pub mod portal {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.portal.v1");
    }
}

/// Package `tallystick.verifier`: verification as a service.
pub mod verifier {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tallystick.verifier.v1");
    }
}
