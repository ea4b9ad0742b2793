//! What a relay takes from others at most: bytes, authors and connections, of the space and of each
//! subject, and how fast.
//!
//! A verdict is on a link, never on one commit: a link that brings too much is closed, and whatever
//! else came in on it is dropped. Its owner has it still and brings it again when it may.

use minicbor::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash16;
use crate::base::id::LinkId;
use crate::base::limits;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::holder::caps::Caps;
use crate::holder::holder::Holder;
use crate::holder::work::{Incoming, Origin};
use crate::storage::request::Corrupt;
use crate::storage::request::{StorageRequest, WriteBatch};
use crate::wire::access::Refusal;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// What a commit costs besides its bytes.
const COMMIT_COST: u64 = 256;
/// The key of what the whole space uses.
const SPACE_KEY: &[u8] = b"u";

/// A `u` entry: what is stored of a subject, or of all.
#[derive(Clone, Copy, Debug, Default, Encode, Decode)]
#[cbor(map)]
struct Usage {
    #[n(0)]
    bytes: u64,
    #[n(1)]
    authors: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Quota {
    /// None: this holder takes everything (a replica).
    pub caps: Option<Caps>,
    /// What has been read of it, by key.
    usage: BTreeMap<Vec<u8>, Usage>,
    dirty: BTreeSet<Vec<u8>>,
    pub connections: BTreeMap<String, u64>,
    /// Subjects of links that are gone and of which something may be left in the inbox.
    departed: BTreeMap<LinkId, String>,
    /// When a subject may be granted more.
    paces: BTreeMap<String, Millis>,
}

/// Whether a commit may be stored.
pub(super) enum Charge {
    Fits,
    /// Storage must be asked first.
    Reads(StorageRequest),
    /// Nobody vouches for it any more.
    Drops,
    /// For this reason not.
    Exceeds(&'static str),
}

impl Holder {
    /// Puts a commit on the account of whoever brings it.
    pub(super) fn charge(&mut self, origin: &Origin, commit: &Commit) -> Charge {
        let (Origin::Stream(link, ..) | Origin::Answer(link)) = origin else { return Charge::Fits };
        let Some(caps) = self.quota.caps else { return Charge::Fits };
        let subject = match self.links.get(link) {
            Some(link) if link.is_mesh => return Charge::Fits,
            Some(link) => link.grant.as_ref().map(|grant| grant.subject.as_str()),
            None => self.quota.departed.get(link).map(String::as_str),
        };
        let Some(subject) = subject else { return Charge::Drops };
        let keys = [SPACE_KEY.to_vec(), subject_key(subject)];
        if let Some(unread) = keys.iter().find(|key| !self.quota.usage.contains_key(*key)) {
            return Charge::Reads(StorageRequest::Get(vec![unread.clone()]));
        }
        let bytes = commit.size() as u64;
        let authors = u64::from(self.log.vector().of(&commit.header().author).is_empty());
        let most = [
            (
                caps.space_bytes_max,
                caps.space_authors_max,
                "the space is full",
                "the space has too many authors",
            ),
            (
                caps.subject_bytes_max,
                caps.subject_authors_max,
                "this token's share of the space is used up",
                "this token has brought too many authors",
            ),
        ];
        for (key, (bytes_max, authors_max, full, crowded)) in keys.iter().zip(most) {
            let usage = self.quota.usage[key];
            if usage.bytes + bytes > bytes_max {
                return Charge::Exceeds(full);
            }
            if authors > 0 && usage.authors + authors > authors_max {
                return Charge::Exceeds(crowded);
            }
        }
        for key in keys {
            let usage = self.quota.usage.entry(key.clone()).or_default();
            usage.bytes += bytes;
            usage.authors += authors;
            self.quota.dirty.insert(key);
        }
        Charge::Fits
    }

    /// Takes in an account that was read.
    pub(super) fn learn_usage(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        if key.starts_with(SPACE_KEY) {
            let usage = value.map(from_cbor).transpose()?.unwrap_or_default();
            self.quota.usage.entry(key.to_vec()).or_insert(usage);
        }
        Ok(())
    }

    /// Writes the accounts along with what was charged to them.
    pub(super) fn take_usage(&mut self, batch: &mut WriteBatch) {
        for key in core::mem::take(&mut self.quota.dirty) {
            let value = to_cbor(&self.quota.usage[&key]);
            batch.puts.push((key, value));
        }
    }

    /// The link brought more than it may.
    pub(super) fn exceeded(&mut self, origin: &Origin, reason: &str) {
        let (Origin::Stream(link, ..) | Origin::Answer(link)) = origin else { return };
        let link = *link;
        self.close(link, CloseCode::Quota, reason);
        self.quota.departed.remove(&link);
        let is_its = |incoming: &Incoming| match incoming.origin {
            Origin::Stream(from, ..) | Origin::Answer(from) => from == link,
            Origin::Own(_) | Origin::Again { .. } => false,
        };
        self.inbox.retain(|incoming| !is_its(incoming));
    }

    /// Counts a link in, if there may be one more.
    pub(super) fn count_in(&mut self, subject: &str) -> Result<(), Refusal> {
        let Some(caps) = self.quota.caps else { return Ok(()) };
        let refuse = |reason: &str| Err(Refusal { code: CloseCode::Quota, reason: reason.into() });
        if (self.links.len() - self.mesh.len()) as u64 > caps.space_connections_max {
            return refuse("the space has too many connections");
        }
        let count = self.quota.connections.entry(subject.to_owned()).or_default();
        if *count >= caps.subject_connections_max {
            return refuse("this token has too many connections");
        }
        *count += 1;
        Ok(())
    }

    pub(super) fn count_out(&mut self, link: LinkId, subject: String) {
        if let Some(count) = self.quota.connections.get_mut(&subject) {
            *count -= 1;
            if *count == 0 {
                self.quota.connections.remove(&subject);
            }
        }
        if !self.inbox.is_empty() || !self.waiting.commits.is_empty() {
            self.quota.departed.insert(link, subject);
        }
    }

    /// Nothing is left of links that are gone.
    pub(super) fn forget_departed(&mut self) {
        if self.inbox.is_empty() && self.waiting.commits.is_empty() {
            self.quota.departed.clear();
        }
    }

    /// Those bytes of a commit are done with: grants more once that is worth a frame, and no faster
    /// than the caps allow.
    pub(super) fn done_with(&mut self, id: LinkId, bytes: usize) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.receive.owe(bytes as u64, COMMIT_COST);
        self.grant_due(id);
    }

    pub(super) fn grant_due(&mut self, id: LinkId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.receive.owed() < limits::CREDIT_BYTES / 4 {
            return;
        }
        let subject = link.grant.as_ref().map(|grant| &grant.subject).filter(|_| !link.is_mesh);
        if let (Some(caps), Some(subject)) = (self.quota.caps, subject) {
            let pace = self.quota.paces.get(subject).copied().unwrap_or(0);
            let at = link.receive.grant_at.max(pace);
            if at > now {
                link.receive.grant_at = at;
                self.busy.insert(id);
                return;
            }
            let wait = |rate: u64| link.receive.cost().saturating_mul(1000) / rate.max(1);
            self.quota.paces.insert(subject.clone(), now + wait(caps.subject_bytes_per_second));
            link.receive.grant_at = now + wait(caps.connection_bytes_per_second);
        }
        let grant = link.receive.grant();
        self.send(id, &Frame::Credit(grant));
    }
}

fn subject_key(subject: &str) -> Vec<u8> {
    [SPACE_KEY, &hash16(&[subject.as_bytes()])].concat()
}
