//! What is drawn for each seed before its world begins: how many live where, how far they are from
//! one another, and what goes wrong how often.

use std::collections::BTreeMap;

use eyot_core::automerge::ScalarValue;
use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::document::value::Value;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::access::Right;

use crate::actor::actor::Role;
use crate::base::rng::Rng;
use crate::plan::fault::Fault;
use crate::plan::meeting::Meeting;
use crate::plan::showing::Showing;

pub const REGIONS: [&str; 3] = ["eu", "us", "ap"];

/// Letters of the initial texts of each version of the application.
pub const VERSION_LETTERS: [char; 2] = ['x', 'y'];

/// Where a disk is, and the processes on it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The region it is in, or nearest to.
    pub region: usize,
    /// From there to it.
    pub last_mile: Millis,
}

/// How replicas are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    /// By tokens that are good for so long.
    Tokens {
        valid_for: Millis,
    },
}

pub struct Plan {
    pub regions: usize,
    pub replicas: usize,
    pub act_wait: Millis,
    pub fault_wait: Millis,
    pub link_delay: Millis,
    pub disk_delay: Millis,
    /// One way, from region to region.
    between: Vec<Vec<Millis>>,
    /// The faults that are on, with their weights.
    pub faults: Vec<(u64, Fault)>,
    pub access: Access,
    pub limits: Limits,
    /// How long a relay must have nothing to do before its host takes it out of memory; none: never.
    pub doze_after: Option<Millis>,
    /// What relays take at most until the world is healed.
    pub caps: Option<Caps>,
    /// How many processes more than one begin on each replica's disk.
    pub tabs: u64,
    /// How much later than it was read a disk tells some of what it reads, at most.
    pub reads_late: Option<Millis>,
    /// Whether commits come in another order than they were sent in, as far as their frames go.
    pub permutes: bool,
    /// Whether some replicas were told that the space is another one of that name.
    pub has_rivals: bool,
    /// How often of a thousand inputs a relay's host takes it out of memory after one.
    pub evict_chance: u64,
    /// Peers that keep to no rules, with what their tokens allow.
    pub actors: Vec<(Role, Option<Right>)>,
    /// How replicas link to one another directly, where they do.
    pub meeting: Option<Meeting>,
    /// Whether there are so many replicas that each links to some of the others alone.
    pub is_mesh: bool,
    /// How replicas show themselves, where they do.
    pub showing: Option<Showing>,
}

impl Plan {
    pub fn draw(seed: u64, rng: &mut Rng) -> Self {
        let regions = *rng.pick(&[1, 2, 3, 3]).expect("not empty");
        let link_delay = *rng.pick(&[2, 30, 300]).expect("not empty");
        let mut between = vec![vec![1; regions]; regions];
        for (from, to) in (0..regions).flat_map(|from| (0..from).map(move |to| (from, to))) {
            let far = rng.between(5, 150);
            between[from][to] = far;
            between[to][from] = far + rng.below(far / 4 + 1);
        }
        let mut faults: Vec<_> =
            Fault::ALL.iter().filter(|_| rng.chance(500)).map(|fault| (0, *fault)).collect();
        for (weight, fault) in &mut faults {
            // Clones write under one author: nothing else makes rivals of what documents are made of.
            let more = if *fault == Fault::CloneProcess { 3 } else { 0 };
            *weight = 1 << (rng.below(7) + more);
        }
        let access = if rng.chance(400) {
            Access::Tokens { valid_for: *rng.pick(&[20_000, 120_000, 3_600_000]).expect("not empty") }
        } else {
            Access::Open
        };
        let tabs = if rng.chance(250) { rng.between(1, 2) } else { 0 };
        let mut plan = Self {
            regions,
            replicas: rng.between(2, 5) as usize,
            act_wait: *rng.pick(&[20, 100, 400, 3_000, 30_000]).expect("not empty"),
            fault_wait: *rng.pick(&[300, 2_000, 10_000, 100_000]).expect("not empty"),
            link_delay,
            disk_delay: *rng.pick(&[0, 3, 60]).expect("not empty"),
            between,
            faults,
            access,
            limits: draw_limits(rng),
            caps: rng.chance(120).then(|| Caps {
                space_bytes_max: rng.between(2_000, 60_000),
                author_branches_max: rng.between(1, 6),
                ..Caps::default()
            }),
            tabs,
            // What comes in another order is asked for, and tabs that share a log are asked while they
            // write over one another.
            permutes: rng.chance(if tabs > 0 { 500 } else { 200 }),
            has_rivals: rng.chance(40),
            evict_chance: if rng.chance(250) { *rng.pick(&[2, 10, 20, 50]).expect("not empty") } else { 0 },
            actors: draw_actors(rng),
            doze_after: rng.chance(500).then(|| *rng.pick(&[0, 100, 10_000]).expect("not empty")),
            meeting: Meeting::draw(seed),
            showing: None,
            reads_late: draw_reads_late(seed, tabs > 0),
            is_mesh: false,
        };
        draw_limits_at_once(seed, &mut plan.limits);
        if !plan.has_rivals {
            plan.showing = Showing::draw(seed, &mut plan.limits);
        }
        plan
    }

    /// A world of so many replicas, in which little else goes wrong than that they come and go.
    pub fn draw_mesh(seed: u64, replicas: usize, rng: &mut Rng) -> Self {
        let faults = [Fault::CrashReplica, Fault::BreakLink, Fault::StallLink, Fault::PartReplica];
        Self {
            replicas,
            act_wait: *rng.pick(&[300, 1_000]).expect("not empty"),
            fault_wait: 2_000,
            link_delay: 30,
            faults: faults.map(|fault| (rng.between(1, 4), fault)).into(),
            access: Access::Open,
            doze_after: None,
            caps: None,
            tabs: 0,
            reads_late: None,
            permutes: false,
            has_rivals: false,
            evict_chance: 0,
            actors: Vec::new(),
            meeting: Some(Meeting::draw_mesh(rng)),
            showing: None,
            is_mesh: true,
            ..Self::draw(seed, rng)
        }
    }

    /// What the replicas of a disk were told that the space is.
    pub fn descriptor(&self, disk: usize) -> Option<Descriptor> {
        let is_rival = self.has_rivals && disk.is_multiple_of(2);
        is_rival.then(|| Descriptor { partitions: 2, ..Descriptor::plain("space") })
    }

    /// Whether relays are taken out of memory while they are at something.
    pub fn evicts(&self) -> bool {
        self.evict_chance > 0 || self.faults.iter().any(|(_, fault)| *fault == Fault::EvictRelay)
    }

    /// Whether there may be several processes on one disk.
    pub fn has_tabs(&self) -> bool {
        self.tabs > 0 || self.faults.iter().any(|(_, fault)| *fault == Fault::SecondTab)
    }

    /// Relays are first among the disks, one in each region; replicas live anywhere.
    pub fn places(&self, rng: &mut Rng) -> Vec<Place> {
        let relays = (0..self.regions).map(|region| Place { region, last_mile: 0 });
        let replicas = (0..self.replicas).map(|_| Place {
            region: rng.below(self.regions as u64) as usize,
            last_mile: rng.below(self.link_delay + 1),
        });
        relays.chain(replicas.collect::<Vec<_>>()).collect()
    }

    /// One way, on a good day.
    pub fn latency(&self, from: Place, to: Place) -> Millis {
        from.last_mile + self.between[from.region][to.region] + to.last_mile
    }
}

/// Drawn apart, so that all other worlds are what they would be without.
fn draw_reads_late(seed: u64, has_tabs: bool) -> Option<Millis> {
    let mut rng = Rng::new(seed ^ 0x6c61_7465_7265_6164);
    // What was asked of a log is void once another process has written to it.
    rng.chance(if has_tabs { 700 } else { 200 }).then(|| *rng.pick(&[10, 300, 3_000]).expect("not empty"))
}

/// How much is done at once. Drawn apart too.
fn draw_limits_at_once(seed: u64, limits: &mut Limits) {
    let mut rng = Rng::new(seed ^ 0x6174_206f_6e63_6520);
    let tiny: [(&mut usize, usize); 4] = [
        (&mut limits.peers_written_max, 1),
        (&mut limits.reads_max, 2),
        (&mut limits.commit_reads_max, 1),
        (&mut limits.causes_ahead_max, 2),
    ];
    for (limit, most) in tiny {
        if rng.chance(300) {
            *limit = most;
        }
    }
    if rng.chance(700) {
        limits.checkpoint_commits = rng.between(1, 9);
    }
}

fn draw_actors(rng: &mut Rng) -> Vec<(Role, Option<Right>)> {
    let mut actors = Vec::new();
    // Readers who try to write.
    if rng.chance(250) {
        actors.push((Role::Noise, Some(Right::Read)));
    }
    if rng.chance(500) {
        return actors;
    }
    for _ in 0..rng.between(1, 2) {
        let role =
            *rng.pick(&[Role::Husks, Role::Husks, Role::Forks, Role::Noise, Role::Noise]).expect("not empty");
        let right = match role {
            Role::Noise => *rng.pick(&[Some(Right::Write), Some(Right::Read), None]).expect("not empty"),
            _ => Some(Right::Write),
        };
        actors.push((role, right));
    }
    actors
}

/// Those of the protocol now and then; mostly such that a few commits reach them.
fn draw_limits(rng: &mut Rng) -> Limits {
    if rng.chance(300) {
        return Limits::PROTOCOL;
    }
    let mut limits = Limits {
        frame_bytes_max: 4_000,
        hello_bytes_max: 4_000,
        commit_bytes_max: 16_000,
        header_bytes_max: 8_000,
        hello_cursors_max: 4,
        ..Limits::PROTOCOL
    };
    let tiny: [(&mut usize, usize); 20] = [
        (&mut limits.after_max, 2),
        (&mut limits.value_bytes_max, 400),
        (&mut limits.row_bytes, 300),
        (&mut limits.waiting_commits_max, 100),
        (&mut limits.waiting_bytes_max, 100_000),
        (&mut limits.want_ranges_max, 2),
        (&mut limits.hello_tips_max, 2),
        (&mut limits.vector_frame_tips_max, 3),
        (&mut limits.read_bytes, 1),
        (&mut limits.write_bytes_max, 500),
        (&mut limits.hot_chains_max, 1),
        (&mut limits.echo_ranges_max, 1),
        (&mut limits.ack_marks_max, 2),
        (&mut limits.piece_bytes, 700),
        (&mut limits.pieces_bytes_max, 60_000),
        (&mut limits.unread_bytes, 6_000),
        (&mut limits.probe_bytes, 900),
        (&mut limits.turn_bytes, 5_000),
        (&mut limits.introductions_max, 2),
        (&mut limits.meetings_max, 2),
    ];
    for (limit, most) in tiny {
        if rng.chance(700) {
            *limit = most;
        }
    }
    if rng.chance(700) {
        limits.frames_per_second = 100;
        limits.frames_burst = 300;
    }
    if rng.chance(700) {
        limits.signals_per_second = 1;
        limits.signals_burst = 40;
    }
    for limit in [&mut limits.credit_bytes, &mut limits.answer_bytes] {
        if rng.chance(700) {
            *limit = 4_000;
        }
    }
    // What may be on the way must fit into the waiting room.
    if limits.waiting_commits_max < Limits::PROTOCOL.waiting_commits_max
        || limits.waiting_bytes_max < Limits::PROTOCOL.waiting_bytes_max
    {
        limits.credit_bytes = 4_000;
        limits.answer_bytes = 4_000;
    }
    // Tips in a greeting must fit into it.
    limits.hello_tips_max = limits.hello_tips_max.min(limits.hello_bytes_max / 250);
    limits.vector_frame_tips_max = limits.vector_frame_tips_max.min(limits.frame_bytes_max / 80);
    // And so must questions.
    limits.want_ranges_max = limits.want_ranges_max.min(limits.frame_bytes_max / 80);
    limits
}

/// What named documents begin as in a version of the application. Its texts are made of a letter that
/// no other version has, and no edit writes.
pub fn initial(version: usize) -> Value {
    let letter = VERSION_LETTERS[version].to_string();
    let settings = [
        ("font".to_owned(), Value::Text(letter.repeat(4))),
        ("size".to_owned(), Value::Scalar(ScalarValue::Int(version as i64))),
    ];
    Value::Map(BTreeMap::from([
        ("text".to_owned(), Value::Text(letter.repeat(2))),
        ("list".to_owned(), Value::List(Vec::new())),
        ("n".to_owned(), Value::Scalar(ScalarValue::counter(0))),
        ("theme".to_owned(), Value::Text(letter.repeat(3))),
        ("settings".to_owned(), Value::Map(BTreeMap::from(settings))),
    ]))
}
