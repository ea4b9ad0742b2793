//! A shard's database as the core sees it: an ordered map of keys and values for each space.
//!
//! A write is durable once the next [`Store::commit`] has returned. Reads see writes that are not
//! committed yet.

use std::io;
use std::path::Path;

use eyot_core::storage::request::{StorageAnswer, StorageRequest, WriteBatch};
use rusqlite::{Connection, OptionalExtension, params};
use tracing::warn;

use super::group_commit::{CommitError, GroupCommit};
use super::identity::OpenedFile;
use super::place::{OpenError, Place};
use super::schema::{SCHEMA, SpaceId, space_name};

/// Prepared statements that are kept: more than this file has.
const STATEMENTS: usize = 16;
const CACHE_KIB: i64 = 8 * 1024;

/// What the database knows of a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceRow {
    /// None until something is written to the space.
    id: Option<SpaceId>,
    /// Whether it may hold commits that another region lacks.
    pub is_unsettled: bool,
}

/// One shard's database, open for writing.
#[derive(Debug)]
pub struct Store {
    group: GroupCommit,
    /// The database and its write-ahead log.
    files: Vec<OpenedFile>,
}

/// Outcome of a write that is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The result of the next commit is the result of this write.
    Pending,
    /// The guard did not match: nothing was written.
    GuardFailed,
    /// The space's part of the database is damaged, for this reason: nothing was written.
    Damaged(String),
}

impl Store {
    /// Opens the file for writing and creates it if it does not exist.
    ///
    /// # Errors
    /// SQLite's, or it belongs to another place.
    pub fn open(path: &Path, place: Place) -> Result<Self, OpenError> {
        let database = Connection::open(path)?;
        database.set_prepared_statement_cache_capacity(STATEMENTS);
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        // A negative size is in KiB, a positive one would be in pages.
        database.pragma_update(None, "cache_size", -CACHE_KIB)?;
        place.claim(&database)?;
        database.execute_batch(SCHEMA)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = [path, Path::new(&log)].map(OpenedFile::at).into_iter().collect::<io::Result<_>>()?;
        Ok(Self { group: GroupCommit::new(database), files })
    }

    /// The row of a space; the default if nothing was ever written to it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find(&self, space: &str) -> rusqlite::Result<SpaceRow> {
        find(self.group.database(), space)
    }

    /// Names of the spaces that may hold commits that another region lacks.
    ///
    /// # Errors
    /// SQLite's.
    pub fn unsettled(&self) -> rusqlite::Result<Vec<String>> {
        let mut select = self.group.database().prepare("SELECT name FROM space WHERE unsettled")?;
        select.query_map([], |row| row.get(0).map(space_name))?.collect()
    }

    /// Answers a request that only reads.
    pub fn read(&self, space: SpaceRow, request: &StorageRequest) -> StorageAnswer {
        answer(self.group.database(), space, request)
    }

    /// Adds a batch to the transaction that the next commit ends.
    pub fn write(&mut self, space: &mut SpaceRow, name: &str, batch: &WriteBatch) -> WriteOutcome {
        let before = *space;
        match self.group.write(|database| write(database, space, name, batch)) {
            Ok(outcome) => outcome.unwrap_or(WriteOutcome::Pending),
            Err(error) => {
                *space = before;
                WriteOutcome::Damaged(error.to_string())
            }
        }
    }

    /// Records, with the next commit, whether the space may hold commits that another region lacks.
    pub fn mark_unsettled(&mut self, space: &mut SpaceRow, is_unsettled: bool) {
        if space.is_unsettled == is_unsettled {
            return;
        }
        let id = space.id;
        let marked = self.group.write(|database| {
            let sql = "UPDATE space SET unsettled = ? WHERE id = ?";
            database.prepare_cached(sql)?.execute(params![is_unsettled, id])
        });
        match marked {
            Ok(_) => space.is_unsettled = is_unsettled,
            // It will be tried again with the next write.
            Err(error) => warn!(%error, "the list of spaces is damaged"),
        }
    }

    /// Whether there is something to commit.
    pub fn is_writing(&self) -> bool {
        self.group.is_writing()
    }

    /// Makes durable what was written since the last commit.
    ///
    /// # Errors
    /// Nothing of it was written, or it was written to files that were deleted.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        self.group.commit()?;
        for file in &self.files {
            file.check()?;
        }
        Ok(())
    }

    /// Moves what is in the write-ahead log to the database, so that the next start is quick.
    ///
    /// # Errors
    /// SQLite's.
    pub fn checkpoint(&self) -> rusqlite::Result<()> {
        self.group.database().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

/// The row of a space; the default if nothing was ever written to it.
pub(super) fn find(database: &Connection, space: &str) -> rusqlite::Result<SpaceRow> {
    let sql = "SELECT id, unsettled FROM space WHERE name = ?";
    let mut select = database.prepare_cached(sql)?;
    let found = |row: &rusqlite::Row| Ok(SpaceRow { id: row.get(0)?, is_unsettled: row.get(1)? });
    Ok(select.query_row([space.as_bytes()], found).optional()?.unwrap_or_default())
}

/// Answers a request that only reads.
pub(super) fn answer(database: &Connection, space: SpaceRow, request: &StorageRequest) -> StorageAnswer {
    let answer = match request {
        StorageRequest::Get(keys) => keys
            .iter()
            .map(|key| get(database, space, key))
            .collect::<Result<_, _>>()
            .map(StorageAnswer::Values),
        StorageRequest::Scan { from, to, bytes_max } => scan(database, space, from, to, *bytes_max),
        StorageRequest::Write(_) => Ok(StorageAnswer::Failed("this is no read".to_owned())),
    };
    answer.unwrap_or_else(|error| StorageAnswer::Failed(error.to_string()))
}

fn get(database: &Connection, space: SpaceRow, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = database.prepare_cached("SELECT v FROM kv WHERE space = ? AND k = ?")?;
    select.query_row(params![space.id, key], |row| row.get(0)).optional()
}

/// At least one entry, if there is any, and then entries until they have `bytes_max` bytes.
fn scan(
    database: &Connection,
    space: SpaceRow,
    from: &[u8],
    to: &[u8],
    bytes_max: usize,
) -> rusqlite::Result<StorageAnswer> {
    let sql = "SELECT k, v FROM kv WHERE space = ? AND k >= ? AND k < ? ORDER BY k";
    let mut select = database.prepare_cached(sql)?;
    let mut rows = select.query(params![space.id, from, to])?;
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if !entries.is_empty() && bytes >= bytes_max {
            return Ok(StorageAnswer::Scanned { entries, more: true });
        }
        let (key, value): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        bytes += value.len();
        entries.push((key, value));
    }
    Ok(StorageAnswer::Scanned { entries, more: false })
}

fn write(
    database: &Connection,
    space: &mut SpaceRow,
    name: &str,
    batch: &WriteBatch,
) -> rusqlite::Result<WriteOutcome> {
    if let Some((key, expected)) = &batch.guard
        && get(database, *space, key)? != *expected
    {
        return Ok(WriteOutcome::GuardFailed);
    }
    let id = match space.id {
        Some(id) => id,
        None => {
            database.prepare_cached("INSERT INTO space (name) VALUES (?)")?.execute([name.as_bytes()])?;
            *space.id.insert(SpaceId(database.last_insert_rowid()))
        }
    };
    let mut delete = database.prepare_cached("DELETE FROM kv WHERE space = ? AND k = ?")?;
    for key in &batch.deletes {
        delete.execute(params![id, key])?;
    }
    let mut put = database.prepare_cached("INSERT OR REPLACE INTO kv (space, k, v) VALUES (?, ?, ?)")?;
    for (key, value) in &batch.puts {
        put.execute(params![id, key, value])?;
    }
    Ok(WriteOutcome::Pending)
}

#[cfg(test)]
mod tests {
    use eyot_core::storage::memory::MemoryStore;

    use super::*;

    fn opened() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("shard"), Place::ONLY).unwrap();
        (folder, store)
    }

    fn put(key: &[u8], value: &[u8]) -> WriteBatch {
        WriteBatch { puts: vec![(key.to_vec(), value.to_vec())], ..WriteBatch::default() }
    }

    #[test]
    fn each_space_reads_and_writes_like_the_memory_store_of_the_core() {
        let (_folder, mut store) = opened();
        let mut spaces = ["a", "b", "c"].map(|name| (name, SpaceRow::default(), MemoryStore::default()));
        let mut state = 7u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..3_000 {
            let [a, b, c, d] = [random(20), random(20), random(20), random(20)].map(|n| vec![n as u8]);
            let (name, row, model) = &mut spaces[random(3)];
            match random(4) {
                0 => {
                    let guard =
                        (random(2) == 0).then(|| (c.clone(), model.get(&c).cloned().or(Some(d.clone()))));
                    let puts = vec![(a, vec![1; random(500)]), (b, d)];
                    let batch = WriteBatch { guard, puts, deletes: vec![c] };
                    let expected =
                        if model.write(&batch) { WriteOutcome::Pending } else { WriteOutcome::GuardFailed };
                    assert_eq!(store.write(row, name, &batch), expected);
                }
                1 => store.commit().unwrap(),
                2 => {
                    let get = StorageRequest::Get(vec![a, b, c]);
                    assert_eq!(store.read(*row, &get), model.answer(&get));
                }
                _ => {
                    let scan = StorageRequest::Scan { from: a, to: b, bytes_max: random(1_000) };
                    assert_eq!(store.read(*row, &scan), model.answer(&scan));
                }
            }
        }
        store.commit().unwrap();
        for (name, row, _) in &spaces {
            assert_eq!(store.find(name).unwrap(), *row);
        }
    }

    #[test]
    fn nothing_of_a_failed_transaction_is_written() {
        let (_folder, mut store) = opened();
        let (mut row, get) = (SpaceRow::default(), StorageRequest::Get(vec![b"k".to_vec()]));
        store.write(&mut row, "a", &put(b"k", b"before"));
        store.commit().unwrap();
        store.group.database().pragma_update(None, "max_page_count", 20).unwrap();
        let mut other = SpaceRow::default();
        store.write(&mut other, "b", &put(b"k", b"small"));
        store.write(&mut row, "a", &put(b"k", &vec![0; 200_000]));
        store.write(&mut other, "b", &put(b"k", b"small too"));
        assert!(store.commit().unwrap_err().to_string().contains("full"));
        assert_eq!(store.read(row, &get), StorageAnswer::Values(vec![Some(b"before".to_vec())]));
        assert_eq!(store.find("b").unwrap(), SpaceRow::default());
        store.write(&mut row, "a", &put(b"k", b"after"));
        store.commit().unwrap();
        assert_eq!(store.read(row, &get), StorageAnswer::Values(vec![Some(b"after".to_vec())]));
    }

    #[test]
    fn unsettled_spaces_are_listed_until_they_are_settled() {
        let (folder, mut store) = opened();
        let mut row = SpaceRow::default();
        store.write(&mut row, "a", &put(b"k", b"v"));
        store.mark_unsettled(&mut row, true);
        store.commit().unwrap();
        drop(store);
        let mut store = Store::open(&folder.path().join("shard"), Place::ONLY).unwrap();
        assert_eq!(store.unsettled().unwrap(), ["a"]);
        let mut row = store.find("a").unwrap();
        store.mark_unsettled(&mut row, false);
        store.commit().unwrap();
        assert!(store.unsettled().unwrap().is_empty());
    }

    #[test]
    fn a_commit_flushes_to_disk() {
        let (_folder, store) = opened();
        let pragma = |name: &str| {
            store
                .group
                .database()
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        // FULL
        assert_eq!(pragma("synchronous"), 2i64.into());
    }

    #[test]
    fn what_is_written_to_files_that_were_deleted_or_replaced_is_not_stored() {
        let (folder, mut store) = opened();
        let mut row = SpaceRow::default();
        for file in ["shard", "shard-wal"] {
            let file = folder.path().join(file);
            let away = file.with_extension("away");
            store.write(&mut row, "a", &put(b"k", b"v"));
            store.commit().unwrap();
            std::fs::rename(&file, &away).unwrap();
            store.write(&mut row, "a", &put(b"k", b"v"));
            assert!(matches!(store.commit(), Err(CommitError::FilesGone(_))), "{file:?}");
            std::fs::copy(&away, &file).unwrap();
            store.write(&mut row, "a", &put(b"k", b"v"));
            assert!(matches!(store.commit(), Err(CommitError::FilesGone(_))), "{file:?}");
            std::fs::rename(&away, &file).unwrap();
        }
    }

    #[test]
    fn a_database_is_opened_in_its_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shard");
        let place = Place { shard: 1, shards: 3 };
        drop(Store::open(&file, place).unwrap());
        drop(Store::open(&file, place).unwrap());
        for other in [Place { shard: 0, shards: 3 }, Place { shard: 1, shards: 2 }, Place::ONLY] {
            assert!(matches!(Store::open(&file, other), Err(OpenError::OtherPlace { .. })), "{other:?}");
        }
    }
}
