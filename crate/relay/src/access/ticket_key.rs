//! The key with which this relay signs tickets, by which replicas link to each other, and what is published of it.
//!
//! It is kept as a JWK, the form in which a Worker is given the same key: relays of several regions may share one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The file in the folder of a relay that was given none.
const FILE: &str = "ticket-key.json";
const SEED_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// An Ed25519 key.
pub struct TicketKey {
    pair: Ed25519KeyPair,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("{0}: {1}")]
pub struct TicketKeyError(PathBuf, String);

// Written by hand to keep the key itself out of logs.
impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("TicketKey").finish_non_exhaustive()
    }
}

impl TicketKey {
    /// The key in this file.
    ///
    /// # Errors
    /// There is none.
    pub fn open(file: &Path) -> Result<Self, TicketKeyError> {
        let fail = |reason: String| TicketKeyError(file.to_owned(), reason);
        let text = fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
        let jwk: Value = serde_json::from_str(&text).map_err(|error| fail(format!("not JSON: {error}")))?;
        Self::read(&jwk).map_err(fail)
    }

    /// The key that is kept in a relay's folder. A new folder gets one.
    ///
    /// # Errors
    /// It can't be read or written.
    pub fn of_folder(folder: &Path) -> Result<Self, TicketKeyError> {
        let file = folder.join(FILE);
        match make(&file) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(TicketKeyError(file, error.to_string()))
            }
            _ => Self::open(&file),
        }
    }

    fn read(jwk: &Value) -> Result<Self, String> {
        if jwk.get("kty") != Some(&json!("OKP")) || jwk.get("crv") != Some(&json!("Ed25519")) {
            return Err("tickets are signed with a private Ed25519 key, as JWK".to_owned());
        }
        let bytes = |name: &str| -> Result<Vec<u8>, String> {
            let text =
                jwk.get(name).and_then(Value::as_str).ok_or_else(|| format!("the key has no `{name}`"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|error| format!("`{name}` of the key: {error}"))
        };
        let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes("d")?, &bytes("x")?);
        Ok(Self { pair: pair.map_err(|_| "`d` and `x` are not of one key".to_owned())? })
    }

    /// The signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let signature = self.pair.sign(bytes);
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    /// What replicas are told of it: a JWK set.
    pub fn published(&self) -> Value {
        json!({ "keys": [jwk_of(&self.pair)] })
    }
}

fn jwk_of(pair: &Ed25519KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": "EdDSA" })
}

/// Makes a key and writes it, unless there is one.
fn make(file: &Path) -> io::Result<()> {
    if file.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut seed = [0; SEED_BYTES];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(io::Error::other)?;
    let mut jwk = jwk_of(&pair);
    jwk["d"] = json!(URL_SAFE_NO_PAD.encode(seed));
    // A key that was written in part would be none for ever.
    let part = file.with_extension("part");
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    to.write_all(format!("{jwk}\n").as_bytes())?;
    to.sync_all()?;
    fs::rename(&part, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_keeps_its_key_which_only_its_owner_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let made = TicketKey::of_folder(folder.path()).unwrap();
        let kept = TicketKey::of_folder(folder.path()).unwrap();
        assert_eq!(made.published(), kept.published());
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_it_signs_can_be_checked_with_what_is_published_and_that_holds_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let key = TicketKey::of_folder(folder.path()).unwrap();
        let published = key.published();
        let jwk = &published["keys"][0];
        assert_eq!(jwk.get("d"), None);
        let public = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public);
        assert!(public.verify(b"ticket", &key.sign(b"ticket")).is_ok());
        assert!(public.verify(b"other", &key.sign(b"ticket")).is_err());
    }

    #[test]
    fn what_is_no_private_key_is_refused_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let refused = |text: &str| {
            fs::write(&file, text).unwrap();
            TicketKey::open(&file).unwrap_err().to_string()
        };
        assert!(refused("no").contains("not JSON"));
        assert!(refused(r#"{ "kty": "oct" }"#).contains("private Ed25519 key"));
        assert!(refused(r#"{ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }"#).contains("no `d`"));
        let other = r#"{ "kty": "OKP", "crv": "Ed25519", "d": "AAAA", "x": "AAAA" }"#;
        assert!(refused(other).contains("not of one key"));
    }
}
