//! Values of documents that the application has not opened: from their views, where these are current, and from the
//! documents' commits otherwise.

use crate::base::id::DocId;
use crate::holder::notice::OwnerRequest;
use crate::replica::event::Event;
use crate::replica::open::Phase;
use crate::replica::replica::Replica;
use crate::replica::views;
use crate::replica::waits::WaitId;
use crate::storage::request::{StorageAnswer, StorageRequest};

/// Documents that are built at once for their values.
const BUILDING_MAX: usize = 8;
/// Documents that are kept because their values are of interest, and the bytes of their items.
const KEPT_MAX: usize = 64;
const KEPT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of views read at once.
const SCAN_BYTES: usize = 4 * 1024 * 1024;

impl Replica {
    /// Goes on with the values that are asked for.
    pub(super) fn run_peeks(&mut self) {
        while !self.documents.peeks.is_empty()
            && self.documents.peeking.len() + self.documents.building() < BUILDING_MAX
        {
            let Some((doc, waits)) = self.documents.peeks.pop_first() else { return };
            self.peek_at(doc, waits);
            self.tell_of_documents();
        }
    }

    fn peek_at(&mut self, doc: DocId, waits: Vec<WaitId>) {
        if let Some(open) = self.documents.open.get_mut(&doc) {
            return match &mut open.phase {
                Phase::Ready => self.documents.tell_peeked(doc, waits),
                Phase::Loading { peeks, .. } => peeks.extend(waits),
            };
        }
        if let Some(before) = self.documents.peeking.get_mut(&doc) {
            return before.extend(waits);
        }
        if !self.documents.is_held(&doc) {
            return self.tell_all_peeked(doc, waits, None);
        }
        if let Some(view) = self.documents.views.fresh_of(&doc).filter(|view| self.is_current(view)) {
            let value = view.value.to_vec();
            return self.tell_all_peeked(doc, waits, Some(value));
        }
        self.documents.peeking.insert(doc, waits);
        self.holder.ask_storage(OwnerRequest::View(doc), StorageRequest::Get(views::keys_of(&doc)));
    }

    fn tell_all_peeked(&mut self, doc: DocId, waits: Vec<WaitId>, value: Option<Vec<u8>>) {
        for wait in waits {
            self.tell(Event::Peeked { wait, doc, value: value.clone() });
        }
    }

    /// Storage has answered with the view of a document.
    pub(super) fn view_read(&mut self, doc: DocId, answer: StorageAnswer) {
        let Some(waits) = self.documents.peeking.remove(&doc) else { return };
        let view = match &answer {
            StorageAnswer::Values(values) => views::find(&doc, values),
            _ => None,
        };
        if let Some(view) = view.filter(|view| self.is_current(view)) {
            self.tell_all_peeked(doc, waits, Some(view.value.to_vec()));
        } else if let Some(open) = self.documents.open.get_mut(&doc) {
            // It was opened meanwhile.
            match &mut open.phase {
                Phase::Ready => self.documents.tell_peeked(doc, waits),
                Phase::Loading { peeks, .. } => peeks.extend(waits),
            }
        } else if self.documents.is_held(&doc) {
            self.documents.build(doc, waits, self.own.author(), &mut self.holder);
        } else {
            self.tell_all_peeked(doc, waits, None);
        }
        self.tell_of_documents();
        self.note_opened();
    }

    /// Reads all views for who waits for all values.
    pub(super) fn read_views(&mut self, wait: WaitId) {
        if let Some((waits, _)) = &mut self.documents.bulk {
            return waits.push(wait);
        }
        self.documents.bulk = Some((vec![wait], Vec::new()));
        self.holder.ask_storage(OwnerRequest::Views, views::scan(None, SCAN_BYTES));
    }

    /// Storage has answered with views.
    pub(super) fn views_read(&mut self, answer: StorageAnswer) {
        let Some((waits, mut read)) = self.documents.bulk.take() else { return };
        if let StorageAnswer::Scanned { entries, more } = answer {
            read.extend(entries);
            if let Some((last, _)) = read.last().filter(|_| more) {
                let scan = views::scan(Some(last), SCAN_BYTES);
                self.documents.bulk = Some((waits, read));
                return self.holder.ask_storage(OwnerRequest::Views, scan);
            }
        }
        let stored = views::newest(&read);
        let mut values = Vec::new();
        for (doc, _) in self.documents.all_held() {
            let open = self.documents.open.get(doc).filter(|open| open.is_ready());
            let views = [self.documents.views.fresh_of(doc), stored.get(doc)];
            let view = || views.into_iter().flatten().find(|view| self.is_current(view));
            let value =
                open.map(|open| open.document.value()).or_else(|| view().map(|view| view.value.to_vec()));
            values.push((*doc, value));
        }
        let mut waits = waits.into_iter();
        let last = waits.next_back();
        for wait in waits {
            self.tell(Event::Values { wait, values: values.clone() });
        }
        if let Some(wait) = last {
            self.tell(Event::Values { wait, values });
        }
    }

    /// Takes note of the values of documents that were just built, and lets go of those that nobody keeps.
    pub(super) fn note_opened(&mut self) {
        for doc in core::mem::take(&mut self.documents.built) {
            self.note_view(doc);
            if self.documents.open.get(&doc).is_some_and(|open| !open.is_shown) {
                self.documents.kept.push_back(doc);
                self.documents.views.is_due = true;
            }
        }
        for doc in self.documents.too_many() {
            // It may have changed since it was built.
            self.note_view(doc);
            self.documents.open.remove(&doc);
        }
    }
}

impl crate::replica::documents::Documents {
    /// Documents that are being built for their values.
    fn building(&self) -> usize {
        self.open.values().filter(|open| !open.is_shown && !open.is_ready()).count()
    }

    /// Whether more values are being read.
    pub(super) fn is_reading(&self) -> bool {
        !self.peeks.is_empty() || !self.peeking.is_empty() || self.building() > 0
    }

    /// The documents that are kept for their values and are more than may be.
    fn too_many(&mut self) -> Vec<DocId> {
        let kept: Vec<DocId> = self.kept.iter().copied().filter(|doc| self.is_kept(doc)).collect();
        let bytes_of = |doc: &DocId| self.index.get(doc).map_or(0, |doc| doc.bytes);
        let most = if self.is_watched { KEPT_MAX } else { 0 };
        let (mut count, mut bytes) = (kept.len(), kept.iter().map(bytes_of).sum::<u64>());
        let mut is_over = |doc: &DocId| {
            let is_over = count > most || bytes > KEPT_BYTES_MAX;
            if is_over {
                (count, bytes) = (count - 1, bytes - bytes_of(doc));
            }
            is_over
        };
        let over: Vec<DocId> = kept.iter().copied().take_while(|doc| is_over(doc)).collect();
        self.kept = kept.into_iter().skip(over.len()).collect();
        over
    }

    fn is_kept(&self, doc: &DocId) -> bool {
        self.open.get(doc).is_some_and(|open| !open.is_shown)
    }
}
