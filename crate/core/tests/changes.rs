//! Pages of what is stored, read from storage alone.

use std::sync::Arc;

use eyot_core::base::id::{AuthorId, DocId, LogId, ShortId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Marker;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After as Cause;
use eyot_core::commit::kind::Kind;
use eyot_core::log::log::{Keeping, Log};
use eyot_core::relay::changes::{After, Changes, ChangesPage};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::WriteBatch;
use serde_json::{Value, json};

const AUTHOR: AuthorId = AuthorId([1; 16]);
const DOC: DocId = DocId([9; 16]);

struct Space {
    log: Log,
    store: MemoryStore,
    last: Option<Commit>,
}

impl Space {
    fn new(log: u8) -> Self {
        let marker = Marker::new(LogId([log; 16]), [log; 32], 0);
        let limits = Arc::new(Limits::PROTOCOL);
        let log = Log::new(marker, Some(Descriptor::plain("space")), Keeping::Nothing, limits);
        Self { log, store: MemoryStore::default(), last: None }
    }

    /// The author's next commit.
    fn next(&mut self, kind: Kind, bytes: Vec<u8>) -> Commit {
        let start = Descriptor::plain("space").chain_start(0);
        let (seq, prev) = self.last.as_ref().map_or((1, start), |last| (last.header().seq + 1, last.id()));
        let items = vec![(DOC, kind, bytes)];
        let commit = Commit::new((AUTHOR, seq, prev), Vec::new(), 7, items, &Limits::PROTOCOL).unwrap();
        self.last.insert(commit).clone()
    }

    /// Appends so many commits in one row.
    fn append(&mut self, count: usize) {
        for _ in 0..count {
            let commit = self.next(Kind::Change, vec![5; 30]);
            self.log.stage(commit, false, None);
        }
        self.write();
    }

    fn write(&mut self) {
        let staged = self.log.take_staged().expect("something was staged");
        self.store.write(&WriteBatch { guard: None, puts: staged.puts, deletes: staged.deletes });
    }

    fn read(&mut self, after: After, commits_max: usize) -> Changes {
        let mut page = ChangesPage::new(after, commits_max);
        while let Some(request) = page.go_on() {
            page.learn(self.store.answer(&request)).expect("what was written");
        }
        page.end()
    }

    fn page(&mut self, after: After, commits_max: usize) -> Value {
        match self.read(after, commits_max) {
            Changes::Page(json) => serde_json::from_str(&json).expect("a page is JSON"),
            Changes::OtherLog => panic!("the position is of this log"),
        }
    }
}

fn next_of(page: &Value) -> After {
    After::read(page["next"].as_str().unwrap()).expect("a position")
}

fn seqs(page: &Value) -> Vec<u64> {
    page["changes"].as_array().unwrap().iter().map(|change| change["seq"].as_u64().unwrap()).collect()
}

#[test]
fn pages_have_every_commit_once_in_the_order_of_the_log_wherever_they_end() {
    for commits_max in [1, 2, 3, 7, 100] {
        let mut space = Space::new(1);
        for row in [5, 1, 4, 2] {
            space.append(row);
        }
        let (mut after, mut all) = (After::START, Vec::new());
        loop {
            let page = space.page(after, commits_max);
            let seqs = seqs(&page);
            assert!(seqs.len() <= commits_max);
            all.extend(seqs);
            after = next_of(&page);
            if page["more"] == json!(false) {
                break;
            }
        }
        assert_eq!(all, (1..=12).collect::<Vec<_>>(), "{commits_max} a page");
        assert_eq!(seqs(&space.page(after, commits_max)), [] as [u64; 0]);
        space.append(1);
        assert_eq!(seqs(&space.page(after, commits_max)), [13]);
    }
}

#[test]
fn a_change_says_which_documents_it_is_of_and_has_the_commit_as_it_is_stored() {
    let mut space = Space::new(1);
    space.append(1);
    let page = space.page(After::START, 10);
    let commit = space.last.clone().unwrap();
    let change = &page["changes"][0];
    assert_eq!(page["log"], json!("01".repeat(16)));
    assert_eq!(change["id"], json!(commit.id().to_hex()));
    assert_eq!((&change["author"], &change["time"]), (&json!("01".repeat(16)), &json!(7)));
    // What the npm package says of the same bytes.
    let url = "automerge:8JT5gXGHPWfPRoMrV1mqqo4QBFn";
    assert_eq!(change["items"], json!([{ "document": url, "kind": "change", "bytes": 30, "state": "held" }]));
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(change["commit"].as_str().unwrap()).unwrap();
    assert_eq!(Commit::decode(&bytes, &Limits::PROTOCOL).unwrap(), commit);
}

#[test]
fn bytes_that_are_deleted_missing_or_come_late_are_said_to_be() {
    let mut space = Space::new(1);
    let first = space.next(Kind::Change, vec![1; 30]);
    let delete = Cause { author: AuthorId([7; 16]), seq: 1, short: ShortId([7; 16]) };
    let mut husk = first.clone();
    husk.justify(|_| Some(delete));
    space.log.stage(husk, false, None);
    space.write();
    let states = |page: &Value| {
        let changes = page["changes"].as_array().unwrap();
        let state = |change: &Value| (change["items"][0]["state"].clone(), change["again"].clone());
        changes.iter().map(state).collect::<Vec<_>>()
    };
    let page = space.page(After::START, 10);
    assert_eq!(states(&page), [(json!("missing"), json!(false))]);
    space.log.stage_again(1, first);
    space.write();
    let late = space.page(next_of(&page), 10);
    assert_eq!(states(&late), [(json!("held"), json!(true))]);
    assert_eq!(late["changes"][0]["id"], page["changes"][0]["id"]);
    let deleted = space.next(Kind::Delete, Vec::new());
    space.log.stage(deleted, false, None);
    space.write();
    let page = space.page(next_of(&late), 10);
    assert_eq!(page["changes"][0]["items"][0]["kind"], json!("delete"));
}

#[test]
fn a_position_of_another_log_or_of_one_that_was_put_back_is_told_apart() {
    let mut space = Space::new(1);
    space.append(3);
    let copy = space.store.clone();
    let (log, last) = (space.log.clone(), space.last.clone());
    space.append(2);
    let after = next_of(&space.page(After::START, 10));
    let middle = next_of(&space.page(After::START, 4));
    let mut other = Space::new(2);
    other.append(9);
    assert_eq!(other.read(after, 10), Changes::OtherLog);
    assert_eq!(Space::new(3).read(after, 10), Changes::OtherLog, "nobody has written there");
    // An older copy: the log ends before the position, and later it goes on in another way.
    space.store = copy;
    space.log = log;
    space.last = last;
    assert_eq!(space.read(after, 10), Changes::OtherLog);
    let another = space.next(Kind::Change, vec![6; 30]);
    space.log.stage(another, false, None);
    space.append(2);
    for position in [after, middle] {
        assert_eq!(space.read(position, 10), Changes::OtherLog);
    }
    let held = next_of(&space.page(After::START, 3));
    assert_eq!(seqs(&space.page(held, 10)), [4, 5, 6]);
}

#[test]
fn a_space_that_nobody_has_written_to_has_an_empty_page_from_which_one_goes_on() {
    let mut space = Space::new(1);
    let page = space.page(After::START, 10);
    assert_eq!((&page["log"], &page["changes"], &page["more"]), (&json!(null), &json!([]), &json!(false)));
    space.append(2);
    assert_eq!(seqs(&space.page(next_of(&page), 10)), [1, 2]);
}

#[test]
fn a_page_ends_after_a_megabyte_and_has_a_commit_however_large_that_is() {
    let mut space = Space::new(1);
    for mebibytes in [0, 15, 0, 0] {
        let commit = space.next(Kind::Change, vec![5; 30 + mebibytes * 1024 * 1024]);
        space.log.stage(commit, false, None);
        space.write();
    }
    let page = space.page(After::START, 10);
    assert_eq!((seqs(&page), &page["more"]), (vec![1, 2], &json!(true)));
    assert_eq!(seqs(&space.page(next_of(&page), 10)), [3, 4]);
}

#[test]
fn what_no_page_has_said_is_no_position() {
    for text in
        ["", "0", "zz", "5", "50", "AB", "5000000000000000000000000000000000000000", &"0".repeat(10_000)]
    {
        assert_eq!(After::read(text), None, "{text}");
    }
    let start = Space::new(1).page(After::START, 1)["next"].as_str().unwrap().to_owned();
    assert_eq!(After::read(&start), Some(After::START));
    let bent = format!("{}1{}", &start[..6], &start[7..]);
    let mut space = Space::new(1);
    space.append(1);
    assert_eq!(space.read(After::read(&bent).unwrap(), 1), Changes::OtherLog);
}

#[test]
fn rows_that_are_not_what_their_keys_say_are_an_error_and_no_endless_page() {
    let mut space = Space::new(1);
    space.append(1);
    let rows: Vec<_> =
        space.store.range(b"b", b"c").map(|(key, value)| (key.clone(), value.clone())).collect();
    space.append(2);
    // The first row once more, where the second is.
    let last: Vec<_> = space.store.range(b"b", b"c").map(|(key, _)| key.clone()).collect();
    let puts = vec![(last[1].clone(), rows[0].1.clone())];
    space.store.write(&WriteBatch { puts, ..WriteBatch::default() });
    let mut page = ChangesPage::new(After::START, 10);
    let mut learnt = Ok(());
    while let (Some(request), Ok(())) = (page.go_on(), &learnt) {
        learnt = page.learn(space.store.answer(&request));
    }
    assert!(learnt.is_err());
}
