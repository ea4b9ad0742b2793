//! Verifies tokens, which are JWTs.
//!
//! The algorithm is the key's, never the token's choice: a token that names another one is refused.

use eyot_core::base::time::Millis;
use eyot_core::wire::access::{Claims, Refusal, Right};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::key::Key;

/// How far apart the clocks of this host and the signer may be.
pub(super) const CLOCK_SKEW: Millis = 5_000;

/// What a token says, once it is verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it allows.
    pub claims: Claims,
    /// By what it can be revoked.
    pub facts: TokenFacts,
}

/// By what a token can be revoked.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenFacts {
    /// Whose it is.
    pub subject: String,
    /// When it was issued, in seconds since 1970, if it says so.
    pub issued_at: Option<f64>,
    /// Its `jti`.
    pub id: Option<String>,
}

/// The payload of a token. Other fields are ignored.
#[derive(Deserialize)]
struct Payload {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
    spaces: Option<serde_json::Map<String, Value>>,
    #[serde(default)]
    relay: bool,
}

/// What a token says that one of the keys has signed and that is valid at `now`.
///
/// # Errors
/// Why the token is refused.
pub(super) fn verify(keys: &[Key], token: &str, now: Millis) -> Result<Verified, Refusal> {
    verified(signed_payload(keys, token)?, now)
}

fn signed_payload(keys: &[Key], token: &str) -> Result<Payload, Refusal> {
    let malformed = || Refusal::denied("the token is malformed");
    let header = decode_header(token).map_err(|error| match error.kind() {
        // The header is JSON, but its `alg` is unknown to the library: `none`, for example.
        ErrorKind::Json(error) if error.is_data() => algorithm_refused(),
        _ => malformed(),
    })?;
    // `crit` lists extensions that a verifier must understand. None is understood here.
    if header.crit.is_some() {
        return Err(Refusal::denied("the token asks for what is not understood here"));
    }
    let mut usable = keys.iter().filter(|key| key.algorithm == header.alg).peekable();
    if usable.peek().is_none() {
        return Err(algorithm_refused());
    }
    let may_be_meant = |key: &Key| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
    for Key { algorithm, key, .. } in usable.filter(|key| may_be_meant(key)) {
        // Times are checked in `verified`, against a clock that tests can set.
        let mut validation = Validation::new(*algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        match decode::<Payload>(token, key, &validation) {
            Ok(token) => return Ok(token.claims),
            Err(error) => match error.kind() {
                ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => return Err(malformed()),
                _ => {}
            },
        }
    }
    Err(Refusal::denied("the token was not signed by a key of this relay"))
}

fn algorithm_refused() -> Refusal {
    Refusal::denied("the token's algorithm is not accepted here")
}

fn verified(payload: Payload, now: Millis) -> Result<Verified, Refusal> {
    let subject = payload
        .sub
        .filter(|subject| !subject.is_empty())
        .ok_or_else(|| Refusal::denied("the token says no subject"))?;
    let expires_at = payload.exp.ok_or_else(|| Refusal::denied("the token says no time of expiry"))?;
    let expires_at = millis(expires_at).saturating_add(CLOCK_SKEW);
    if expires_at <= now {
        return Err(Refusal::expired("the token has expired"));
    }
    if payload.nbf.is_some_and(|nbf| millis(nbf) > now + CLOCK_SKEW) {
        return Err(Refusal::denied("the token is not valid yet"));
    }
    let spaces = payload.spaces.ok_or_else(|| Refusal::denied("the token says no spaces"))?;
    let right = |(space, right): (String, Value)| match right.as_str() {
        Some("read") => Ok((space, Right::Read)),
        Some("write") => Ok((space, Right::Write)),
        _ => Err(Refusal::denied("the token says a right that is neither read nor write")),
    };
    let spaces = spaces.into_iter().map(right).collect::<Result<_, _>>()?;
    let facts = TokenFacts { subject: subject.clone(), issued_at: payload.iat, id: payload.jti };
    let claims = Claims { subject, spaces, expires_at: Some(expires_at), is_relay: payload.relay };
    Ok(Verified { claims, facts })
}

/// Converts a time of a token, which is in seconds and may have a fraction.
fn millis(seconds: f64) -> Millis {
    // The cast saturates: negative numbers become 0, too large ones the maximum, and NaN 0.
    (seconds * 1000.0) as Millis
}
