//! A read-only view of a database that another process may be writing to.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::place::{OpenError, Place};
use super::schema::{SpaceId, space_name};

/// A database as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    database: Connection,
}

impl Snapshot {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// SQLite's, or it belongs to another place.
    pub fn open(path: &Path, place: Place) -> Result<Self, OpenError> {
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        place.check(&database)?;
        // One transaction for all reads: SQLite then shows the same state to each of them.
        database.execute_batch("BEGIN")?;
        Ok(Self { database })
    }

    /// The spaces in it, ordered by name.
    ///
    /// # Errors
    /// SQLite's.
    pub fn spaces(&self) -> rusqlite::Result<Vec<(SpaceId, String)>> {
        let mut select = self.database.prepare("SELECT id, name FROM space ORDER BY name")?;
        select.query_map([], |row| Ok((row.get(0)?, space_name(row.get(1)?))))?.collect()
    }

    /// The entries of a space with `from <= key < to`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn entries(
        &self,
        space: SpaceId,
        from: &[u8],
        to: &[u8],
    ) -> rusqlite::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let sql = "SELECT k, v FROM kv WHERE space = ? AND k >= ? AND k < ? ORDER BY k";
        let mut select = self.database.prepare_cached(sql)?;
        select.query_map(params![space, from, to], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Number of the entries of a space with `from <= key < to`, and bytes of their values.
    ///
    /// # Errors
    /// SQLite's.
    pub fn size(&self, space: SpaceId, from: &[u8], to: &[u8]) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT count(*), coalesce(sum(length(v)), 0) FROM kv WHERE space = ? AND k >= ? AND k < ?";
        let mut select = self.database.prepare_cached(sql)?;
        let number = |row: &rusqlite::Row, at| row.get(at).map(i64::unsigned_abs);
        select.query_row(params![space, from, to], |row| Ok((number(row, 0)?, number(row, 1)?)))
    }
}
