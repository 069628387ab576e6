//! The checks by name, and the list of those that were made.

use std::fmt::Display;

/// A layer of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Content and signature.
    Genuine,
    /// The ledger has it.
    Anchored,
    /// The ledger says nothing against it.
    InForce,
}

impl Layer {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Anchored => "anchored",
            Self::InForce => "in_force",
        }
    }
}

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerResult {
    /// Every check of it holds.
    Passed,
    /// A check of it does not hold, or (in force) the receipt is reversed.
    Failed,
    /// An earlier layer failed.
    NotReached,
}

impl LayerResult {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// It does not hold, and the verdict does not hang on it.
    Warned,
    /// It does not hold.
    Failed,
}

impl CheckOutcome {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }
}

macro_rules! checks {
    ($($variant:ident = $code:literal, $layer:ident, $claim:literal, $failure:literal;)*) => {
        /// A check, in the order in which they are made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CheckId {
            $(#[doc = $claim] $variant,)*
        }

        impl CheckId {
            /// All checks, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The layer that it belongs to.
            pub const fn layer(self) -> Layer {
                match self { $(Self::$variant => Layer::$layer,)* }
            }

            /// What holds if it passes.
            pub const fn claim(self) -> &'static str {
                match self { $(Self::$variant => $claim,)* }
            }

            /// What it means if it does not.
            pub const fn failure(self) -> &'static str {
                match self { $(Self::$variant => $failure,)* }
            }
        }
    };
}

checks! {
    BundleForm = "BUNDLE_FORM", Genuine, "The file is a bundle, within its limits and in canonical form.",
        "The file is not a bundle, or it was changed.";
    Chain = "CHAIN", Genuine, "The bundle is of the chain that the trust file is about.",
        "The bundle is of another chain.";
    RecordForm = "RECORD_FORM", Genuine, "The signed record is in canonical form.",
        "The signed record is malformed.";
    CredentialForm = "CREDENTIAL_FORM", Genuine, "The unit's credential is in canonical form.",
        "The unit's credential is malformed.";
    CredentialSignatures = "CREDENTIAL_SIGNATURES", Genuine,
        "Enough of the supervising authorities signed the unit's credential.",
        "The supervising authorities did not sign this credential.";
    CredentialScope = "CREDENTIAL_SCOPE", Genuine,
        "The credential is of the record's unit and key, both are of the chain's suite, and it covers the time of issue.",
        "The credential does not cover this record.";
    RecordSignature = "RECORD_SIGNATURE", Genuine, "The unit's key signed the record.",
        "The unit did not sign this record.";
    BodyRoot = "BODY_ROOT", Genuine, "The content, every value of it, is what the record commits to.",
        "The content was changed: it is not what the unit signed.";
    BodyForm = "BODY_FORM", Genuine, "The content is exactly one receipt.", "The content is not a receipt.";
    BodyRecord = "BODY_RECORD", Genuine,
        "Code, number, total, time and date of issue, and the link to a reversed original, equal the record's.",
        "The content contradicts the record that the unit signed.";
    BodyUnit = "BODY_UNIT", Genuine, "Unit code, unit name and supervising area equal the credential's.",
        "The content names another unit than the credential.";
    BodyRules = "BODY_RULES", Genuine, "The content keeps the fiscal rules that can be judged from it alone.",
        "The content breaks a fiscal rule.";
    IssueTime = "ISSUE_TIME", Genuine, "The time of issue is not in the future.", "The time of issue is in the future.";
    HeaderForm = "HEADER_FORM", Anchored, "The batch header is in canonical form and of the chain's suite.", "The batch header is malformed.";
    BatchInclusion = "BATCH_INCLUSION", Anchored, "The record stands in the batch.",
        "The record does not stand in this batch.";
    HeaderTime = "HEADER_TIME", Anchored, "The time of issue lies within those of the batch.",
        "The time of issue lies outside those of the batch.";
    AnchorForm = "ANCHOR_FORM", Anchored, "The proof that the batch stands in the log is in canonical form.",
        "The proof that the batch stands in the log is malformed.";
    AnchorQuorum = "ANCHOR_QUORUM", Anchored,
        "A quorum of the validators that count for this tree size cosigned the checkpoint.",
        "The checkpoint over the batch is not under a quorum of the trusted validators.";
    AnchorInclusion = "ANCHOR_INCLUSION", Anchored, "The batch header stands in the log under that checkpoint.",
        "The batch does not stand in the log.";
    AnchorTime = "ANCHOR_TIME", Anchored, "The checkpoint over the batch is not from the future.",
        "The checkpoint over the batch is from the future.";
    SealForm = "SEAL_FORM", InForce, "The seal and the proof of it are in canonical form, the seal of the chain's suite.", "The seal is malformed.";
    SealQuorum = "SEAL_QUORUM", InForce,
        "A quorum of the validators that count for this tree size cosigned the checkpoint of the status.",
        "The checkpoint of the status is not under a quorum of the trusted validators.";
    SealNewer = "SEAL_NEWER", InForce, "The checkpoint of the status covers the batch.",
        "The status is from before the receipt was anchored.";
    SealPosition = "SEAL_POSITION", InForce, "The seal is the last leaf of the log under that checkpoint.",
        "The seal is not the last leaf of the log.";
    SealSet = "SEAL_SET", InForce, "The seal names the validator set whose quorum cosigned it.",
        "The seal names another validator set than the one that cosigned it.";
    SealTime = "SEAL_TIME", InForce, "Neither the seal nor its checkpoint is from the future.",
        "The status is from the future.";
    StatusProof = "STATUS_PROOF", InForce, "The status map under the seal says this of the receipt.",
        "The statement about the status is not what the ledger says.";
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// What became of it.
    pub outcome: CheckOutcome,
    /// Particulars of a warning or failure, without personal values.
    pub details: Vec<String>,
}

/// Why a bundle proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that did not hold.
    pub check: CheckId,
    /// Particulars, without personal values.
    pub detail: String,
}

impl Failure {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.check.code()
    }

    /// One sentence for a person.
    pub const fn sentence(&self) -> &'static str {
        self.check.failure()
    }

    /// The layer that failed.
    pub const fn layer(&self) -> Layer {
        self.check.layer()
    }
}

macro_rules! not_checked {
    ($($variant:ident = $code:literal, $sentence:literal;)*) => {
        /// What a verifier without network cannot know or leaves to the quorum.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum NotChecked {
            $(#[doc = $sentence] $variant,)*
        }

        impl NotChecked {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

not_checked! {
    LaterStatus = "LATER_STATUS", "What happened to the receipt after the stated time.";
    IssuerSignature = "ISSUER_SIGNATURE", "The issuer's signature over the batch header: the quorum checked it.";
    LedgerRules = "LEDGER_RULES",
        "The ledger's rules (numbers, uniqueness, permissions, reversal amounts): the quorum applied them.";
    KeyRevocation = "KEY_REVOCATION",
        "Whether the unit's key was revoked meanwhile: it was good when the quorum took the record.";
    ItemsAttached = "ITEMS_ATTACHED", "Whether the items are attached to the unit and kind (V13): this needs the registry.";
    PayerIdentity = "PAYER_IDENTITY", "Whether whoever shows the receipt is its payer.";
}

/// Collects checks in order.
#[derive(Default)]
pub(super) struct Judge {
    checks: Vec<Check>,
}

impl Judge {
    pub(super) fn pass(&mut self, id: CheckId) {
        self.checks.push(Check { id, outcome: CheckOutcome::Passed, details: Vec::new() });
    }

    pub(super) fn warn(&mut self, id: CheckId, details: Vec<String>) {
        self.checks.push(Check { id, outcome: CheckOutcome::Warned, details });
    }

    pub(super) fn fail(&mut self, id: CheckId, detail: impl Display) -> Failure {
        let detail = detail.to_string();
        self.checks.push(Check { id, outcome: CheckOutcome::Failed, details: vec![detail.clone()] });
        Failure { check: id, detail }
    }

    /// Passes if the condition holds.
    pub(super) fn require(&mut self, id: CheckId, holds: bool, detail: impl Display) -> Result<(), Failure> {
        if !holds {
            return Err(self.fail(id, detail));
        }
        self.pass(id);
        Ok(())
    }

    /// Passes with the value, fails with the error.
    pub(super) fn take<T, E: Display>(&mut self, id: CheckId, result: Result<T, E>) -> Result<T, Failure> {
        let value = result.map_err(|error| self.fail(id, error))?;
        self.pass(id);
        Ok(value)
    }

    /// What became of a layer, the verdict being final.
    pub(super) fn layer(&self, layer: Layer, invalid: bool) -> LayerResult {
        let reached = self.checks.iter().map(|check| check.id.layer()).max().unwrap_or(Layer::Genuine);
        match layer.cmp(&reached) {
            std::cmp::Ordering::Less => LayerResult::Passed,
            std::cmp::Ordering::Equal if invalid => LayerResult::Failed,
            std::cmp::Ordering::Equal => LayerResult::Passed,
            std::cmp::Ordering::Greater => LayerResult::NotReached,
        }
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}
