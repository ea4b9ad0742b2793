//! Keys and tokens of every kind, valid and invalid.

use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use eyot_core::base::time::Millis;
use eyot_core::wire::access::{Claims, Refusal, Right};
use eyot_core::wire::close::CloseCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::key::{Key, parse, parse_secret};
use super::token::{CLOCK_SKEW, verify};

const NOW: Millis = 1_700_000_000_000;

/// Signs tokens, and knows its key as a JWK.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(algorithm: Algorithm, key: EncodingKey, id: &str) -> Self {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(id);
        Self { algorithm, key, jwk }
    }

    fn ed25519(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Self::new(Algorithm::EdDSA, EncodingKey::from_ed_der(pair.as_ref()), id)
    }

    fn p256(id: &str) -> Self {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::new(Algorithm::ES256, EncodingKey::from_ec_der(pair.as_ref()), id)
    }

    fn secret(secret: &[u8], id: &str) -> Self {
        Self::new(Algorithm::HS256, EncodingKey::from_secret(secret), id)
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
    }

    fn sign_as(&self, id: &str, claims: &Value) -> String {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }

    fn keys(&self) -> Vec<Key> {
        parse(&self.jwk.to_string()).unwrap()
    }
}

fn good() -> Value {
    json!({ "sub": "ada", "exp": NOW / 1000 + 60, "spaces": { "team": "write", "public/*": "read" } })
}

fn check(keys: &[Key], token: &str) -> Result<Claims, Refusal> {
    verify(keys, token, NOW).map(|verified| verified.claims)
}

fn reason(keys: &[Key], token: &str) -> String {
    let refusal = check(keys, token).unwrap_err();
    assert_eq!(refusal.code, CloseCode::Denied);
    refusal.reason
}

#[test]
fn a_token_signed_by_a_key_of_any_kind_says_what_its_bearer_may() {
    for signer in [Signer::ed25519("a"), Signer::p256("b"), Signer::secret(&[7; 32], "c")] {
        let claims = check(&signer.keys(), &signer.sign(&good())).unwrap();
        assert_eq!(claims.subject, "ada");
        assert_eq!(claims.expires_at, Some(NOW + 60_000 + CLOCK_SKEW));
        assert_eq!(claims.right_in("team"), Some(Right::Write));
        assert_eq!(claims.right_in("public/a"), Some(Right::Read));
        assert_eq!(claims.right_in("other"), None);
        assert!(!claims.is_relay);
    }
}

#[test]
fn a_relay_s_token_says_so() {
    let signer = Signer::ed25519("a");
    let mut claims = good();
    claims["relay"] = json!(true);
    assert!(check(&signer.keys(), &signer.sign(&claims)).unwrap().is_relay);
}

#[test]
fn a_token_that_another_key_signed_is_refused() {
    for (ours, other) in [
        (Signer::ed25519("a"), Signer::ed25519("a")),
        (Signer::p256("a"), Signer::p256("a")),
        (Signer::secret(&[1; 32], "a"), Signer::secret(&[2; 32], "a")),
    ] {
        let said = "the token was not signed by a key of this relay";
        assert_eq!(reason(&ours.keys(), &other.sign(&good())), said);
    }
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let signer = Signer::ed25519("a");
    let (token, other) = (signer.sign(&good()), signer.sign(&json!({ "sub": "eve" })));
    let parts: Vec<_> = token.split('.').zip(other.split('.')).collect();
    let mixed = [parts[0].0, parts[1].1, parts[2].0].join(".");
    assert_eq!(reason(&signer.keys(), &mixed), "the token was not signed by a key of this relay");
    let unsigned = [parts[0].0, parts[1].0, ""].join(".");
    assert_eq!(reason(&signer.keys(), &unsigned), "the token was not signed by a key of this relay");
}

#[test]
fn a_token_without_a_signature_is_refused_whatever_it_calls_that() {
    let signer = Signer::ed25519("a");
    let token = signer.sign(&good());
    let payload = token.split('.').nth(1).unwrap();
    // {"alg":"none"}, {"alg":"None","typ":"JWT"} and {}.
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0", "e30"] {
        let said = "the token's algorithm is not accepted here";
        assert_eq!(reason(&signer.keys(), &format!("{header}.{payload}.")), said);
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // Whoever knows the public key signs with it as if it were a secret.
    for signer in [Signer::ed25519("a"), Signer::p256("a")] {
        let jwk: Jwk = serde_json::from_value(signer.jwk.clone()).unwrap();
        let public = DecodingKey::from_jwk(&jwk).unwrap().try_get_as_bytes().unwrap().to_vec();
        for bytes in [public, signer.jwk.to_string().into_bytes()] {
            let forger = Signer::secret(&bytes, "a");
            let said = "the token's algorithm is not accepted here";
            assert_eq!(reason(&signer.keys(), &forger.sign(&good())), said);
            assert_eq!(reason(&signer.keys(), &forger.sign_as("a", &good())), said);
        }
    }
}

#[test]
fn a_token_of_another_time_is_refused() {
    let signer = Signer::p256("a");
    let at = |claim: &str, seconds: i64| {
        let mut claims = good();
        claims[claim] = json!(NOW as i64 / 1000 + seconds);
        check(&signer.keys(), &signer.sign(&claims))
    };
    assert!(at("exp", -4).is_ok());
    assert_eq!(at("exp", -5).unwrap_err(), Refusal::expired("the token has expired"));
    assert!(at("nbf", 5).is_ok());
    assert_eq!(at("nbf", 6).unwrap_err(), Refusal::denied("the token is not valid yet"));
}

#[test]
fn a_token_that_says_too_little_or_the_wrong_is_refused() {
    let signer = Signer::ed25519("a");
    let without = |claim: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(claim);
        reason(&signer.keys(), &signer.sign(&claims))
    };
    assert_eq!(without("sub"), "the token says no subject");
    assert_eq!(without("exp"), "the token says no time of expiry");
    assert_eq!(without("spaces"), "the token says no spaces");
    let with = |claim: &str, value: Value| {
        let mut claims = good();
        claims[claim] = value;
        reason(&signer.keys(), &signer.sign(&claims))
    };
    assert_eq!(with("sub", json!(7)), "the token is malformed");
    assert_eq!(with("sub", json!("")), "the token says no subject");
    for relay in [json!("true"), json!(1), json!(null)] {
        assert_eq!(with("relay", relay), "the token is malformed");
    }
    assert_eq!(with("exp", json!("tomorrow")), "the token is malformed");
    assert_eq!(with("spaces", json!(["team"])), "the token is malformed");
    let said = "the token says a right that is neither read nor write";
    assert_eq!(with("spaces", json!({ "team": "admin" })), said);
}

/// Claims whose JSON has a member twice.
struct Twice(&'static str);

impl serde::Serialize for Twice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = good();
        let again = (self.0, &claims[self.0]);
        let members = claims.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value));
        serializer.collect_map([again].into_iter().chain(members))
    }
}

#[test]
fn a_token_that_says_something_twice_is_refused() {
    let signer = Signer::ed25519("a");
    for claim in ["sub", "exp", "spaces"] {
        let token = encode(&Header::new(signer.algorithm), &Twice(claim), &signer.key).unwrap();
        assert_eq!(reason(&signer.keys(), &token), "the token is malformed");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let signer = Signer::ed25519("a");
    for garbage in ["", ".", "..", "...", "a.b.c", "\u{0}", "!!!.???.***", &"x".repeat(8_000)] {
        assert_eq!(reason(&signer.keys(), garbage), "the token is malformed", "{garbage:?}");
    }
    // A header that is JSON and names what must be understood.
    let header = Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(signer.algorithm) };
    let token = encode(&header, &good(), &signer.key).unwrap();
    let said = "the token asks for what is not understood here";
    assert_eq!(reason(&signer.keys(), &token), said);
}

#[test]
fn among_several_keys_the_named_one_counts_and_without_a_name_each() {
    let signers: BTreeMap<_, _> = ["a", "b"].map(|id| (id, Signer::ed25519(id))).into();
    let set = json!({ "keys": signers.values().map(|signer| &signer.jwk).collect::<Vec<_>>() });
    let array = set["keys"].clone();
    for file in [set, array] {
        let keys = parse(&file.to_string()).unwrap();
        for signer in signers.values() {
            assert!(check(&keys, &signer.sign(&good())).is_ok());
        }
        assert!(check(&keys, &signers["a"].sign_as("a", &good())).is_ok());
        let said = "the token was not signed by a key of this relay";
        assert_eq!(reason(&keys, &signers["a"].sign_as("b", &good())), said);
        assert_eq!(reason(&keys, &signers["a"].sign_as("c", &good())), said);
    }
}

#[test]
fn a_file_of_keys_holds_jwks_and_nothing_else() {
    let rsa = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
    let ed = Signer::ed25519("a").jwk;
    assert_eq!(parse(&json!({ "keys": [rsa.clone(), ed.clone()] }).to_string()).unwrap().len(), 1);
    let short = Signer::secret(b"short", "a").jwk;
    let mut other_algorithm = Signer::p256("a").jwk;
    other_algorithm["alg"] = json!("ES384");
    let mut other_use = Signer::p256("a").jwk;
    other_use["use"] = json!("enc");
    let mut private = ed.clone();
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let not_json = "keys are given as JSON: a JWK, an array of JWKs or a JWK set; \
                    a shared secret has a flag of its own, --jwt-secret";
    for (file, reason) in [
        ("", "the file is empty"),
        (" \n ", "the file is empty"),
        ("0123456789abcdef0123456789abcdef", not_json),
        ("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", not_json),
        ("https://login.example/.well-known/jwks.json", "this is an address; save what is there as the file"),
        (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtcgHmQrfpW5uOv3QVhhoeP9s8nnJxQyNmGGCDhAwmW ada",
            "keys are given as JWK, not in the form of OpenSSH",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "keys are given as JWK, not as PEM",
        ),
        (&json!(ed.to_string()).to_string(), "the JSON is in quotes, so it is a text and not a key"),
        (&format!("\u{feff}{ed}"), "the file begins with a byte-order mark; save it without one"),
        (&private.to_string(), "this is a private key; a relay is given the public one"),
        (&json!([private]).to_string(), "this is a private key; a relay is given the public one"),
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrf", "not JSON: "),
        ("{\"keys\":{}}", "`keys` is not an array"),
        ("[]", "there is no key in the file"),
        ("{}", "keys are Ed25519, P-256 or secrets"),
        (&rsa.to_string(), "keys are Ed25519, P-256 or secrets"),
        (&short.to_string(), "a secret has at least 32 bytes"),
        (&other_algorithm.to_string(), "a key's `alg` does not fit its type"),
        (&other_use.to_string(), "a key's `use` is not `sig`"),
    ] {
        let refused = parse(file).expect_err(file);
        assert!(refused.starts_with(reason), "{file}: {refused}");
    }
}

#[test]
fn a_secret_is_long_and_no_public_key() {
    let secret = "0123456789abcdef0123456789abcdef";
    let signer = Signer::secret(secret.as_bytes(), "a");
    assert!(check(&[parse_secret(secret).unwrap()], &signer.sign(&good())).is_ok());
    let ed = Signer::ed25519("a").jwk.to_string();
    let looks_public = "this looks like a key that everybody may know; keys are given with --jwt-key";
    for (file, reason) in [
        ("", "a secret has at least 32 bytes"),
        ("0123456789abcdef0123456789abcde", "a secret has at least 32 bytes"),
        (&ed, looks_public),
        (&format!("\u{feff}{ed}"), looks_public),
        (&json!(ed).to_string(), looks_public),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtcgHmQrfpW5uOv3QVhhoeP9s8nnJxQyNmGGCDhAwmW", looks_public),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiM=", looks_public),
        ("https://login.example/.well-known/jwks.json", looks_public),
    ] {
        assert_eq!(parse_secret(file).unwrap_err(), reason, "{file}");
    }
}
