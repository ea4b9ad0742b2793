//! Opening documents: their commits are read from storage, and applied.

use crate::base::id::{AuthorId, DocId};
use crate::base::id_map::IdMap;
use crate::base::limits::Limits;
use crate::commit::commit::Commit;
use crate::document::budget::Budget;
use crate::document::document::Document;
use crate::document::value::Value;
use crate::holder::holder::Holder;
use crate::holder::notice::OwnerRequest;
use crate::holder::pending::rows_of;
use crate::log::keys::rows_after;
use crate::log::log::Log;
use crate::log::rows::Entry;
use crate::replica::documents::Documents;
use crate::replica::event::Event;
use crate::replica::indexed::Indexed;
use crate::replica::open::{Named, Open, Phase};
use crate::replica::waits::{Wait, WaitId};
use crate::storage::request::{StorageAnswer, StorageFault};

/// Documents that are built from rows which were read for another one. Each takes a tenth of a millisecond, or two.
const OTHERS_MAX: usize = 128;

impl Documents {
    /// Begins what an `open` or a `named` asked for, once the log has been followed to its end.
    pub fn begin_open(&mut self, wait: WaitId, request: Wait, author: AuthorId, holder: &mut Holder) {
        let (doc, named) = match request {
            Wait::Named { name, initial } => {
                let named = self.newest(name, initial, holder.log());
                (DocId::named(&named.name, named.generation), Some(named))
            }
            Wait::Open { doc } => (doc, None),
            _ => return,
        };
        self.closing.remove(&doc);
        if let Some(open) = self.open.get_mut(&doc) {
            open.is_shown = true;
        }
        let Some(open) = self.open.get_mut(&doc) else {
            if named.is_none() && !self.is_held(&doc) {
                return self.tell(Event::Opened { wait, doc, held: false });
            }
            let document = Document::new(author, Budget::of_run(holder.limits()));
            let (waits, named_waits) =
                if named.is_some() { (Vec::new(), vec![wait]) } else { (vec![wait], Vec::new()) };
            let phase = Phase::Loading { next: 1, waits, named_waits, peeks: Vec::new(), named };
            self.open.insert(doc, Open::new(document, phase));
            return self.load(doc, holder.limits().read_bytes, holder);
        };
        match &mut open.phase {
            Phase::Loading { waits, .. } if named.is_none() => waits.push(wait),
            Phase::Loading { named_waits, named: before, .. } => {
                named_waits.push(wait);
                *before = named;
            }
            Phase::Ready => {
                if let Some(named) = named {
                    self.begin(doc, named);
                }
                self.tell(Event::Opened { wait, doc, held: true });
            }
        }
    }

    /// The document of that name that is not deleted.
    fn newest(&self, name: String, initial: Value, log: &Log) -> Named {
        let generation = (0..)
            .find(|generation| !self.is_deleted(&DocId::named(&name, *generation), log))
            .expect("not every generation is deleted");
        Named { name, generation, initial }
    }

    /// The log is followed from its start again, and what is being read with it.
    pub fn load_again(&mut self, holder: &mut Holder) {
        for doc in self.open.keys().copied().collect::<Vec<_>>() {
            self.load(doc, holder.limits().read_bytes, holder);
        }
    }

    /// Builds a document for who wants to know its value.
    pub(super) fn build(&mut self, doc: DocId, peeks: Vec<WaitId>, author: AuthorId, holder: &mut Holder) {
        let (waits, named_waits) = (Vec::new(), Vec::new());
        let phase = Phase::Loading { next: 1, waits, named_waits, peeks, named: None };
        let document = Document::new(author, Budget::of_run(holder.limits()));
        self.open.insert(doc, Open { is_shown: false, ..Open::new(document, phase) });
        self.load(doc, holder.limits().read_bytes, holder);
    }

    /// Tells the value of a document that has all its commits.
    pub(super) fn tell_peeked(&mut self, doc: DocId, peeks: Vec<WaitId>) {
        let value = self.open.get(&doc).filter(|_| !peeks.is_empty()).map(|open| open.document.value());
        for wait in peeks {
            self.tell(Event::Peeked { wait, doc, value: value.clone() });
        }
    }

    /// Asks storage for the next commits of a document that is being read, or opens it after the last.
    fn load(&mut self, doc: DocId, bytes: usize, holder: &mut Holder) {
        let Some(open) = self.open.get_mut(&doc) else { return };
        let Phase::Loading { next, .. } = &open.phase else { return };
        if let Some((seq, is_dense)) = self.index.get(&doc).and_then(|indexed| indexed.next(*next)) {
            // Where the next ones are far apart, one row is enough.
            let bytes = if is_dense { bytes } else { bytes.min(holder.limits().row_bytes) };
            return holder.ask_storage(OwnerRequest::Document(doc, seq), rows_after(seq - 1, bytes));
        }
        let phase = core::mem::replace(&mut open.phase, Phase::Ready);
        let Phase::Loading { waits, named_waits, peeks, named, .. } = phase else { return };
        if let Some(named) = named {
            self.begin(doc, named);
        }
        self.built.push(doc);
        self.tell_peeked(doc, peeks);
        for wait in waits.into_iter().chain(named_waits) {
            self.tell(Event::Opened { wait, doc, held: true });
        }
    }

    /// What those asked for who waited for a document that was deleted meanwhile: the next one of its
    /// name. Whoever asked for it by its id is told that it is not held.
    pub fn take_named_again(&mut self) -> Vec<(WaitId, Wait)> {
        core::mem::take(&mut self.named_again)
    }

    /// A document that was open, or being read, is deleted.
    pub(super) fn closed_by_delete(&mut self, doc: DocId, open: Open) {
        let Phase::Loading { waits, named_waits, peeks, named, .. } = open.phase else { return };
        for wait in waits {
            self.tell(Event::Opened { wait, doc, held: false });
        }
        for wait in peeks {
            self.tell(Event::Peeked { wait, doc, value: None });
        }
        if let Some(Named { name, initial, .. }) = named {
            let again = |wait| (wait, Wait::Named { name: name.clone(), initial: initial.clone() });
            self.named_again.extend(named_waits.into_iter().map(again));
        }
    }

    /// Storage has answered with rows from this log seq on.
    pub fn loaded(
        &mut self,
        doc: DocId,
        from: u64,
        answer: StorageAnswer,
        author: AuthorId,
        holder: &mut Holder,
    ) {
        let fault = StorageFault::of(&answer);
        let rows = match rows_of(answer) {
            Ok(rows) => rows,
            Err(error) => return self.not_opened(doc, fault, &error.to_string()),
        };
        let Some(indexed) = self.index.get(&doc) else { return };
        let Some(open) = self.open.get_mut(&doc) else { return };
        let Phase::Loading { next, .. } = &mut open.phase else { return };
        if indexed.next(*next).is_none_or(|(seq, _)| seq != from) {
            // Asked before the document was closed and opened again.
            return;
        }
        if let Some(bytes) = rows.bytes_needed {
            return holder.ask_storage(OwnerRequest::Document(doc, from), rows_after(from - 1, bytes));
        }
        let Some(last) = rows.entries.last().map(|entry| entry.at.seq) else {
            return self.not_opened(doc, StorageFault::Corrupt, "commits of the document are missing");
        };
        let has_doc = |entry: &&Entry| entry.commit.items().any(|(item, _)| item.doc == Some(doc));
        let of_doc = rows.entries.iter().filter(|entry| entry.at.seq >= from).filter(has_doc);
        open.document.apply_commits(doc, of_doc.map(|entry| &entry.commit));
        *next = last + 1;
        self.load(doc, holder.limits().read_bytes, holder);
        self.build_others(&rows.entries, author, holder.limits());
    }

    /// Builds others whose values are asked for, where all their commits were read along with these: rows of small
    /// documents have hundreds of them.
    fn build_others(&mut self, entries: &[Entry], author: AuthorId, limits: &Limits) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let mut others: IdMap<DocId, Vec<&Commit>> = IdMap::new();
        for entry in entries {
            for doc in entry.commit.items().filter_map(|(item, _)| item.doc) {
                let is_asked = self.peeks.contains_key(&doc) && !self.open.contains_key(&doc);
                let is_all = |doc: &Indexed| doc.is_between(first.at.seq, last.at.seq);
                let has_room = others.contains_key(&doc) || others.len() < OTHERS_MAX;
                if is_asked && has_room && self.held(&doc).is_some_and(is_all) {
                    others.get_or_default(doc).push(&entry.commit);
                }
            }
        }
        for (doc, commits) in others {
            let Some(waits) = self.peeks.remove(&doc) else { continue };
            let mut document = Document::new(author, Budget::of_run(limits));
            document.apply_commits(doc, commits);
            self.open.insert(doc, Open { is_shown: false, ..Open::new(document, Phase::Ready) });
            self.built.push(doc);
            self.tell_peeked(doc, waits);
        }
    }

    /// Whoever waits for the document is told why it can't be read. It may be opened again.
    fn not_opened(&mut self, doc: DocId, fault: StorageFault, message: &str) {
        let Some(open) = self.open.remove(&doc) else { return };
        let Phase::Loading { waits, named_waits, peeks, .. } = open.phase else { return };
        for wait in waits.into_iter().chain(named_waits).chain(peeks) {
            self.tell(Event::NotOpened { wait, fault, message: message.to_owned() });
        }
    }

    fn begin(&mut self, doc: DocId, named: Named) {
        let Some(open) = self.open.get_mut(&doc) else { return };
        let Named { name, generation, initial } = named;
        // Whether it can begin like that was checked when it was asked for.
        if let Ok(applied) = open.document.begin(&name, generation, &initial) {
            self.tell_applied(doc, applied);
        }
    }
}
