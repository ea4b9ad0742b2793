//! What the application may call. Drain [`Replica::poll_effect`] after each call.

use std::collections::BTreeMap;

use crate::base::id::DocId;
use crate::base::time::Millis;
use crate::commit::vector::Vector;
use crate::document::document::Document;
use crate::document::genesis::Genesis;
use crate::document::value::Value;
use crate::holder::replicas::KeptForOthers;
use crate::replica::event::{DocInfo, ReplicaError};
use crate::replica::replica::{Replica, too_many_regions};
use crate::replica::status::Status;
use crate::replica::waits::{Wait, WaitId};

impl Replica {
    // Documents.

    /// Opens a document from storage; [`Event::Opened`](crate::replica::event::Event::Opened) follows.
    pub fn open(&mut self, doc: DocId) -> WaitId {
        let wait = self.waits.add(Wait::Open { doc });
        self.advance();
        wait
    }

    /// Opens the document of that name; [`Event::Opened`](crate::replica::event::Event::Opened) follows. At keys that nothing held has
    /// touched it shows the values of `initial`, which go into the log with this replica's first edit.
    /// Two initial values of one scalar or text never mix; items of initial lists add up.
    ///
    /// # Errors
    /// [`ReplicaError::Invalid`] where a document can't begin with `initial`: it is not a map, or has
    /// more than [`crate::document::genesis::KEYS_MAX`] keys.
    pub fn named(&mut self, name: &str, initial: &Value) -> Result<WaitId, ReplicaError> {
        Genesis::check(initial)?;
        let wait = self.waits.add(Wait::Named { name: name.into(), initial: initial.clone() });
        self.advance();
        Ok(wait)
    }

    /// The value of a document, which need not be open; [`Event::Peeked`](crate::replica::event::Event::Peeked) follows.
    pub fn peek(&mut self, doc: DocId) -> WaitId {
        let wait = self.waits.add(Wait::Peek { doc });
        self.advance();
        wait
    }

    /// The values of all documents of which they cost no more than reading them;
    /// [`Event::Values`](crate::replica::event::Event::Values) follows.
    pub fn values(&mut self) -> WaitId {
        let wait = self.waits.add(Wait::Values);
        self.advance();
        wait
    }

    /// Whether the application wants to hear what changes in documents that are not open:
    /// [`Event::Changed`](crate::replica::event::Event::Changed).
    pub fn watch(&mut self, is_watched: bool) {
        self.documents.is_watched = is_watched;
        self.note_opened();
    }

    /// Lets go of an open document. What was made in it stays.
    pub fn close_document(&mut self, doc: DocId) {
        self.note_view(doc);
        self.documents.close(doc, self.own.has_pending());
    }

    /// The whole value of an open document, see [`crate::document::value`].
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn value(&self, doc: DocId) -> Result<Vec<u8>, ReplicaError> {
        Ok(self.document(doc)?.value())
    }

    /// The heads of an open document, in hexadecimal.
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn heads(&self, doc: DocId) -> Result<Vec<String>, ReplicaError> {
        Ok(self.document(doc)?.heads())
    }

    /// What this replica's processes did last in an open document, to be undone: see [`Document::steps`].
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn steps(&self, doc: DocId, most: usize) -> Result<Vec<u8>, ReplicaError> {
        let document = self.document(doc)?;
        let is_named = self.documents.is_named(&doc);
        Ok(document.steps(|actor| self.own.is_own(actor), is_named, most))
    }

    /// An open document as a standard Automerge file.
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn export(&self, doc: DocId) -> Result<Vec<u8>, ReplicaError> {
        Ok(self.document(doc)?.save())
    }

    /// An open document.
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn document(&self, doc: DocId) -> Result<&Document, ReplicaError> {
        self.documents.document(doc)
    }

    /// The documents held, by id, without opening them.
    pub fn documents(&self) -> Vec<DocInfo> {
        self.documents.list()
    }

    // How things are.

    /// How things are.
    pub fn status(&self) -> Status {
        let quarantined = self.documents.quarantined();
        let mut status = Status {
            state: self.dialer.state(),
            relay: self.dialer.relay(&self.holder),
            synced: self.dialer.was_live,
            unsaved: self.own.unsaved(),
            unsent: 0,
            behind: BTreeMap::new(),
            peers: self.holder.links().sessions().count() as u32,
            quarantined: quarantined.count(),
            error: self.dialer.error(),
        };
        let mut acked = self.acked();
        let mut shared = u64::MAX;
        if let Some(view) = self.leader() {
            status.state = view.state();
            status.relay = view.relay.clone();
            status.synced |= view.synced;
            status.error = view.error();
            // Of replicas those that this process is linked to.
            let own = self.holder.links().sessions().filter(|(id, _)| self.peers.contains(*id)).count();
            status.peers = u32::from(view.relay.is_some()) + own as u32;
            acked = view.acked.clone();
            // The leader knows nothing of what is in this process's memory only.
            shared = self.holder.on_disk();
        }
        let missing = |acked: u64| self.own.missing(acked.min(shared));
        if self.dialer.relays() > 0 {
            // Without relays there is nobody to send to.
            status.unsent = missing(acked.values().copied().max().unwrap_or(0));
        }
        status.behind = acked.into_iter().map(|(region, acked)| (region, missing(acked))).collect();
        let is_muted = status.relay.as_ref().is_some_and(|relay| relay.is_read_only);
        if status.unsent > 0 && is_muted {
            let reason = "this token does not allow writing".to_owned();
            status.error.get_or_insert(("denied", reason));
        }
        if let Some(message) = &self.storage_error {
            status.error = Some(("storage", message.clone()));
        }
        if let Some(error) = quarantined.error() {
            status.error.get_or_insert(error);
        }
        status
    }

    /// Resolves once this replica holds all that its relay holds now; [`Event::Waited`](crate::replica::event::Event::Waited) follows.
    pub fn synced(&mut self) -> WaitId {
        let wait = self.waits.add(Wait::Synced { asked: None, target: None, log_seq: None });
        self.advance();
        wait
    }

    /// Resolves once that many regions have stored this process's commit of that number, or
    /// everything made so far by any process of this holder; [`Event::Waited`](crate::replica::event::Event::Waited) follows.
    ///
    /// # Errors
    /// [`ReplicaError::Invalid`] for more regions than there are, or where there are no relays. Where no
    /// relay was met yet [`Event::WaitFailed`](crate::replica::event::Event::WaitFailed) may say so later.
    pub fn durable(&mut self, regions: u32, seq: Option<u64>) -> Result<WaitId, ReplicaError> {
        self.check_regions(regions)?;
        let number = seq.unwrap_or(self.own.made()).min(self.own.made());
        let at_least = if seq.is_some() { 0 } else { self.own.last_of_holder() };
        let wait = self.waits.add(Wait::Durable { regions, number, at_least });
        self.advance();
        Ok(wait)
    }

    /// Resolves once this replica holds all that the relays of that many regions held when asked: a
    /// read quorum. A relay whose log is new counts once it has reconciled with all others;
    /// [`Event::Waited`](crate::replica::event::Event::Waited) follows.
    ///
    /// # Errors
    /// As for [`Replica::durable`].
    pub fn fresh(&mut self, regions: u32) -> Result<WaitId, ReplicaError> {
        self.check_regions(regions)?;
        let wait = Wait::Fresh { regions, asked: None, at: BTreeMap::new(), log_seq: None };
        let wait = self.waits.add(wait);
        self.advance();
        Ok(wait)
    }

    /// How many there are is not known before a relay has told. Until then whoever asks waits.
    fn check_regions(&self, regions: u32) -> Result<(), ReplicaError> {
        if regions > 0 && self.dialer.relays() == 0 {
            let reason = "this space has no relays, so nothing is stored in any region";
            return Err(ReplicaError::Invalid(reason.into()));
        }
        match self.known_regions() {
            Some(known) if regions as usize > known => {
                Err(ReplicaError::Invalid(too_many_regions(regions, known)))
            }
            _ => Ok(()),
        }
    }

    /// The relays there are, from now on.
    pub fn set_relays(&mut self, relays: Vec<String>) {
        self.dialer.set_relays(relays, &mut self.holder, self.now);
        self.advance();
    }

    /// The addresses of the relays that this replica has met, the last one first.
    pub fn relays_met(&self) -> Vec<String> {
        let met = self.holder.peers().latest().into_iter().filter(|peer| !peer.is_of_replica());
        met.map(|peer| peer.url.clone()).collect()
    }

    /// The bearer token for relays.
    pub fn token(&self) -> Option<&str> {
        self.holder.token()
    }

    /// The bearer token for relays from now on.
    pub fn set_token(&mut self, token: String) {
        self.holder.set_token(token);
        self.advance();
    }

    /// Resolves once all that was made is on disk, or can't be; [`Event::Waited`](crate::replica::event::Event::Waited) follows.
    pub fn flush(&mut self) -> WaitId {
        self.holder.save_peers();
        self.note_views();
        self.write_views(true);
        let wait = self.waits.add(Wait::Flush { number: self.own.made() });
        self.advance();
        wait
    }

    /// The commits of this process that storage does not hold yet, for a host that ends before storage
    /// can answer: to be kept apart, and given to [`Replica::take_unstored`] of the next process.
    pub fn unstored(&self) -> Option<Vec<u8>> {
        self.holder.unstored()
    }

    /// Takes in what an earlier process, or another that has ended, could not store.
    ///
    /// # Errors
    /// [`ReplicaError::Invalid`]: [`Replica::unstored`] did not give these bytes.
    pub fn take_unstored(&mut self, bytes: &[u8], now: Millis) -> Result<(), ReplicaError> {
        let now = self.observe(now);
        self.holder.take_unstored(bytes, now).map_err(|corrupt| ReplicaError::Invalid(corrupt.0))?;
        self.advance();
        Ok(())
    }

    /// Whether storage is known to hold all of these: they need not be kept apart any more.
    pub fn holds_unstored(&self, bytes: &[u8]) -> bool {
        self.holder.holds_unstored(bytes)
    }

    /// Nobody waits for this any more.
    pub fn cancel(&mut self, wait: WaitId) {
        self.waits.remove(wait);
    }

    /// What is held.
    pub fn vector(&self) -> &Vector {
        self.holder.log().vector()
    }

    /// Whether the bytes of all documents that are deleted are gone from storage.
    pub fn is_scrubbed(&self) -> bool {
        !self.holder.log().deleted().has_unscrubbed()
    }

    /// How often a peer sent commits and not their causes.
    pub fn withheld(&self) -> u64 {
        self.holder.withheld()
    }

    /// What is kept in memory for others, as tests compare it with the limits.
    pub fn kept_for_others(&self) -> KeptForOthers {
        self.holder.kept_for_others()
    }
}
