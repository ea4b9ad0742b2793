//! What is drawn of links between replicas.

use eyot_core::base::time::Millis;
use eyot_core::wire::access::Right;

use crate::actor::actor::Role;
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
#[derive(Clone, Debug)]
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
    /// Peers that lie, with what a relay lets them do.
    pub liars: Vec<(Role, Option<Right>)>,
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
        let mut meeting = Self {
            relays: *rng.pick(&relays).expect("not empty"),
            wait: pick(rng, &[50, 1_000, 20_000]),
            links_max: pick(rng, &[1, 2, 6]) as usize,
            read_only: pick(rng, &[0, 0, 200, 500]),
            parting: pick(rng, &[20, 200, 400]),
            liars: Vec::new(),
        };
        if rng.chance(500) {
            meeting.liars.extend((0..rng.between(1, 2)).map(|_| liar(rng)));
        }
        Some(meeting)
    }

    /// In a world of many replicas.
    pub fn draw_mesh(rng: &mut Rng) -> Self {
        let relays = *rng.pick(&[Relays::There, Relays::There, Relays::Unknown]).expect("not empty");
        let liars = (0..rng.below(3)).map(|_| liar(rng)).collect();
        Self { relays, wait: 200, links_max: 6, read_only: 0, parting: 50, liars }
    }

    /// What one side lets the other do.
    pub fn right(&self, rng: &mut Rng) -> Right {
        if rng.chance(self.read_only) { Right::Read } else { Right::Write }
    }
}

fn liar(rng: &mut Rng) -> (Role, Option<Right>) {
    let roles = [Role::Husks, Role::Forks, Role::Noise, Role::Names, Role::Mask, Role::Rivals];
    let right = rng.chance(500).then_some(Right::Write);
    (*rng.pick(&roles).expect("not empty"), right)
}
