//! The queue of what is to be sent on one connection: a shard fills it, the connection's task
//! empties it.
//!
//! It is bounded. A connection that reads too slowly is closed; its commits are in the log, from
//! which it continues when it connects again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eyot_core::wire::bodies::Bye;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may wait. A connection with more is closed.
const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that are taken from the queue at once and written together.
const BATCH_BYTES: usize = 256 * 1024;
/// The same in messages. More would not make writing faster: one vectored write takes half of them.
const BATCH_MESSAGES: usize = 512;

/// Close code of a connection that reads too slowly.
pub const TOO_SLOW: u16 = CloseCode::GoingAway as u16;

/// One thing for a connection's task to do.
#[derive(Debug)]
pub enum Outgoing {
    /// Send a frame of the link protocol.
    Frame(Arc<[u8]>),
    /// Send a text message.
    Text(&'static str),
    /// Answer a WebSocket ping.
    Pong(Vec<u8>),
    /// Close the connection with this code and reason. Nothing follows.
    Close(u16, String),
    /// Verify this token and tell the shard the result. Done here because a connection's task may
    /// take its time, while a shard serves many spaces.
    Authorize(Option<String>),
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    /// Wakes the task that waits in `take`.
    changed: Notify,
    /// Wakes the task that waits in `overflowed`.
    overflow: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// With the time before which it may not be sent, if there is a delay.
    queue: VecDeque<(Option<Instant>, Outgoing)>,
    /// Bytes in the queue and in the batch that was taken last.
    bytes: usize,
    /// Bytes of the batch that was taken last, which may not be written yet.
    taken: usize,
    /// A `Close` is in the queue or was taken: nothing more is accepted.
    is_closed: bool,
    delay: Option<Duration>,
}

impl Outbox {
    /// Delays everything that is pushed from now on.
    pub fn set_delay(&self, delay: Option<Duration>) {
        self.lock().delay = delay;
    }

    /// Adds to the end of the queue.
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
        self.changed.notify_one();
    }

    /// Closes the connection after everything in the queue, with a `Bye` frame before the close.
    pub fn close(&self, code: u16, reason: &str) {
        let mut state = self.lock();
        if !state.is_closed {
            state.close(code, reason);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Answers the close of the other side, which reads nothing more: the queue is dropped.
    pub fn answer_close(&self, code: u16) {
        let mut state = self.lock();
        if !state.is_closed {
            state.clear();
            state.queue.push_back((None, Outgoing::Close(code, String::new())));
            state.is_closed = true;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for a batch of at least one thing to do. Calling it says that the previous batch is done.
    pub async fn take(&self) -> Vec<Outgoing> {
        loop {
            let due = match self.lock().take(Instant::now()) {
                Taken::Batch(batch) => return batch,
                Taken::Wait(due) => due,
            };
            match due {
                None => self.changed.notified().await,
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.changed.notified()).await;
                }
            }
        }
    }

    /// Waits until too many bytes are in the queue. The queue then holds a close and nothing else.
    pub async fn overflowed(&self) {
        self.overflow.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Batch(Vec<Outgoing>),
    /// There is nothing to send before this time, or before more is pushed.
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
            // An idle connection keeps no memory for its queue.
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
        let bye = Frame::Bye(Bye { code, reason: reason.to_owned(), descriptor: None }).encode();
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
    async fn a_queue_over_its_limit_is_replaced_by_a_close() {
        let outbox = Outbox::default();
        for _ in 0..9 {
            outbox.push(frame(1024 * 1024));
        }
        outbox.push(frame(1));
        let batch = outbox.take().await;
        assert!(matches!(&batch[..], [Outgoing::Frame(_), Outgoing::Close(4009, _)]), "{batch:?}");
    }

    #[tokio::test]
    async fn a_batch_counts_until_the_next_one_is_taken() {
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
    async fn delayed_messages_keep_their_order() {
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
