//! The one kind of histogram that a node shows.

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// A histogram of durations from 1 ms to 16 s.
pub(crate) fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}
