//! What a relay takes from others at most: bytes, authors and connections, of the space and of each
//! subject, and how fast.

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash16;
use crate::base::id::LinkId;
use crate::base::id_map::{IdMap, IdSet, Key, padded};
use crate::base::pace::Pace;
use crate::base::time::Millis;
use crate::holder::caps::Caps;
use crate::storage::request::{Corrupt, StorageRequest, WriteBatch};
use crate::wire::access::Refusal;
use crate::wire::close::CloseCode;

/// The key of what the whole space uses.
const SPACE_KEY: &[u8] = b"u";

/// Whose account it is: a subject's, by the hash of its name, or that of the whole space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    Space,
    Subject([u8; 16]),
}

impl Account {
    pub fn of(subject: &str) -> Self {
        Self::Subject(hash16(&[subject.as_bytes()]))
    }

    fn key(self) -> Vec<u8> {
        match self {
            Self::Space => SPACE_KEY.to_vec(),
            Self::Subject(hash) => [SPACE_KEY, &hash].concat(),
        }
    }

    fn of_key(key: &[u8]) -> Option<Self> {
        match key.strip_prefix(SPACE_KEY)? {
            [] => Some(Self::Space),
            hash => hash.try_into().ok().map(Self::Subject),
        }
    }
}

impl Key for Account {
    fn bytes(&self) -> [u8; 32] {
        match self {
            Self::Space => [0; 32],
            Self::Subject(hash) => padded(&[&[1], hash]),
        }
    }
}

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
    /// None: this holder has no quotas (a replica).
    caps: Option<Caps>,
    /// What has been read of it.
    usage: IdMap<Account, Usage>,
    dirty: IdSet<Account>,
    connections: IdMap<Account, u64>,
    /// Subjects of links that are gone and of which something may be left in the inbox.
    departed: IdMap<LinkId, String>,
    /// How fast a subject brings and has things read.
    paces: IdMap<Account, SubjectPace>,
    /// Accounts of subjects whose last link has gone.
    idle: IdSet<Account>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SubjectPace {
    /// When it may be granted more.
    grant_at: Millis,
    reads: Pace,
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
        let accounts = [Account::Space, Account::of(subject)];
        if let Some(unread) = accounts.iter().find(|account| !self.usage.contains_key(account)) {
            return Charge::Reads(StorageRequest::Get(vec![unread.key()]));
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
        for (account, (bytes_max, authors_max, full, crowded)) in accounts.iter().zip(most) {
            let usage = self.usage[account];
            if usage.bytes + load.bytes > bytes_max {
                return Charge::Exceeds(full);
            }
            if authors > 0 && usage.authors + authors > authors_max {
                return Charge::Exceeds(crowded);
            }
        }
        for account in accounts {
            let usage = self.usage.get_or_default(account);
            usage.bytes += load.bytes;
            usage.authors += authors;
            self.dirty.insert(account);
        }
        Charge::Fits
    }

    /// Takes in an account that was read.
    pub fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        if let Some(account) = Account::of_key(key) {
            let usage: Usage = value.map(from_cbor).transpose()?.unwrap_or_default();
            self.usage.get_or_insert_with(account, || usage);
        }
        Ok(())
    }

    /// Writes the accounts along with what was charged to them.
    pub fn take(&mut self, batch: &mut WriteBatch) {
        for account in core::mem::take(&mut self.dirty) {
            batch.puts.push((account.key(), to_cbor(&self.usage[&account])));
        }
    }

    /// Counts a link in, if there may be one more; `connections` are those there are of the space.
    ///
    /// # Errors
    /// There may not.
    pub fn count_in(&mut self, subject: &str, connections: usize, now: Millis) -> Result<(), Refusal> {
        self.forget_recovered(now);
        let Some(caps) = self.caps else { return Ok(()) };
        let refuse = |reason: &str| Err(Refusal { code: CloseCode::Full, reason: reason.into() });
        if connections as u64 > caps.space_connections_max {
            return refuse("the space has too many connections");
        }
        let account = Account::of(subject);
        let count = self.connections.get_or_default(account);
        if *count >= caps.subject_connections_max {
            return refuse("this token has too many connections");
        }
        *count += 1;
        self.idle.remove(&account);
        Ok(())
    }

    /// Counts a link that has been counted in before.
    pub fn count_again(&mut self, subject: &str) {
        let account = Account::of(subject);
        *self.connections.get_or_default(account) += 1;
        self.idle.remove(&account);
    }

    /// A link has gone, or has another subject now.
    pub fn count_out(&mut self, subject: &str) {
        let account = Account::of(subject);
        if let Some(count) = self.connections.get_mut(&account) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.connections.remove(&account);
                self.idle.insert(account);
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

    /// Nothing is left of links that are gone, and nothing is being written: what can be read again of
    /// subjects without a link is not kept.
    pub fn forget_departed(&mut self) {
        self.departed.clear();
        for account in core::mem::take(&mut self.idle) {
            if self.dirty.contains(&account) {
                self.idle.insert(account);
            } else {
                self.usage.remove(&account);
            }
        }
    }

    /// Keeps the paces of subjects that have a link or are still to wait: whoever comes again goes on
    /// where it was. Now and then, so that each costs little.
    pub fn forget_recovered(&mut self, now: Millis) {
        if self.paces.len() > 2 * self.connections.len() + 16 {
            self.paces.retain(|account, pace| {
                self.connections.contains_key(account) || pace.grant_at > now || !pace.reads.is_paid(now)
            });
        }
    }

    /// How fast whoever came in may bring and read: at a replica other replicas, each a subject.
    fn paces_of_subjects(&self) -> Caps {
        self.caps.unwrap_or_default()
    }

    /// When more may be read for a link of this subject, of which this was read.
    pub fn reads_free_at(&self, subject: &str, link: &Pace) -> Millis {
        let caps = self.paces_of_subjects();
        let pace = self.paces.get(&Account::of(subject));
        let of_subject = pace.map_or(0, |pace| pace.reads.free_at(caps.subject_reads()));
        link.free_at(caps.connection_reads()).max(of_subject)
    }

    /// So much was read for a link of this subject.
    pub fn charge_reads(&mut self, subject: &str, link: &mut Pace, bytes: u64, now: Millis) {
        let caps = self.paces_of_subjects();
        link.spend(bytes, caps.connection_reads(), now);
        let pace = self.paces.get_or_default(Account::of(subject));
        pace.reads.spend(bytes, caps.subject_reads(), now);
    }

    /// Whether this subject may be granted something now.
    pub fn may_be_granted(&self, subject: &str, now: Millis) -> bool {
        self.caps.is_none() || self.paces.get(&Account::of(subject)).is_none_or(|pace| pace.grant_at <= now)
    }

    /// A link of this subject is gone that has brought so much, for which nothing was granted again.
    pub fn charge_unpaid(&mut self, subject: &str, bytes: u64, now: Millis) {
        let Some(caps) = self.caps else { return };
        let wait = bytes.saturating_mul(1000) / caps.subject_bytes_per_second.max(1);
        if wait > 0 {
            let pace = self.paces.get_or_default(Account::of(subject));
            pace.grant_at = pace.grant_at.max(now) + wait;
        }
    }

    /// When a link of this subject may be granted more that has cost so much: now, or at the time
    /// given. Granted, its own and its subject's next time are later.
    pub fn pace(&mut self, subject: &str, cost: u64, grant_at: Millis, now: Millis) -> Granting {
        let caps = self.paces_of_subjects();
        let account = Account::of(subject);
        let at = grant_at.max(self.paces.get(&account).map_or(0, |pace| pace.grant_at));
        if at > now {
            return Granting::At(at);
        }
        let wait = |rate: u64| cost.saturating_mul(1000) / rate.max(1);
        self.paces.get_or_default(account).grant_at = now + wait(caps.subject_bytes_per_second);
        Granting::Now { next_at: now + wait(caps.connection_bytes_per_second) }
    }
}

/// When more may be granted.
pub(super) enum Granting {
    Now {
        /// The link's next time.
        next_at: Millis,
    },
    At(Millis),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charged(gate: &mut Gate, subject: &str) {
        let load = Load { bytes: 10, is_new_author: false };
        while let Charge::Reads(StorageRequest::Get(keys)) = gate.charge(subject, load) {
            gate.learn(&keys[0], None).expect("nothing is stored");
        }
    }

    #[test]
    fn of_subjects_without_a_link_nothing_is_kept_that_can_be_read_again_or_is_paid() {
        let mut gate = Gate::new(Some(Caps::default()));
        for number in 0..1_000 {
            let subject = number.to_string();
            gate.count_in(&subject, 1, number).expect("there is room");
            charged(&mut gate, &subject);
            gate.charge_reads(&subject, &mut Pace::default(), 10, number);
            gate.count_out(&subject);
            gate.take(&mut WriteBatch::default());
            gate.forget_departed();
        }
        assert_eq!(gate.usage.len(), 1, "the space's account");
        assert!(gate.paces.len() < 50, "{} paces", gate.paces.len());
        assert!(gate.idle.is_empty());
    }

    #[test]
    fn what_is_not_written_or_belongs_to_a_link_is_kept() {
        let mut gate = Gate::new(Some(Caps::default()));
        for subject in ["gone", "again"] {
            gate.count_in(subject, 1, 0).expect("there is room");
            charged(&mut gate, subject);
            gate.count_out(subject);
        }
        gate.forget_departed();
        assert_eq!(gate.usage.len(), 3, "they are still to be written");
        gate.count_in("again", 1, 0).expect("there is room");
        gate.take(&mut WriteBatch::default());
        gate.forget_departed();
        assert!(!gate.usage.contains_key(&Account::of("gone")));
        assert!(gate.usage.contains_key(&Account::of("again")));
    }

    #[test]
    fn a_subject_that_comes_again_waits_as_long() {
        let mut gate = Gate::new(Some(Caps::default()));
        gate.count_in("reader", 1, 0).expect("there is room");
        gate.charge_reads("reader", &mut Pace::default(), 1 << 30, 0);
        gate.count_out("reader");
        for number in 0..100 {
            gate.count_in(&number.to_string(), 1, 1_000).expect("there is room");
            gate.count_out(&number.to_string());
        }
        gate.count_in("reader", 1, 1_000).expect("there is room");
        assert!(gate.reads_free_at("reader", &Pace::default()) > 5_000);
    }
}
