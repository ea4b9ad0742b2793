//! What must hold of a world, looked at from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Position;
use eyot_core::commit::commit::ItemBytes;
use eyot_core::commit::vector::{Tip, Vector};
use eyot_core::log::finding::Finding;
use eyot_core::log::keys::{load_ranges, rows_after};
use eyot_core::log::log::{Keeping, Log};
use eyot_core::log::meta::Meta;
use eyot_core::log::rows::read_rows;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{Corrupt, Entries, StorageAnswer, StorageRequest};
use eyot_core::wire::bodies::ChainRange;

/// A log as it lies on a disk.
pub struct HeldLog {
    pub commits: BTreeSet<CommitId>,
    pub vector: Vector,
}

/// Law: log order is causal order; numbers and running hashes are right; no commit is there twice,
/// except where its bytes came late; of deleted documents no bytes are left; all chains begin where
/// those of its space do.
pub fn log_is_causal(store: &MemoryStore) -> Result<HeldLog, String> {
    let mut store = store.clone();
    check_index(&mut store)?;
    let StorageAnswer::Scanned { entries, more } = store.answer(&rows_after(0, usize::MAX)) else {
        return Err("a scan was not answered".into());
    };
    let entries = read_rows(&entries, more).map_err(|error| error.to_string())?.entries;
    let meta = store.get(b"m").and_then(|meta| Meta::decode(meta).ok());
    let chain_start = meta.and_then(|meta| Some(meta.descriptor?.chain_start(meta.marker.partition)));
    let mut at = Position::START;
    let mut held = BTreeSet::new();
    let mut followed = BTreeSet::new();
    let mut tips = Vec::new();
    let (mut deleted, mut with_bytes) = (BTreeSet::new(), BTreeSet::new());
    let mut explained = BTreeSet::new();
    let mut named = BTreeMap::new();
    for entry in entries {
        let header = entry.commit.header();
        let id = entry.commit.id();
        at = at.then(&id);
        if entry.at != at {
            return Err(format!("position {} of the log is not where it says", at.seq));
        }
        if header.seq == 1 && Some(header.prev) != chain_start {
            return Err(format!("{id:?} begins a chain of another space"));
        }
        let prev = (header.author, header.seq - 1, header.prev.short());
        if header.seq > 1 && !named.contains_key(&prev) {
            return Err(format!("{id:?} is in the log before its predecessor"));
        }
        for after in &header.after {
            if !named.contains_key(&(after.author, after.seq, after.short)) {
                return Err(format!("{id:?} is in the log before its cause {after:?}"));
            }
        }
        if held.insert(id) == entry.again {
            return Err(format!("{id:?} is in the log twice, or again for the first time"));
        }
        followed.insert(header.prev.short());
        deleted.extend(header.deletes());
        for (item, bytes) in entry.commit.items() {
            if matches!(bytes, ItemBytes::Present(bytes) if !bytes.is_empty()) {
                with_bytes.extend(item.doc);
            }
            if matches!(bytes, ItemBytes::Deleted(_)) {
                explained.extend(item.doc);
            }
        }
        if entry.again {
            continue;
        }
        tips.push(Tip { author: header.author, seq: header.seq, id });
        named.insert((header.author, header.seq, id.short()), id);
    }
    if let Some(doc) = deleted.intersection(&with_bytes).next() {
        return Err(format!("{doc:?} is deleted and some of its bytes are held"));
    }
    if let Some(doc) = explained.difference(&deleted).next() {
        return Err(format!("{doc:?} is said to be deleted, and nothing in the log deletes it"));
    }
    tips.retain(|tip| !followed.contains(&tip.id.short()));
    Ok(HeldLog { commits: held, vector: Vector::from_tips(tips) })
}

/// Law: the index of chains says where each commit is.
fn check_index(store: &mut MemoryStore) -> Result<(), String> {
    let corrupt = |error: Corrupt| error.to_string();
    let Some(meta) = store.get(b"m").and_then(|meta| Meta::decode(meta).ok()) else { return Ok(()) };
    let mut log = Log::open(meta, Keeping::Uncovered, Arc::new(Limits::PROTOCOL));
    for (from, to) in load_ranges() {
        for (key, value) in scan(store, StorageRequest::Scan { from, to, bytes_max: usize::MAX }) {
            log.load(&key, &value).map_err(corrupt)?;
        }
    }
    let rows = scan(store, rows_after(0, usize::MAX));
    let mut places = BTreeMap::<AuthorId, Vec<u64>>::new();
    for entry in read_rows(&rows, false).map_err(corrupt)?.entries {
        if !entry.again {
            places.entry(entry.commit.header().author).or_default().push(entry.at.seq);
        }
    }
    for (author, places) in places {
        let all = [ChainRange { author, from: 1, to: u64::MAX, branch: None }];
        let mut finding = Finding::new(&all, log.vector(), usize::MAX);
        while let Some(read) = finding.go_on() {
            finding.learn(&read, store.answer(&read)).map_err(corrupt)?;
        }
        let found: Vec<_> = finding.found().into();
        if found != places {
            return Err(format!("commits of {author:?} are at {places:?}, and the index says {found:?}"));
        }
    }
    Ok(())
}

fn scan(store: &mut MemoryStore, request: StorageRequest) -> Entries {
    match store.answer(&request) {
        StorageAnswer::Scanned { entries, .. } => entries,
        _ => Entries::new(),
    }
}
