//! Latencies by the million, to within one part in 64.

use std::time::Duration;

const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;

#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, latency: Duration) {
        self.counts[bucket(latency.as_nanos() as u64)] += 1;
        self.total += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The latency that this share of all did not exceed; zero where there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(highest(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket(value: u64) -> usize {
    if value < 2 * SUB {
        return value as usize;
    }
    let power = u64::from(value.ilog2() - SUB_BITS);
    ((power << SUB_BITS) + (value >> power)) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * SUB {
        return bucket;
    }
    let power = (bucket >> SUB_BITS) - 1;
    let within = bucket - (power << SUB_BITS);
    ((within + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_a_sixty_fourth_too_high() {
        let mut histogram = Histogram::default();
        for nanos in 1..=1_000_000 {
            histogram.record(Duration::from_nanos(nanos));
        }
        for share in [0.01, 0.5, 0.99, 1.0] {
            let (exact, found) = (share * 1e6, histogram.quantile(share).as_nanos() as f64);
            assert!(found >= exact && found <= exact * (1.0 + 1.0 / 64.0), "{share}: {found}");
        }
    }

    #[test]
    fn nothing_has_no_latency() {
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
