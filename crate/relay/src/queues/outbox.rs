//! The queue of what is to be sent on one connection: a shard fills it, the connection's task
//! empties it.
//!
//! It is bounded, and so are all of them together. A connection that reads too slowly is closed; its
//! commits are in the log, from which it continues when it connects again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eyot_core::base::limits::Limits;
use eyot_core::wire::bodies::Bye;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may wait. A connection with more is closed. The core may queue a whole commit when a
/// byte of credit is left, and as much as a client grants at first before that.
const QUEUE_BYTES_MAX: usize = Limits::PROTOCOL.commit_bytes_max
    + Limits::PROTOCOL.header_bytes_max
    + Limits::PROTOCOL.credit_bytes as usize
    + 4 * 1024 * 1024;
/// Bytes that may wait for all connections. Above this, those are closed that have stopped to read.
const ALL_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What an answer to a ping may say at most.
const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;
/// What a connection may have waiting in any case.
const FREE_BYTES: usize = 64 * 1024;
/// A connection that took nothing for so long has stopped to read.
const STOPPED: Duration = Duration::from_millis(500);
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

/// What waits in all outboxes of a process, in bytes. A frame that waits for many counts for each.
#[derive(Clone, Debug, Default)]
pub struct WaitingBytes(Arc<AtomicUsize>);

/// The queue of one connection.
#[derive(Debug)]
pub struct Outbox {
    all: WaitingBytes,
    state: Mutex<State>,
    /// Wakes the task that waits in `take`.
    changed: Notify,
    /// Wakes the task that waits in `overflowed`.
    overflow: Notify,
}

#[derive(Debug)]
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
    /// When the other side was last seen to read.
    taken_at: Instant,
    /// A text is in the queue.
    text_waits: bool,
    /// A pong is in the queue, and this is what it will say.
    pong: Option<Vec<u8>>,
}

impl Outbox {
    /// An empty queue, which counts for these.
    pub fn new(all: &WaitingBytes) -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            taken: 0,
            is_closed: false,
            delay: None,
            taken_at: Instant::now(),
            text_waits: false,
            pong: None,
        };
        let (changed, overflow) = (Notify::new(), Notify::new());
        Self { all: all.clone(), state: Mutex::new(state), changed, overflow }
    }

    /// Delays everything that is pushed from now on.
    pub fn set_delay(&self, delay: Option<Duration>) {
        self.lock().delay = delay;
    }

    /// Adds to the end of the queue.
    pub fn push(&self, outgoing: Outgoing) {
        let mut state = self.lock();
        if state.is_closed || state.is_answered_already(&outgoing) {
            return;
        }
        if state.queue.is_empty() && state.taken == 0 {
            // Nothing was there to be read before.
            state.taken_at = Instant::now();
        }
        let has_stopped = state.bytes > FREE_BYTES && state.taken_at.elapsed() > STOPPED;
        let all = self.all.0.load(Ordering::Relaxed);
        if state.bytes + outgoing.bytes() > QUEUE_BYTES_MAX || all > ALL_BYTES_MAX && has_stopped {
            self.forget(&mut state);
            self.add_close(&mut state, TOO_SLOW, "this connection is too slow");
            self.overflow.notify_one();
        } else {
            let due = state.delay.map(|delay| Instant::now() + delay);
            self.add(&mut state, due, outgoing);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Closes the connection after everything in the queue, with a `Bye` frame before the close.
    pub fn close(&self, code: u16, reason: &str) {
        let mut state = self.lock();
        if !state.is_closed {
            self.add_close(&mut state, code, reason);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Answers the close of the other side, which reads nothing more: the queue is dropped.
    pub fn answer_close(&self, code: u16) {
        let mut state = self.lock();
        if !state.is_closed {
            self.forget(&mut state);
            self.add(&mut state, None, Outgoing::Close(code, String::new()));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for a batch of at least one thing to do. Calling it says that the previous batch is done.
    pub async fn take(&self) -> Vec<Outgoing> {
        loop {
            let due = {
                let mut state = self.lock();
                let before = state.bytes;
                let taken = state.take(Instant::now());
                self.all.0.fetch_sub(before - state.bytes, Ordering::Relaxed);
                match taken {
                    Taken::Batch(batch) => return batch,
                    Taken::Wait(due) => due,
                }
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

    /// Waits until a close is in the queue, while nobody waits in [`Outbox::take`].
    pub async fn closed(&self) {
        while !self.lock().is_closed {
            self.changed.notified().await;
        }
    }

    fn add(&self, state: &mut State, due: Option<Instant>, outgoing: Outgoing) {
        self.all.0.fetch_add(outgoing.bytes(), Ordering::Relaxed);
        state.bytes += outgoing.bytes();
        state.is_closed |= matches!(outgoing, Outgoing::Close(..));
        state.queue.push_back((due, outgoing));
    }

    fn add_close(&self, state: &mut State, code: u16, reason: &str) {
        let bye = Frame::Bye(Bye { code, reason: reason.to_owned(), descriptor: None }).encode();
        self.add(state, None, Outgoing::Frame(bye.into()));
        self.add(state, None, Outgoing::Close(code, reason.to_owned()));
    }

    /// Drops what waits, but for what is being written.
    fn forget(&self, state: &mut State) {
        self.all.0.fetch_sub(state.bytes - state.taken, Ordering::Relaxed);
        state.queue.clear();
        state.bytes = state.taken;
        (state.text_waits, state.pong) = (false, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.lock().bytes, Ordering::Relaxed);
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
        self.taken_at = now;
        let mut batch = Vec::new();
        while let Some((due, _)) = self.queue.front() {
            let is_full = self.taken >= BATCH_BYTES || batch.len() >= BATCH_MESSAGES;
            if is_full || due.is_some_and(|due| due > now) {
                break;
            }
            let Some((_, outgoing)) = self.queue.pop_front() else { break };
            self.taken += outgoing.bytes();
            batch.push(match outgoing {
                Outgoing::Pong(payload) => Outgoing::Pong(self.pong.take().unwrap_or(payload)),
                outgoing => outgoing,
            });
            self.text_waits &= !matches!(batch.last(), Some(Outgoing::Text(_)));
        }
        match self.queue.front() {
            // An idle connection keeps no memory for its queue.
            None => self.queue = VecDeque::new(),
            Some((due, _)) if batch.is_empty() => return Taken::Wait(*due),
            Some(_) => {}
        }
        if batch.is_empty() { Taken::Wait(None) } else { Taken::Batch(batch) }
    }

    /// Whether an answer to an earlier ping still waits, and answers this one too: only the last ping
    /// needs an answer (RFC 6455, section 5.5.3).
    fn is_answered_already(&mut self, outgoing: &Outgoing) -> bool {
        match outgoing {
            Outgoing::Text(_) => std::mem::replace(&mut self.text_waits, true),
            Outgoing::Pong(payload) => self.pong.replace(payload.clone()).is_some(),
            _ => false,
        }
    }
}

impl Outgoing {
    fn bytes(&self) -> usize {
        let own = size_of::<(Option<Instant>, Self)>();
        match self {
            Outgoing::Frame(frame) => own + frame.len(),
            Outgoing::Pong(_) => own + CONTROL_PAYLOAD_BYTES_MAX,
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
        let outbox = Outbox::new(&WaitingBytes::default());
        for _ in 0..25 {
            outbox.push(frame(1024 * 1024));
        }
        outbox.push(frame(1));
        let batch = outbox.take().await;
        assert!(matches!(&batch[..], [Outgoing::Frame(_), Outgoing::Close(4009, _)]), "{batch:?}");
    }

    #[tokio::test]
    async fn a_batch_counts_until_the_next_one_is_taken() {
        let outbox = Outbox::new(&WaitingBytes::default());
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
        let outbox = Outbox::new(&WaitingBytes::default());
        outbox.push(Outgoing::Text("ping"));
        outbox.set_delay(Some(Duration::from_millis(30)));
        outbox.push(frame(1));
        let pushed = Instant::now();
        assert!(matches!(&outbox.take().await[..], [Outgoing::Text(_)]));
        assert!(matches!(&outbox.take().await[..], [Outgoing::Frame(_)]));
        assert!(pushed.elapsed() >= Duration::from_millis(29));
    }

    #[tokio::test]
    async fn of_pings_that_were_not_answered_yet_only_the_last_is() {
        let outbox = Outbox::new(&WaitingBytes::default());
        for number in 0..10_000u32 {
            outbox.push(Outgoing::Pong(number.to_be_bytes().to_vec()));
            outbox.push(Outgoing::Text("pong"));
        }
        let batch = outbox.take().await;
        assert!(
            matches!(&batch[..], [Outgoing::Pong(last), Outgoing::Text("pong")] if *last == 9_999u32.to_be_bytes()),
            "{batch:?}"
        );
        outbox.push(Outgoing::Pong(b"again".to_vec()));
        assert!(matches!(&outbox.take().await[..], [Outgoing::Pong(again)] if again == b"again"));
    }

    #[tokio::test(start_paused = true)]
    async fn where_too_much_waits_for_all_those_are_closed_that_have_stopped_to_read() {
        let all = WaitingBytes::default();
        let outboxes: Vec<_> = (0..13).map(|_| Outbox::new(&all)).collect();
        for outbox in &outboxes {
            (0..20).for_each(|_| outbox.push(frame(1024 * 1024)));
        }
        tokio::time::advance(STOPPED * 2).await;
        // One of them reads.
        outboxes[1].take().await;
        outboxes[0].push(frame(1));
        outboxes[1].push(frame(1));
        let stopped = outboxes[0].take().await;
        assert!(matches!(&stopped[..], [Outgoing::Frame(_), Outgoing::Close(4009, _)]), "{stopped:?}");
        assert!(matches!(&outboxes[1].take().await[..], [Outgoing::Frame(frame)] if frame.len() > 1000));
        drop(outboxes);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }
}
