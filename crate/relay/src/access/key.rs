//! Keys that sign tokens, parsed from JWKs or from a secret.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// The shortest secret that HS256 allows (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// A key with the one algorithm that it may be used for.
#[derive(Clone)]
pub(super) struct Key {
    /// `kid` of the JWK.
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

// Written by hand to keep the key itself out of logs.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Parses a JWK, an array of JWKs, a JWK set, or a secret as plain text.
pub(super) fn parse(text: &str) -> Result<Vec<Key>, String> {
    // A PEM public key must not be taken for a plain-text secret: anybody could sign with it then.
    if text.starts_with("-----") {
        return Err("keys are given as JWK, not as PEM".to_owned());
    }
    if !text.starts_with(['{', '[']) {
        return secret(text.as_bytes()).map(|key| vec![key]);
    }
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let jwks = match json {
        Value::Array(keys) => keys,
        Value::Object(mut set) => match set.remove("keys") {
            Some(Value::Array(keys)) => keys,
            Some(_) => return Err("`keys` is not an array".to_owned()),
            None => vec![Value::Object(set)],
        },
        _ => Vec::new(),
    };
    // A set may have keys of other kinds too. They are skipped; one that can be used is enough.
    let mut keys = Vec::new();
    let mut reason = "there is no key in the file".to_owned();
    for jwk in jwks {
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
        return Err("a key's `alg` does not fit its type".to_owned());
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
