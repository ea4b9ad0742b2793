//! How much was sent on a link that the other side has not read.
//!
//! Not every host can tell how full the queue of a connection is, and a peer may grant credit without
//! reading. So after every so many bytes a [`Head`](crate::wire::bodies::Head) goes along with a number
//! that only whoever has read so far can know; the answer says that all before it was read.

use std::collections::VecDeque;

use crate::base::limits::Limits;

/// Questions in an attachment.
const KEPT_MAX: usize = 8;

#[derive(Clone, Debug, Default)]
pub(crate) struct Unread {
    bytes: usize,
    /// Of these, sent after the last question.
    since: usize,
    /// The questions that are not answered, each with the bytes before it, from the one before.
    questions: VecDeque<(u64, usize)>,
    is_full: bool,
}

impl Unread {
    /// Takes up what was kept.
    pub fn resume(since: u64, questions: Vec<(u64, u64)>, limits: &Limits) -> Self {
        let questions: VecDeque<_> =
            questions.into_iter().map(|(nonce, bytes)| (nonce, bytes as usize)).collect();
        let bytes = since as usize + questions.iter().map(|(_, bytes)| bytes).sum::<usize>();
        Self { bytes, since: since as usize, questions, is_full: bytes >= limits.unread_bytes }
    }

    /// What is to be kept, where it is little enough.
    pub fn keep(&self) -> Option<(u64, Vec<(u64, u64)>)> {
        let questions = self.questions.iter().map(|(nonce, bytes)| (*nonce, *bytes as u64));
        (self.questions.len() <= KEPT_MAX).then(|| (self.since as u64, questions.collect()))
    }

    /// So many bytes were sent; whether it is to be asked how much was read.
    #[must_use]
    pub fn sent(&mut self, bytes: usize, limits: &Limits) -> bool {
        self.bytes += bytes;
        self.since += bytes;
        self.is_full |= self.bytes >= limits.unread_bytes;
        self.since >= limits.probe_bytes.min(limits.unread_bytes / 4)
    }

    /// It was asked, with this number.
    pub fn asked(&mut self, nonce: u64) {
        self.questions.push_back((nonce, core::mem::take(&mut self.since)));
    }

    /// The question of this number is answered: all before it was read. Whether it was one.
    pub fn answered(&mut self, nonce: u64, limits: &Limits) -> bool {
        let Some(at) = self.questions.iter().position(|(asked, _)| *asked == nonce) else { return false };
        self.bytes -= self.questions.drain(..=at).map(|(_, bytes)| bytes).sum::<usize>();
        self.is_full &= 2 * self.bytes > limits.unread_bytes;
        true
    }

    /// How much may be sent of what can wait. What was full has no room before half of it was read:
    /// a large commit is read from storage again each time.
    pub fn room(&self, limits: &Limits) -> usize {
        if self.is_full { 0 } else { limits.unread_bytes.saturating_sub(self.bytes) }
    }

    /// Even what can't wait is too much by now.
    pub fn is_over(&self, limits: &Limits) -> bool {
        self.bytes > 2 * limits.unread_bytes
    }
}
