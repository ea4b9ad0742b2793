//! The layout of a relay's folder: which databases it has, and which of them holds a space.
//!
//! One process at a time may write to a folder. The number of shards is fixed when the folder is
//! made, because a space must stay in its database whatever machine the folder is moved to.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::identity::{FilesGone, OpenedFile};
use super::place::Place;

/// Holds the version of the layout and the number of shards.
const LAYOUT_FILE: &str = "layout.json";
const LOCK_FILE: &str = "lock";
const LAYOUT_VERSION: u32 = 1;
/// Most shards that a folder can have.
const SHARDS_MAX: usize = 256;

/// A folder and the databases in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    folder: PathBuf,
    shard_count: usize,
}

/// The number of a shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ShardId(usize);

/// Keeps other processes from writing to a folder, until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    #[expect(dead_code, reason = "closing the file releases the lock")]
    file: File,
    opened: OpenedFile,
}

impl FolderLock {
    /// # Errors
    /// The folder was deleted or replaced.
    pub fn check(&self) -> Result<(), FilesGone> {
        self.opened.check()
    }
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another process has locked it.
    #[error("{0} is used by another process")]
    Locked(PathBuf),
    /// It has no layout file.
    #[error("{0} holds no relay's data")]
    NotOurs(PathBuf),
    /// Its layout is of a newer version.
    #[error("{0} was made by a newer version of eyot-relay")]
    Newer(PathBuf),
    /// It has databases and no layout file.
    #[error("{0} has databases and no layout.json; put back the one it was made with")]
    NoLayout(PathBuf),
    /// One of its databases is missing.
    #[error("{0} is missing, though layout.json counts it; put it back")]
    Missing(PathBuf),
    /// The operating system's reason.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct LayoutFile {
    version: u32,
    shards: usize,
}

impl Layout {
    /// Locks the folder for this process. A new folder gets `shard_count` shards; an existing one
    /// keeps the shards it has.
    ///
    /// # Errors
    /// Another process has locked it, or it can't be read or written.
    pub fn lock(folder: &Path, shard_count: usize) -> Result<(Self, FolderLock), FolderError> {
        let io = |error| FolderError::Io(folder.to_owned(), error);
        fs::create_dir_all(folder).map_err(io)?;
        let lock = File::create(folder.join(LOCK_FILE)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Locked(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        match Self::read(folder) {
            Err(FolderError::NotOurs(_)) => {
                // Without its layout file a folder may seem to be new.
                if folder.join(Self::file_name(ShardId(0))).exists() {
                    return Err(FolderError::NoLayout(folder.to_owned()));
                }
                Self::make(folder, shard_count).map_err(io)?;
            }
            Err(error) => return Err(error),
            Ok(layout) => layout.check_files()?,
        }
        let opened = OpenedFile::at(&folder.join(LOCK_FILE)).map_err(io)?;
        Ok((Self::read(folder)?, FolderLock { file: lock, opened }))
    }

    /// What was in a file that is missing would be hidden behind a new one.
    ///
    /// # Errors
    /// Some databases are missing, but not all.
    fn check_files(&self) -> Result<(), FolderError> {
        let missing: Vec<_> =
            self.shards().map(|shard| self.database(shard)).filter(|file| !file.exists()).collect();
        match missing.first() {
            Some(file) if missing.len() < self.shard_count => Err(FolderError::Missing(file.clone())),
            _ => Ok(()),
        }
    }

    /// Reads the layout without a lock; a relay may be serving the folder.
    ///
    /// # Errors
    /// There is no layout in the folder, or it can't be read.
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
            (LAYOUT_VERSION, 1..=SHARDS_MAX) => Ok(Self { folder: folder.to_owned(), shard_count: shards }),
            _ => Err(FolderError::Newer(folder.to_owned())),
        }
    }

    /// Writes the layout file and renames it into place: a crash leaves the whole file, or none.
    fn make(folder: &Path, shard_count: usize) -> std::io::Result<()> {
        let layout = LayoutFile { version: LAYOUT_VERSION, shards: shard_count.clamp(1, SHARDS_MAX) };
        let unfinished = folder.join(format!("{LAYOUT_FILE}.new"));
        let mut file = File::create(&unfinished)?;
        file.write_all(serde_json::to_string(&layout)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(LAYOUT_FILE))?;
        File::open(folder)?.sync_all()
    }

    /// All shards, in the order of their numbers.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        (0..self.shard_count).map(ShardId)
    }

    /// The database file of a shard.
    pub fn database(&self, shard: ShardId) -> PathBuf {
        self.folder.join(Self::file_name(shard))
    }

    /// What that file must say of itself.
    pub fn place(&self, ShardId(shard): ShardId) -> Place {
        Place { shard, shards: self.shard_count }
    }

    fn file_name(ShardId(shard): ShardId) -> String {
        format!("shard-{shard:03}.sqlite")
    }
}

impl ShardId {
    /// Its place in a list of all shards.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The shard that holds a space, by hash of the space's name.
pub fn shard_of(space: &str, shard_count: usize) -> ShardId {
    let hash: [u8; 32] = Sha256::digest(space.as_bytes()).into();
    let number = u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes"));
    ShardId((number % shard_count as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_the_shards_it_was_made_with() {
        let folder = tempfile::tempdir().unwrap();
        let (made, lock) = Layout::lock(folder.path(), 3).unwrap();
        drop(lock);
        assert_eq!(made.shards().count(), 3);
        assert_eq!(Layout::lock(folder.path(), 8).unwrap().0, made);
    }

    #[test]
    fn only_one_process_can_lock_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (_layout, _lock) = Layout::lock(folder.path(), 1).unwrap();
        assert!(matches!(Layout::lock(folder.path(), 1), Err(FolderError::Locked(_))));
        assert!(Layout::read(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_of_which_a_part_is_missing_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, lock) = Layout::lock(folder.path(), 2).unwrap();
        drop(lock);
        let files: Vec<_> = layout.shards().map(|shard| layout.database(shard)).collect();
        fs::write(&files[0], "").unwrap();
        assert!(
            matches!(Layout::lock(folder.path(), 2), Err(FolderError::Missing(file)) if file == files[1])
        );
        fs::write(&files[1], "").unwrap();
        assert!(Layout::lock(folder.path(), 2).is_ok());
        fs::remove_file(folder.path().join(LAYOUT_FILE)).unwrap();
        assert!(matches!(Layout::lock(folder.path(), 2), Err(FolderError::NoLayout(_))));
    }

    #[test]
    fn a_lock_notices_that_its_folder_was_deleted_or_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let (_layout, lock) = Layout::lock(&folder, 1).unwrap();
        assert_eq!(lock.check(), Ok(()));
        fs::rename(&folder, parent.path().join("away")).unwrap();
        assert!(lock.check().is_err());
        let (_layout, _lock) = Layout::lock(&folder, 1).unwrap();
        assert!(lock.check().is_err());
    }

    #[test]
    fn spaces_stay_in_their_shards() {
        // Existing folders depend on these numbers: they may never change.
        assert_eq!(["", "team", "public/a"].map(|space| shard_of(space, 8).index()), [4, 5, 1]);
    }
}
