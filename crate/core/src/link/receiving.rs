//! What comes in on a link: which frames are not in the log yet, and how much more may come.

use crate::base::id::CommitId;
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::base::position::Mark;
use crate::base::time::Millis;
use crate::link::sending::FRAME_HEAD_BYTES;
use crate::wire::batch::Last;

/// The number of a frame of commits on its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameNumber(u64);

/// The peer has broken a rule of flow control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlowViolation;

/// Why a piece is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceFault {
    /// It is smaller than pieces are, or the commit would have fitted into a frame.
    Small,
    /// No commit is so large, or commits in pieces come without the frame that says where they belong.
    Large,
}

#[derive(Clone, Debug)]
pub(crate) struct Receive {
    /// All of the peer's log up to here is in ours, maybe without some bytes.
    pub read: Mark,
    frames: IdMap<u64, InFrame>,
    next_frame: u64,
    pub stream: Pieces,
    pub answer: Pieces,
    /// Bytes that the peer may still send.
    pub window: i64,
    /// What of it was granted with the greeting, and is on no account before it is used.
    greeted: i64,
    /// Bytes that are done with and not granted again yet.
    pub owed: u64,
    /// When more may be granted.
    pub grant_at: Millis,
    /// Up to which number the peer was told that nothing is missing, if something is.
    pub whole_told: Option<u64>,
    /// The positions of holes in ours that the peer has said it lacks, too, although its log had their bytes
    /// once: two copies of one log say so. Such a hole limits what is whole for the other copy alone.
    pub lacking: IdSet<u64>,
    /// The last commit that came in the stream, from which the next frame may go on.
    pub last: Option<Last>,
}

/// A frame of commits of which some are not in the log yet.
#[derive(Clone, Debug)]
struct InFrame {
    to: Option<Mark>,
    /// How often each is in the frame: a commit whose bytes came late may be there twice, and only the
    /// second copy has them.
    outstanding: IdMap<CommitId, usize>,
}

/// Commits that come in pieces. The frame after their last piece says where they belong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    /// Of the commit that has not come whole. They are put together once: whoever never sends the last
    /// one costs no copies.
    parts: Vec<Vec<u8>>,
    parts_bytes: usize,
    whole: Vec<Vec<u8>>,
    /// When the last piece came.
    pub came_at: Millis,
}

impl Pieces {
    /// Takes a piece.
    ///
    /// # Errors
    /// Why the peer must not send it.
    pub fn push(
        &mut self,
        bytes: Vec<u8>,
        last: bool,
        now: Millis,
        limits: &Limits,
    ) -> Result<(), PieceFault> {
        self.came_at = now;
        let body_bytes = limits.frame_bytes_max - FRAME_HEAD_BYTES;
        let is_whole = last && self.parts_bytes + bytes.len() > body_bytes;
        if !is_whole && (last || bytes.len() < limits.piece_bytes.min(body_bytes)) {
            return Err(PieceFault::Small);
        }
        // What fits into frames is not sent in pieces: two commits in a row that do not are possible.
        if self.bytes() + bytes.len() > 2 * (limits.commit_bytes_max + 2 * limits.header_bytes_max) {
            return Err(PieceFault::Large);
        }
        self.parts_bytes += bytes.len();
        self.parts.push(bytes);
        if last {
            self.whole.push(core::mem::take(&mut self.parts).concat());
            self.parts_bytes = 0;
        }
        Ok(())
    }

    /// How much is kept.
    pub fn bytes(&self) -> usize {
        self.parts_bytes + self.whole.iter().map(Vec::len).sum::<usize>()
    }

    /// The commits that came whole.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.whole)
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.whole.is_empty()
    }
}

impl Receive {
    pub fn new(limits: &Limits) -> Self {
        Self {
            read: Mark::START,
            frames: IdMap::new(),
            next_frame: 0,
            stream: Pieces::default(),
            answer: Pieces::default(),
            window: limits.credit_bytes as i64,
            greeted: limits.credit_bytes as i64,
            owed: 0,
            grant_at: 0,
            whole_told: None,
            lacking: IdSet::new(),
            last: None,
        }
    }

    /// Takes note of a frame of commits of the stream; its number on this link.
    pub fn frame(&mut self, to: Option<Mark>, ids: impl IntoIterator<Item = CommitId>) -> FrameNumber {
        let mut outstanding: IdMap<_, usize> = IdMap::new();
        for id in ids {
            *outstanding.get_or_default(id) += 1;
        }
        // A frame without commits is settled with the one before it: nothing more is kept for it.
        if let Some((number, last)) = self.frames.last_mut().filter(|_| outstanding.is_empty()) {
            last.to = to.or(last.to);
            return FrameNumber(*number);
        }
        let number = FrameNumber(self.next_frame);
        self.frames.insert(number.0, InFrame { to, outstanding });
        self.next_frame += 1;
        number
    }

    /// Whether commits that came are not all in the log yet.
    pub fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Whether nothing is half here.
    pub fn is_settled(&self) -> bool {
        self.frames.is_empty() && self.stream.is_empty() && self.answer.is_empty()
    }

    /// Counts bytes of commits that came.
    ///
    /// # Errors
    /// [`FlowViolation`]: more than was granted.
    pub fn spend(&mut self, bytes: usize, limits: &Limits) -> Result<(), FlowViolation> {
        self.window -= bytes as i64;
        // A sender may begin a commit, and a frame, with what credit it has left.
        let most = (limits.commit_bytes_max + 2 * limits.header_bytes_max + limits.frame_bytes_max) as i64;
        if self.window < -most { Err(FlowViolation) } else { Ok(()) }
    }

    /// Nothing is granted with the greeting: the peer is owed it.
    pub fn grant_later(&mut self) {
        self.owed = u64::try_from(core::mem::take(&mut self.window)).unwrap_or_default();
        self.greeted = 0;
    }

    /// What has come for which nothing was granted again.
    pub fn unpaid(&self) -> u64 {
        u64::try_from(self.greeted - self.window).unwrap_or_default()
    }

    /// Those bytes are done with, and may be granted again.
    pub fn owe(&mut self, bytes: u64) {
        self.owed += bytes;
    }

    /// What is owed is granted.
    pub fn grant(&mut self) -> u64 {
        let grant = core::mem::take(&mut self.owed);
        self.window += grant as i64;
        grant
    }

    /// This copy of a commit, which came in that frame, is in the log.
    pub fn arrived(&mut self, frame: FrameNumber, id: &CommitId) {
        let Some(frame) = self.frames.get_mut(&frame.0) else { return };
        let Some(count) = frame.outstanding.get_mut(id) else { return };
        *count -= 1;
        if *count == 0 {
            frame.outstanding.remove(id);
        }
    }

    /// The position up to which all is in the log, if it has moved.
    pub fn advance(&mut self) -> Option<Mark> {
        let mut moved = None;
        while self.frames.first_key_value().is_some_and(|(_, frame)| frame.outstanding.is_empty()) {
            moved = self.frames.pop_first().and_then(|(_, frame)| frame.to).or(moved);
        }
        if let Some(to) = moved {
            self.read = to;
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever sends them has no price to pay but for the rate of frames.
    #[test]
    fn nothing_is_kept_of_frames_without_commits_behind_one_that_waits() {
        let mut receive = Receive::new(&Limits::PROTOCOL);
        let commit = CommitId([1; 32]);
        let frame = receive.frame(None, [commit]);
        for _ in 0..1_000 {
            assert_eq!(receive.frame(Some(Mark::START), []), frame);
        }
        assert_eq!(receive.frames.len(), 1);
        receive.arrived(frame, &commit);
        assert_eq!(receive.advance(), Some(Mark::START), "what the last of them said counts");
        assert!(receive.is_settled());
    }

    #[test]
    fn a_frame_with_two_copies_of_a_commit_is_done_with_the_second() {
        let mut receive = Receive::new(&Limits::PROTOCOL);
        let commit = CommitId([1; 32]);
        let frame = receive.frame(Some(Mark::START), [commit, commit]);
        receive.arrived(frame, &commit);
        assert_eq!(receive.advance(), None);
        receive.arrived(frame, &commit);
        assert_eq!(receive.advance(), Some(Mark::START));
    }
}
