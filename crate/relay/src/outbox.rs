//! What waits to go out on one connection: filled by a shard, emptied by the connection's task.
//!
//! It is bounded: who reads too slowly is cut off, for what it lacks is in the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eyot_core::frame::{Bye, CloseCode, Frame};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A connection with more waiting to go out is closed.
pub const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is taken from the queue at once, and written in one go.
const BATCH_BYTES: usize = 256 * 1024;
/// The same in messages: what one vectored write takes, twice over.
const BATCH_MESSAGES: usize = 512;

/// The code that a connection is closed with for that.
pub const TOO_SLOW: u16 = CloseCode::GoingAway as u16;

/// One thing to do on a connection.
#[derive(Debug)]
pub enum Outgoing {
    /// A frame of the link protocol.
    Frame(Arc<[u8]>),
    /// `ping` or `pong`, between hosts.
    Text(&'static str),
    /// The answer to a WebSocket ping.
    Pong(Vec<u8>),
    /// The last message.
    Close(u16, String),
    /// Judge this token and tell the shard.
    Authorize(Option<String>),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    news: Notify,
    overflow: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(Option<Instant>, Outgoing)>,
    bytes: usize,
    /// Of `bytes`, what was taken and may not be written yet.
    taken: usize,
    /// The last message is in the queue, or has gone out.
    is_closed: bool,
    delay: Option<Duration>,
}

impl Outbox {
    /// Holds back all that is pushed from now on for so long.
    pub fn set_delay(&self, delay: Option<Duration>) {
        self.lock().delay = delay;
    }

    /// To go out after all that is there already.
    pub fn push(&self, outgoing: Outgoing) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        state.is_closed = matches!(outgoing, Outgoing::Close(..));
        state.bytes += outgoing.bytes();
        if state.bytes > QUEUE_BYTES_MAX {
            state.clear();
            state.close(TOO_SLOW, "this connection is too slow");
            self.overflow.notify_one();
        } else {
            let due = state.delay.map(|delay| Instant::now() + delay);
            state.queue.push_back((due, outgoing));
        }
        drop(state);
        self.news.notify_one();
    }

    /// Closes after all that is there already, telling why in a frame first.
    pub fn close(&self, code: u16, reason: &str) {
        let mut state = self.lock();
        if !state.is_closed {
            state.close(code, reason);
        }
        drop(state);
        self.news.notify_one();
    }

    /// Drops what waits and answers the other side's close.
    pub fn answer_close(&self, code: u16) {
        let mut state = self.lock();
        if !state.is_closed {
            state.clear();
            state.queue.push_back((None, Outgoing::Close(code, String::new())));
            state.is_closed = true;
        }
        drop(state);
        self.news.notify_one();
    }

    /// What is to be done next, at least one thing. What was taken before is done.
    pub async fn take(&self) -> Vec<Outgoing> {
        loop {
            let due = match self.lock().take(Instant::now()) {
                Taken::Batch(batch) => return batch,
                Taken::Wait(due) => due,
            };
            match due {
                None => self.news.notified().await,
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.news.notified()).await;
                }
            }
        }
    }

    /// More waited than may: little time is left.
    pub async fn overflowed(&self) {
        self.overflow.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Batch(Vec<Outgoing>),
    Wait(Option<Instant>),
}

impl State {
    fn take(&mut self, now: Instant) -> Taken {
        self.bytes -= std::mem::take(&mut self.taken);
        let mut batch = Vec::new();
        while let Some((due, _)) = self.queue.front() {
            let is_full = self.taken >= BATCH_BYTES || batch.len() >= BATCH_MESSAGES;
            if is_full || due.is_some_and(|due| due > now) {
                break;
            }
            let Some((_, outgoing)) = self.queue.pop_front() else { break };
            self.taken += outgoing.bytes();
            batch.push(outgoing);
        }
        match self.queue.front() {
            None => self.queue = VecDeque::new(),
            Some((due, _)) if batch.is_empty() => return Taken::Wait(*due),
            Some(_) => {}
        }
        if batch.is_empty() { Taken::Wait(None) } else { Taken::Batch(batch) }
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.bytes = self.taken;
    }

    fn close(&mut self, code: u16, reason: &str) {
        let bye = Frame::Bye(Bye { code, reason: reason.to_owned() }).encode();
        self.queue.push_back((None, Outgoing::Frame(bye.into())));
        self.queue.push_back((None, Outgoing::Close(code, reason.to_owned())));
        self.is_closed = true;
    }
}

impl Outgoing {
    fn bytes(&self) -> usize {
        let own = size_of::<(Option<Instant>, Self)>();
        match self {
            Outgoing::Frame(frame) => own + frame.len(),
            Outgoing::Pong(payload) => own + payload.len(),
            Outgoing::Authorize(token) => own + token.as_ref().map_or(0, String::len),
            Outgoing::Text(_) | Outgoing::Close(..) => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Outgoing {
        Outgoing::Frame(vec![0; bytes].into())
    }

    #[tokio::test]
    async fn a_queue_over_its_limit_becomes_a_farewell() {
        let outbox = Outbox::default();
        for _ in 0..9 {
            outbox.push(frame(1024 * 1024));
        }
        outbox.push(frame(1));
        let batch = outbox.take().await;
        assert!(matches!(&batch[..], [Outgoing::Frame(_), Outgoing::Close(4009, _)]), "{batch:?}");
    }

    #[tokio::test]
    async fn what_was_taken_counts_until_more_is_asked_for() {
        let outbox = Outbox::default();
        for _ in 0..7 {
            outbox.push(frame(1024 * 1024));
        }
        assert_eq!(outbox.take().await.len(), 1);
        assert!(outbox.lock().bytes > 7 * 1024 * 1024);
        for _ in 0..6 {
            assert_eq!(outbox.take().await.len(), 1);
        }
        outbox.push(frame(1));
        assert_eq!(outbox.take().await.len(), 1);
        assert!(outbox.lock().bytes < 1024);
    }

    #[tokio::test]
    async fn what_is_delayed_keeps_its_order() {
        let outbox = Outbox::default();
        outbox.push(Outgoing::Text("ping"));
        outbox.set_delay(Some(Duration::from_millis(30)));
        outbox.push(frame(1));
        let pushed = Instant::now();
        assert!(matches!(&outbox.take().await[..], [Outgoing::Text(_)]));
        assert!(matches!(&outbox.take().await[..], [Outgoing::Frame(_)]));
        assert!(pushed.elapsed() >= Duration::from_millis(29));
    }
}
