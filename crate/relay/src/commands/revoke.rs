//! `revoke`: ends the access that tokens give before they expire. A relay that is serving sees it by itself.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::flags::Revoke;
use super::visible::visible;
use crate::access::{Revoked, RevokedError};
use crate::base::now;
use crate::storage::{FolderError, Layout};

/// The file in a relay's folder, where no other one is named.
pub const REVOKED_FILE: &str = "revoked.json";

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The folder is no relay's.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The file can't be used.
    #[error(transparent)]
    File(#[from] RevokedError),
    /// The operating system's reason.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Adds to the file, and says what counts no more.
///
/// # Errors
/// The file can't be read or written.
pub fn revoke(flags: &Revoke) -> Result<(), RevokeError> {
    let path = match (&flags.file, &flags.data) {
        (Some(file), _) => file.clone(),
        (None, data) => {
            let data = data.clone().unwrap_or_default();
            Layout::read(&data)?;
            data.join(REVOKED_FILE)
        }
    };
    // Two at once must not undo each other.
    let lock = File::create(PathBuf::from(format!("{}.lock", path.display())))?;
    lock.lock()?;
    let mut revoked = Revoked::read(&path)?;
    // Tokens say when they were issued in whole seconds: those of this second count no more, either.
    let before = flags.before.unwrap_or(now() / 1000 + 1);
    flags.subjects.iter().for_each(|subject| revoked.revoke_subject(subject, before));
    flags.tokens.iter().for_each(|id| revoked.revoke_token(id));
    revoked.write(&path)?;
    let mut out = io::stdout().lock();
    for subject in &flags.subjects {
        writeln!(out, "tokens of {} that were issued before {before} count no more", visible(subject))?;
    }
    for id in &flags.tokens {
        writeln!(out, "the token {} counts no more", visible(id))?;
    }
    Ok(())
}
