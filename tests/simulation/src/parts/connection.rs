//! Connections between processes, and what is under way on them.

use std::collections::VecDeque;
use std::sync::Arc;

use eyot_core::base::id::{LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark, Marker};
use eyot_core::base::time::Millis;
use eyot_core::commit::commit::{Commit, ItemBytes};
use eyot_core::wire::access::Right;
use eyot_core::wire::batch::Last;
use eyot_core::wire::batch::record::Record;
use eyot_core::wire::frame::Frame;

use crate::base::ids::ProcessId;
use crate::parts::spent::Spent;

pub struct Connection {
    /// Who dialled, who accepted.
    pub ends: [(ProcessId, LinkId); 2],
    pub disks: [usize; 2],
    pub is_open: bool,
    /// What is under way, to each end.
    pub queues: [VecDeque<Message>; 2],
    /// Whether what is sent to that end vanishes.
    pub lost: [bool; 2],
    pub stalled_until: Millis,
    /// What each end may still send, by what the other has granted.
    pub credit: [i64; 2],
    /// The position that each end's last frame of commits has told, if none before told as much.
    pub told: [Option<u64>; 2],
    /// The last position that each end has told.
    pub most_told: [u64; 2],
    pub spent: Spent,
    /// The relay was shown a mark that it gave, of something that is not in its log any more; with what
    /// it makes its marks.
    pub shown: Option<(Marker, Mark)>,
    /// The log that each end greeted with, and the cursors that it showed.
    pub greeted: [Option<(LogId, Vec<Cursor>)>; 2],
    /// A commit is left out of the stream now and then.
    pub withholds: bool,
    /// What each end may do at the other, where both are replicas that were introduced.
    pub rights: Option<[Right; 2]>,
    /// The last commit of what each end has sent, and of what was put on its way in place of that.
    pub last_sent: [Option<Last>; 2],
    pub last_posted: [Option<Last>; 2],
}

impl Connection {
    pub fn new(ends: [(ProcessId, LinkId); 2], disks: [usize; 2]) -> Self {
        Self {
            ends,
            disks,
            is_open: false,
            queues: Default::default(),
            lost: [false; 2],
            stalled_until: 0,
            credit: [0; 2],
            told: [None; 2],
            most_told: [0; 2],
            spent: Spent::default(),
            shown: None,
            greeted: Default::default(),
            withholds: false,
            rights: None,
            last_sent: [None; 2],
            last_posted: [None; 2],
        }
    }
}

pub enum Message {
    /// Its bytes, what they mean, if anything, and when it was sent.
    Frame(Arc<[u8]>, Option<Box<Frame>>, Millis),
    Ping,
    Pong,
    Close,
}

/// A frame in words, for the trace.
pub fn summary(frame: Option<&Frame>) -> String {
    match frame {
        Some(Frame::Commits(commits)) => {
            format!("Commits to {:?}: {}", commits.to.map(|to| to.seq), in_words(&commits.records))
        }
        Some(Frame::Answer(answer)) => {
            let more = if answer.more { ", more follows" } else { "" };
            format!("Answer to {}{more}: {}", answer.nonce, in_words(&answer.records))
        }
        Some(Frame::Hello(hello)) => format!(
            "Hello {:?} resumed {} head {} cursors {:?} tips {:?}",
            hello.log,
            hello.resumed,
            hello.head.seq,
            hello.cursors.iter().map(|c| (c.log, c.read.seq, c.seen.seq)).collect::<Vec<_>>(),
            hello.tips.as_ref().map(Vec::len),
        ),
        Some(frame) => format!("{frame:?}"),
        None => "no frame".into(),
    }
}

/// The commits, and what they lack.
fn in_words(records: &[Record]) -> String {
    let words = commits_of(records).map(|commit| {
        let lacks = |what: fn(&ItemBytes) -> bool| commit.items().any(|(_, bytes)| what(bytes));
        let holes = if lacks(|bytes| matches!(bytes, ItemBytes::Hole(_))) { " with holes" } else { "" };
        let deleted = if lacks(|bytes| matches!(bytes, ItemBytes::Deleted(_))) { " deleted" } else { "" };
        format!("{:?}{holes}{deleted}", commit.id())
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Those of the records that are commits.
pub fn commits_of(records: &[Record]) -> impl Iterator<Item = Commit> {
    records.iter().filter_map(|record| record.clone().open(&Limits::PROTOCOL).ok())
}
