//! Keys that sign tokens, parsed from JWKs, or from a secret that was called one.

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

/// Parses a JWK, an array of JWKs, or a JWK set. Nothing else is a key: whatever else is in a file may
/// be known to everybody, and must not become a secret by which tokens are signed.
pub(super) fn parse(text: &str) -> Result<Vec<Key>, String> {
    let text = text.trim();
    let json: Value = match text.chars().next() {
        None => return Err("the file is empty".to_owned()),
        Some('{' | '[') => serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?,
        Some(_) => return Err(no_json(text).to_owned()),
    };
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
        let is_private = jwk.get("d").is_some();
        if is_private {
            return Err("this is a private key; a relay is given the public one".to_owned());
        }
        match key(jwk) {
            Ok(key) => keys.push(key),
            Err(error) => reason = error,
        }
    }
    if keys.is_empty() { Err(reason) } else { Ok(keys) }
}

fn no_json(text: &str) -> &'static str {
    match text {
        _ if text.starts_with('\u{feff}') => "the file begins with a byte-order mark; save it without one",
        _ if text.starts_with("-----") => "keys are given as JWK, not as PEM",
        _ if text.starts_with("ssh-") || text.starts_with("ecdsa-") => {
            "keys are given as JWK, not in the form of OpenSSH"
        }
        _ if is_address(text) => "this is an address; save what is there as the file",
        _ if text.starts_with('"') => "the JSON is in quotes, so it is a text and not a key",
        _ => {
            "keys are given as JSON: a JWK, an array of JWKs or a JWK set; \
             a shared secret has a flag of its own, --jwt-secret"
        }
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Parses the secret that is shared with whoever signs tokens.
pub(super) fn parse_secret(text: &str) -> Result<Key, String> {
    let text = text.trim();
    let begins = ["{", "[", "\"", "\u{feff}", "-----", "ssh-", "ecdsa-"];
    if begins.iter().any(|begin| text.starts_with(begin)) || is_address(text) {
        return Err("this looks like a key that everybody may know; keys are given with --jwt-key".to_owned());
    }
    secret(text.as_bytes())
}

fn secret(bytes: &[u8]) -> Result<Key, String> {
    if bytes.len() < SECRET_BYTES_MIN {
        return Err(format!("a secret has at least {SECRET_BYTES_MIN} bytes"));
    }
    Ok(Key { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(bytes) })
}

fn key(jwk: Value) -> Result<Key, String> {
    if jwk.get("use").is_some_and(|of| of != "sig") {
        return Err("a key's `use` is not `sig`".to_owned());
    }
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
