//! The changes of one document by the commits that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use automerge::Change;

use super::chunk::HASH_BYTES;
use super::limits::ACTOR_LIST_BYTES_MAX;
use crate::base::id::{AuthorId, CommitId, ShortId};
use crate::base::id_map::IdMap;
use crate::base::leb128::{Reader, write_prefixed};
use crate::commit::header::After;

/// The changes of one document by the commits that hold them: of each commit the last change whose
/// actor is the commit's author. Changes of others, which came as imports, are not in it.
///
/// A change takes 72 bytes, in blocks of at most 128 changes of one author, and lists of other actors
/// are kept once each: 10 MB for 140,000 changes. What is inserted is never taken out, also if the
/// document does not take the change, so that it depends on the commits and not on the order they came in.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    authors: IdMap<AuthorId, Vec<Block>>,
    lists: Lists,
    len: usize,
}

/// Neighbours in the order of (seq, id); never empty.
type Block = Vec<Entry>;

/// Changes in a block. A new one in the middle moves so many at most.
const BLOCK_MAX: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: [u8; HASH_BYTES],
    commit: ShortId,
    seq: u64,
    change_seq: u32,
    max_op: u32,
    actors: ListId,
}

impl Entry {
    fn key(&self) -> (u64, ShortId) {
        (self.seq, self.commit)
    }
}

/// A change that is in a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    pub(super) commit: After,
    pub(super) hash: [u8; HASH_BYTES],
    /// The number of the change among the author's changes.
    pub(super) change_seq: u64,
    /// The highest operation number of the change.
    pub(super) max_op: u64,
    /// The actors it names besides its own, as in a chunk, without their count. None if there are more
    /// than can be taken over.
    actors: &'a [u8],
}

impl<'a> Held<'a> {
    /// The actors it names besides its own.
    pub(super) fn actors(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader::new(self.actors);
        core::iter::from_fn(move || reader.prefixed().ok())
    }
}

impl Changes {
    /// Without any changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of commits with a change of their author.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no such commit.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes in all changes of this document that a commit holds, in the order of its items. All at
    /// once: a commit of which an item is missing, or can't be read, is not to be inserted, because
    /// another change could be taken for its last. Inserted once more, a commit replaces what it was.
    ///
    /// Of changes with a number above `u32::MAX`, which Automerge can't apply, nothing is kept.
    pub fn insert<'a>(
        &mut self,
        author: AuthorId,
        seq: u64,
        id: &CommitId,
        changes: impl IntoIterator<Item = &'a Change>,
    ) {
        let own = changes.into_iter().filter(|change| change.actor_id().to_bytes() == author.0).last();
        let Some(change) = own else { return };
        let (Ok(change_seq), Ok(max_op)) = (u32::try_from(change.seq()), u32::try_from(change.max_op()))
        else {
            return;
        };
        let entry = Entry {
            hash: change.hash().0,
            commit: id.short(),
            seq,
            change_seq,
            max_op,
            actors: self.lists.id(change.other_actor_ids().iter().map(automerge::ActorId::to_bytes)),
        };
        let blocks = self.authors.get_or_default(author);
        self.len += usize::from(put(blocks, entry));
    }

    /// Whether a change of this commit is known.
    pub(in crate::document) fn holds(&self, commit: &After) -> bool {
        self.get(commit).is_some()
    }

    /// The change of this commit.
    pub(super) fn get(&self, commit: &After) -> Option<Held<'_>> {
        let blocks = self.authors.get(&commit.author)?;
        let key = (commit.seq, commit.short);
        let block = &blocks[block_of(blocks, key)?];
        let index = block.binary_search_by_key(&key, Entry::key).ok()?;
        Some(self.held(commit.author, &block[index]))
    }

    /// The author's changes in commits with at most this seq, the highest first.
    pub(super) fn up_to(&self, author: AuthorId, seq: u64) -> impl Iterator<Item = Held<'_>> {
        let blocks = self.authors.get(&author).map_or(&[][..], Vec::as_slice);
        let end = block_of(blocks, (seq, ShortId([0xff; 16]))).map_or(0, |block| block + 1);
        let entries = blocks[..end].iter().rev().flat_map(|block| block.iter().rev());
        entries.skip_while(move |entry| entry.seq > seq).map(move |entry| self.held(author, entry))
    }

    fn held(&self, author: AuthorId, entry: &Entry) -> Held<'_> {
        Held {
            commit: After { author, seq: entry.seq, short: entry.commit },
            hash: entry.hash,
            change_seq: u64::from(entry.change_seq),
            max_op: u64::from(entry.max_op),
            actors: self.lists.get(entry.actors),
        }
    }
}

/// The last block that begins at or before this key.
fn block_of(blocks: &[Block], key: (u64, ShortId)) -> Option<usize> {
    blocks.partition_point(|block| block.first().is_some_and(|first| first.key() <= key)).checked_sub(1)
}

/// Puts an entry in its place; whether there was none.
fn put(blocks: &mut Vec<Block>, entry: Entry) -> bool {
    let at = block_of(blocks, entry.key()).unwrap_or(0);
    let count = blocks.len();
    let Some(block) = blocks.get_mut(at) else {
        blocks.push(vec![entry]);
        return true;
    };
    match block.binary_search_by_key(&entry.key(), Entry::key) {
        Ok(index) => {
            block[index] = entry;
            false
        }
        Err(index) if index == BLOCK_MAX && at + 1 == count => {
            // Commits mostly come in the order of their chain: full blocks stay full.
            blocks.push(vec![entry]);
            true
        }
        Err(index) => {
            block.insert(index, entry);
            if block.len() > BLOCK_MAX {
                let upper = block.split_off(block.len() / 2);
                blocks.insert(at + 1, upper);
            }
            true
        }
    }
}

/// Lists of actors, each kept once.
#[derive(Clone, Debug, Default)]
struct Lists {
    lists: Vec<Arc<[u8]>>,
    ids: BTreeMap<Arc<[u8]>, ListId>,
}

/// A list: 0 is the empty one, others are one more than their index.
type ListId = u32;

impl Lists {
    fn id<'a>(&mut self, actors: impl Iterator<Item = &'a [u8]>) -> ListId {
        let mut bytes = Vec::new();
        for actor in actors {
            write_prefixed(actor, &mut bytes);
            if bytes.len() > ACTOR_LIST_BYTES_MAX {
                return 0;
            }
        }
        if bytes.is_empty() {
            return 0;
        }
        if let Some(id) = self.ids.get(bytes.as_slice()) {
            return *id;
        }
        let list: Arc<[u8]> = bytes.into();
        self.lists.push(list.clone());
        let id =
            ListId::try_from(self.lists.len()).expect("four billion lists take more memory than there is");
        self.ids.insert(list, id);
        id
    }

    fn get(&self, id: ListId) -> &[u8] {
        match id {
            0 => &[],
            id => &self.lists[id as usize - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, commit: u8) -> Entry {
        Entry { hash: [commit; 32], commit: ShortId([commit; 16]), seq, change_seq: 1, max_op: 1, actors: 0 }
    }

    #[test]
    fn a_change_takes_72_bytes() {
        assert_eq!(size_of::<Entry>(), 72);
    }

    /// Law: blocks hold what was put in, in order, whatever the order it came in.
    #[test]
    fn blocks_hold_what_was_put_in_whatever_the_order() {
        let keys: Vec<(u64, u8)> = (0..1000).flat_map(|seq| [(seq, 1), (seq, 2)]).collect();
        for stride in [1, 7, 999, 1999] {
            let mut blocks = Vec::new();
            for i in 0..keys.len() {
                let (seq, commit) = keys[i * stride % keys.len()];
                assert!(put(&mut blocks, entry(seq, commit)));
                assert!(!put(&mut blocks, entry(seq, commit)));
            }
            let held: Vec<_> = blocks.iter().flatten().map(|entry| (entry.seq, entry.commit.0[0])).collect();
            assert_eq!(held, keys, "stride {stride}");
            assert!(blocks.iter().all(|block| !block.is_empty() && block.len() <= BLOCK_MAX));
        }
    }

    #[test]
    fn blocks_that_came_in_order_are_full() {
        let mut blocks = Vec::new();
        (0..10 * BLOCK_MAX as u64).for_each(|seq| assert!(put(&mut blocks, entry(seq, 1))));
        assert_eq!(blocks.len(), 10);
        assert!(blocks.iter().all(|block| block.capacity() == BLOCK_MAX));
    }

    #[test]
    fn equal_lists_are_kept_once_and_long_ones_not_at_all() {
        let mut lists = Lists::default();
        let actors = [[1u8; 16], [2; 16]];
        let id = lists.id(actors.iter().map(<[u8; 16]>::as_slice));
        assert_eq!(lists.id(actors.iter().map(<[u8; 16]>::as_slice)), id);
        assert_eq!(lists.get(id).len(), 2 * 17);
        assert_eq!(lists.id(vec![&[0u8; 16][..]; ACTOR_LIST_BYTES_MAX / 17 + 1].into_iter()), 0);
    }
}
