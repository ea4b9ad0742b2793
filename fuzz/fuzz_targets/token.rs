//! Files of keys, and tokens, at the native relay.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use jsonwebtoken::{EncodingKey, Header, encode};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

#[allow(dead_code)]
#[path = "../../crate/relay/src/access/key.rs"]
mod key;
#[allow(dead_code)]
#[path = "../../crate/relay/src/access/token.rs"]
mod token;

const NOW: u64 = 1_700_000_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// The secret as a JWK.
const FILE: &str = r#"{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}"#;
static KEYS: LazyLock<Vec<key::Key>> = LazyLock::new(|| key::parse(FILE).unwrap());

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    File(&'a str),
    Token(&'a str),
    /// Signed by the right key.
    Payload(&'a str),
}

fuzz_target!(|input: Input| match input {
    Input::File(text) => drop(key::parse(text)),
    Input::Token(token) => {
        assert!(token::verify(&KEYS, token, NOW).is_err(), "nobody can sign without the secret");
    }
    Input::Payload(json) => {
        let Ok(payload) = serde_json::from_str::<Value>(json) else { return };
        let token = encode(&Header::default(), &payload, &EncodingKey::from_secret(SECRET)).unwrap();
        if let Ok(verified) = token::verify(&KEYS, &token, NOW) {
            assert!(!verified.facts.subject.is_empty());
            assert!(verified.claims.expires_at.is_some_and(|at| at > NOW));
        }
    }
});
