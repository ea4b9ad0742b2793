//! Strips changes, and rebuilds them.

use std::collections::{BTreeMap, BTreeSet};

use automerge::Change;

use super::changes::{Changes, Held};
use super::chunk::{Chunk, HASH_BYTES};
use super::item::{Actor, Chain, Dep, Item, ItemError, Older};
use super::limits::{ACTOR_SOURCES_MAX, COMMITS_LOOKED_AT_MAX, Limits};
use crate::base::id::{AuthorId, CommitId};
use crate::base::id_map::IdMap;
use crate::commit::header::{After, Header};

/// What the header of a commit says, as far as stripping needs it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who makes the commit, and the change.
    pub author: AuthorId,
    /// The commit's number in its author's chain, from 1.
    pub seq: u64,
    /// The commit before it in the chain; none for the first.
    pub prev: Option<CommitId>,
    /// The commits of others that it comes after.
    pub after: &'a [After],
    /// The author's clock in milliseconds since 1970.
    pub time: u64,
}

impl<'a> From<&'a Header> for Context<'a> {
    fn from(header: &'a Header) -> Self {
        let Header { author, seq, prev, after, time, .. } = header;
        let prev = (*seq > 1).then_some(*prev);
        Self { author: *author, seq: *seq, prev, after, time: *time }
    }
}

impl Context<'_> {
    /// The time of a change, in seconds since 1970.
    pub fn seconds(&self) -> u64 {
        self.time / 1000
    }

    /// The commit before this one, if there is one.
    fn previous(&self) -> Option<After> {
        let short = self.prev?.short();
        Some(After { author: self.author, seq: self.seq.checked_sub(1)?, short })
    }
}

/// Why a change was not rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The change refers to a change in this commit, which is not known yet. The bytes are to be kept
    /// and tried again once that commit has been inserted.
    #[error("the change of commit {} of author {:?} is not known", .0.seq, .0.author)]
    Missing(After),
    /// The bytes are of a form that a later version writes. They are to be kept, and tried again by
    /// that version.
    #[error("the change is in a form that this version does not know")]
    Unsupported,
    /// No author writes these bytes.
    #[error("malformed change: {0}")]
    Malformed(&'static str),
}

impl From<ItemError> for RebuildError {
    fn from(error: ItemError) -> Self {
        match error {
            ItemError::Bad => Self::Malformed("its parts can't be read"),
            ItemError::Later => Self::Unsupported,
        }
    }
}

/// The bytes of an item of kind 1 that holds this change; `changes` are those of its document.
///
/// None where the change does not rebuild to the byte: it has another actor than the author, another
/// time than the commit, does not follow the author's last change on this chain, or is over one of the
/// limits. It then travels as an import.
pub fn strip(change: &Change, context: &Context<'_>, changes: &Changes, limits: &Limits) -> Option<Vec<u8>> {
    let raw = change.raw_bytes();
    let chunk = Chunk::parse(raw, limits).ok()?;
    let last = last_change(&chunk, context, changes)?;
    let chain = match last {
        None => Chain::First,
        Some(last) if Some(last.commit) == context.previous() => Chain::Previous,
        Some(last) => Chain::Older(Older { by: context.seq - last.commit.seq, short: last.commit.short }),
    };
    let mut refers = References { last, named: Vec::new() };
    let deps = if chunk.deps.iter().eq(last.iter().map(|last| &last.hash)) {
        None
    } else {
        let causes = Causes::new(context, changes);
        Some(chunk.deps.iter().map(|hash| causes.dep(hash, &mut refers)).collect())
    };
    let start_op = (chunk.start_op != refers.next_op()).then_some(chunk.start_op);
    let actors = if refers.last_actors().eq(chunk.other_actors.iter().copied()) {
        None
    } else {
        let known = refers.known_actors(context.author);
        let places: BTreeMap<_, _> = known.iter().enumerate().map(|(place, actor)| (*actor, place)).collect();
        let written = chunk.other_actors.iter().map(|actor| match places.get(actor) {
            Some(place) => Actor::Known(*place),
            None => Actor::Bytes(actor),
        });
        Some(written.collect())
    };
    let item = Item {
        chain,
        deps,
        start_op,
        actors,
        message: chunk.message,
        columns: chunk.columns,
        extra: chunk.extra,
    };
    let bytes = item.write();
    (rebuild(&bytes, context, changes, limits).as_deref() == Ok(raw)).then_some(bytes)
}

/// The Automerge chunk, not deflated, of the change that an item of kind 1 holds; `changes` are those
/// of its document. The columns are not looked into: whether Automerge can read them is for it to say.
///
/// # Errors
/// [`RebuildError`]. Which of them depends on the bytes, the header and the commits that are held
/// alone. The result has at most 32 bytes for each byte of the item, and 8 KiB.
pub fn rebuild(
    bytes: &[u8],
    context: &Context<'_>,
    changes: &Changes,
    limits: &Limits,
) -> Result<Vec<u8>, RebuildError> {
    use RebuildError::Malformed;
    let item = Item::parse(bytes, limits)?;
    let last = match item.chain {
        Chain::First => None,
        Chain::Previous => {
            let commit = context.previous().ok_or(Malformed("there is no commit before this one"))?;
            Some(get(changes, &commit)?)
        }
        Chain::Older(older) => Some(get_older(changes, context.author, context.seq, older)?),
    };
    let mut refers = References { last, named: Vec::new() };
    let deps = match &item.deps {
        None => last.iter().map(|last| last.hash).collect(),
        Some(deps) => dependencies(deps, context, changes, &mut refers)?,
    };
    let start_op = match item.start_op {
        None => refers.next_op(),
        Some(start_op) if start_op == 0 || start_op == refers.next_op() => {
            return Err(Malformed("its start op is 0, or need not be there"));
        }
        Some(start_op) => start_op,
    };
    let other_actors = match &item.actors {
        None => refers.last_actors().collect(),
        Some(actors) => other_actors(actors, context, &refers)?,
    };
    let chunk = Chunk {
        deps,
        actor: &context.author.0,
        seq: last.map_or(0, |last| last.change_seq) + 1,
        start_op,
        time: context.seconds(),
        message: item.message,
        other_actors,
        columns: item.columns,
        extra: item.extra,
    };
    Ok(chunk.build())
}

/// The author's change before this one, on the chain of this commit. `None` where it can't be told
/// which of several it is, and `Some(None)` where there is none.
fn last_change<'a>(
    chunk: &Chunk<'_>,
    context: &Context<'_>,
    changes: &'a Changes,
) -> Option<Option<Held<'a>>> {
    if chunk.seq == 1 {
        return Some(None);
    }
    if let Some(held) = context.previous().and_then(|commit| changes.get(&commit)) {
        return Some(Some(held));
    }
    // Where the author is forked there are several commits of one number. A change depends on the
    // one before it.
    changes
        .up_to(context.author, context.seq.checked_sub(2)?)
        .take(COMMITS_LOOKED_AT_MAX)
        .find(|held| held.change_seq + 1 == chunk.seq && chunk.deps.contains(&held.hash))
        .map(Some)
}

/// What a change refers to.
struct References<'a> {
    /// The author's change before it.
    last: Option<Held<'a>>,
    /// Dependencies that are known by their commits, in the order of their hashes.
    named: Vec<Held<'a>>,
}

impl<'a> References<'a> {
    /// One more than the highest operation number of what is referred to.
    fn next_op(&self) -> u64 {
        self.last.iter().chain(&self.named).map(|held| held.max_op).max().unwrap_or(0) + 1
    }

    /// The other actors of the author's change before this one.
    fn last_actors(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.last.into_iter().flat_map(|last| last.actors())
    }

    /// The actors that an item can name by number, each once: those of the author's change before
    /// this one, then of each of the first dependencies its author and the actors it names.
    fn known_actors(&self, author: AuthorId) -> Vec<&[u8]> {
        let sources = self.named.iter().take(ACTOR_SOURCES_MAX);
        let named = sources.flat_map(|held| [&held.commit.author.0[..]].into_iter().chain(held.actors()));
        let mut seen = BTreeSet::from([author.0.to_vec()]);
        self.last_actors().chain(named).filter(|actor| seen.insert(actor.to_vec())).collect()
    }
}

/// What the causes of a commit say about dependencies.
struct Causes<'a> {
    by_hash: IdMap<[u8; HASH_BYTES], (Dep, Held<'a>)>,
}

impl<'a> Causes<'a> {
    /// Of each cause the change in its commit, or the one before in what is known of that author.
    fn new(context: &Context<'_>, changes: &'a Changes) -> Self {
        let mut by_hash = IdMap::new();
        for (index, after) in context.after.iter().enumerate() {
            let (dep, held) = if let Some(held) = changes.get(after) {
                (Dep::After(index), held)
            } else if let Some(held) = changes.up_to(after.author, after.seq.saturating_sub(1)).next() {
                let older = Older { by: after.seq - held.commit.seq, short: held.commit.short };
                (Dep::Before(index, older), held)
            } else {
                continue;
            };
            by_hash.get_or_insert_with(held.hash, || (dep, held));
        }
        Self { by_hash }
    }

    fn dep(&self, hash: &[u8; HASH_BYTES], refers: &mut References<'a>) -> Dep {
        if refers.last.is_some_and(|last| last.hash == *hash) {
            Dep::Last
        } else if let Some((dep, held)) = self.by_hash.get(hash) {
            refers.named.push(*held);
            *dep
        } else {
            Dep::Hash(*hash)
        }
    }
}

/// The hashes of dependencies, in ascending order.
fn dependencies<'a>(
    deps: &[Dep],
    context: &Context<'_>,
    changes: &'a Changes,
    refers: &mut References<'a>,
) -> Result<Vec<[u8; HASH_BYTES]>, RebuildError> {
    use RebuildError::Malformed;
    let last = refers.last.map(|last| last.hash);
    let after =
        |index: usize| context.after.get(index).ok_or(Malformed("it depends on a cause that is not there"));
    let mut hashes = Vec::with_capacity(deps.len());
    for dep in deps {
        let named = match *dep {
            Dep::Last => {
                hashes.push(last.ok_or(Malformed("it depends on a change that is not there"))?);
                continue;
            }
            Dep::Hash(hash) if Some(hash) == last => {
                return Err(Malformed("it names the change before it by its hash"));
            }
            Dep::Hash(hash) => {
                hashes.push(hash);
                continue;
            }
            Dep::After(index) => get(changes, after(index)?)?,
            Dep::Before(index, older) => {
                let after = after(index)?;
                get_older(changes, after.author, after.seq, older)?
            }
        };
        hashes.push(named.hash);
        refers.named.push(named);
    }
    if !hashes.is_sorted_by(|a, b| a < b) {
        return Err(Malformed("its dependencies are not in order"));
    }
    if hashes.iter().eq(last.iter()) {
        return Err(Malformed("its dependencies need not be there"));
    }
    Ok(hashes)
}

/// The ids of the actors that an item lists, in ascending order.
fn other_actors<'a>(
    actors: &[Actor<'a>],
    context: &Context<'_>,
    refers: &'a References<'_>,
) -> Result<Vec<&'a [u8]>, RebuildError> {
    use RebuildError::Malformed;
    let known = refers.known_actors(context.author);
    let known_set: BTreeSet<_> = known.iter().copied().collect();
    let ids = actors
        .iter()
        .map(|actor| match actor {
            Actor::Known(place) => {
                known.get(*place).copied().ok_or(Malformed("it names an actor that is not known"))
            }
            Actor::Bytes(bytes) if known_set.contains(bytes) => {
                Err(Malformed("it names an actor by its id that has a number"))
            }
            Actor::Bytes(bytes) => Ok(*bytes),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if !ids.is_sorted_by(|a, b| a < b) || ids.iter().any(|id| *id == context.author.0) {
        return Err(Malformed("its actors are not in order"));
    }
    if refers.last_actors().eq(ids.iter().copied()) {
        return Err(Malformed("its actors need not be there"));
    }
    Ok(ids)
}

fn get<'a>(changes: &'a Changes, commit: &After) -> Result<Held<'a>, RebuildError> {
    changes.get(commit).ok_or(RebuildError::Missing(*commit))
}

/// The change in a commit whose seq is lower than this.
fn get_older(changes: &Changes, author: AuthorId, seq: u64, older: Older) -> Result<Held<'_>, RebuildError> {
    let seq = seq.checked_sub(older.by).filter(|seq| *seq > 0);
    let seq = seq.ok_or(RebuildError::Malformed("it refers to a commit that can't be"))?;
    get(changes, &After { author, seq, short: older.short })
}
