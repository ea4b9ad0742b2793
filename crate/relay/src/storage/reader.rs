//! Reads a shard's database beside the shard's thread. Only what is committed is seen, and a commit is
//! durable before it is.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use rusqlite::{Connection, OpenFlags};

use super::place::{OpenError, Place};
use super::store::{answer, find};

/// One shard's database, open for reading.
#[derive(Debug)]
pub struct Reader(Mutex<Connection>);

impl Reader {
    /// Opens a database that the shard has made.
    ///
    /// # Errors
    /// SQLite's, or it belongs to another place.
    pub fn open(path: &Path, place: Place) -> Result<Self, OpenError> {
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        place.check(&database)?;
        Ok(Self(Mutex::new(database)))
    }

    /// Reads what a space has stored. All reads of one call see the same state.
    ///
    /// # Errors
    /// SQLite's.
    pub fn read<T>(
        &self,
        space: &str,
        read: impl FnOnce(&dyn Fn(&StorageRequest) -> StorageAnswer) -> T,
    ) -> rusqlite::Result<T> {
        let mut database = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = database.transaction()?;
        let row = find(&transaction, space)?;
        Ok(read(&|request| answer(&transaction, row, request)))
    }
}

#[cfg(test)]
mod tests {
    use eyot_core::storage::request::WriteBatch;

    use super::super::store::{SpaceRow, Store};
    use super::*;

    #[test]
    fn what_is_not_committed_is_not_seen_and_one_call_sees_one_state() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shard");
        let mut store = Store::open(&file, Place::ONLY).unwrap();
        let reader = Reader::open(&file, Place::ONLY).unwrap();
        let get = StorageRequest::Get(vec![b"k".to_vec()]);
        let seen = |reader: &Reader| reader.read("a", |answer| answer(&get)).unwrap();
        let value = |value: Option<&[u8]>| StorageAnswer::Values(vec![value.map(<[u8]>::to_vec)]);
        let mut row = SpaceRow::default();
        let mut write = |store: &mut Store, value: &[u8]| {
            let puts = vec![(b"k".to_vec(), value.to_vec())];
            store.write(&mut row, "a", &WriteBatch { puts, ..WriteBatch::default() });
        };
        write(&mut store, b"first");
        assert_eq!(seen(&reader), value(None));
        store.commit().unwrap();
        assert_eq!(seen(&reader), value(Some(b"first")));
        let both = reader.read("a", |answer| {
            let before = answer(&get);
            write(&mut store, b"second");
            store.commit().unwrap();
            (before, answer(&get))
        });
        assert_eq!(both.unwrap(), (value(Some(b"first")), value(Some(b"first"))));
        assert_eq!(seen(&reader), value(Some(b"second")));
    }
}
