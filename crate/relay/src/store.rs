//! One shard's SQLite file: the ordered maps of its spaces, written to in transactions that many
//! spaces share.
//!
//! What is written is durable once [`Store::commit`] has returned, and not before. Whoever reads
//! sees what was written before the commit too.

use std::path::Path;

use eyot_core::{StorageAnswer, StorageRequest, WriteBatch};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS space (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE,
        unsettled INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX IF NOT EXISTS unsettled ON space (unsettled) WHERE unsettled;
    CREATE TABLE IF NOT EXISTS kv (space INTEGER NOT NULL, k BLOB NOT NULL, v BLOB NOT NULL,
        PRIMARY KEY (space, k)) WITHOUT ROWID;
";
/// Statements kept prepared: more than there are here.
const STATEMENTS: usize = 16;
const CACHE_KIB: i64 = 8 * 1024;

/// A space in this store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceRow {
    /// None until something is written to it.
    id: Option<i64>,
    /// Whether it may hold what another region lacks.
    pub is_unsettled: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Store {
    database: Connection,
    transaction: Option<Result<(), String>>,
}

/// The outcome of a write that is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It is in the transaction, or the transaction has failed: what commit says is true of it.
    Pending,
    /// The guard did not hold.
    GuardFailed,
}

impl Store {
    /// Opens the file for writing, making it where there is none.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let database = Connection::open(path)?;
        database.set_prepared_statement_cache_capacity(STATEMENTS);
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "cache_size", -CACHE_KIB)?;
        database.execute_batch(SCHEMA)?;
        Ok(Self { database, transaction: None })
    }

    /// What there is of a space.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find(&self, space: &str) -> rusqlite::Result<SpaceRow> {
        let sql = "SELECT id, unsettled FROM space WHERE name = ?";
        let mut select = self.database.prepare_cached(sql)?;
        let found = |row: &rusqlite::Row| Ok(SpaceRow { id: row.get(0)?, is_unsettled: row.get(1)? });
        Ok(select.query_row([space.as_bytes()], found).optional()?.unwrap_or_default())
    }

    /// The spaces that may hold what another region lacks.
    ///
    /// # Errors
    /// SQLite's.
    pub fn unsettled(&self) -> rusqlite::Result<Vec<String>> {
        let mut select = self.database.prepare("SELECT name FROM space WHERE unsettled")?;
        select.query_map([], |row| row.get(0).map(text))?.collect()
    }

    /// Answers a request that only reads.
    pub fn read(&self, space: SpaceRow, request: &StorageRequest) -> StorageAnswer {
        let answer = match request {
            StorageRequest::Get(keys) => keys
                .iter()
                .map(|key| self.get(space, key))
                .collect::<Result<_, _>>()
                .map(StorageAnswer::Values),
            StorageRequest::Scan { from, to, bytes_max } => self.scan(space, from, to, *bytes_max),
            StorageRequest::Write(_) => Ok(StorageAnswer::Failed("this is no read".to_owned())),
        };
        answer.unwrap_or_else(|error| StorageAnswer::Failed(error.to_string()))
    }

    fn get(&self, space: SpaceRow, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut select = self.database.prepare_cached("SELECT v FROM kv WHERE space = ? AND k = ?")?;
        select.query_row(params![space.id, key], |row| row.get(0)).optional()
    }

    fn scan(
        &self,
        space: SpaceRow,
        from: &[u8],
        to: &[u8],
        bytes_max: usize,
    ) -> rusqlite::Result<StorageAnswer> {
        let sql = "SELECT k, v FROM kv WHERE space = ? AND k >= ? AND k < ? ORDER BY k";
        let mut select = self.database.prepare_cached(sql)?;
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

    /// Writes to the transaction that the next commit ends.
    pub fn write(&mut self, space: &mut SpaceRow, name: &str, batch: &WriteBatch) -> Wrote {
        self.in_transaction(|store| store.try_write(space, name, batch)).unwrap_or(Wrote::Pending)
    }

    /// Remembers, with the next commit, whether another region may lack what the space holds.
    pub fn mark(&mut self, space: &mut SpaceRow, is_unsettled: bool) {
        if space.is_unsettled == is_unsettled {
            return;
        }
        space.is_unsettled = is_unsettled;
        let id = space.id;
        self.in_transaction(|store| {
            let sql = "UPDATE space SET unsettled = ? WHERE id = ?";
            store.database.prepare_cached(sql)?.execute(params![is_unsettled, id])
        });
    }

    /// None where the transaction has failed.
    fn in_transaction<T>(&mut self, run: impl FnOnce(&Self) -> rusqlite::Result<T>) -> Option<T> {
        let begun = match self.transaction.take() {
            Some(begun) => begun,
            None => self.database.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string()),
        };
        // Some errors have ended the transaction by themselves, and none leaves it whole.
        let done = begun.and_then(|()| run(self).map_err(|error| error.to_string()));
        let (state, value) = match done {
            Ok(value) => (Ok(()), Some(value)),
            Err(reason) => (Err(reason), None),
        };
        self.transaction = Some(state);
        value
    }

    /// Whether there is something to commit.
    pub fn is_writing(&self) -> bool {
        self.transaction.is_some()
    }

    fn try_write(&self, space: &mut SpaceRow, name: &str, batch: &WriteBatch) -> rusqlite::Result<Wrote> {
        if let Some((key, expected)) = &batch.guard
            && self.get(*space, key)? != *expected
        {
            return Ok(Wrote::GuardFailed);
        }
        let id = match space.id {
            Some(id) => id,
            None => {
                self.database
                    .prepare_cached("INSERT INTO space (name) VALUES (?)")?
                    .execute([name.as_bytes()])?;
                *space.id.insert(self.database.last_insert_rowid())
            }
        };
        let mut delete = self.database.prepare_cached("DELETE FROM kv WHERE space = ? AND k = ?")?;
        for key in &batch.deletes {
            delete.execute(params![id, key])?;
        }
        let mut put =
            self.database.prepare_cached("INSERT OR REPLACE INTO kv (space, k, v) VALUES (?, ?, ?)")?;
        for (key, value) in &batch.puts {
            put.execute(params![id, key, value])?;
        }
        Ok(Wrote::Pending)
    }

    /// Makes durable what was written since the last commit.
    ///
    /// # Errors
    /// None of it was written.
    pub fn commit(&mut self) -> Result<(), String> {
        let Some(begun) = self.transaction.take() else { return Ok(()) };
        let done =
            begun.and_then(|()| self.database.execute_batch("COMMIT").map_err(|error| error.to_string()));
        if done.is_err() && !self.database.is_autocommit() {
            self.database.execute_batch("ROLLBACK").map_err(|error| error.to_string())?;
        }
        done
    }

    /// Moves what is in the write-ahead log to the database, so that the next start is quick.
    ///
    /// # Errors
    /// SQLite's.
    pub fn checkpoint(&self) -> rusqlite::Result<()> {
        self.database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

/// A store beside a process that may be writing to it, as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    database: Connection,
}

impl Snapshot {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.execute_batch("BEGIN")?;
        Ok(Self { database })
    }

    /// The spaces in it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn spaces(&self) -> rusqlite::Result<Vec<(i64, String)>> {
        let mut select = self.database.prepare("SELECT id, name FROM space ORDER BY name")?;
        select.query_map([], |row| Ok((row.get(0)?, text(row.get(1)?))))?.collect()
    }

    /// The entries of a space with `from <= key < to`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn entries(&self, space: i64, from: &[u8], to: &[u8]) -> rusqlite::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let sql = "SELECT k, v FROM kv WHERE space = ? AND k >= ? AND k < ? ORDER BY k";
        let mut select = self.database.prepare_cached(sql)?;
        select.query_map(params![space, from, to], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// How many entries of a space there are with `from <= key < to`, and bytes in them.
    ///
    /// # Errors
    /// SQLite's.
    pub fn size(&self, space: i64, from: &[u8], to: &[u8]) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT count(*), coalesce(sum(length(v)), 0) FROM kv WHERE space = ? AND k >= ? AND k < ?";
        let mut select = self.database.prepare_cached(sql)?;
        let number = |row: &rusqlite::Row, at| row.get(at).map(i64::unsigned_abs);
        select.query_row(params![space, from, to], |row| Ok((number(row, 0)?, number(row, 1)?)))
    }
}

/// Names are kept as bytes: how SQLite compares text is nothing to rely on.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use eyot_core::store::MemoryStore;

    use super::*;

    fn opened() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("shard")).unwrap();
        (folder, store)
    }

    fn put(key: &[u8], value: &[u8]) -> WriteBatch {
        WriteBatch { puts: vec![(key.to_vec(), value.to_vec())], ..WriteBatch::default() }
    }

    #[test]
    fn spaces_answer_as_the_model_does_and_know_nothing_of_each_other() {
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
                    let expected = if model.write(&batch) { Wrote::Pending } else { Wrote::GuardFailed };
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
    fn of_a_transaction_that_fails_nothing_is_written() {
        let (_folder, mut store) = opened();
        let (mut row, get) = (SpaceRow::default(), StorageRequest::Get(vec![b"k".to_vec()]));
        store.write(&mut row, "a", &put(b"k", b"before"));
        store.commit().unwrap();
        store.database.pragma_update(None, "max_page_count", 20).unwrap();
        let mut other = SpaceRow::default();
        store.write(&mut other, "b", &put(b"k", b"small"));
        store.write(&mut row, "a", &put(b"k", &vec![0; 200_000]));
        store.write(&mut other, "b", &put(b"k", b"small too"));
        assert!(store.commit().unwrap_err().contains("full"));
        assert_eq!(store.read(row, &get), StorageAnswer::Values(vec![Some(b"before".to_vec())]));
        assert_eq!(store.find("b").unwrap(), SpaceRow::default());
        store.write(&mut row, "a", &put(b"k", b"after"));
        store.commit().unwrap();
        assert_eq!(store.read(row, &get), StorageAnswer::Values(vec![Some(b"after".to_vec())]));
    }

    #[test]
    fn a_store_says_what_is_unsettled_until_it_is_settled() {
        let (folder, mut store) = opened();
        let mut row = SpaceRow::default();
        store.write(&mut row, "a", &put(b"k", b"v"));
        store.mark(&mut row, true);
        store.commit().unwrap();
        drop(store);
        let mut store = Store::open(&folder.path().join("shard")).unwrap();
        assert_eq!(store.unsettled().unwrap(), ["a"]);
        let mut row = store.find("a").unwrap();
        store.mark(&mut row, false);
        store.commit().unwrap();
        assert!(store.unsettled().unwrap().is_empty());
    }

    #[test]
    fn a_commit_is_a_flush() {
        let (_folder, store) = opened();
        let pragma = |name: &str| {
            store
                .database
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        // FULL
        assert_eq!(pragma("synchronous"), 2i64.into());
    }
}
