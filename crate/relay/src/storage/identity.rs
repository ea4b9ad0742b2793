//! Whether a file is still the one that was opened. A file that was deleted, or replaced by another,
//! can still be written to by whoever has it open, and nobody will ever read that.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file that was opened by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenedFile {
    path: PathBuf,
    /// The numbers of its file system and of the file in that.
    identity: (u64, u64),
}

/// What was written last may be lost: a file of the relay is not where it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} was deleted or replaced while this relay was running")]
pub struct FilesGone(pub PathBuf);

impl OpenedFile {
    /// The file that is at this path now.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let metadata = fs::metadata(&path)?;
        Ok(Self { path, identity: (metadata.dev(), metadata.ino()) })
    }

    /// # Errors
    /// There is no file at its path any more, or another one.
    pub(super) fn check(&self) -> Result<(), FilesGone> {
        match Self::at(&self.path) {
            Ok(now) if now == *self => Ok(()),
            _ => Err(FilesGone(self.path.clone())),
        }
    }
}
