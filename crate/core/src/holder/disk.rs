//! Where writes go: storage, or memory while storage fails.

use std::collections::BTreeMap;

use crate::base::id::RequestId;
use crate::base::limits;
use crate::base::time::Millis;

use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::records;
use crate::holder::work::{DISK_RETRY, InFlight, Incoming, LogState, Notice, Origin, Pending, after};
use crate::log::log;
use crate::log::log::Log;
use crate::storage::memory::MemoryStore;
use crate::storage::request::Corrupt;
use crate::storage::request::{StorageAnswer, StorageRequest, WriteBatch};
use crate::wire::close::CloseCode;

/// Where writes go.
#[derive(Clone, Debug)]
pub(super) enum Disk {
    Healthy,
    /// Storage has failed. Writes are kept here, and shadow what storage holds, until they can be
    /// written after all.
    Failing {
        kept: MemoryStore,
        guard: Option<log::Guard>,
        /// How much of the log is in storage.
        since: u64,
        reason: String,
        retry_at: Millis,
    },
}

impl Holder {
    pub(super) fn request(&mut self, pending: Pending, request: StorageRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, (pending, request.clone()));
        self.effects.push_back(Effect::Storage(id, request));
    }

    pub(super) fn write(&mut self, pending: Pending, batch: WriteBatch) {
        self.writing += 1;
        match &mut self.disk {
            Disk::Healthy => self.request(pending, StorageRequest::Write(batch)),
            Disk::Failing { kept, .. } => {
                let batch = WriteBatch { guard: None, ..batch };
                kept.write(&batch);
                self.done.push_back((pending, StorageRequest::Write(batch)));
            }
        }
    }

    /// What storage would have said, had the writes it refused been made.
    pub(super) fn shadowed(&self, request: &StorageRequest, answer: StorageAnswer) -> StorageAnswer {
        let Disk::Failing { kept, since, .. } = &self.disk else {
            return answer;
        };
        match (request, answer) {
            (StorageRequest::Get(keys), answer) => {
                let stored = match answer {
                    StorageAnswer::Values(values) => values,
                    _ => vec![None; keys.len()],
                };
                let kept = keys.iter().map(|key| kept.get(key).cloned());
                StorageAnswer::Values(kept.zip(stored).map(|(kept, stored)| kept.or(stored)).collect())
            }
            (StorageRequest::Scan { from, to, .. }, answer) => {
                let (stored, more) = match answer {
                    StorageAnswer::Scanned { entries, more } => (entries, more),
                    _ => (Vec::new(), false),
                };
                let end = match stored.last() {
                    Some((last, _)) if more => [last.as_slice(), &[0]].concat(),
                    _ => to.clone(),
                };
                // What other processes have appended since is taken in once storage works again.
                let is_known = |key: &[u8]| log::row_seq(key).is_none_or(|seq| seq <= *since);
                let mut merged: BTreeMap<_, _> =
                    stored.into_iter().filter(|(key, _)| is_known(key)).collect();
                merged.extend(kept.range(from, &end).map(|(k, v)| (k.clone(), v.clone())));
                StorageAnswer::Scanned { entries: merged.into_iter().collect(), more }
            }
            (StorageRequest::Write(_), answer) => answer,
        }
    }

    pub(super) fn answered(
        &mut self,
        pending: Pending,
        request: StorageRequest,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        match (pending, answer) {
            (Pending::Meta, StorageAnswer::Values(values)) => {
                if let Some(value) = values.into_iter().next().flatten() {
                    self.log = Log::open(log::read_meta(&value)?);
                }
                self.load_range(0, None);
            }
            (Pending::MetaAgain, StorageAnswer::Values(values)) => {
                let meta = values.into_iter().next().flatten();
                let head = meta.map(|value| log::read_meta(&value)).transpose()?;
                if head.is_none_or(|meta| meta.head == self.log.head()) {
                    self.opened();
                } else {
                    // Another process wrote while the tips were read: they may be past the end.
                    self.log = Log::new(self.log.id());
                    self.load();
                }
            }
            (Pending::Meta, StorageAnswer::Failed(reason)) => {
                let guard = Some((log::META_KEY.to_vec(), None));
                self.disk_fails(WriteBatch { guard, ..WriteBatch::default() }, reason.clone());
                self.notices.push_back(Notice::SaveFailed(0, reason));
                self.opened();
            }
            (Pending::Load { range }, StorageAnswer::Scanned { entries, more }) => {
                for (key, value) in &entries {
                    self.log.load(key, value)?;
                }
                match entries.last() {
                    Some((last, _)) if more => self.load_range(range, Some(after(last))),
                    _ if range == 0 => self.load_range(1, None),
                    _ => self.load_peers(None),
                }
            }
            (Pending::Peers, StorageAnswer::Scanned { entries, more }) => {
                for (key, value) in &entries {
                    match key.first() {
                        Some(b'p') => {
                            let peer = records::read_peer(value)?;
                            self.peers.entry(peer.cursor.log).or_insert(peer);
                        }
                        Some(b'r') => {
                            let (region, record) = records::read_region(key, value)?;
                            self.regions.entry(region).or_insert(record);
                        }
                        _ => {
                            let reconciled = records::read_reconciled(value)?;
                            if reconciled.log == self.log.id() {
                                self.reconciled = reconciled.with;
                            }
                        }
                    }
                }
                match entries.last() {
                    Some((last, _)) if more => self.load_peers(Some(after(last))),
                    _ => {
                        let get = StorageRequest::Get(vec![log::META_KEY.to_vec()]);
                        self.request(Pending::MetaAgain, get);
                    }
                }
            }
            (Pending::Load { .. } | Pending::Peers | Pending::MetaAgain, StorageAnswer::Failed(reason)) => {
                return Err(Corrupt(reason));
            }
            (Pending::Lookup, answer) => {
                self.lookups -= 1;
                self.learn(&request, answer)?;
            }
            (Pending::Append(flight), StorageAnswer::Written) => {
                if let Disk::Failing { reason, .. } = &self.disk {
                    let reason = reason.clone();
                    self.not_saved(&flight, reason);
                }
                self.appended(flight);
            }
            (Pending::Append(_), StorageAnswer::Failed(reason)) if self.is_relay() => {
                // A relay acknowledges nothing from memory: it stops.
                self.stop(reason);
            }
            (Pending::Append(flight), StorageAnswer::Failed(reason)) => {
                self.disk_fails(flight.batch.clone(), reason.clone());
                self.not_saved(&flight, reason);
                self.appended(flight);
            }
            (Pending::Append(flight), StorageAnswer::GuardFailed) => {
                let incoming = flight.entries.into_iter().zip(flight.origins).rev();
                for (entry, origin) in incoming {
                    self.inbox.push_front(Incoming { origin, commit: entry.commit });
                }
                self.writing -= 1;
                self.reload();
            }
            (Pending::Flush, StorageAnswer::Written) => {
                self.disk = Disk::Healthy;
                self.writing -= 1;
                self.notices.push_back(Notice::DiskRecovered);
            }
            (Pending::Flush, StorageAnswer::GuardFailed) => self.overtaken()?,
            (Pending::Flush, _) => {
                self.writing -= 1;
                let now = self.now;
                if let Disk::Failing { retry_at, .. } = &mut self.disk {
                    *retry_at = now + DISK_RETRY;
                }
            }
            (Pending::Scrubbed { docs }, answer) => {
                self.writing -= 1;
                if answer != StorageAnswer::Written {
                    // It is begun again from the start.
                    self.log.not_scrubbed(docs);
                }
            }
            (Pending::Records, StorageAnswer::Failed(_) | StorageAnswer::GuardFailed) => {
                // The next write takes them along again where it matters.
                self.writing -= 1;
            }
            (Pending::Records, _) => self.writing -= 1,
            (Pending::CheckCursor { link, cursor, which }, answer) => {
                self.cursor_read(link, cursor, which, answer)?;
            }
            (Pending::Scrub { docs }, answer) => self.scrub_read(docs, answer)?,
            (Pending::Feed(link), answer) => self.feed_read(link, answer)?,
            (Pending::FindFor(link, want), answer) => {
                self.lookups -= 1;
                self.learn(&request, answer)?;
                self.answer_want(link, want);
            }
            (Pending::AnswerRead(job), answer) => self.answer_read(job, answer)?,
            (Pending::Owner(what), answer) => {
                self.notices.push_back(Notice::Storage(what, answer));
            }
            (_, answer) => {
                return Err(Corrupt(format!("storage answered {answer:?}")));
            }
        }
        Ok(())
    }

    pub(super) fn load_peers(&mut self, from: Option<Vec<u8>>) {
        let (start, to) = records::peers_range();
        let from = from.unwrap_or(start);
        let scan = StorageRequest::Scan { from, to, bytes_max: limits::READ_BYTES };
        self.request(Pending::Peers, scan);
    }

    pub(super) fn learn(&mut self, request: &StorageRequest, answer: StorageAnswer) -> Result<(), Corrupt> {
        match (request, answer) {
            (StorageRequest::Get(keys), StorageAnswer::Values(values)) => {
                for (key, value) in keys.iter().zip(values) {
                    self.log.learn(key, value.as_deref())?;
                    self.learn_usage(key, value.as_deref())?;
                }
                Ok(())
            }
            (StorageRequest::Scan { from, .. }, StorageAnswer::Scanned { entries, .. }) => {
                self.log.learn_branches(from, &entries)
            }
            (_, answer) => Err(Corrupt(format!("storage answered {answer:?}"))),
        }
    }

    /// Own commits are in memory alone.
    pub(super) fn not_saved(&mut self, flight: &InFlight, reason: String) {
        let own = flight.origins.iter().filter_map(|origin| match origin {
            Origin::Own(number) => Some(*number),
            _ => None,
        });
        if let Some(last) = own.max() {
            self.notices.push_back(Notice::SaveFailed(last, reason));
        }
    }

    pub(super) fn disk_fails(&mut self, batch: WriteBatch, reason: String) {
        let mut kept = MemoryStore::default();
        kept.write(&WriteBatch { guard: None, puts: batch.puts, deletes: batch.deletes });
        let retry_at = self.now + DISK_RETRY;
        self.disk = Disk::Failing { kept, guard: batch.guard, since: self.stored.seq, reason, retry_at };
    }

    /// Storage works again, but another process has written meanwhile: what was kept in memory
    /// comes in once more, after that.
    pub(super) fn overtaken(&mut self) -> Result<(), Corrupt> {
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, CloseCode::LogReplaced, "this replica's storage was changed meanwhile");
        }
        if let Disk::Failing { kept, since, .. } = core::mem::replace(&mut self.disk, Disk::Healthy) {
            // Acknowledgements of places in the log that others have now say nothing.
            for peer in self.peers.values_mut().filter(|peer| peer.acked > since) {
                peer.acked = since;
                self.dirty_peers.insert(peer.cursor.log);
            }
            for (name, region) in self.regions.iter_mut().filter(|(_, region)| region.acked > since) {
                region.acked = since;
                self.dirty_regions.insert(name.clone());
            }
            let rows: Vec<_> = kept.range(b"b", b"c").map(|(k, v)| (k.clone(), v.clone())).collect();
            for entry in log::read_rows(&rows, false)?.entries {
                self.again += 1;
                let origin = Origin::Again { own: entry.own };
                self.inbox.push_back(Incoming { origin, commit: entry.commit });
            }
        }
        self.notices.push_back(Notice::Reloaded);
        self.notices.push_back(Notice::DiskRecovered);
        self.writing -= 1;
        self.reload();
        Ok(())
    }

    /// Another process has written: what is in memory of the log is read again.
    pub(super) fn reload(&mut self) {
        self.appending = false;
        self.lagging = false;
        self.moved = true;
        self.state = LogState::Loading;
        self.log = Log::new(self.log.id());
        self.load();
    }
}
