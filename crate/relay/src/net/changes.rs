//! `GET /v1/SPACE/changes`: what is stored, for servers. Whoever may read a space may ask.
//!
//! Pages are read beside the shards' threads. Each costs its subject what is read for it, and at least
//! [`PAGE_COST`], of as much a second as links have; a subject has a few pages at once, and all pages that
//! are being sent have so many bytes together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eyot_core::base::limits::Limits;
use eyot_core::base::pace::{Pace, Rate};
use eyot_core::base::time::Millis;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::changes::{After, COMMITS_MAX, Changes, ChangesPage};
use eyot_core::storage::request::{Corrupt, StorageAnswer};
use eyot_core::wire::access::Refusal;
use eyot_core::wire::close::CloseCode;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;

use super::context::ConnectionContext;
use super::door::Comer;
use super::response::{Answer, answer, text, with};
use crate::base::{now, percent_decode};
use crate::storage::{Reader, shard_of};

/// Commits of a page where nothing is said.
const COMMITS_DEFAULT: usize = 100;
/// Bytes that a page costs at least, however little is read for it.
const PAGE_COST: u64 = 64 * 1024;
/// Pages of a subject of a space that are being read or sent.
const PAGES_MAX: u32 = 2;
/// Bytes of all pages that are being sent.
const SENDING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Subjects of which something is remembered although they owe nothing.
const SUBJECTS_KEPT: usize = 1024;

/// Where pages come from, and what they may cost.
#[derive(Debug)]
pub struct ChangesFeed {
    shards: Vec<Shard>,
    rate: Rate,
    spent: Mutex<HashMap<Payer, Spent>>,
    sending_bytes: Arc<Semaphore>,
}

#[derive(Debug)]
struct Shard {
    reader: Arc<Reader>,
    /// One page is read at a time.
    turn: Arc<Semaphore>,
}

/// A subject of a space, as a hash.
type Payer = [u8; 32];

#[derive(Debug, Default)]
struct Spent {
    pace: Pace,
    pages: u32,
}

/// A page of a subject, until this is dropped.
#[derive(Debug)]
struct Turn {
    feed: Arc<ChangesFeed>,
    payer: Payer,
}

/// What a page takes while it is being sent.
#[derive(Debug)]
pub(super) struct Sending {
    _place: OwnedSemaphorePermit,
    _turn: Turn,
    _bytes: OwnedSemaphorePermit,
}

/// What is asked for.
struct Query {
    after: After,
    limit: usize,
}

impl ChangesFeed {
    /// Reads from these, in the order of the shards' numbers.
    pub fn new(readers: Vec<Reader>, caps: &Caps) -> Arc<Self> {
        let shard = |reader| Shard { reader: Arc::new(reader), turn: Arc::new(Semaphore::new(1)) };
        Arc::new(Self {
            shards: readers.into_iter().map(shard).collect(),
            rate: caps.subject_reads(),
            spent: Mutex::default(),
            sending_bytes: Arc::new(Semaphore::new(SENDING_BYTES_MAX)),
        })
    }

    /// Answers whoever asks for a page.
    pub(super) async fn answer(
        self: &Arc<Self>,
        context: &ConnectionContext,
        space: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        comer: &Comer,
    ) -> Answer {
        let query = match Query::read(query.unwrap_or_default()) {
            Ok(query) => query,
            Err(reason) => return refused(StatusCode::BAD_REQUEST, "invalid", &reason),
        };
        let subject = match context.admit(bearer(headers), space).await {
            Ok(admitted) => admitted.map_or_else(String::new, |admitted| admitted.claims.subject),
            Err(refusal) => return refusal_of(&refusal),
        };
        let turn = match self.begin(space, &subject, now()) {
            Ok(turn) => turn,
            Err(wait) => {
                return later(StatusCode::TOO_MANY_REQUESTS, "this token asks for too much; ask later", wait);
            }
        };
        let busy = || later(StatusCode::SERVICE_UNAVAILABLE, "this relay is busy; ask later", 1_000);
        let Ok(place) = context.places.clone().try_acquire_owned() else { return busy() };
        comer.come_in();
        let page = match self.read(space, &query, &turn).await {
            Ok(Changes::Page(page)) => page,
            Ok(Changes::OtherLog) => {
                let reason =
                    "the position is of a log that this one is not, or not any more; begin anew without it";
                return refused(StatusCode::GONE, "other-log", reason);
            }
            Err(Corrupt(reason)) => {
                error!(space, reason, "what a space has stored can't be read");
                return later_with(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "storage",
                    "this relay can't read its storage",
                    1_000,
                );
            }
        };
        let len = u32::try_from(page.len().min(SENDING_BYTES_MAX)).unwrap_or(u32::MAX);
        let Ok(bytes) = self.sending_bytes.clone().try_acquire_many_owned(len) else { return busy() };
        comer.keep(Sending { _place: place, _turn: turn, _bytes: bytes });
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        with(answer(StatusCode::OK, page), headers)
    }

    /// Reads a page. Others wait for their turn meanwhile.
    async fn read(&self, space: &str, query: &Query, turn: &Turn) -> Result<Changes, Corrupt> {
        let Shard { reader, turn: one } = &self.shards[shard_of(space, self.shards.len()).index()];
        let _one = one.acquire().await.expect("the semaphore is never closed");
        let (reader, space) = (reader.clone(), space.to_owned());
        let mut page = ChangesPage::new(query.after, query.limit);
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = 0;
            let read = reader.read(&space, |answer| {
                while let Some(request) = page.go_on() {
                    let answer = answer(&request);
                    bytes += bytes_of(&answer);
                    page.learn(answer)?;
                }
                Ok(page.end())
            });
            (read.unwrap_or_else(|error| Err(Corrupt(error.to_string()))), bytes)
        });
        let (read, bytes) = reading.await.map_err(|error| Corrupt(error.to_string()))?;
        self.charge(turn.payer, bytes.saturating_sub(PAGE_COST), now());
        read
    }

    /// One more page for this subject, or how long it has to wait for that.
    fn begin(self: &Arc<Self>, space: &str, subject: &str, now: Millis) -> Result<Turn, Millis> {
        let payer = Sha256::digest([space.as_bytes(), &[0], subject.as_bytes()].concat()).into();
        let mut all = self.spent();
        if all.len() > SUBJECTS_KEPT {
            all.retain(|_, spent| spent.pages > 0 || !spent.pace.is_paid(now));
        }
        let spent = all.entry(payer).or_default();
        let wait = spent.pace.free_at(self.rate).saturating_sub(now);
        if wait > 0 || spent.pages >= PAGES_MAX {
            return Err(wait);
        }
        spent.pages += 1;
        spent.pace.spend(PAGE_COST, self.rate, now);
        Ok(Turn { feed: self.clone(), payer })
    }

    fn charge(&self, payer: Payer, bytes: u64, now: Millis) {
        self.spent().entry(payer).or_default().pace.spend(bytes, self.rate, now);
    }

    fn spent(&self) -> MutexGuard<'_, HashMap<Payer, Spent>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(spent) = self.feed.spent().get_mut(&self.payer) {
            spent.pages -= 1;
        }
    }
}

impl Query {
    fn read(text: &str) -> Result<Self, String> {
        let mut query = Self { after: After::START, limit: COMMITS_DEFAULT };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(value).unwrap_or_default();
            match name {
                "after" => query.after = After::read(&value).ok_or("after is what an answer says as next")?,
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=COMMITS_MAX).contains(limit));
                    query.limit = limit.ok_or(format!("limit is a number from 1 to {COMMITS_MAX}"))?;
                }
                _ => return Err("only after and limit can be said".to_owned()),
            }
        }
        Ok(query)
    }
}

fn bytes_of(answer: &StorageAnswer) -> u64 {
    match answer {
        StorageAnswer::Scanned { entries, .. } => entries.iter().map(|(_, value)| value.len() as u64).sum(),
        _ => 0,
    }
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| {
        scheme.eq_ignore_ascii_case("bearer") && token.len() <= Limits::PROTOCOL.token_bytes_max
    })
}

fn refusal_of(refusal: &Refusal) -> Answer {
    match refusal.code {
        CloseCode::GoingAway => later(StatusCode::SERVICE_UNAVAILABLE, &refusal.reason, 1_000),
        CloseCode::Expired => refused(StatusCode::UNAUTHORIZED, "expired", &refusal.reason),
        _ => refused(StatusCode::UNAUTHORIZED, "denied", &refusal.reason),
    }
}

fn later(status: StatusCode, reason: &str, wait: Millis) -> Answer {
    later_with(status, "unavailable", reason, wait)
}

fn later_with(status: StatusCode, code: &str, reason: &str, wait: Millis) -> Answer {
    let seconds = wait.div_ceil(1_000).max(1).to_string();
    with(refused(status, code, reason), [(header::RETRY_AFTER, &seconds)])
}

fn refused(status: StatusCode, code: &str, reason: &str) -> Answer {
    let body = json!({ "code": code, "message": reason }).to_string();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    with(answer(status, body), headers)
}

/// The answer where the name is none.
pub(super) fn no_space() -> Answer {
    let most = Limits::PROTOCOL.space_name_bytes_max;
    text(StatusCode::BAD_REQUEST, &format!("a space has a name of at most {most} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_pays_for_its_pages_and_has_two_at_once() {
        let feed = ChangesFeed::new(Vec::new(), &Caps::default());
        let [first, _second] = [(); 2].map(|()| feed.begin("team", "ada", 0).unwrap());
        assert!(feed.begin("team", "ada", 0).is_err());
        let _others = (feed.begin("team", "ben", 0).unwrap(), feed.begin("other", "ada", 0).unwrap());
        let payer = first.payer;
        drop(first);
        feed.charge(payer, 1 << 30, 0);
        let wait = feed.begin("team", "ada", 0).unwrap_err();
        assert!(wait > 1_000, "{wait} ms");
        assert!(feed.begin("team", "ada", wait).is_ok());
    }

    #[test]
    fn of_subjects_that_owe_nothing_few_are_remembered() {
        let feed = ChangesFeed::new(Vec::new(), &Caps::default());
        for number in 0..3 * SUBJECTS_KEPT {
            drop(feed.begin("team", &number.to_string(), 1_000 * number as Millis).unwrap());
        }
        assert!(feed.spent().len() <= SUBJECTS_KEPT + 1);
    }
}
