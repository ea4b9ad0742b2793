//! Writing a batch.

use crate::base::id::{AuthorId, DocId};
use crate::base::id_map::IdMap;
use crate::base::leb128::{write_number, write_prefixed};
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::header::{After, ItemHeader};
use crate::wire::batch::layout::{COMPRESSED_BYTES_MIN, form, head, state};
use crate::wire::batch::record::Record;
use crate::wire::batch::tables::{Last, Tables};

/// So far back it is looked whether a cause was named before.
const NAMES_MAX: usize = 256;

/// Commits as a batch, which goes on from `last` where the receiver knows that.
pub fn encode(records: &[Record], last: Option<&Last>) -> Vec<u8> {
    let mut writer = Writer::new(last);
    for record in records {
        match record {
            Record::Checked(commit) => writer.commit(commit),
            Record::Encoded(bytes) => writer.encoded(bytes),
        }
    }
    let mut body = Vec::with_capacity(writer.headers.len() + writer.items.len() + 4);
    write_prefixed(&writer.headers, &mut body);
    body.extend_from_slice(&writer.items);
    let mut form = if last.is_some() { form::GOES_ON } else { 0 };
    let mut batch = vec![form];
    batch.extend(last.iter().flat_map(|last| last.check()));
    if body.len() >= COMPRESSED_BYTES_MIN {
        let compressed = lz4_flex::block::compress(&body);
        if compressed.len() < body.len() {
            form |= form::COMPRESSED;
            batch[0] = form;
            write_number(body.len() as u64, &mut batch);
            body = compressed;
        }
    }
    batch.extend(body);
    batch
}

struct Writer {
    headers: Vec<u8>,
    items: Vec<u8>,
    tables: Tables,
    authors: IdMap<AuthorId, usize>,
    docs: IdMap<DocId, usize>,
}

impl Writer {
    fn new(last: Option<&Last>) -> Self {
        let tables = Tables::new(last);
        let (mut authors, mut docs) = (IdMap::new(), IdMap::new());
        for (place, author) in tables.authors.iter().enumerate() {
            authors.insert(*author, place);
        }
        for (place, doc) in tables.docs.iter().enumerate() {
            docs.insert(*doc, place);
        }
        Self { headers: Vec::new(), items: Vec::new(), tables, authors, docs }
    }

    fn encoded(&mut self, bytes: &[u8]) {
        self.headers.push(head::ENCODED);
        self.number(bytes.len() as u64);
        self.items.extend_from_slice(bytes);
    }

    fn commit(&mut self, commit: &Commit) {
        let header = commit.header();
        let place = self.authors.get(&header.author).copied();
        let is_same_author = place.is_some() && place == self.tables.author;
        let follows = place.and_then(|place| self.tables.follows(place)) == Some((header.seq, header.prev));
        let mut head = 0;
        for (is_there, bit) in [
            (!is_same_author, head::AUTHOR),
            (!follows, head::CHAIN),
            (!header.after.is_empty(), head::AFTER),
            (header.items.len() != 1, head::ITEMS),
        ] {
            head |= if is_there { bit } else { 0 };
        }
        self.headers.push(head);
        let place = if is_same_author { place.unwrap_or_default() } else { self.author(header.author) };
        if !follows {
            self.number(header.seq);
            self.headers.extend(header.prev.0);
        }
        // Times that go back are written like others, as numbers that are folded around zero.
        let later = header.time.wrapping_sub(self.tables.time) as i64;
        self.number(((later << 1) ^ (later >> 63)) as u64);
        if !header.after.is_empty() {
            self.number(header.after.len() as u64);
            for name in &header.after {
                self.name(name);
            }
        }
        if header.items.len() != 1 {
            self.number(header.items.len() as u64);
        }
        for (item, bytes) in commit.items() {
            self.item(item, bytes);
        }
        self.tables.is_here(place, (header.seq, commit.id()), header.time);
    }

    fn item(&mut self, item: &ItemHeader, bytes: &ItemBytes) {
        match item.doc.map(|doc| (doc, self.docs.get(&doc).copied())) {
            None => self.headers.push(0),
            Some((doc, None)) => {
                self.headers.push(1);
                self.headers.extend(doc.0);
                self.docs.insert(doc, self.docs.len());
            }
            Some((_, Some(place))) => self.number((self.docs.len() - 1 - place) as u64 + 2),
        }
        let (state, delete) = match bytes {
            ItemBytes::Present(_) => (state::PRESENT, None),
            ItemBytes::Deleted(delete) => (state::DELETED, Some(delete)),
            ItemBytes::Hole(delete) => (state::HOLE, Some(delete)),
        };
        self.number(u64::from(item.kind) << state::BITS | state);
        self.number(item.len);
        if let ItemBytes::Present(bytes) = bytes {
            self.items.extend_from_slice(bytes);
        }
        if let Some(delete) = delete {
            self.headers.extend(item.hash.map_or([0; 32], |hash| hash.0));
            self.name(delete);
        }
    }

    fn name(&mut self, name: &After) {
        let names = self.tables.names.iter().rev().take(NAMES_MAX);
        match names.enumerate().find(|(_, other)| *other == name) {
            Some((back, _)) => self.number(back as u64 + 1),
            None => {
                self.headers.push(0);
                self.author(name.author);
                self.number(name.seq);
                self.headers.extend(name.short.0);
                self.tables.names.push(*name);
            }
        }
    }

    /// The author's place in the table.
    fn author(&mut self, author: AuthorId) -> usize {
        let known = self.tables.authors.len();
        let place = *self.authors.get_or_insert_with(author, || known);
        self.number(place as u64);
        if place == known {
            self.headers.extend(author.0);
            self.tables.push_author(author);
        }
        place
    }

    fn number(&mut self, number: u64) {
        write_number(number, &mut self.headers);
    }
}
