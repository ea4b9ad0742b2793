use super::layout::{form, head};
use super::record::Record;
use super::*;
use crate::base::id::{AuthorId, CommitId, DocId, ShortId};
use crate::base::limits::Limits;
use crate::base::rng::Rng;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::header::{After, HEADER_FORMAT, Header, ItemHeader};
use crate::commit::kind::{KINDS_OF_SPACE, Kind};

const LIMITS: Limits = Limits::PROTOCOL;
const START: CommitId = CommitId([9; 32]);

fn id<const N: usize>(rng: &mut Rng, of: u64) -> [u8; N] {
    let mut id = [7; N];
    id[0] = rng.below(of) as u8;
    id
}

fn chance(rng: &mut Rng, percent: u64) -> bool {
    rng.below(100) < percent
}

fn rng(seed: u8) -> Rng {
    Rng::new([seed; 32])
}

fn name(rng: &mut Rng, before: &[Commit]) -> After {
    match before.len() as u64 {
        held if held > 0 && chance(rng, 70) => before[rng.below(held) as usize].name(),
        _ => After { author: AuthorId(id(rng, 5)), seq: 1 + rng.below(9), short: ShortId(id(rng, 200)) },
    }
}

fn item(rng: &mut Rng, before: &[Commit]) -> (ItemHeader, ItemBytes) {
    let len = if chance(rng, 10) { 0 } else { rng.below(60) as usize };
    let bytes = vec![rng.below(4) as u8; len];
    if chance(rng, 5) {
        return (ItemHeader::new(None, KINDS_OF_SPACE + 3, &bytes), ItemBytes::Present(bytes));
    }
    let kind = if len == 0 { Kind::Delete } else { Kind::Change };
    let item = ItemHeader::new(Some(DocId(id(rng, 4))), kind.number(), &bytes);
    let bytes = match rng.below(6) {
        0 if len > 0 => ItemBytes::Deleted(name(rng, before)),
        1 if len > 0 => ItemBytes::Hole(name(rng, before)),
        _ => ItemBytes::Present(bytes),
    };
    (item, bytes)
}

/// A commit that may follow any of those before, or none.
fn commit(rng: &mut Rng, before: &[Commit]) -> Commit {
    let author = AuthorId(id(rng, 4));
    let last = before.iter().rev().find(|commit| commit.header().author == author);
    let (seq, prev) = match last {
        Some(last) if chance(rng, 80) => (last.header().seq + 1, last.id()),
        _ => (1 + rng.below(1 << 40), CommitId(id(rng, 100))),
    };
    let after = if chance(rng, 50) { rng.below(4) } else { 0 };
    let mut after: Vec<_> =
        (0..after).map(|_| name(rng, before)).filter(|name| name.author != author).collect();
    after.sort();
    after.dedup();
    let count = if chance(rng, 70) { 1 } else { rng.below(4) };
    let (items, bytes) = (0..count).map(|_| item(rng, before)).unzip();
    let time = if chance(rng, 5) { u64::MAX - rng.below(9) } else { 1_700_000_000_000 + rng.below(9_000) };
    let header = Header { format: HEADER_FORMAT, author, seq, prev, after, time, items };
    Commit::rebuild(header, bytes, &LIMITS).expect("a commit")
}

/// Batches of a link, one after the other.
fn batches(rng: &mut Rng) -> Vec<Vec<Record>> {
    let mut before = Vec::new();
    (0..1 + rng.below(4))
        .map(|_| {
            let records = (0..1 + rng.below(30)).map(|_| {
                if chance(rng, 3) {
                    return Record::Encoded(vec![3; rng.below(40) as usize]);
                }
                before.push(commit(rng, &before));
                before[before.len() - 1].clone().into()
            });
            records.collect()
        })
        .collect()
}

/// Law: what is read is what was written, to the byte and with the same ids, and takes fewer bytes.
#[test]
fn commits_read_back_as_they_were_written() {
    for seed in 0..=255 {
        let mut last = None;
        for records in batches(&mut rng(seed)) {
            let bytes = encode(&records, last.as_ref());
            let read = decode(&bytes, &LIMITS, last.as_ref());
            assert_eq!(read.as_ref(), Ok(&records), "seed {seed}");
            let written: usize = records.iter().map(|record| record.encoded_len() + RECORD_HEAD_BYTES).sum();
            assert!(bytes.len() <= written + 16, "{} bytes for {written}, seed {seed}", bytes.len());
            for record in &records {
                assert_eq!(record.encoded_len(), record.bytes().len());
                if let Record::Checked(commit) = record {
                    assert_eq!(Commit::decode(&record.bytes(), &LIMITS).as_ref(), Ok(commit));
                }
            }
            last = Last::of_records(&records).or(last);
        }
    }
}

/// Law: bytes that mean no good are refused, or are commits that every holder takes.
#[test]
fn what_was_damaged_is_refused_or_is_something_else() {
    for seed in 0..200 {
        let mut rng = rng(seed);
        let records = batches(&mut rng).swap_remove(0);
        let bytes = encode(&records, None);
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], &LIMITS, None).is_err(), "seed {seed} cut at {len}");
        }
        for _ in 0..50 {
            let mut damaged = bytes.clone();
            damaged[rng.below(bytes.len() as u64) as usize] ^= 1 << rng.below(8);
            let Ok(read) = decode(&damaged, &LIMITS, None) else { continue };
            for record in &read {
                if let Record::Checked(commit) = record {
                    assert_eq!(Commit::decode(&record.bytes(), &LIMITS).as_ref(), Ok(commit));
                }
            }
            assert_eq!(decode(&encode(&read, None), &LIMITS, None), Ok(read));
        }
    }
}

fn keystroke(seq: u64, prev: CommitId) -> Commit {
    let items = vec![(DocId([7; 16]), Kind::Change, vec![1, 2, 3, 4, 5, 6, 7, 8, 9, seq as u8])];
    let time = 1_700_000_000_000 + 150 * seq;
    Commit::new((AuthorId([1; 16]), seq, prev), Vec::new(), time, items, &LIMITS).expect("a commit")
}

#[test]
fn a_keystroke_after_another_takes_little_more_than_its_bytes() {
    let first = keystroke(1, START);
    let next = [keystroke(2, first.id()).into()];
    assert_eq!(encode(&next, Some(&Last::of(&first))).len(), 10 + 12);
    assert_eq!(encode(&next, None).len(), 10 + 78);
}

/// Otherwise it would be rebuilt to a commit that nobody has made.
#[test]
fn a_batch_that_goes_on_from_another_commit_is_refused() {
    let (first, other) = (keystroke(1, START), keystroke(1, CommitId([8; 32])));
    let next = encode(&[keystroke(2, first.id()).into()], Some(&Last::of(&first)));
    assert!(decode(&next, &LIMITS, Some(&Last::of(&first))).is_ok());
    for last in [None, Some(&Last::of(&other))] {
        assert_eq!(decode(&next, &LIMITS, last), Err(BatchError::Elsewhere));
    }
}

#[test]
fn a_batch_counts_as_what_it_is_written_out() {
    let mut records: Vec<Record> = Vec::new();
    let mut prev = START;
    for seq in 1..=100 {
        let commit = keystroke(seq, prev);
        prev = commit.id();
        records.push(commit.into());
    }
    let bytes = encode(&records, None);
    let written: usize = records.iter().map(|record| record.encoded_len() + RECORD_HEAD_BYTES).sum();
    assert!(bytes.len() * 4 < written, "it is small");
    assert!(decode(&bytes, &Limits { frame_bytes_max: written, ..LIMITS }, None).is_ok());
    let tight = Limits { frame_bytes_max: written - 1, ..LIMITS };
    assert_eq!(decode(&bytes, &tight, None), Err(BatchError::TooLarge));
}

#[test]
fn a_length_over_the_limit_takes_no_memory() {
    let mut bytes = vec![form::COMPRESSED];
    crate::base::leb128::write_number(1 << 40, &mut bytes);
    assert_eq!(decode(&bytes, &LIMITS, None), Err(BatchError::TooLarge));
    // A count of causes that are not there.
    let mut headers = vec![head::AUTHOR | head::CHAIN | head::AFTER, 0];
    headers.extend([1; 16]);
    headers.push(1);
    headers.extend([2; 32]);
    headers.push(0);
    crate::base::leb128::write_number(1 << 40, &mut headers);
    let mut bytes = vec![0];
    crate::base::leb128::write_prefixed(&headers, &mut bytes);
    assert_eq!(decode(&bytes, &LIMITS, None), Err(BatchError::TooLarge));
}

/// Law: a later form can be told from this one.
#[test]
fn forms_and_heads_that_this_version_does_not_know_are_refused() {
    assert_eq!(decode(&[4, 0], &LIMITS, None), Err(BatchError::Malformed));
    assert_eq!(decode(&[0, 1, 32], &LIMITS, None), Err(BatchError::Malformed));
    assert_eq!(decode(&[0, 1, head::ENCODED | head::AUTHOR], &LIMITS, None), Err(BatchError::Malformed));
}
