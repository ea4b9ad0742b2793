//! The file that keys come from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use eyot_core::wire::access::Refusal;

use super::key::{Key, parse, parse_secret};
use super::token::{Verified, verify};
use crate::base::now;

/// The largest file of keys.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileContent {
    /// JWKs.
    Keys,
    /// A secret that is shared with whoever signs tokens.
    Secret,
}

/// The keys in a file, which can be read again while the relay runs.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    content: KeyFileContent,
    keys: RwLock<Vec<Key>>,
}

/// Why a file gives no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The operating system's reason.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The content is neither a key nor a list of keys.
    #[error("{0}: {1}")]
    Invalid(PathBuf, String),
}

impl KeyFile {
    /// Reads the keys.
    ///
    /// # Errors
    /// The file can't be read, or holds no key.
    pub fn open(path: &Path, content: KeyFileContent) -> Result<Self, KeyFileError> {
        let keys = RwLock::new(read(path, content)?);
        Ok(Self { path: path.to_owned(), content, keys })
    }

    /// Reads the file again and returns the number of keys. On an error the old keys stay in use.
    ///
    /// # Errors
    /// The file can't be read, or holds no key.
    pub fn reload(&self) -> Result<usize, KeyFileError> {
        let keys = read(&self.path, self.content)?;
        let count = keys.len();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// Verifies a token and returns what it says.
    ///
    /// # Errors
    /// There is no token, or it is not valid now.
    pub fn verify(&self, token: Option<&str>) -> Result<Verified, Refusal> {
        let token = token.ok_or_else(|| Refusal::denied("a token is needed"))?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        verify(&keys, token, now())
    }
}

fn read(path: &Path, content: KeyFileContent) -> Result<Vec<Key>, KeyFileError> {
    let io = |error| KeyFileError::Io(path.to_owned(), error);
    let mut text = String::new();
    // Some files never end.
    let file = File::open(path).map_err(io)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
    let parsed = match content {
        _ if text.len() as u64 > FILE_BYTES_MAX => Err(format!("more than {FILE_BYTES_MAX} bytes")),
        KeyFileContent::Keys => parse(&text),
        KeyFileContent::Secret => parse_secret(&text).map(|key| vec![key]),
    };
    parsed.map_err(|reason| KeyFileError::Invalid(path.to_owned(), reason))
}
