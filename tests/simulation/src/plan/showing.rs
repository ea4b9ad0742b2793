//! What is drawn of what replicas show of themselves.

use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;

use crate::base::rng::Rng;

/// Makes these draws others than those of the rest of the world.
const APART: u64 = 0x7072_6573_656e_6365;

/// How replicas show themselves to each other, in the worlds in which they do.
#[derive(Clone, Copy, Debug)]
pub struct Showing {
    /// How long until one shows something else, at most.
    pub wait: Millis,
}

impl Showing {
    /// Whether replicas show anything in the world of this seed. Drawn apart, so that all other worlds are what
    /// they would be without.
    pub fn draw(seed: u64, limits: &mut Limits) -> Option<Self> {
        let mut rng = Rng::new(seed ^ APART);
        if !rng.chance(300) {
            return None;
        }
        if rng.chance(250) {
            limits.presences_max = 3;
        }
        if rng.chance(250) {
            limits.presence_bytes_per_second = 500;
            limits.presence_bytes_burst = 2_000;
        }
        Some(Self { wait: *rng.pick(&[100, 2_000, 30_000]).expect("not empty") })
    }
}
