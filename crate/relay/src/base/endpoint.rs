//! The WebSocket endpoint of a space: what the server and the dialling side must agree on.

/// WebSocket subprotocol of the link protocol.
pub const SUBPROTOCOL: &str = "eyot.v1";

/// Begins a second subprotocol that offers the token.
pub const TOKEN_PREFIX: &str = "eyot.token.";
/// Text message that asks the other host for a [`PONG`]. The core sees neither.
pub const PING: &str = "ping";
/// Answer to a [`PING`].
pub const PONG: &str = "pong";
/// Close reason for any other text message.
pub const TEXT_REFUSED: &str = "text is not spoken here, only binary frames";

/// The URL of a space at the relay with this base URL.
pub fn space_url(relay: &str, space: &str) -> String {
    format!("{}/v1/{}", relay.trim_end_matches('/'), percent_encode(space))
}

/// Encodes like JavaScript's `encodeURIComponent`, which clients use.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => encoded.push(byte.into()),
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Decodes like JavaScript's `decodeURIComponent`. None if the result is not valid UTF-8, or if an
/// escape is incomplete.
pub fn percent_decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_name_survives_encoding_and_decoding() {
        for space in ["team", "public/a b", "100 %", "größe 🏝"] {
            assert_eq!(percent_decode(&percent_encode(space)).as_deref(), Some(space));
        }
        assert_eq!(space_url("ws://eu.example/", "a/b c"), "ws://eu.example/v1/a%2Fb%20c");
    }
}
