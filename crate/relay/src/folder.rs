//! The folder that a relay keeps its spaces in: one process at a time, and as many parts as it was
//! made with, whatever machine it is moved to.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Says how many shards there are.
const LAYOUT_FILE: &str = "layout.json";
const LOCK_FILE: &str = "lock";
const LAYOUT_VERSION: u32 = 1;
/// Shards that a folder can have.
pub const SHARDS_MAX: usize = 256;

/// Where spaces are, by hash of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    folder: PathBuf,
    shards: usize,
}

/// The right to write to a folder, for as long as this lives.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "closing it unlocks")] File);

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another process has it.
    #[error("{0} is used by another process")]
    Locked(PathBuf),
    /// No relay made it.
    #[error("{0} holds no relay's data")]
    NotOurs(PathBuf),
    /// A newer version made it.
    #[error("{0} was made by a newer version of eyot-relay")]
    Newer(PathBuf),
    /// The operating system refuses.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct LayoutFile {
    version: u32,
    shards: usize,
}

impl Layout {
    /// Takes the folder for this process, making it with so many shards where there is none.
    ///
    /// # Errors
    /// Another process has it, or it can't be read or written.
    pub fn lock(folder: &Path, shards: usize) -> Result<(Self, FolderLock), FolderError> {
        let io = |error| FolderError::Io(folder.to_owned(), error);
        fs::create_dir_all(folder).map_err(io)?;
        let lock = File::create(folder.join(LOCK_FILE)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Locked(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        match Self::read(folder) {
            Err(FolderError::NotOurs(_)) => Self::make(folder, shards).map_err(io)?,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        Ok((Self::read(folder)?, FolderLock(lock)))
    }

    /// Reads what there is, beside a process that may be writing to it.
    ///
    /// # Errors
    /// There is no relay's folder, or it can't be read.
    pub fn read(folder: &Path) -> Result<Self, FolderError> {
        let text = match fs::read_to_string(folder.join(LAYOUT_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(FolderError::NotOurs(folder.to_owned()));
            }
            Err(error) => return Err(FolderError::Io(folder.to_owned(), error)),
        };
        let invalid = |error| FolderError::Io(folder.join(LAYOUT_FILE), std::io::Error::other(error));
        let LayoutFile { version, shards } = serde_json::from_str(&text).map_err(invalid)?;
        match (version, shards) {
            (LAYOUT_VERSION, 1..=SHARDS_MAX) => Ok(Self { folder: folder.to_owned(), shards }),
            _ => Err(FolderError::Newer(folder.to_owned())),
        }
    }

    /// A crash leaves the whole file, or none.
    fn make(folder: &Path, shards: usize) -> std::io::Result<()> {
        let layout = LayoutFile { version: LAYOUT_VERSION, shards: shards.clamp(1, SHARDS_MAX) };
        let unfinished = folder.join(format!("{LAYOUT_FILE}.new"));
        let mut file = File::create(&unfinished)?;
        file.write_all(serde_json::to_string(&layout)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(LAYOUT_FILE))?;
        File::open(folder)?.sync_all()
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// The database of a shard.
    pub fn database(&self, shard: usize) -> PathBuf {
        self.folder.join(format!("shard-{shard:03}.sqlite"))
    }
}

/// Which of so many shards has a space. The same for ever.
pub fn shard_of(space: &str, shards: usize) -> usize {
    let hash: [u8; 32] = Sha256::digest(space.as_bytes()).into();
    let number = u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes"));
    (number % shards as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_the_shards_it_was_made_with() {
        let folder = tempfile::tempdir().unwrap();
        let (made, lock) = Layout::lock(folder.path(), 3).unwrap();
        drop(lock);
        assert_eq!(made.shards(), 3);
        assert_eq!(Layout::lock(folder.path(), 8).unwrap().0, made);
    }

    #[test]
    fn a_folder_is_one_process_s() {
        let folder = tempfile::tempdir().unwrap();
        let (_layout, _lock) = Layout::lock(folder.path(), 1).unwrap();
        assert!(matches!(Layout::lock(folder.path(), 1), Err(FolderError::Locked(_))));
        assert!(Layout::read(folder.path()).is_ok());
    }

    #[test]
    fn spaces_stay_in_their_shards() {
        // Written to disk by versions that are out there: these numbers may never change.
        assert_eq!(["", "team", "public/a"].map(|space| shard_of(space, 8)), [4, 5, 1]);
    }
}
