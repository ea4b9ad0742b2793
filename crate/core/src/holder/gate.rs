//! What a relay takes from others at most: bytes, authors and connections, of the space and of each
//! subject, and how fast.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash16;
use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::holder::caps::Caps;
use crate::storage::request::{Corrupt, StorageRequest, WriteBatch};
use crate::wire::access::Refusal;
use crate::wire::close::CloseCode;

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
pub(super) struct Gate {
    /// None: this holder takes everything (a replica).
    caps: Option<Caps>,
    /// What has been read of it, by key.
    usage: BTreeMap<Vec<u8>, Usage>,
    dirty: BTreeSet<Vec<u8>>,
    connections: BTreeMap<String, u64>,
    /// Subjects of links that are gone and of which something may be left in the inbox.
    departed: BTreeMap<LinkId, String>,
    /// When a subject may be granted more.
    paces: BTreeMap<String, Millis>,
}

/// What a commit adds to what is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub bytes: u64,
    /// An author's first commit, or a branch of its chain.
    pub is_new_author: bool,
}

/// Whether a commit may be stored.
pub(super) enum Charge {
    Fits,
    /// Storage must be asked first.
    Reads(StorageRequest),
    /// For this reason not.
    Exceeds(&'static str),
}

impl Gate {
    pub fn new(caps: Option<Caps>) -> Self {
        Self { caps, ..Self::default() }
    }

    pub fn is_open(&self) -> bool {
        self.caps.is_none()
    }

    /// Who is charged for what a link that is gone has brought.
    pub fn departed(&self, link: LinkId) -> Option<&str> {
        self.departed.get(&link).map(String::as_str)
    }

    /// Whether an author that has so many branches may have no other one.
    pub fn has_too_many_branches(&self, branches: usize) -> bool {
        self.caps.is_some_and(|caps| branches as u64 >= caps.author_branches_max)
    }

    /// Puts a commit on the accounts of the space and of whoever brings it.
    pub fn charge(&mut self, subject: &str, load: Load) -> Charge {
        let Some(caps) = self.caps else { return Charge::Fits };
        let keys = [SPACE_KEY.to_vec(), subject_key(subject)];
        if let Some(unread) = keys.iter().find(|key| !self.usage.contains_key(*key)) {
            return Charge::Reads(StorageRequest::Get(vec![unread.clone()]));
        }
        let authors = u64::from(load.is_new_author);
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
            let usage = self.usage[key];
            if usage.bytes + load.bytes > bytes_max {
                return Charge::Exceeds(full);
            }
            if authors > 0 && usage.authors + authors > authors_max {
                return Charge::Exceeds(crowded);
            }
        }
        for key in keys {
            let usage = self.usage.entry(key.clone()).or_default();
            usage.bytes += load.bytes;
            usage.authors += authors;
            self.dirty.insert(key);
        }
        Charge::Fits
    }

    /// Takes in an account that was read.
    pub fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        if key.starts_with(SPACE_KEY) {
            let usage = value.map(from_cbor).transpose()?.unwrap_or_default();
            self.usage.entry(key.to_vec()).or_insert(usage);
        }
        Ok(())
    }

    /// Writes the accounts along with what was charged to them.
    pub fn take(&mut self, batch: &mut WriteBatch) {
        for key in core::mem::take(&mut self.dirty) {
            let value = to_cbor(&self.usage[&key]);
            batch.puts.push((key, value));
        }
    }

    /// Counts a link in, if there may be one more; `connections` are those there are of the space.
    ///
    /// # Errors
    /// There may not.
    pub fn count_in(&mut self, subject: &str, connections: usize) -> Result<(), Refusal> {
        let Some(caps) = self.caps else { return Ok(()) };
        let refuse = |reason: &str| Err(Refusal { code: CloseCode::Full, reason: reason.into() });
        if connections as u64 > caps.space_connections_max {
            return refuse("the space has too many connections");
        }
        let count = self.connections.entry(subject.to_owned()).or_default();
        if *count >= caps.subject_connections_max {
            return refuse("this token has too many connections");
        }
        *count += 1;
        Ok(())
    }

    /// Counts a link that has been counted in before.
    pub fn count_again(&mut self, subject: &str) {
        *self.connections.entry(subject.to_owned()).or_default() += 1;
    }

    /// A link has gone, or has another subject now.
    pub fn count_out(&mut self, subject: &str) {
        if let Some(count) = self.connections.get_mut(subject) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.connections.remove(subject);
                self.paces.remove(subject);
            }
        }
    }

    /// Something that this link has brought may still be on its way into the log.
    pub fn remember(&mut self, link: LinkId, subject: String) {
        self.departed.insert(link, subject);
    }

    pub fn forget(&mut self, link: LinkId) {
        self.departed.remove(&link);
    }

    /// Nothing is left of links that are gone.
    pub fn forget_departed(&mut self) {
        self.departed.clear();
    }

    /// When a link of this subject may be granted more that has cost so much: now, or at the time
    /// given. Granted, its own and its subject's next time are later.
    pub fn pace(&mut self, subject: &str, cost: u64, grant_at: Millis, now: Millis) -> Pace {
        let Some(caps) = self.caps else { return Pace::Now { next_at: 0 } };
        let at = grant_at.max(self.paces.get(subject).copied().unwrap_or(0));
        if at > now {
            return Pace::At(at);
        }
        let wait = |rate: u64| cost.saturating_mul(1000) / rate.max(1);
        self.paces.insert(subject.to_owned(), now + wait(caps.subject_bytes_per_second));
        Pace::Now { next_at: now + wait(caps.connection_bytes_per_second) }
    }
}

/// When more may be granted.
pub(super) enum Pace {
    Now {
        /// The link's next time.
        next_at: Millis,
    },
    At(Millis),
}

fn subject_key(subject: &str) -> Vec<u8> {
    [SPACE_KEY, &hash16(&[subject.as_bytes()])].concat()
}
