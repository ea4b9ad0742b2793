//! Views are noted where a document is what the log in storage makes it, and written where it is time to.

use crate::base::id::DocId;
use crate::base::id_map::IdMap;
use crate::base::mutation::Mutation;
use crate::holder::notice::OwnerRequest;
use crate::replica::replica::Replica;
use crate::replica::views::{
    FRESH_BYTES_MAX, PAGES, PAGES_MAX, SMALL_BYTES_MAX, Step, View, encode, large_key, read,
};
use crate::storage::request::{StorageAnswer, StorageRequest, WriteBatch};

impl Replica {
    /// Whether a view is the value of its document.
    pub(super) fn is_current(&self, view: &View) -> bool {
        let is_followed = view.at <= self.follow.seq && !self.holder.disk_failed();
        if self.holder.limits().is_mutated(Mutation::BelieveViews) {
            return true;
        }
        is_followed && self.documents.held(&view.id).is_some_and(|doc| view.at >= doc.last)
    }

    /// Takes note of the value of an open document, where it is what the log in storage makes it.
    pub(super) fn note_view(&mut self, doc: DocId) {
        let at = self.follow.seq;
        let is_stored = !self.holder.disk_failed() && at <= self.holder.on_disk();
        let is_followed = self.follow.is_ready && at >= self.follow.indexed;
        let (Some(open), Some(indexed)) = (self.documents.open.get(&doc), self.documents.held(&doc)) else {
            return;
        };
        let is_of_log = open.is_ready() && open.document.beginning().is_none() && !self.own.has_pending();
        let is_known = open.viewed_at.is_some_and(|viewed| viewed >= indexed.last);
        if !is_stored || !is_followed || !is_of_log || is_known {
            return;
        }
        let value = open.document.value();
        if let Some(open) = self.documents.open.get_mut(&doc) {
            open.viewed_at = Some(at);
        }
        // What is larger is built from its commits.
        if value.len() + 64 <= self.holder.limits().value_bytes_max {
            self.documents.views.set(doc, Some(View { id: doc, at, value: value.into() }));
        }
    }

    /// The same of all documents that are open.
    pub(super) fn note_views(&mut self) {
        for doc in self.documents.open.keys().copied().collect::<Vec<_>>() {
            self.note_view(doc);
        }
    }

    /// The same of those that are closed once the log has all that was made in them.
    pub(super) fn note_closing_views(&mut self) {
        for doc in self.documents.closing.iter().copied().collect::<Vec<_>>() {
            self.note_view(doc);
        }
    }

    /// Writes views where it is time to. `is_last`: there is no later time.
    pub(super) fn write_views(&mut self, is_last: bool) {
        let views = &self.documents.views;
        let is_busy = views.fresh.is_empty() || views.step.is_some() || views.is_stuck;
        let is_time =
            is_last || views.fresh_bytes >= FRESH_BYTES_MAX || views.is_due && !self.documents.is_reading();
        if is_busy || !is_time || self.holder.disk_failed() || !self.holder.is_open() {
            return;
        }
        let mut pages: Vec<u8> = views.fresh.keys().map(|doc| doc.0[0]).collect();
        pages.dedup();
        pages.truncate(PAGES_MAX);
        let get = StorageRequest::Get(pages.iter().map(|first| vec![PAGES, *first]).collect());
        self.documents.views.is_due |= is_last;
        self.documents.views.step = Some(Step::Read(pages));
        self.holder.ask_storage(OwnerRequest::ViewPages, get);
    }

    /// Storage has answered to the read or the write of pages.
    pub(super) fn view_pages_answered(&mut self, answer: StorageAnswer) {
        match (self.documents.views.step.take(), answer) {
            (Some(Step::Read(pages)), StorageAnswer::Values(values)) if !self.holder.disk_failed() => {
                self.write_view_pages(&pages, values);
            }
            (Some(Step::Read(_)), _) => self.documents.views.is_stuck = true,
            (Some(Step::Write(_)), StorageAnswer::Written) => {
                let views = &mut self.documents.views;
                views.is_due &= !views.fresh.is_empty();
            }
            (None, _) => {}
            (Some(Step::Write(views)), _) => {
                for (doc, view) in views {
                    if !self.documents.views.fresh.contains_key(&doc) {
                        self.documents.views.set(doc, view);
                    }
                }
                self.documents.views.is_stuck = true;
            }
        }
    }

    /// Only where the log in storage ends where this process knows it to: another one may have deleted documents.
    fn write_view_pages(&mut self, pages: &[u8], values: Vec<Option<Vec<u8>>>) {
        let mut batch = WriteBatch { guard: Some(self.holder.log().guard()), ..WriteBatch::default() };
        let mut written = Vec::new();
        for (first, before) in pages.iter().zip(values) {
            let changed = self.documents.views.take_page(*first);
            // Where nothing was written nothing is to be removed.
            if before.is_some() || changed.iter().any(|(_, view)| view.is_some()) {
                self.change_page(*first, before, &changed, &mut batch);
                written.extend(changed);
            }
        }
        if !batch.puts.is_empty() {
            self.documents.views.step = Some(Step::Write(written));
            self.holder.ask_storage(OwnerRequest::ViewPages, StorageRequest::Write(batch.into()));
        }
    }

    fn change_page(
        &self,
        first: u8,
        before: Option<Vec<u8>>,
        changed: &[(DocId, Option<View>)],
        batch: &mut WriteBatch,
    ) {
        let before = before.as_deref().map(read).unwrap_or_default();
        let mut page: IdMap<DocId, View> = before.into_iter().map(|view| (view.id, view)).collect();
        for (doc, view) in changed {
            if view.as_ref().is_some_and(|view| page.get(doc).is_some_and(|held| held.at > view.at)) {
                // Another process knows more.
                continue;
            }
            page.remove(doc);
            match view {
                Some(view) if view.value.len() > SMALL_BYTES_MAX => {
                    batch.puts.push((large_key(doc), encode(vec![view.clone()])));
                }
                Some(view) => {
                    page.insert(*doc, view.clone());
                    batch.deletes.push(large_key(doc));
                }
                None => batch.deletes.push(large_key(doc)),
            }
        }
        page.retain(|doc, _| self.documents.is_held(doc));
        let mut bytes = 64;
        let most = self.holder.limits().value_bytes_max;
        page.retain(|_, view| {
            bytes += view.value.len() + 32;
            bytes <= most
        });
        batch.puts.push((vec![PAGES, first], encode(page.into_values().collect())));
    }
}
