//! What is drawn of links between replicas.

use eyot_core::base::time::Millis;
use eyot_core::wire::access::Right;

use crate::base::rng::Rng;

/// Makes these draws others than those of the rest of the world.
const APART: u64 = 0x6d65_6574_696e_6773;

/// Where relays are until a world is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relays {
    There,
    /// None runs.
    Away,
    /// None runs, and no replica has heard of any.
    Unknown,
}

/// How replicas link to one another directly, in the worlds in which they do.
#[derive(Clone, Copy, Debug)]
pub struct Meeting {
    pub relays: Relays,
    /// How long until two meet, or part, at most.
    pub wait: Millis,
    /// How many links to others a process has at most.
    pub links_max: usize,
    /// How often of a thousand a side lets the other only read.
    pub read_only: u64,
    /// How often of a thousand two part in place of meeting.
    pub parting: u64,
}

impl Meeting {
    /// Whether replicas meet in the world of this seed. Drawn apart, so that all other worlds are what they
    /// would be without.
    pub fn draw(seed: u64) -> Option<Self> {
        let mut rng = Rng::new(seed ^ APART);
        let rng = &mut rng;
        if !rng.chance(400) {
            return None;
        }
        let pick = |rng: &mut Rng, from: &[u64]| *rng.pick(from).expect("not empty");
        let relays = [Relays::There, Relays::There, Relays::Away, Relays::Unknown];
        Some(Self {
            relays: *rng.pick(&relays).expect("not empty"),
            wait: pick(rng, &[50, 1_000, 20_000]),
            links_max: pick(rng, &[1, 2, 6]) as usize,
            read_only: pick(rng, &[0, 0, 200, 500]),
            parting: pick(rng, &[20, 200, 400]),
        })
    }

    /// What one side lets the other do.
    pub fn right(&self, rng: &mut Rng) -> Right {
        if rng.chance(self.read_only) { Right::Read } else { Right::Write }
    }
}
