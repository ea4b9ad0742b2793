//! Recorded histories, stripped and rebuilt: what an item takes, and how long it takes. See
//! `tests/data/README.md` for whose they are.

use std::io::Read;
use std::time::Duration;

use eyot_core::automerge::transaction::{CommitOptions, Transactable};
use eyot_core::automerge::{ActorId, Automerge, Change, ObjId, ObjType, ROOT, ReadDoc, TextEncoding};
use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::base::limits::Limits as WireLimits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::document::stripped::changes::Changes;
use eyot_core::document::stripped::limits::Limits;
use eyot_core::document::stripped::strip::{Context, rebuild, strip};
use serde_json::Value;

/// What a first commit names before it.
const CHAIN_START: CommitId = CommitId([0; 32]);

/// Without optimisation Automerge takes minutes for all.
const TRANSACTIONS_MAX: usize = if cfg!(debug_assertions) { 5_000 } else { usize::MAX };

/// What was spent, in all.
#[derive(Default)]
struct Spent {
    strip: Duration,
    rebuild: Duration,
    parse: Duration,
    /// Decoding by Automerge and encoding again, without changing anything.
    automerge: Duration,
}

/// Does something, and adds how long it took.
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a measurement of real time")]
fn timed<T>(spent: &mut Duration, task: impl FnOnce() -> T) -> T {
    let start = std::time::Instant::now();
    let result = task();
    *spent += start.elapsed();
    result
}

fn history(name: &str) -> Value {
    let path = format!("{}/../../tests/data/{name}.json.gz", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(path).unwrap();
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(file.as_slice()).read_to_end(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// One person who writes. All characters of the histories are one UTF-16 code unit each, so positions in
/// code points are those in code units.
struct Writer {
    author: AuthorId,
    doc: Automerge,
    changes: Changes,
    tip: Option<(u64, CommitId)>,
    /// The transactions that are in the document.
    has: Vec<bool>,
    /// Others' commits that no own one came after yet.
    after: Vec<After>,
    spent: Spent,
}

/// A transaction, made.
struct Made {
    change: Change,
    commit: After,
    id: CommitId,
}

impl Writer {
    fn new(number: u8, transactions: usize) -> Self {
        let author = AuthorId([number; 16]);
        Self {
            author,
            doc: Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit)
                .with_actor(ActorId::from(&author.0[..])),
            changes: Changes::new(),
            tip: None,
            has: vec![false; transactions],
            after: Vec::new(),
            spent: Spent::default(),
        }
    }

    /// Makes a commit; the bytes of its item, and what was made.
    fn commit(&mut self, time: u64, edit: impl FnOnce(&mut Automerge, CommitOptions)) -> (usize, Made) {
        self.after.sort_unstable();
        let after = std::mem::take(&mut self.after);
        let (seq, prev) = self.tip.map_or((1, None), |(seq, id)| (seq + 1, Some(id)));
        let context = Context { author: self.author, seq, prev, after: &after, time };
        let options = CommitOptions::default().with_time(context.seconds() as i64);
        edit(&mut self.doc, options);
        let change = self.doc.get_last_local_change().unwrap();
        let (spent, limits) = (&mut self.spent, Limits::default());
        let item = timed(&mut spent.strip, || strip(&change, &context, &self.changes, &limits));
        let item = item.expect("it was made here");
        let rebuilt = timed(&mut spent.rebuild, || rebuild(&item, &context, &self.changes, &limits));
        let rebuilt = rebuilt.unwrap();
        assert_eq!(rebuilt, change.raw_bytes());
        let read = timed(&mut spent.parse, || Change::from_bytes(rebuilt)).unwrap();
        let again = timed(&mut spent.automerge, || Change::from(read.decode()));
        assert_eq!(again.raw_bytes(), change.raw_bytes());
        let len = item.len();
        let items = vec![(DocId([1; 16]), Kind::Change, item)];
        let id = Commit::new(
            (self.author, seq, prev.unwrap_or(CHAIN_START)),
            after,
            time,
            items,
            &WireLimits::PROTOCOL,
        )
        .unwrap()
        .id();
        self.changes.insert(self.author, seq, &id, [&change]);
        self.tip = Some((seq, id));
        let commit = After { author: self.author, seq, short: id.short() };
        (len, Made { change, commit, id })
    }

    /// Takes in the transactions of others that are needed for one with these parents.
    fn take(&mut self, parents: &[usize], all: &[Made], parents_of: &[Vec<usize>]) {
        let mut ways = parents.to_vec();
        let mut lacks = Vec::new();
        while let Some(index) = ways.pop() {
            if !self.has[index] {
                self.has[index] = true;
                lacks.push(index);
                ways.extend(&parents_of[index]);
            }
        }
        lacks.sort_unstable();
        for index in &lacks {
            let Made { change, commit, id } = &all[*index];
            self.changes.insert(commit.author, commit.seq, id, [change]);
            self.after.retain(|after| after.author != commit.author);
            self.after.push(*commit);
        }
        let changes: Vec<_> = lacks.iter().map(|index| all[*index].change.clone()).collect();
        if !changes.is_empty() {
            self.doc.apply_changes(changes).unwrap();
        }
    }
}

impl Spent {
    fn report(&self, name: &str, changes: usize) {
        let [strip, rebuild, parse, automerge] = [self.strip, self.rebuild, self.parse, self.automerge]
            .map(|spent| spent.as_secs_f64() * 1e6 / changes as f64);
        println!(
            "{name}: strip {strip:.2} µs, rebuild {rebuild:.2} µs, Change::from_bytes {parse:.2} µs, \
             decode and Change::from {automerge:.2} µs"
        );
    }
}

fn splice(doc: &mut Automerge, text: &ObjId, transaction: &Value, options: CommitOptions) {
    let mut tx = doc.transaction();
    for patch in transaction["patches"].as_array().unwrap() {
        let (at, removed) = (patch[0].as_u64().unwrap() as usize, patch[1].as_i64().unwrap() as isize);
        tx.splice_text(text, at, removed, patch[2].as_str().unwrap()).unwrap();
    }
    tx.commit_with(options);
}

fn make_text(writer: &mut Writer) -> (Made, ObjId) {
    let mut text = ROOT;
    let (_, made) = writer.commit(0, |doc, options| {
        let mut tx = doc.transaction();
        text = tx.put_object(ROOT, "text", ObjType::Text).unwrap();
        tx.commit_with(options);
    });
    (made, text)
}

/// Whether a transaction is one character typed, or one deleted.
fn is_keystroke(transaction: &Value) -> bool {
    let patches = transaction["patches"].as_array().unwrap();
    let size =
        |patch: &Value| patch[1].as_u64().unwrap() as usize + patch[2].as_str().unwrap().chars().count();
    patches.len() == 1 && size(&patches[0]) == 1
}

/// Prints what items take, in bytes, and gives the mean and the 99th percentile of keystrokes.
fn report(name: &str, mut all: Vec<usize>, mut keystrokes: Vec<usize>, raw: usize) -> (usize, usize) {
    let line = |what: &str, sizes: &mut Vec<usize>| {
        sizes.sort_unstable();
        let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
        let (median, p99) = (sizes[sizes.len() / 2], sizes[sizes.len() * 99 / 100]);
        let most = sizes[sizes.len() - 1];
        println!("{name}, {} {what}: mean {mean:.1} B, median {median}, p99 {p99}, most {most}", sizes.len());
        (mean.ceil() as usize, p99)
    };
    println!("{name}: Automerge's chunks have {:.1} B", raw as f64 / all.len() as f64);
    line("items", &mut all);
    line("keystrokes", &mut keystrokes)
}

#[test]
fn a_keystroke_of_one_writer_takes_few_bytes() {
    let history = history("seph-blog1");
    let all_transactions = history["txns"].as_array().unwrap();
    let transactions = &all_transactions[..all_transactions.len().min(TRANSACTIONS_MAX)];
    let mut writer = Writer::new(1, 0);
    let (_, text) = make_text(&mut writer);
    let (mut all, mut keystrokes, mut raw) = (Vec::new(), Vec::new(), 0);
    for (index, transaction) in transactions.iter().enumerate() {
        let time = 1_700_000_000_000 + 200 * index as u64;
        let (len, made) = writer.commit(time, |doc, options| splice(doc, &text, transaction, options));
        raw += made.change.raw_bytes().len();
        all.push(len);
        if is_keystroke(transaction) {
            keystrokes.push(len);
        }
    }
    if transactions.len() == all_transactions.len() {
        assert_eq!(writer.doc.text(&text).unwrap(), history["endContent"].as_str().unwrap());
    }
    writer.spent.report("seph-blog1", all.len());
    let (mean, p99) = report("seph-blog1", all, keystrokes, raw);
    assert!(mean <= 15 && p99 <= 20, "{mean} and {p99} bytes");
}

#[test]
fn a_keystroke_of_two_writers_takes_few_bytes() {
    let history = history("friendsforever");
    let all_transactions = history["txns"].as_array().unwrap();
    let transactions = &all_transactions[..all_transactions.len().min(TRANSACTIONS_MAX)];
    let mut writers = [Writer::new(1, transactions.len()), Writer::new(2, transactions.len())];
    let (root, text) = make_text(&mut writers[0]);
    writers[1].changes.insert(root.commit.author, 1, &root.id, [&root.change]);
    writers[1].after.push(root.commit);
    writers[1].doc.apply_changes([root.change]).unwrap();
    let parents_of: Vec<Vec<usize>> = transactions
        .iter()
        .map(|transaction| {
            transaction["parents"].as_array().unwrap().iter().map(|p| p.as_u64().unwrap() as usize).collect()
        })
        .collect();
    let mut made = Vec::new();
    let (mut all, mut keystrokes, mut raw) = (Vec::new(), Vec::new(), 0);
    for (index, transaction) in transactions.iter().enumerate() {
        let writer = &mut writers[transaction["agent"].as_u64().unwrap() as usize];
        writer.take(&parents_of[index], &made, &parents_of);
        let time = 1_700_000_000_000 + 200 * index as u64;
        let (len, one) = writer.commit(time, |doc, options| splice(doc, &text, transaction, options));
        raw += one.change.raw_bytes().len();
        writer.has[index] = true;
        made.push(one);
        all.push(len);
        if is_keystroke(transaction) {
            keystrokes.push(len);
        }
    }
    let last: Vec<usize> = (0..transactions.len()).collect();
    writers[0].take(&last, &made, &parents_of);
    if transactions.len() == all_transactions.len() {
        assert_eq!(writers[0].doc.text(&text).unwrap(), history["endContent"].as_str().unwrap());
    }
    writers[0].spent.report("friendsforever", writers[0].tip.unwrap().0 as usize);
    let (mean, p99) = report("friendsforever", all, keystrokes, raw);
    assert!(mean <= 15 && p99 <= 20, "{mean} and {p99} bytes");
}
