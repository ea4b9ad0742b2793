//! Peers that lie to replicas in ways that are worth nothing at a relay.

use eyot_core::base::id::{AuthorId, CommitId, LinkId};
use eyot_core::base::position::{Cursor, Mark};
use eyot_core::commit::commit::{Commit, ItemBytes};
use eyot_core::commit::kind::Kind;
use eyot_core::commit::vector::Tip;
use eyot_core::wire::bodies::{Ack, Commits, Head, Hello, Quiet};
use eyot_core::wire::frame::Frame;

use crate::actor::actor::{Actor, Deed, Role};
use crate::base::rng::Rng;

/// What a named tip costs.
const NAMED_COST: i64 = 64;
/// Frames that are sent at once by who wants to be a burden.
const FLOOD: u64 = 60;

impl Actor {
    /// A greeting as another replica would send it.
    pub fn greet_as_replica(&self, hello: &mut Hello, with: usize, rng: &mut Rng) {
        hello.token = None;
        if self.role != Role::Mask {
            return;
        }
        let others: Vec<_> = self.logs.values().collect();
        if let Some((log, marks)) = rng.pick(&others).filter(|_| rng.chance(800)) {
            hello.log = *log;
            hello.head = marks.last().copied().unwrap_or(Mark::START);
        }
        // It says that it has all of the other's log, and what it says was given by that log.
        if let Some((log, marks)) = self.logs.get(&with)
            && let Some(mark) = marks.iter().max_by_key(|mark| mark.seq).filter(|_| rng.chance(700))
        {
            hello.cursors = vec![Cursor { log: *log, read: *mark, seen: *mark }];
        }
    }

    /// Names commits and sends none, says that it has all, and asks for nothing.
    pub fn name_commits(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        for link in self.replicas_up() {
            let line = &self.lines[&link];
            let (with, told, credit) = (line.with, line.told, line.credit);
            let mark = self.any_mark(with, rng);
            match rng.below(5) {
                0 => deeds.push(Deed::Send(link, Frame::Naming(rng.chance(500)).encode())),
                1 | 2 => {
                    let named: Vec<_> = (0..rng.between(1, 5)).map(|_| self.tip_to_name(rng)).collect();
                    let cost = named.len() as i64 * NAMED_COST;
                    if let Some(line) = self.lines.get_mut(&link).filter(|_| credit > cost) {
                        line.credit -= cost;
                        let commits =
                            Commits { records: Vec::new(), to: rng.chance(500).then_some(mark), named };
                        deeds.push(Deed::Send(link, Frame::Commits(commits).encode()));
                    }
                }
                3 => deeds.push(Deed::Send(link, acknowledges(told, mark))),
                _ if rng.chance(30) => self.flood(link, rng, deeds),
                _ => {}
            }
        }
    }

    /// Behaves like whoever it greeted as, and says more than is true.
    pub fn act_as_another(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        for link in self.replicas_up() {
            let line = &self.lines[&link];
            let (with, told) = (line.with, line.told);
            let mark = self.any_mark(with, rng);
            match rng.below(4) {
                0 => deeds.push(Deed::Send(link, acknowledges(told, mark))),
                1 => {
                    let commit = rng.pick(&self.heard).map(Commit::encode);
                    if let Some(record) = commit {
                        self.bring(link, record, deeds);
                    }
                }
                2 => {
                    let records = Vec::new();
                    let commits = Commits { records, to: Some(mark), named: Vec::new() };
                    deeds.push(Deed::Send(link, Frame::Commits(commits).encode()));
                }
                _ => {
                    let digest = eyot_core::commit::vector::Vector::default().digest();
                    deeds.push(Deed::Send(
                        link,
                        Frame::Quiet(Quiet { head: mark, read: told, digest }).encode(),
                    ));
                }
            }
        }
    }

    /// Puts the changes of a commit in the place of another one of its author's.
    pub fn bring_rivals(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        let links: Vec<_> = self.lines.keys().copied().collect();
        let Some(link) = rng.pick(&links).copied() else { return };
        match self.rival(rng) {
            Some(rival) => {
                self.learn(rival.clone());
                self.bring(link, rival.encode(), deeds);
            }
            // What it has heard is brought as it is.
            None => {
                let commit = rng.pick(&self.heard).map(Commit::encode);
                if let Some(record) = commit {
                    self.bring(link, record, deeds);
                }
            }
        }
    }

    /// Another commit in the place of one that it knows, with changes that an engine can read.
    fn rival(&self, rng: &mut Rng) -> Option<Commit> {
        let of = rng.pick(&self.heard)?.header().clone();
        let same_author: Vec<_> =
            self.heard.iter().filter(|commit| commit.header().author == of.author).collect();
        let donor = rng.pick(&same_author)?;
        let items: Vec<_> = donor
            .items()
            .filter_map(|(item, bytes)| match bytes {
                ItemBytes::Present(bytes) => Some((item.doc?, Kind::from_number(item.kind)?, bytes.clone())),
                _ => None,
            })
            .collect();
        let place = (of.author, of.seq, of.prev);
        let rival = Commit::new(place, of.after, of.time + 1, items, &self.limits).ok()?;
        (rng.chance(500) && !rival.header().items.is_empty()).then_some(rival)
    }

    /// So much at once that no honest replica would say.
    fn flood(&self, link: LinkId, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        let frame = match rng.below(3) {
            0 => Frame::Naming(true),
            1 => Frame::Head(Head { nonce: 7, at: None }),
            _ => Frame::Credit(1),
        };
        let frame = frame.encode();
        deeds.extend((0..FLOOD).map(|_| Deed::Send(link, frame.clone())));
    }

    fn tip_to_name(&self, rng: &mut Rng) -> Tip {
        match rng.pick(&self.heard).map(Commit::tip) {
            // The one after it, which nobody has made.
            Some(tip) if rng.chance(300) => Tip { seq: tip.seq + 1, id: CommitId(rng.bytes()), ..tip },
            Some(tip) if rng.chance(700) => tip,
            _ => Tip { author: AuthorId(rng.bytes()), seq: rng.between(1, 9), id: CommitId(rng.bytes()) },
        }
    }

    pub fn replicas_up(&self) -> Vec<LinkId> {
        let up = self.lines.iter().filter(|(_, line)| line.is_up && line.with >= self.regions);
        up.map(|(link, _)| *link).collect()
    }
}

/// That all was read, and stored with all bytes.
fn acknowledges(told: u64, at: Mark) -> Vec<u8> {
    Frame::Ack(Ack { read: told, whole: None, at, complete: true }).encode()
}
