//! `repair`: rebuilds damaged databases without the spaces that can't be read.

use std::io::{self, Write};
use std::path::PathBuf;

use super::flags::Repair;
use super::visible::visible;
use crate::storage::{FolderError, Layout, OpenError, Rebuilt, rebuild};

/// Why a folder can't be repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A database can't be read or written.
    #[error("{0}: {1}")]
    Database(PathBuf, OpenError),
    /// Standard output can't be written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Repairs what is damaged and says what that was.
///
/// # Errors
/// A relay serves the folder, or a database can't be repaired.
pub fn repair(flags: &Repair) -> Result<(), RepairError> {
    // Where there is no relay's data, none is to be made.
    let shards = Layout::read(&flags.data)?.shards().count();
    let (layout, _lock) = Layout::lock(&flags.data, shards)?;
    let mut out = io::stdout().lock();
    let mut is_sound = true;
    for shard in layout.shards() {
        let file = layout.database(shard);
        if !file.exists() {
            continue;
        }
        let rebuilt = rebuild(&file, layout.place(shard), &flags.leave_out);
        let Some(rebuilt) = rebuilt.map_err(|error| RepairError::Database(file.clone(), error))? else {
            continue;
        };
        is_sound = false;
        let Rebuilt { kept, unreadable, left_out, old } = rebuilt;
        for (space, reason) in &unreadable {
            writeln!(out, "{}: can't be read and is left out: {reason}", visible(space))?;
        }
        for space in &left_out {
            writeln!(out, "{}: left out", visible(space))?;
        }
        let all = kept.len() + unreadable.len() + left_out.len();
        let (file, old) = (file.display(), old.display());
        writeln!(out, "{file}: {} of {all} spaces kept; the old database is {old}", kept.len())?;
    }
    if is_sound {
        writeln!(out, "nothing is damaged")?;
    }
    Ok(())
}
