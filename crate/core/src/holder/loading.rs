//! How a holder takes up what storage holds: the log's end, its tips, deletions and holes, and what is
//! known of others.

use crate::base::id::RequestId;
use crate::base::mutation::Mutation;
use crate::holder::disk::Disk;
use crate::holder::holder::{Holder, LogState};
use crate::holder::notice::Notice;
use crate::holder::pending::{Pending, after, unexpected};
use crate::holder::records;
use crate::holder::role::Role;
use crate::link::link::{Link, Phase};
use crate::log::keys::{META_KEY, load_ranges};
use crate::log::log::Log;
use crate::log::meta::{LAYOUT, Meta};
use crate::storage::request::{Corrupt, Entries, StorageAnswer, StorageFault, StorageRequest, WriteBatch};
use crate::wire::close::CloseCode;

impl Holder {
    pub(super) fn load(&mut self) {
        self.request(Pending::Meta, StorageRequest::Get(vec![META_KEY.to_vec()]));
    }

    pub(super) fn meta_read(&mut self, answer: StorageAnswer) -> Result<(), Corrupt> {
        match answer {
            StorageAnswer::Values(values) => {
                if let Some(value) = values.into_iter().next().flatten() {
                    let layout = Meta::layout_of(&value)?;
                    if layout != LAYOUT {
                        let reason =
                            format!("storage has layout {layout}, this version reads layout {LAYOUT}");
                        self.fail(StorageFault::Incompatible, reason);
                        return Ok(());
                    }
                    let meta = Meta::decode(&value)?;
                    if let Some(reason) = self.other_space(&meta) {
                        self.fail(StorageFault::Incompatible, reason);
                        return Ok(());
                    }
                    let before = self.log.descriptor().cloned();
                    self.log = Log::open(meta, self.log.keeping(), self.limits.clone());
                    let is_other_space = before.is_some() && before.as_ref() != self.log.descriptor();
                    if is_other_space || self.opened_as.is_some_and(|id| id != self.log.id()) {
                        self.is_another_log(is_other_space);
                    }
                }
                self.load_range(0, None);
                Ok(())
            }
            StorageAnswer::Failed(reason) if self.is_relay() => {
                self.fail(StorageFault::Failed, reason);
                Ok(())
            }
            StorageAnswer::Failed(reason) => {
                let guard = Some((META_KEY.to_vec(), None));
                self.disk_fails(WriteBatch { guard, ..WriteBatch::default() }, reason.clone());
                self.notices.push_back(Notice::SaveFailed(0, reason));
                self.opened();
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// One storage holds one space: another one's documents must not get mixed with it. Why this is
    /// another one.
    fn other_space(&self, meta: &Meta) -> Option<String> {
        let stored = meta.descriptor.as_ref()?;
        if stored.name != self.space {
            return Some(format!("this storage holds the space {:?}", stored.name));
        }
        let is_other = self.descriptor.as_ref().is_some_and(|descriptor| descriptor != stored);
        is_other.then(|| "this storage holds a space that was made with other options".to_owned())
    }

    /// Another process that shares the log has begun it, or has given it another id: whoever was greeted until now
    /// remembers by the id before what it was brought. Or that process took the space for something else than this
    /// one, and whoever was greeted is of the other space.
    fn is_another_log(&mut self, is_other_space: bool) {
        let is_greeted = |link: &Link| {
            !matches!(link.phase, Phase::Dialing { .. } | Phase::Dialed { .. } | Phase::Arriving { .. })
        };
        let greeted = self.links.iter().filter(|(_, link)| is_greeted(link));
        for id in greeted.map(|(id, _)| id).collect::<Vec<_>>() {
            self.close(id, CloseCode::GoingAway, "another process has begun this log; connect again");
            if is_other_space {
                self.intake.drop_from(id);
            }
        }
        self.peers.log_is_new();
    }

    fn load_range(&mut self, range: usize, from: Option<Vec<u8>>) {
        let Some((start, to)) = load_ranges().into_iter().nth(range) else { return self.load_peers(None) };
        let from = from.unwrap_or(start);
        let scan = StorageRequest::Scan { from, to, bytes_max: self.limits.read_bytes };
        self.request(Pending::Load { range }, scan);
    }

    pub(super) fn range_read(
        &mut self,
        range: usize,
        (entries, more): (Entries, bool),
    ) -> Result<(), Corrupt> {
        for (key, value) in &entries {
            self.log.load(key, value)?;
        }
        match entries.last() {
            Some((last, _)) if more => self.load_range(range, Some(after(last))),
            _ => self.load_range(range + 1, None),
        }
        Ok(())
    }

    fn load_peers(&mut self, from: Option<Vec<u8>>) {
        let (start, to) = records::peers_range();
        let from = from.unwrap_or(start);
        let scan = StorageRequest::Scan { from, to, bytes_max: self.limits.read_bytes };
        self.request(Pending::Peers, scan);
    }

    pub(super) fn peers_read(&mut self, (entries, more): (Entries, bool)) -> Result<(), Corrupt> {
        for (key, value) in &entries {
            match (key.first(), &mut self.role) {
                (Some(b'p'), _) => self.peers.load(records::read_peer(value)?),
                (Some(b'r'), Role::Replica(regions)) => {
                    let (region, record) = records::read_region(key, value)?;
                    if record.partition == self.log.marker().partition {
                        regions.load(region, record);
                    }
                }
                (Some(b'q'), Role::Relay(region)) => {
                    let reconciled = records::read_reconciled(value)?;
                    if reconciled.log == self.log.id() {
                        region.load(reconciled);
                    }
                }
                _ => {}
            }
        }
        match entries.last() {
            Some((last, _)) if more => self.load_peers(Some(after(last))),
            _ => self.request(Pending::MetaAgain, StorageRequest::Get(vec![META_KEY.to_vec()])),
        }
        Ok(())
    }

    pub(super) fn meta_read_again(&mut self, answer: StorageAnswer) -> Result<(), Corrupt> {
        let StorageAnswer::Values(values) = answer else { return Err(unexpected(&answer)) };
        let meta = values.into_iter().next().flatten();
        let head = meta.map(|value| Meta::decode(&value)).transpose()?;
        if head.is_none_or(|meta| meta.head == self.log.head()) {
            self.opened();
        } else {
            // Another process wrote while the tips were read: they may be past the end.
            self.log = self.log.unread();
            self.load();
        }
        Ok(())
    }

    fn opened(&mut self) {
        self.stored = self.log.head();
        self.state = LogState::Open;
        self.opened_as = Some(self.log.id());
        self.notices.push_back(Notice::Opened);
        // What waited may have its causes now, or have to ask for others.
        self.intake.named.extend(self.intake.waiting.all_named());
        let waiting = self.intake.waiting.release_all();
        self.intake.put_before(waiting.into_iter().rev());
        for incoming in &mut self.intake.inbox {
            incoming.known = 0;
        }
        self.answer_anew();
        for (link, cursor, which) in core::mem::take(&mut self.intake.cursors) {
            self.check_cursor(link, cursor, which);
        }
        for (link, verdict) in core::mem::take(&mut self.intake.verdicts) {
            self.judge(link, verdict);
        }
        for (link, bytes) in core::mem::take(&mut self.early) {
            self.received(link, &bytes);
        }
        // Vectors were not told meanwhile.
        self.feed_all();
    }

    /// Another process has written: what is in memory of the log is read again.
    pub(super) fn reload(&mut self) {
        self.appending = false;
        self.lagging = false;
        self.moved = true;
        self.state = LogState::Loading;
        self.log = self.log.unread();
        self.forget_reads();
        self.load();
    }

    /// Storage has failed, and another process has written meanwhile: what was kept in memory comes in once
    /// more, after that. If storage still fails, the next write tells.
    pub(super) fn overtaken(&mut self) -> Result<(), Corrupt> {
        if let Disk::Failing { kept, since, .. } = core::mem::replace(&mut self.disk, Disk::Healthy) {
            self.take_again(&kept, since)?;
        }
        self.notices.push_back(Notice::Reloaded);
        self.notices.push_back(Notice::DiskRecovered);
        self.reload();
        Ok(())
    }

    /// Answers to what was asked about the log as it was are of no use: it is asked again once the log
    /// is known.
    fn forget_reads(&mut self) {
        self.forget_lookups();
        // Two writes that were overtaken make it be loaded twice, and only the later time counts.
        self.take_pending(|pending| {
            matches!(pending, Pending::Meta | Pending::MetaAgain | Pending::Load { .. } | Pending::Peers)
        });
        for pending in self.take_pending(|pending| {
            matches!(pending, Pending::FindFor(_) | Pending::AnswerRead(..) | Pending::CheckCursor { .. })
        }) {
            match pending {
                Pending::FindFor(link) | Pending::AnswerRead(link, _) => {
                    if let Some(session) = self.links.session_mut(link) {
                        session.send.reading = false;
                    }
                }
                // The greeting that follows says what is held, which is not known now.
                Pending::CheckCursor { link, cursor, which } => {
                    self.intake.cursors.push((link, cursor, which));
                }
                _ => {}
            }
        }
    }

    /// The same of what was asked to admit commits, which are asked for again: another process may have
    /// written since it was read.
    pub(super) fn forget_lookups(&mut self) {
        for pending in
            self.take_pending(|pending| matches!(pending, Pending::Lookup | Pending::FillRead { .. }))
        {
            self.intake.lookups -= 1;
            if let Pending::FillRead { incoming, .. } = pending {
                self.intake.put_before([incoming]);
            }
        }
        self.scrub_pace.is_stale = true;
    }

    /// Takes out what is under way; its answers are void.
    fn take_pending(&mut self, is_meant: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        if self.limits.is_mutated(Mutation::StaleAnswers) {
            return Vec::new();
        }
        let stale: Vec<RequestId> =
            self.pending.iter().filter(|(_, (pending, _))| is_meant(pending)).map(|(id, _)| *id).collect();
        stale.into_iter().filter_map(|id| Some(self.pending.remove(&id)?.0)).collect()
    }
}
