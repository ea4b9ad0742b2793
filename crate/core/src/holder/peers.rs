//! What is known of the holders that this one has met: how far each has read the other's log.

use crate::base::cbor::to_cbor;
use crate::base::id::LogId;
use crate::base::id_map::{IdMap, IdSet};
use crate::base::time::Millis;
use crate::holder::records::{self, PeerRecord};
use crate::link::link::Met;
use crate::link::session::Session;
use crate::storage::request::WriteBatch;

#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    records: IdMap<LogId, PeerRecord>,
    dirty: IdSet<LogId>,
}

impl Peers {
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub fn get(&self, log: &LogId) -> Option<&PeerRecord> {
        self.records.get(log)
    }

    pub fn iter(&self) -> impl Iterator<Item = &PeerRecord> {
        self.records.values()
    }

    /// The peers, the one met last first.
    pub fn latest(&self) -> Vec<&PeerRecord> {
        let mut records: Vec<_> = self.records.values().collect();
        records.sort_by_key(|record| core::cmp::Reverse((record.met_at, record.cursor.log)));
        records
    }

    /// What is known of the logs of so many peers, those met last first: of replicas, or of relays.
    /// Neither need know whom else this holder has met.
    pub fn met(&self, of_replicas: bool, most: usize) -> Vec<Met> {
        let asked = self.latest().into_iter().filter(|record| record.is_of_replica() == of_replicas);
        let met = asked.take(most).map(|record| Met {
            cursor: record.cursor,
            read_acked: record.read_acked,
            whole_acked: record.whole_acked,
        });
        met.collect()
    }

    /// Takes in what storage holds of a peer.
    pub fn load(&mut self, record: PeerRecord) {
        self.records.get_or_insert_with(record.cursor.log, || record);
    }

    /// A link is up with a peer of which this is known. What was met at the same place under another
    /// log is gone: `is_same_place` says of which. Of other replicas so many are kept, those met last:
    /// whoever comes is a new one by its own word.
    pub fn meet(
        &mut self,
        record: PeerRecord,
        replicas_max: usize,
        is_same_place: impl Fn(&PeerRecord) -> bool,
    ) {
        let log = record.cursor.log;
        let gone = self.records.values().filter(|other| other.cursor.log != log && is_same_place(other));
        let gone: Vec<_> = gone.map(|other| other.cursor.log).collect();
        let of_replicas = |other: &&PeerRecord| other.is_of_replica() && other.cursor.log != log;
        let latest = self.latest();
        let replicas = latest.into_iter().filter(of_replicas).map(|other| other.cursor.log);
        let oldest: Vec<_> =
            replicas.skip(replicas_max.saturating_sub(1)).filter(|_| record.is_of_replica()).collect();
        for log in gone.into_iter().chain(oldest) {
            self.records.remove(&log);
            self.dirty.insert(log);
        }
        self.dirty.insert(log);
        self.records.insert(log, record);
    }

    /// Takes note of where a link is; the record, where the peer is kept.
    pub fn note(&mut self, session: &Session) -> Option<&PeerRecord> {
        let record = self.records.get_mut(&session.peer.log)?;
        let before = (record.cursor, record.read_acked, record.whole_acked);
        record.cursor.read = session.receive.read;
        let is_further = session.receive.read.seq > session.send.seen.seq;
        record.cursor.seen = if is_further { session.receive.read } else { session.send.seen };
        record.read_acked = session.send.read_acked;
        record.whole_acked = session.send.whole_acked;
        if (record.cursor, record.read_acked, record.whole_acked) != before {
            self.dirty.insert(record.cursor.log);
        }
        Some(record)
    }

    /// Both hold the same, as of now by the host's clock.
    pub fn agreed(&mut self, log: &LogId, host_now: Millis) {
        if let Some(record) = self.records.get_mut(log) {
            record.agreed_at = Some(host_now);
            self.dirty.insert(*log);
        }
    }

    /// This log has another id now. Others remember by its id which bytes they lack, so what was read without all of
    /// its bytes is sent once more, under the new one.
    pub fn log_is_new(&mut self) {
        for record in self.records.values_mut() {
            record.read_acked = record.read_acked.min(record.whole_acked);
            // Storage may know more than memory does.
            self.dirty.insert(record.cursor.log);
        }
    }

    /// Positions after this number are others' now: acknowledgements of them say nothing.
    pub fn cut(&mut self, seq: u64) {
        for record in self.records.values_mut().filter(|record| record.read_acked > seq) {
            record.read_acked = seq;
            record.whole_acked = record.whole_acked.min(seq);
            self.dirty.insert(record.cursor.log);
        }
    }

    /// Writes what has changed along with a batch, of so many peers at most: the rest is in the next. Until
    /// then what storage says is true of a while ago, and costs no more than that is sent again.
    pub fn take(&mut self, most: usize, batch: &mut WriteBatch) {
        for _ in 0..most.max(1) {
            let Some(log) = self.dirty.pop_first() else { return };
            match self.records.get(&log) {
                Some(record) => batch.puts.push((records::peer_key(&log), to_cbor(record))),
                None => batch.deletes.push(records::peer_key(&log)),
            }
        }
    }
}
