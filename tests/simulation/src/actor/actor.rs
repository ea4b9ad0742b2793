//! What every actor knows: its links, what it has heard, and what it was asked.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{AuthorId, CommitId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::wire::batch::Last;
use eyot_core::wire::batch::record::Record;
use eyot_core::wire::bodies::{Answer, Commits, Head, Hello, Terms, Want};
use eyot_core::wire::frame::Frame;

use crate::base::rng::Rng;

/// Commits that an actor remembers.
const HEARD_MAX: usize = 600;
/// Receipts that it remembers.
const RECEIPTS_MAX: usize = 100;

/// How an actor misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It brings others' commits without their bytes, before they come by themselves.
    Husks,
    /// It makes branches, of its own chain and of others'.
    Forks,
    /// It sends frames of all kinds at any time.
    Noise,
    /// It names commits and sends none of them, and acknowledges what it never got.
    Names,
    /// It greets replicas as the log of another holder.
    Mask,
    /// It makes other changes in the places of others' changes.
    Rivals,
}

/// What an actor does.
pub enum Deed {
    /// Connects to a region's relay.
    Dial(LinkId, usize),
    Send(LinkId, Vec<u8>),
    Close(LinkId),
}

/// One connection of an actor.
pub struct Line {
    /// The disk of who is at the other end: a region's relay, or a replica.
    pub with: usize,
    /// It has greeted.
    pub has_greeted: bool,
    pub is_up: bool,
    /// Bytes of commits that it may send. It keeps to that, mostly: its link is closed otherwise.
    pub credit: i64,
    /// How many of the commits it knows it has sent here.
    pub sent: usize,
    /// The end of the other side's log, as it was told.
    pub told: u64,
    /// The last commit that has come on it.
    pub last: Option<Last>,
}

impl Line {
    pub fn new(with: usize) -> Self {
        Self { with, has_greeted: false, is_up: false, credit: 0, sent: 0, told: 0, last: None }
    }
}

pub struct Actor {
    pub role: Role,
    /// Whether its token lets it write.
    pub may_write: bool,
    pub token: Option<String>,
    pub limits: Limits,
    /// Whether it says who is there, too.
    pub shows: bool,
    pub lines: BTreeMap<LinkId, Line>,
    /// How many regions there are: disks after these are replicas'.
    pub regions: usize,
    /// The logs of holders it has met, and the marks that it was given.
    pub logs: BTreeMap<usize, (LogId, Vec<Mark>)>,
    /// The commits it knows, in the order in which they came.
    pub heard: Vec<Commit>,
    /// The receipts it has got.
    pub receipts: Vec<Vec<u8>>,
    known: BTreeSet<CommitId>,
    pub author: AuthorId,
    pub start: CommitId,
    pub log: LogId,
    next_link: u64,
}

impl Actor {
    pub fn new(
        (role, may_write): (Role, bool),
        token: Option<String>,
        limits: Limits,
        regions: usize,
        rng: &mut Rng,
    ) -> Self {
        Self {
            role,
            may_write,
            token,
            limits,
            regions,
            shows: false,
            lines: BTreeMap::new(),
            logs: BTreeMap::new(),
            heard: Vec::new(),
            receipts: Vec::new(),
            known: BTreeSet::new(),
            author: AuthorId(rng.bytes()),
            start: Descriptor::plain("space").chain_start(0),
            log: LogId(rng.bytes()),
            next_link: 1 << 32,
        }
    }

    /// It is the actor's turn.
    pub fn act(&mut self, rng: &mut Rng) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for region in 0..self.regions {
            if !self.lines.values().any(|line| line.with == region) && rng.chance(300) {
                let link = self.begins(region);
                deeds.push(Deed::Dial(link, region));
            }
        }
        match self.role {
            Role::Husks => self.bring_husks(rng, &mut deeds),
            Role::Forks => self.bring_forks(rng, &mut deeds),
            Role::Noise => self.make_noise(rng, &mut deeds),
            Role::Names => self.name_commits(rng, &mut deeds),
            Role::Mask => self.act_as_another(rng, &mut deeds),
            Role::Rivals => self.bring_rivals(rng, &mut deeds),
        }
        self.ask_for_receipts(rng, &mut deeds);
        let links: Vec<_> = self.lines.keys().copied().collect();
        for link in links {
            if self.lines[&link].is_up && rng.chance(200) {
                deeds.push(Deed::Send(link, Frame::Credit(rng.below(100_000)).encode()));
            }
            if rng.chance(10) {
                self.lines.remove(&link);
                deeds.push(Deed::Close(link));
            }
        }
        deeds
    }

    /// A link to somebody, which is not open yet.
    pub fn begins(&mut self, with: usize) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.lines.insert(link, Line::new(with));
        link
    }

    /// It is this side's turn to greet.
    pub fn opened(&mut self, link: LinkId, rng: &mut Rng) -> Vec<Deed> {
        let mut hello = self.hello();
        let Some(line) = self.lines.get_mut(&link) else { return Vec::new() };
        line.has_greeted = true;
        let with = line.with;
        if with >= self.regions {
            self.greet_as_replica(&mut hello, with, rng);
        }
        if self.role == Role::Noise {
            self.twist(&mut hello, with, rng);
        }
        vec![Deed::Send(link, Frame::Hello(hello).encode())]
    }

    pub fn closed(&mut self, link: LinkId) {
        self.lines.remove(&link);
    }

    pub fn received(&mut self, link: LinkId, frame: &[u8], rng: &mut Rng) -> Vec<Deed> {
        let Some(line) = self.lines.get_mut(&link) else { return Vec::new() };
        let Ok(frame) = Frame::decode_next(frame, &Limits::PROTOCOL, &mut line.last) else {
            return Vec::new();
        };
        let mut deeds = Vec::new();
        let is_of_replica = line.with >= self.regions;
        match frame {
            Frame::Hello(hello) => {
                line.is_up = true;
                line.credit = hello.credit as i64;
                line.told = hello.head.seq;
                self.logs.insert(line.with, (hello.log, vec![hello.head]));
                if is_of_replica && !line.has_greeted {
                    return self.opened(link, rng);
                }
            }
            Frame::Credit(bytes) => line.credit += bytes as i64,
            Frame::Ack(ack) => {
                if let Some((_, marks)) = self.logs.get_mut(&line.with) {
                    marks.push(ack.at);
                }
            }
            // Who does not answer is taken for dead.
            Frame::Head(Head { nonce, at: None }) if is_of_replica && !rng.chance(50) => {
                deeds.push(Deed::Send(link, Frame::Head(Head { nonce, at: Some(Mark::START) }).encode()));
            }
            Frame::Commits(Commits { records, to, .. }) => {
                if let Some(to) = to {
                    line.told = to.seq;
                    self.logs.entry(line.with).and_modify(|(_, marks)| marks.push(to));
                }
                records.into_iter().for_each(|record| self.hear(record));
                if self.role == Role::Husks {
                    self.bring_husks(rng, &mut deeds);
                }
            }
            Frame::Receipt(receipt) if self.receipts.len() < RECEIPTS_MAX => {
                self.receipts.push(receipt.bytes.into());
            }
            Frame::Inquiry(inquiry) if is_of_replica => self.answer_inquiry(link, &inquiry, rng, &mut deeds),
            Frame::Want(want) if self.may_write => deeds.push(Deed::Send(link, self.answer(&want, rng))),
            _ => {}
        }
        deeds
    }

    fn hear(&mut self, record: Record) {
        if let Ok(commit) = record.open(&Limits::PROTOCOL) {
            self.learn(commit);
        }
    }

    pub fn learn(&mut self, commit: Commit) {
        if self.heard.len() < HEARD_MAX && self.known.insert(commit.id()) {
            self.heard.push(commit);
        }
    }

    /// Answers with what it has, with less, or with nothing.
    fn answer(&self, want: &Want, rng: &mut Rng) -> Vec<u8> {
        let is_wanted = |commit: &&Commit| {
            let header = commit.header();
            want.ranges
                .iter()
                .any(|range| range.author == header.author && (range.from..=range.to).contains(&header.seq))
        };
        let mut records = Vec::new();
        let mut bytes = 0;
        if !rng.chance(200) {
            for commit in self.heard.iter().filter(is_wanted) {
                let record = self.dressed(commit, rng);
                bytes += record.len();
                if bytes + 200 > self.limits.frame_bytes_max {
                    break;
                }
                records.push(record.into());
            }
        }
        let cut = rng.chance(100);
        Frame::Answer(Answer { nonce: want.nonce, records, more: false, cut }).encode()
    }

    /// Sends a commit, if there is credit for it and it fits into a frame.
    pub fn bring(&mut self, link: LinkId, record: Vec<u8>, deeds: &mut Vec<Deed>) -> bool {
        let Some(line) = self.lines.get_mut(&link).filter(|line| line.is_up && line.credit > 0) else {
            return false;
        };
        if record.len() + 200 < self.limits.frame_bytes_max {
            line.credit -= record.len() as i64 + 256;
            let commits = Commits { records: vec![record.into()], to: None, named: Vec::new() };
            deeds.push(Deed::Send(link, Frame::Commits(commits).encode()));
        }
        true
    }

    pub fn hello(&self) -> Hello {
        Hello {
            version_min: 1,
            version_max: 1,
            space: "space".into(),
            log: self.log,
            region: None,
            token: self.token.clone(),
            cursors: Vec::new(),
            digest: None,
            resumed: false,
            tips: Some(Vec::new()),
            credit: 1 << 20,
            head: Mark::START,
            regions: Vec::new(),
            terms: Terms::default(),
            descriptor: Some(Descriptor::plain("space")),
            partition: 0,
            holes: 0,
            hole_tips: Vec::new(),
            required: 0,
        }
    }

    /// A cursor into a holder's log that the log never gave.
    pub fn invented_cursor(&self, with: usize, rng: &mut Rng) -> Option<Cursor> {
        let (log, marks) = self.logs.get(&with)?;
        let mark = *rng.pick(marks)?;
        let mut invented = mark;
        if rng.chance(500) {
            invented.seq += rng.below(100);
        }
        Some(Cursor { log: *log, read: if rng.chance(500) { mark } else { invented }, seen: invented })
    }
}
