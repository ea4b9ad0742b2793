//! Which of how many databases a file is. Each file says so itself: a layout file that was edited, or
//! files that were mixed up, would hide spaces from everybody otherwise.

use std::io;

use rusqlite::Connection;

/// The place of a database in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub shard: usize,
    /// How many there are.
    pub shards: usize,
}

/// Why a database can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// SQLite's reason.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// The operating system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is another one than its name and the layout file say.
    #[error(
        "this database is number {} of {}, but its name and layout.json say number {} of {}",
        is.shard, is.shards, said.shard, said.shards
    )]
    OtherPlace {
        /// What the file says.
        is: Place,
        /// What is said of it.
        said: Place,
    },
}

impl Place {
    #[cfg(test)]
    pub(super) const ONLY: Self = Self { shard: 0, shards: 1 };

    /// # Errors
    /// The database says that it has another place.
    pub(super) fn check(self, database: &Connection) -> Result<(), OpenError> {
        self.is_new(database).map(drop)
    }

    /// The same, and a new database is given this place.
    ///
    /// # Errors
    /// The database says that it has another place.
    pub(super) fn claim(self, database: &Connection) -> Result<(), OpenError> {
        if self.is_new(database)? {
            let number = (self.shards << 16 | self.shard) as i64;
            database.pragma_update(None, "user_version", number)?;
        }
        Ok(())
    }

    /// Whether the database says nothing yet.
    fn is_new(self, database: &Connection) -> Result<bool, OpenError> {
        let number: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let is = Self { shard: (number & 0xffff) as usize, shards: (number >> 16) as usize };
        match number {
            0 => Ok(true),
            _ if is == self => Ok(false),
            _ => Err(OpenError::OtherPlace { is, said: self }),
        }
    }
}
