//! CBOR in and out of byte vectors.

use minicbor::{Decode, Encode};

/// Bytes are not the CBOR of what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CborError(pub String);

/// Encodes a value that can always be encoded.
pub(crate) fn to_cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to a Vec does not fail")
}

/// Decodes all of these bytes.
pub(crate) fn from_cbor<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, CborError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| CborError(error.to_string()))?;
    if decoder.position() == bytes.len() { Ok(value) } else { Err(CborError("bytes after the end".into())) }
}
