//! Tokens that count no more although they have not expired: a file that names subjects and tokens.
//!
//! The file is looked at while the relay runs, so whoever writes it (`eyot-relay revoke`, or a deployment that
//! gives the same file to several relays) need tell nobody. A file that can't be used changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use eyot_core::wire::access::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::token::TokenFacts;

/// The largest file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What counts no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// By subject: tokens that were issued before this time, in seconds since 1970, or do not say when.
    #[serde(default)]
    subjects: BTreeMap<String, u64>,
    /// Tokens by their `jti`.
    #[serde(default)]
    tokens: BTreeSet<String>,
}

/// The file, and what it said last.
#[derive(Debug)]
pub struct RevokedFile {
    path: PathBuf,
    revoked: RwLock<Arc<Revoked>>,
    /// Which file was read last; none where there was none.
    seen: Mutex<Option<Stamp>>,
    changed: watch::Sender<()>,
}

/// Tells one state of a file from another.
type Stamp = (u64, u64, Option<SystemTime>);

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokedError {
    /// The operating system's reason.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The content is something else.
    #[error("{0}: not a file of what is revoked: {1}")]
    Invalid(PathBuf, String),
}

impl Revoked {
    /// Reads a file; nothing is revoked where there is none.
    ///
    /// # Errors
    /// It can't be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, RevokedError> {
        let io = |error| RevokedError::Io(path.to_owned(), error);
        let invalid = |reason| RevokedError::Invalid(path.to_owned(), reason);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(io(error)),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(invalid(format!("more than {FILE_BYTES_MAX} bytes")));
        }
        let read = || serde_json::from_value(Value::Object(serde_json::from_str(&text)?));
        read().map_err(|error: serde_json::Error| invalid(error.to_string()))
    }

    /// Writes the file and renames it into place: a crash leaves the old one or the new one.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, path: &Path) -> Result<(), RevokedError> {
        let write = || {
            let unfinished = PathBuf::from(format!("{}.new", path.display()));
            let mut file = File::create(&unfinished)?;
            file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(|error| RevokedError::Io(path.to_owned(), error))
    }

    /// Tokens of this subject that were issued before this time, in seconds, count no more.
    pub fn revoke_subject(&mut self, subject: &str, before: u64) {
        let known = self.subjects.entry(subject.to_owned()).or_default();
        *known = before.max(*known);
    }

    /// This token counts no more.
    pub fn revoke_token(&mut self, id: &str) {
        self.tokens.insert(id.to_owned());
    }

    /// # Errors
    /// A token of these facts counts no more.
    pub(super) fn check(&self, facts: &TokenFacts) -> Result<(), Refusal> {
        let is_early = |before: &u64| facts.issued_at.is_none_or(|issued_at| issued_at < *before as f64);
        let is_revoked = self.subjects.get(&facts.subject).is_some_and(is_early)
            || facts.id.as_ref().is_some_and(|id| self.tokens.contains(id));
        // The client asks for a fresh token, which may count again.
        if is_revoked { Err(Refusal::expired("the token was revoked")) } else { Ok(()) }
    }
}

impl RevokedFile {
    /// Reads the file; nothing is revoked where there is none.
    ///
    /// # Errors
    /// It can't be read, or holds something else.
    pub fn open(path: &Path) -> Result<Self, RevokedError> {
        let seen = stamp(path);
        let revoked = RwLock::new(Arc::new(Revoked::read(path)?));
        Ok(Self { path: path.to_owned(), revoked, seen: Mutex::new(seen), changed: watch::channel(()).0 })
    }

    /// Reads the file again where it is another one. Whether it was. On an error, or where it is gone, what
    /// it said before still counts.
    ///
    /// # Errors
    /// It can't be read, or holds something else.
    pub fn look(&self) -> Result<bool, RevokedError> {
        let now = stamp(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        // Even where it can't be used: it is said once.
        *seen = now;
        drop(seen);
        if now.is_none() {
            return Err(RevokedError::Io(self.path.clone(), io::ErrorKind::NotFound.into()));
        }
        let revoked = Arc::new(Revoked::read(&self.path)?);
        *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = revoked;
        self.changed.send_replace(());
        Ok(true)
    }

    /// Told when something else is revoked.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// # Errors
    /// A token of these facts counts no more.
    pub fn check(&self, facts: &TokenFacts) -> Result<(), Refusal> {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).check(facts)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(subject: &str, issued_at: Option<f64>, id: Option<&str>) -> TokenFacts {
        TokenFacts { subject: subject.to_owned(), issued_at, id: id.map(str::to_owned) }
    }

    #[test]
    fn tokens_of_a_subject_count_that_were_issued_later_and_say_so() {
        let mut revoked = Revoked::default();
        revoked.revoke_subject("ada", 100);
        revoked.revoke_token("seven");
        for (facts, counts) in [
            (facts("ada", Some(99.5), None), false),
            (facts("ada", Some(100.0), None), true),
            (facts("ada", None, None), false),
            (facts("ben", None, None), true),
            (facts("ben", Some(1.0), Some("seven")), false),
            (facts("ben", Some(1.0), Some("eight")), true),
        ] {
            assert_eq!(revoked.check(&facts).is_ok(), counts, "{facts:?}");
        }
        // An earlier time gives nothing back.
        revoked.revoke_subject("ada", 50);
        assert!(revoked.check(&facts("ada", Some(99.5), None)).is_err());
    }

    #[test]
    fn a_file_that_can_not_be_used_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked.json");
        let file = RevokedFile::open(&path).unwrap();
        let ada = facts("ada", Some(1.0), None);
        assert!(file.check(&ada).is_ok());
        let mut revoked = Revoked::default();
        revoked.revoke_subject("ada", 100);
        revoked.write(&path).unwrap();
        assert!(file.look().unwrap());
        assert!(!file.look().unwrap());
        assert!(file.check(&ada).is_err());
        for wrong in ["", "[]", "{\"subject\": {}}", "{\"subjects\": {\"ada\": \"never\"}}"] {
            fs::write(&path, wrong).unwrap();
            assert!(file.look().is_err(), "{wrong}");
            assert!(RevokedFile::open(&path).is_err(), "{wrong}");
            assert!(file.check(&ada).is_err());
        }
        fs::remove_file(&path).unwrap();
        assert!(file.look().is_err());
        assert!(file.check(&ada).is_err());
    }
}
