//! What is stored, for servers that follow a space without a link: a page of the log at a time, as JSON.
//!
//! Nothing is kept of whoever asks: a page says the position with which the next one goes on. It is read
//! from storage alone, so a space need not be loaded for it, and tells what is durable where its reads see
//! nothing else.
//!
//! `docs/guide/changes.md` says what is in a page.

use core::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{hex, unhex};
use crate::base::position::{Mark, Marker, Position, Shown};
use crate::commit::commit::ItemBytes;
use crate::commit::kind::Kind;
use crate::log::keys::{META_KEY, rows_after};
use crate::log::meta::{LAYOUT, Meta};
use crate::log::rows::{Entry, read_rows};
use crate::storage::request::{Corrupt, StorageAnswer, StorageRequest};

/// Commits of a page, however many are asked for.
pub const COMMITS_MAX: usize = 1_000;
/// A page ends with the commit that brings it above this many bytes of commits.
const PAGE_BYTES: usize = 1024 * 1024;
/// Bytes asked of storage at once.
const READ_BYTES: usize = 256 * 1024;

/// A position in the log of some space, as a page says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After(Mark);

impl After {
    /// Before the first commit of any log.
    pub const START: Self = Self(Mark::START);

    /// What a page has said as `next`; none where no page says that.
    pub fn read(text: &str) -> Option<Self> {
        from_cbor(&unhex(text)?).ok().map(Self)
    }
}

/// A page that is being read.
#[derive(Debug)]
pub struct ChangesPage {
    after: Mark,
    commits_max: usize,
    state: State,
    changes: String,
    commits: usize,
    bytes: usize,
}

#[derive(Debug)]
enum State {
    /// The `m` entry is read.
    Meta,
    Rows {
        meta: Meta,
        /// What was read so far.
        at: u64,
        bytes_max: usize,
    },
    /// Nobody has written to the space yet.
    Empty,
    Whole {
        meta: Meta,
        end: Position,
    },
    OtherLog,
}

/// A page that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// The page, as JSON.
    Page(String),
    /// The position is of a log that is not this one, or is not this one any more: begin anew.
    OtherLog,
}

impl ChangesPage {
    /// So many commits after that position, at most [`COMMITS_MAX`].
    pub fn new(After(after): After, commits_max: usize) -> Self {
        let commits_max = commits_max.clamp(1, COMMITS_MAX);
        Self { after, commits_max, state: State::Meta, changes: String::new(), commits: 0, bytes: 0 }
    }

    /// The read that is needed; none once the page is whole. All of them must see the same state.
    pub fn go_on(&self) -> Option<StorageRequest> {
        match &self.state {
            State::Meta => Some(StorageRequest::Get(vec![META_KEY.to_vec()])),
            State::Rows { at, bytes_max, .. } => Some(rows_after(*at, *bytes_max)),
            State::Empty | State::Whole { .. } | State::OtherLog => None,
        }
    }

    /// Takes in what was read.
    ///
    /// # Errors
    /// It could not be read, or storage holds what this version did not write.
    pub fn learn(&mut self, answer: StorageAnswer) -> Result<(), Corrupt> {
        self.state = match (core::mem::replace(&mut self.state, State::OtherLog), answer) {
            (_, StorageAnswer::Failed(reason)) => return Err(Corrupt(reason)),
            (State::Meta, StorageAnswer::Values(mut values)) => match values.pop().flatten() {
                Some(meta) => self.begin(&meta)?,
                None if self.after == Mark::START => State::Empty,
                None => State::OtherLog,
            },
            (State::Rows { meta, at, bytes_max }, StorageAnswer::Scanned { entries, more }) => {
                let rows = read_rows(&entries, more)?;
                match (rows.bytes_needed, rows.before) {
                    (Some(needed), _) => State::Rows { meta, at, bytes_max: needed.max(bytes_max + 1) },
                    (None, Some(before)) => self.take(meta, at, before, &rows.entries)?,
                    (None, None) => return Err(Corrupt("the log ends before its end".into())),
                }
            }
            _ => return Err(Corrupt("the answer is to another request".into())),
        };
        Ok(())
    }

    fn begin(&self, meta: &[u8]) -> Result<State, Corrupt> {
        if Meta::layout_of(meta)? != LAYOUT {
            return Err(Corrupt("the log was written by another version".into()));
        }
        let meta = Meta::decode(meta)?;
        let is_foreign = meta.marker.judge(&self.after) == Shown::Foreign;
        Ok(match self.after.seq {
            _ if is_foreign => State::OtherLog,
            // It was there, and an older copy of the log was put back.
            seq if seq > meta.head.seq => State::OtherLog,
            seq if seq == meta.head.seq && self.is_after(&meta.marker, meta.head) => {
                State::Whole { end: meta.head, meta }
            }
            seq if seq == meta.head.seq => State::OtherLog,
            seq => State::Rows { meta, at: seq, bytes_max: READ_BYTES },
        })
    }

    /// Whether the position is what was shown as `after`.
    fn is_after(&self, marker: &Marker, position: Position) -> bool {
        marker.mark(position) == self.after
    }

    fn take(&mut self, meta: Meta, at: u64, before: Position, entries: &[Entry]) -> Result<State, Corrupt> {
        if at == self.after.seq {
            let mut positions = [before].into_iter().chain(entries.iter().map(|entry| entry.at));
            if !positions.any(|position| self.is_after(&meta.marker, position)) {
                return Ok(State::OtherLog);
            }
        }
        let mut end = before;
        for entry in entries.iter().filter(|entry| entry.at.seq > at) {
            self.add(entry);
            end = entry.at;
            if self.commits >= self.commits_max || self.bytes >= PAGE_BYTES {
                return Ok(State::Whole { meta, end });
            }
        }
        match end.seq {
            seq if seq <= at => Err(Corrupt("a row has other commits than its key says".into())),
            seq if seq >= meta.head.seq => Ok(State::Whole { meta, end }),
            seq => Ok(State::Rows { meta, at: seq, bytes_max: READ_BYTES }),
        }
    }

    fn add(&mut self, entry: &Entry) {
        let bytes = entry.commit.encode();
        self.commits += 1;
        self.bytes += bytes.len();
        let (json, header) = (&mut self.changes, entry.commit.header());
        let separator = if json.is_empty() { "" } else { "," };
        let (id, author) = (entry.commit.id().to_hex(), header.author.to_hex());
        let (seq, time, again) = (header.seq, header.time, entry.again);
        write_to(
            json,
            format_args!(
                r#"{separator}{{"id":"{id}","author":"{author}","seq":{seq},"time":{time},"again":{again},"items":["#
            ),
        );
        for (index, (item, bytes)) in entry.commit.items().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let doc = item.doc.map_or_else(|| "null".to_owned(), |doc| format!("\"{}\"", doc.to_url()));
            let kind = match item.known_kind() {
                Some(Kind::Change) => "change",
                Some(Kind::Import) => "import",
                Some(Kind::Genesis) => "genesis",
                Some(Kind::Delete) => "delete",
                None => "other",
            };
            let state = match bytes {
                ItemBytes::Present(_) => "held",
                ItemBytes::Deleted(_) => "deleted",
                ItemBytes::Hole(_) => "missing",
            };
            let len = item.len;
            write_to(
                json,
                format_args!(
                    r#"{separator}{{"document":{doc},"kind":"{kind}","bytes":{len},"state":"{state}"}}"#
                ),
            );
        }
        json.push_str(r#"],"commit":""#);
        STANDARD.encode_string(&bytes, json);
        json.push_str("\"}");
    }

    /// The page.
    ///
    /// # Panics
    /// Something is still to be read.
    pub fn end(self) -> Changes {
        let (log, next, more) = match self.state {
            State::OtherLog => return Changes::OtherLog,
            State::Empty => ("null".to_owned(), Mark::START, false),
            State::Whole { meta, end } => {
                let log = format!("\"{}\"", meta.marker.log.to_hex());
                (log, meta.marker.mark(end), end.seq < meta.head.seq)
            }
            State::Meta | State::Rows { .. } => panic!("the page is still being read"),
        };
        let (changes, next) = (self.changes, hex(&to_cbor(&next)));
        Changes::Page(format!(r#"{{"log":{log},"changes":[{changes}],"next":"{next}","more":{more}}}"#))
    }
}

fn write_to(json: &mut String, text: core::fmt::Arguments) {
    json.write_fmt(text).expect("writing to a String does not fail");
}
