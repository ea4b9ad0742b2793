//! Group commit: the writes of many spaces share one SQLite transaction, so that one flush of the
//! disk makes all of them durable.

use rusqlite::Connection;

use super::identity::FilesGone;

/// A database with at most one write transaction, which begins with the first write.
#[derive(Debug)]
pub(super) struct GroupCommit {
    database: Connection,
    transaction: Transaction,
}

#[derive(Debug)]
enum Transaction {
    None,
    Open,
    /// A write has failed for this reason: nothing of the transaction will be committed.
    Failed(String),
}

/// Why a transaction was not committed. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CommitFailed(pub String);

/// Why what was written may not be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The transaction was not committed.
    #[error(transparent)]
    Failed(#[from] CommitFailed),
    /// It was committed to files that nobody will find.
    #[error(transparent)]
    FilesGone(#[from] FilesGone),
}

impl GroupCommit {
    pub(super) fn new(database: Connection) -> Self {
        Self { database, transaction: Transaction::None }
    }

    /// For reads. They see what the open transaction has written so far.
    pub(super) fn database(&self) -> &Connection {
        &self.database
    }

    /// Whether there is a transaction to commit.
    pub(super) fn is_writing(&self) -> bool {
        !matches!(self.transaction, Transaction::None)
    }

    /// Writes within the transaction. None if the transaction has failed, with this write or before.
    ///
    /// # Errors
    /// The write has met a damaged page of the database. Nothing of it was written, and the
    /// transaction goes on without it: others may have no part in the damage.
    pub(super) fn write<T>(
        &mut self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, rusqlite::Error> {
        let begun = match std::mem::replace(&mut self.transaction, Transaction::None) {
            Transaction::None => self.database.execute_batch("BEGIN IMMEDIATE").map_err(reason),
            Transaction::Open => Ok(()),
            Transaction::Failed(reason) => Err(reason),
        };
        let run = |sql: &str| self.database.prepare_cached(sql)?.execute([]).map(drop);
        let written = match begun.and_then(|()| run("SAVEPOINT one").map_err(reason)) {
            Ok(()) => write(&self.database),
            Err(reason) => {
                self.transaction = Transaction::Failed(reason);
                return Ok(None);
            }
        };
        let is_damaged =
            |error: &rusqlite::Error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt);
        match written {
            Err(error)
                if is_damaged(&error) && run("ROLLBACK TO one").is_ok() && run("RELEASE one").is_ok() =>
            {
                self.transaction = Transaction::Open;
                Err(error)
            }
            // After another error SQLite may have rolled back already, or part of the write may be
            // missing. Either way the transaction can't be committed any more.
            written => {
                let written = written.and_then(|value| run("RELEASE one").map(|()| value));
                match written {
                    Ok(value) => {
                        self.transaction = Transaction::Open;
                        Ok(Some(value))
                    }
                    Err(error) => {
                        self.transaction = Transaction::Failed(reason(error));
                        Ok(None)
                    }
                }
            }
        }
    }

    /// Makes durable what was written since the last commit.
    ///
    /// # Errors
    /// Nothing of it was written.
    pub(super) fn commit(&mut self) -> Result<(), CommitFailed> {
        let done = match std::mem::replace(&mut self.transaction, Transaction::None) {
            Transaction::None => return Ok(()),
            Transaction::Open => self.database.execute_batch("COMMIT").map_err(reason),
            Transaction::Failed(reason) => Err(reason),
        };
        if done.is_err() && !self.database.is_autocommit() {
            self.database.execute_batch("ROLLBACK").map_err(|error| CommitFailed(reason(error)))?;
        }
        done.map_err(CommitFailed)
    }
}

/// SQLite's errors can't be cloned, but every write of a transaction is told the reason.
fn reason(error: rusqlite::Error) -> String {
    error.to_string()
}
