//! The relay's access policy, and the file that its keys come from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fs, io};

use eyot_core::wire::access::{Claims, Refusal};

use super::key::{Key, parse};
use super::token::verify;
use crate::base::now;

/// Who may connect to spaces.
#[derive(Clone, Debug)]
pub enum AccessPolicy {
    /// Everybody, with every right.
    Open,
    /// Holders of a token that one of these keys has signed.
    Keys(Arc<KeyFile>),
}

/// The keys in a file, which can be read again while the relay runs.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
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
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self { path: path.to_owned(), keys: RwLock::new(read(path)?) })
    }

    /// Reads the file again and returns the number of keys. On an error the old keys stay in use.
    ///
    /// # Errors
    /// The file can't be read, or holds no key.
    pub fn reload(&self) -> Result<usize, KeyFileError> {
        let keys = read(&self.path)?;
        let count = keys.len();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// Verifies a token and returns its claims.
    ///
    /// # Errors
    /// There is no token, or it is not valid now.
    pub fn verify(&self, token: Option<&str>) -> Result<Claims, Refusal> {
        let token = token.ok_or_else(|| Refusal::denied("a token is needed"))?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        verify(&keys, token, now())
    }
}

fn read(path: &Path) -> Result<Vec<Key>, KeyFileError> {
    let text = fs::read_to_string(path).map_err(|error| KeyFileError::Io(path.to_owned(), error))?;
    parse(text.trim()).map_err(|reason| KeyFileError::Invalid(path.to_owned(), reason))
}
