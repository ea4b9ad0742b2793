//! Files of keys, and tokens, at the native relay.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
mod access {
    use std::sync::LazyLock;

    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::Value;

    #[path = "../../../crate/relay/src/access/key.rs"]
    mod key;
    #[path = "../../../crate/relay/src/access/token.rs"]
    mod token;

    const NOW: u64 = 1_700_000_000_000;
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    static KEYS: LazyLock<Vec<key::Key>> = LazyLock::new(|| key::parse(SECRET).unwrap());

    pub fn file(text: &str) {
        let _ = key::parse(text);
    }

    /// Nobody can sign without the secret.
    pub fn forged(token: &str) {
        assert!(token::verify(&KEYS, token, NOW).is_err());
    }

    /// Signed by the right key.
    pub fn payload(json: &str) {
        let Ok(payload) = serde_json::from_str::<Value>(json) else { return };
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&Header::default(), &payload, &key).unwrap();
        if let Ok(claims) = token::verify(&KEYS, &token, NOW) {
            assert!(!claims.subject.is_empty());
            assert!(claims.expires_at.is_some_and(|at| at > NOW));
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    File(&'a str),
    Token(&'a str),
    Payload(&'a str),
}

fuzz_target!(|input: Input| match input {
    Input::File(text) => access::file(text),
    Input::Token(token) => access::forged(token),
    Input::Payload(json) => access::payload(json),
});
