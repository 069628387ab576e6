//! What kind of network to make.

/// What kind of network to make.
#[derive(Debug, Clone)]
pub struct NetworkOptions {
    /// The chain's name: `[a-z0-9-]+`.
    pub chain_name: String,
    /// Validators, at least 4 to tolerate a fault.
    pub validators: u32,
    /// Nodes beside the validators of genesis, which follow until governance takes them in; numbered after the validators.
    pub followers: u32,
    /// Issuers, each with its own journal, keys and segments.
    pub issuers: u32,
    /// Hospitals beside those of the samples, for volume.
    pub load_hospitals: usize,
    /// Numbers of each segment.
    pub segment_numbers: u64,
    /// Repeats all ledger keys; `None`: from the operating system.
    pub seed: Option<u64>,
    /// How long validators wait for a proposal, in milliseconds.
    pub propose_timeout_ms: u64,
    /// How long validators wait for votes, in milliseconds.
    pub vote_timeout_ms: u64,
    /// How often an unchanged tip is cosigned anew, in milliseconds.
    pub cosign_interval_ms: u64,
    /// Age at which issuers close a batch, in milliseconds.
    pub batch_age_ms: u64,
    /// How long ago genesis was, in milliseconds: a chain that has stood still since.
    pub genesis_age_ms: u64,
    /// A segment that genesis closes again.
    pub closed_segment: Option<u32>,
    /// Whether issuers hand out documents, with the fonts that this machine has. They take 100 MB of memory each.
    pub documents: bool,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            chain_name: "devnet".to_owned(),
            validators: 4,
            followers: 0,
            issuers: 1,
            load_hospitals: 8,
            segment_numbers: 10_000_000,
            seed: None,
            propose_timeout_ms: 1000,
            vote_timeout_ms: 500,
            cosign_interval_ms: 15_000,
            batch_age_ms: 100,
            genesis_age_ms: 0,
            closed_segment: None,
            documents: false,
        }
    }
}
