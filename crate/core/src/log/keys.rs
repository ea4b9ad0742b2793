//! Keys in storage, numbers most significant byte first.
//!
//! | key | value |
//! | --- | --- |
//! | `m` | [`Meta`](crate::log::meta::Meta): the log's id, its end, what the space is |
//! | `b` last-seq(8) piece(2) | a row of commits up to last-seq, in pieces of at most 1 MiB |
//! | `t` author(16) | the end of an author's first branch and the positions of its last commits |
//! | `c` author(16) chunk(8) | the positions of 32 older commits of the chain |
//! | `f` author(16) number(8) | the end of a later branch of a fork |
//! | `s` author(16) seq(8) id(16) | the position of a commit of a fork's later branches |
//! | `h` position(8) | [`Hole`](crate::log::holes::Hole): the commit there lacks bytes |
//! | `d` document(16) | the delete of a document, and its position |
//! | `g` | how far the bytes of deleted documents are gone from the rows |
//! | `p` log-id(16) | how far another holder's log has been read, and ours by it |
//! | `q` | with which regions a relay has compared all it holds |
//! | `r` region | how much of this log another region has stored |
//! | `i`, `j` | of a replica, what following the log has come to: see `replica/checkpoint.rs` |
//! | `v`, `w` | of a replica, values of documents: see `replica/views.rs` |
//! | `u` subject(16) | what of a quota is used; without a subject, that of the whole space |

use crate::base::id::{AuthorId, DocId, ShortId};
use crate::storage::request::StorageRequest;

/// The key of [`Meta`](crate::log::meta::Meta).
pub const META_KEY: &[u8] = b"m";

/// The key of how far the bytes of deleted documents are gone from the rows.
pub(super) const SCRUB_KEY: &[u8] = b"g";

/// The ranges of keys that [`Log::load`](crate::log::log::Log::load) takes in.
pub fn load_ranges() -> [(Vec<u8>, Vec<u8>); 5] {
    [b"d", b"f", b"g", b"h", b"t"].map(|first| (first.to_vec(), vec![first[0] + 1]))
}

/// A scan for the commits after this number.
pub fn rows_after(seq: u64, bytes_max: usize) -> StorageRequest {
    StorageRequest::Scan { from: row_key(seq + 1, 0), to: b"c".to_vec(), bytes_max }
}

/// The key of a row's piece.
pub(super) fn row_key(last_seq: u64, piece: u16) -> Vec<u8> {
    [b"b".as_slice(), &last_seq.to_be_bytes(), &piece.to_be_bytes()].concat()
}

/// The last number in the row of this key, if it is a row's.
pub fn row_seq(key: &[u8]) -> Option<u64> {
    number_of(key, b'b')
}

pub(super) fn chain_key(author: &AuthorId) -> Vec<u8> {
    [b"t".as_slice(), &author.0].concat()
}

pub(super) fn chunk_key(author: &AuthorId, number: u64) -> Vec<u8> {
    [b"c".as_slice(), &author.0, &number.to_be_bytes()].concat()
}

pub(super) fn branch_end_key(author: &AuthorId, number: u64) -> Vec<u8> {
    [b"f".as_slice(), &author.0, &number.to_be_bytes()].concat()
}

pub(super) fn branch_commit_key(author: &AuthorId, seq: u64, id: &ShortId) -> Vec<u8> {
    [b"s".as_slice(), &author.0, &seq.to_be_bytes(), &id.0].concat()
}

/// What follows the author in the key of a commit of a later branch.
pub(super) fn branch_commits_at(rest: &[u8]) -> Option<(u64, ShortId)> {
    let (seq, id) = rest.split_first_chunk()?;
    Some((u64::from_be_bytes(*seq), ShortId::from_slice(id)?))
}

/// A scan for the commits of an author's later branches that have this number.
pub(super) fn branch_commits_scan(author: &AuthorId, seq: u64) -> StorageRequest {
    let from = [b"s".as_slice(), &author.0, &seq.to_be_bytes()].concat();
    let to = [from.as_slice(), &[255; 17]].concat();
    StorageRequest::Scan { from, to, bytes_max: usize::MAX }
}

pub(super) fn doc_key(doc: &DocId) -> Vec<u8> {
    [b"d".as_slice(), &doc.0].concat()
}

pub(super) fn hole_key(seq: u64) -> Vec<u8> {
    [b"h".as_slice(), &seq.to_be_bytes()].concat()
}

/// The position in the key of a hole.
pub(super) fn hole_seq(key: &[u8]) -> Option<u64> {
    number_of(key, b'h')
}

/// The author in a key, and what follows.
pub(super) fn author_of_key(key: &[u8]) -> Option<(AuthorId, &[u8])> {
    let (author, rest) = key.get(1..)?.split_first_chunk::<16>()?;
    Some((AuthorId(*author), rest))
}

fn number_of(key: &[u8], kind: u8) -> Option<u64> {
    let rest = key.strip_prefix(&[kind])?;
    rest.first_chunk().map(|seq| u64::from_be_bytes(*seq))
}
