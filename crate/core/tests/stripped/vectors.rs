//! Stripped changes whose bytes may never change: of the usual layouts, and of each way to refer
//! to another change. The ids of the commits are made up.

use eyot_core::automerge::marks::{ExpandMark, Mark};
use eyot_core::automerge::transaction::{CommitOptions, Transactable};
use eyot_core::automerge::{ActorId, AutoCommit, Change, ObjId, ObjType, ROOT, ScalarValue, TextEncoding};
use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::commit::header::After;
use eyot_core::document::stripped::changes::Changes;
use eyot_core::document::stripped::limits::Limits;
use eyot_core::document::stripped::strip::{Context, strip};

struct Writer {
    author: AuthorId,
    doc: AutoCommit,
    seq: u64,
}

struct Vectors {
    writers: [Writer; 2],
    changes: Changes,
    after: Vec<After>,
    message: Option<&'static str>,
    lines: Vec<String>,
}

/// A line for each vector: its name, the item, and the chunk that it rebuilds to, in hexadecimal.
pub fn lines() -> Vec<String> {
    let writer = |number| Writer {
        author: AuthorId([number; 16]),
        doc: AutoCommit::new_with_encoding(TextEncoding::Utf16CodeUnit)
            .with_actor(ActorId::from(&[number; 16][..])),
        seq: 0,
    };
    let mut vectors = Vectors {
        writers: [writer(1), writer(2)],
        changes: Changes::new(),
        after: Vec::new(),
        message: None,
        lines: Vec::new(),
    };
    vectors.texts();
    vectors.maps();
    vectors.references();
    vectors.lines
}

impl Vectors {
    fn texts(&mut self) {
        let text = self.object("make a text", |doc| doc.put_object(ROOT, "text", ObjType::Text).unwrap());
        self.add("type at the beginning", |doc| doc.splice_text(&text, 0, 0, "a").unwrap());
        self.add("type", |doc| doc.splice_text(&text, 1, 0, "b").unwrap());
        self.add("paste", |doc| doc.splice_text(&text, 1, 0, "a word").unwrap());
        self.add("delete", |doc| doc.splice_text(&text, 3, 1, "").unwrap());
        self.add("delete several", |doc| doc.splice_text(&text, 3, 2, "").unwrap());
        self.add("replace several", |doc| doc.splice_text(&text, 2, 2, "é🙂").unwrap());
        let bold = || Mark::new("bold".to_owned(), true, 0, 2);
        self.add("mark, expanding", |doc| doc.mark(&text, bold(), ExpandMark::After).unwrap());
        self.add("mark", |doc| doc.mark(&text, bold(), ExpandMark::None).unwrap());
        let link = || Mark::new("link".to_owned(), "there", 0, 2);
        self.add("mark with a value, expanding", |doc| doc.mark(&text, link(), ExpandMark::Both).unwrap());
        self.add("mark with a value", |doc| doc.mark(&text, link(), ExpandMark::None).unwrap());
        self.add("split a block", |doc| drop(doc.split_block(&text, 1).unwrap()));
        self.add("join a block", |doc| doc.join_block(&text, 1).unwrap());
    }

    fn maps(&mut self) {
        self.add("put at the root", |doc| doc.put(ROOT, "k", 1).unwrap());
        self.add("put again at the root", |doc| doc.put(ROOT, "k", "value").unwrap());
        self.add("delete at the root", |doc| doc.delete(ROOT, "k").unwrap());
        self.add("put two at the root", |doc| {
            doc.put(ROOT, "k", 1).unwrap();
            doc.put(ROOT, "l", 2).unwrap();
        });
        self.add("put two again at the root", |doc| {
            doc.put(ROOT, "k", 3).unwrap();
            doc.put(ROOT, "l", 4).unwrap();
        });
        let map = self.object("make a map", |doc| doc.put_object(ROOT, "map", ObjType::Map).unwrap());
        self.add("put", |doc| doc.put(&map, "n", ScalarValue::counter(1)).unwrap());
        self.add("increment", |doc| doc.increment(&map, "n", 5).unwrap());
        self.add("put true", |doc| doc.put(&map, "t", true).unwrap());
        self.add("delete a key", |doc| doc.delete(&map, "t").unwrap());
        let list = self.object("make a list", |doc| doc.put_object(&map, "list", ObjType::List).unwrap());
        self.add("insert at the beginning", |doc| doc.insert(&list, 0, 1).unwrap());
        self.add("insert true at the beginning", |doc| doc.insert(&list, 0, true).unwrap());
        self.add("insert", |doc| doc.insert(&list, 1, 2.5).unwrap());
        self.add("replace", |doc| doc.put(&list, 1, vec![1u8, 2]).unwrap());
        self.add("replace by null", |doc| doc.put(&list, 1, ()).unwrap());
        self.add("make a map with contents", |doc| {
            let task = doc.insert_object(&list, 0, ObjType::Map).unwrap();
            doc.put(&task, "done", false).unwrap();
            doc.put(&task, "title", "task").unwrap();
        });
        self.add("columns that are in no row", |doc| {
            doc.put(ROOT, "x", true).unwrap();
            doc.insert(&list, 0, true).unwrap();
        });
    }

    fn references(&mut self) {
        self.message = Some("what was done");
        self.add("a message", |doc| doc.put(ROOT, "k", 1).unwrap());
        self.message = None;
        self.writers[0].seq += 2;
        self.add("the last change in an older commit", |doc| doc.put(ROOT, "k", 2).unwrap());
        let theirs = self.join(1);
        self.add_by(1, "the first change, after another's", |doc| doc.put(ROOT, "k", 3).unwrap());
        self.add("others' commits not seen", |doc| doc.put(ROOT, "k", 4).unwrap());
        self.join(0);
        self.add("after another's", |doc| doc.put(ROOT, "k", 5).unwrap());
        self.join(1);
        self.after = vec![After { seq: theirs.seq + 9, ..theirs }];
        self.add_by(1, "after an older commit of another", |doc| doc.put(ROOT, "k", 6).unwrap());
        self.join(0);
        self.after = Vec::new();
        self.add("after a hash", |doc| doc.put(ROOT, "k", 7).unwrap());
        self.join(1);
        self.add_by(1, "no operations", |_| ());
    }

    /// A writer takes in all that the other has; gives the other's last commit.
    fn join(&mut self, index: usize) -> After {
        let [one, two] = &mut self.writers;
        let (to, from) = if index == 0 { (one, two) } else { (two, one) };
        to.doc.merge(&mut from.doc).unwrap();
        let after = After { author: from.author, seq: from.seq, short: id(from).short() };
        self.after = vec![after];
        after
    }

    fn object(&mut self, name: &str, make: impl FnOnce(&mut AutoCommit) -> ObjId) -> ObjId {
        let mut object = ROOT;
        self.add(name, |doc| object = make(doc));
        object
    }

    fn add(&mut self, name: &str, edit: impl FnOnce(&mut AutoCommit)) {
        self.add_by(0, name, edit);
    }

    fn add_by(&mut self, index: usize, name: &str, edit: impl FnOnce(&mut AutoCommit)) {
        let writer = &mut self.writers[index];
        let prev = (writer.seq > 0).then(|| id(writer));
        writer.seq += 1;
        let after = std::mem::take(&mut self.after);
        let time = 1_700_000_000_999;
        let context = Context { author: writer.author, seq: writer.seq, prev, after: &after, time };
        let options = || {
            let message = self.message.map(str::to_owned);
            CommitOptions { message, time: Some(context.seconds() as i64) }
        };
        edit(&mut writer.doc);
        if writer.doc.commit_with(options()).is_none() {
            writer.doc.empty_change(options());
        }
        let change: Change = writer.doc.get_last_local_change().expect("it was just made");
        let item = strip(&change, &context, &self.changes, &Limits::default()).expect(name);
        self.changes.insert(writer.author, writer.seq, &id(writer), [&change]);
        self.lines.push(format!("{name}: {} {}", hex(&item), hex(change.raw_bytes())));
    }
}

/// The id of a writer's last commit.
fn id(writer: &Writer) -> CommitId {
    let mut id = [writer.author.0[0]; 32];
    id[..8].copy_from_slice(&writer.seq.to_be_bytes());
    CommitId(id)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
