//! Bytes that come late: what the log makes of them, whoever reads it.

use std::sync::Arc;

use crate::base::id::{AuthorId, DocId, LogId, ShortId};
use crate::base::limits::Limits;
use crate::base::position::Marker;
use crate::commit::commit::Commit;
use crate::commit::descriptor::Descriptor;
use crate::commit::header::After;
use crate::commit::kind::Kind;
use crate::log::finding::Finding;
use crate::log::keys::load_ranges;
use crate::log::log::{Keeping, Log};
use crate::log::lookup::Admission;
use crate::log::rows::{Entry, read_rows};
use crate::storage::memory::MemoryStore;
use crate::storage::request::WriteBatch;
use crate::wire::bodies::ChainRange;

const AUTHOR: AuthorId = AuthorId([1; 16]);

struct Written {
    log: Log,
    store: MemoryStore,
    /// All that was appended, as it was then.
    entries: Vec<Entry>,
}

fn empty() -> Log {
    let marker = Marker::new(LogId([5; 16]), [6; 32], 0);
    Log::new(marker, Some(Descriptor::plain("space")), Keeping::Uncovered, Arc::new(Limits::PROTOCOL))
}

fn chain() -> [Commit; 2] {
    let item = |byte| vec![(DocId([9; 16]), Kind::Change, vec![byte; 30])];
    let start = Descriptor::plain("space").chain_start(0);
    let first = Commit::new((AUTHOR, 1, start), Vec::new(), 0, item(1), &Limits::PROTOCOL).expect("small");
    let place = (AUTHOR, 2, first.id());
    let second = Commit::new(place, Vec::new(), 0, item(2), &Limits::PROTOCOL).expect("small");
    [first, second]
}

impl Written {
    fn write(&mut self) {
        let staged = self.log.take_staged().expect("something was staged");
        self.store.write(&WriteBatch { guard: None, puts: staged.puts, deletes: staged.deletes });
        self.entries.extend(staged.entries);
    }

    /// The first commit comes without its bytes, the second follows, then the bytes come.
    fn new() -> Self {
        let mut written = Self { log: empty(), store: MemoryStore::default(), entries: Vec::new() };
        let [first, second] = chain();
        let delete = After { author: AuthorId([7; 16]), seq: 1, short: ShortId([7; 16]) };
        let mut husk = first.clone();
        husk.justify(|_| Some(delete));
        written.log.stage(husk, false, None);
        written.log.stage(second, false, None);
        written.write();
        assert_eq!(written.log.holes().len(), 1);
        assert_eq!(written.log.admit(&first, 0), Admission::Fills(1));
        written.log.stage_again(1, first);
        written.write();
        written
    }
}

#[test]
fn a_commit_whose_bytes_come_late_is_in_the_log_again_and_in_its_chain_once() {
    let Written { log, mut store, entries } = Written::new();
    let [first, second] = chain();
    assert_eq!(log.head().seq, 3);
    assert!(log.holes().is_empty());
    assert!(entries[2].again && !entries[2].commit.has_holes());
    assert_eq!(log.vector().of(&AUTHOR).single(), Some(&second.tip()));
    let all = ChainRange { author: AUTHOR, from: 1, to: 2, branch: None };
    let mut finding = Finding::new(&[all], log.vector(), 10);
    while let Some(read) = finding.go_on() {
        finding.learn(&read, store.answer(&read)).expect("what was written");
    }
    assert_eq!(finding.found(), [1, 2]);
    assert_eq!(log.admit(&first, 0), Admission::Held);
    // And so it is for who reads it from storage.
    let rows: Vec<_> = store.range(b"b", b"c").map(|(key, value)| (key.clone(), value.clone())).collect();
    let read = read_rows(&rows, false).expect("rows are written whole").entries;
    assert_eq!(read.iter().map(|entry| entry.again).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(read[2].at, log.head());
    let mut loaded = empty();
    for (from, to) in load_ranges() {
        for (key, value) in store.range(&from, &to) {
            loaded.load(key, value).expect("what was written");
        }
    }
    assert!(loaded.holes().is_empty());
    assert_eq!(loaded.vector(), log.vector());
}

#[test]
fn another_process_that_follows_the_log_takes_a_commit_that_is_there_again_for_no_fork() {
    let written = Written::new();
    let mut follower = empty();
    written.entries.iter().for_each(|entry| follower.follow(entry));
    assert_eq!(follower.head(), written.log.head());
    assert_eq!(follower.vector(), written.log.vector());
    assert!(follower.holes().is_empty());
    // The row where it is first may have its bytes by the time it is read.
    let mut late = empty();
    let [first, _] = chain();
    late.follow(&Entry { commit: first, ..written.entries[0].clone() });
    written.entries[1..].iter().for_each(|entry| late.follow(entry));
    assert_eq!(late.head(), written.log.head());
    assert_eq!(late.vector(), written.log.vector());
}
