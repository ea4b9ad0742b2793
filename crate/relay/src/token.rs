//! Tokens: JWTs that one of the relay's keys has signed. What their claims allow is the core's to
//! say, see [`eyot_core::access`].
//!
//! A key is good for one algorithm, its own: what a token says of itself only has to fit.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::{fs, io};

use eyot_core::Millis;
use eyot_core::access::{Claims, Refusal, Right};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use crate::setup::now;

/// How far clocks may be apart.
const SKEW: Millis = 5_000;
/// The shortest secret, and the shortest that HS256 allows.
const SECRET_BYTES_MIN: usize = 32;

/// The keys in a file, which can be read again.
#[derive(Debug)]
pub struct Keys {
    file: PathBuf,
    keys: RwLock<Vec<Key>>,
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a file gives no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The operating system's reason.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// What the file holds.
    #[error("{0}: {1}")]
    Invalid(PathBuf, String),
}

/// What a token says. Whatever else it says is not looked at.
#[derive(Deserialize)]
struct Said {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    spaces: Option<serde_json::Map<String, Value>>,
    #[serde(default)]
    relay: bool,
}

impl Keys {
    /// Reads them.
    ///
    /// # Errors
    /// The file can't be read, or holds no key.
    pub fn read(file: &Path) -> Result<Self, KeysError> {
        Ok(Self { file: file.to_owned(), keys: RwLock::new(read(file)?) })
    }

    /// Reads them again; on an error those that were read before stay.
    ///
    /// # Errors
    /// The file can't be read, or holds no key.
    pub fn reload(&self) -> Result<usize, KeysError> {
        let keys = read(&self.file)?;
        let count = keys.len();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// What a token says, if it is good.
    ///
    /// # Errors
    /// Why it is not.
    pub fn judge(&self, token: Option<&str>) -> Result<Claims, Refusal> {
        let token = token.ok_or_else(|| Refusal::denied("a token is needed"))?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        claims(verified(&keys, token)?, now())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn verified(keys: &[Key], token: &str) -> Result<Said, Refusal> {
    let malformed = || Refusal::denied("the token is malformed");
    let header = decode_header(token).map_err(|error| match error.kind() {
        // It names no algorithm that there is: `none` is no algorithm.
        ErrorKind::Json(error) if error.is_data() => unaccepted(),
        _ => malformed(),
    })?;
    if header.crit.is_some() {
        return Err(Refusal::denied("the token asks for what is not understood here"));
    }
    let mut fitting = keys.iter().filter(|key| key.algorithm == header.alg).peekable();
    if fitting.peek().is_none() {
        return Err(unaccepted());
    }
    let is_named = |key: &Key| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
    for Key { algorithm, key, .. } in fitting.filter(|key| is_named(key)) {
        // Time is looked at below, with the core's clock.
        let mut validation = Validation::new(*algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        match decode::<Said>(token, key, &validation) {
            Ok(token) => return Ok(token.claims),
            Err(error) => match error.kind() {
                ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => return Err(malformed()),
                _ => {}
            },
        }
    }
    Err(Refusal::denied("the token was not signed by a key of this relay"))
}

fn unaccepted() -> Refusal {
    Refusal::denied("the token's algorithm is not accepted here")
}

fn claims(said: Said, now: Millis) -> Result<Claims, Refusal> {
    let subject = said.sub.ok_or_else(|| Refusal::denied("the token says no subject"))?;
    let expires_at = said.exp.ok_or_else(|| Refusal::denied("the token says no time of expiry"))?;
    let expires_at = millis(expires_at).saturating_add(SKEW);
    if expires_at <= now {
        return Err(Refusal::expired("the token has expired"));
    }
    if said.nbf.is_some_and(|nbf| millis(nbf) > now + SKEW) {
        return Err(Refusal::denied("the token is not valid yet"));
    }
    let spaces = said.spaces.ok_or_else(|| Refusal::denied("the token says no spaces"))?;
    let right = |(space, right): (String, Value)| match right.as_str() {
        Some("read") => Ok((space, Right::Read)),
        Some("write") => Ok((space, Right::Write)),
        _ => Err(Refusal::denied("the token says a right that is neither read nor write")),
    };
    let spaces = spaces.into_iter().map(right).collect::<Result<_, _>>()?;
    Ok(Claims { subject, spaces, expires_at: Some(expires_at), is_relay: said.relay })
}

/// Of the seconds that tokens tell time in.
fn millis(seconds: f64) -> Millis {
    // Out of range is the nearest end of it, and what is no number is long ago.
    (seconds * 1000.0) as Millis
}

fn read(file: &Path) -> Result<Vec<Key>, KeysError> {
    let text = fs::read_to_string(file).map_err(|error| KeysError::Io(file.to_owned(), error))?;
    parse(text.trim()).map_err(|reason| KeysError::Invalid(file.to_owned(), reason))
}

/// A JWK, an array or a set of them, or a secret.
fn parse(text: &str) -> Result<Vec<Key>, String> {
    // What was meant to be a public key must never become a secret, for everybody knows it.
    if text.starts_with("-----") {
        return Err("keys are given as JWK, not as PEM".to_owned());
    }
    if !text.starts_with(['{', '[']) {
        return secret(text.as_bytes()).map(|key| vec![key]);
    }
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let all = match json {
        Value::Array(keys) => keys,
        Value::Object(mut set) => match set.remove("keys") {
            Some(Value::Array(keys)) => keys,
            Some(_) => return Err("`keys` is no array".to_owned()),
            None => vec![Value::Object(set)],
        },
        _ => Vec::new(),
    };
    // A set may have keys for others too.
    let mut keys = Vec::new();
    let mut reason = "there is no key in it".to_owned();
    for jwk in all {
        match key(jwk) {
            Ok(key) => keys.push(key),
            Err(error) => reason = error,
        }
    }
    if keys.is_empty() { Err(reason) } else { Ok(keys) }
}

fn secret(bytes: &[u8]) -> Result<Key, String> {
    if bytes.len() < SECRET_BYTES_MIN {
        return Err(format!("a secret has at least {SECRET_BYTES_MIN} bytes"));
    }
    Ok(Key { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(bytes) })
}

fn key(jwk: Value) -> Result<Key, String> {
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|error| error.to_string())?;
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKey(_) => (Algorithm::HS256, KeyAlgorithm::HS256),
        _ => return Err("keys are Ed25519, P-256 or secrets".to_owned()),
    };
    if jwk.common.key_algorithm.is_some_and(|given| given != named) {
        return Err("a key's `alg` is not what it is used for".to_owned());
    }
    let id = jwk.common.key_id.clone();
    let key = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
    match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => {
            let bytes = key.try_get_as_bytes().map_err(|error| error.to_string())?;
            Ok(Key { id, ..secret(bytes)? })
        }
        _ => Ok(Key { id, algorithm, key }),
    }
}

#[cfg(test)]
mod tests;
