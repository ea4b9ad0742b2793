//! CBOR in and out of byte vectors.

use minicbor::data::Type;
use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Decoder, Encode};

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

/// Every map's keys are below this.
const FIELDS_MAX: usize = 24;

/// A map with numbers as keys, taken apart. Unknown keys are skipped. What `minicbor` derives for a struct in its place is
/// several times as much code, twice.
pub(crate) struct Fields<'b> {
    values: [Option<&'b [u8]>; FIELDS_MAX],
}

impl<'b> Fields<'b> {
    #[inline(never)]
    pub fn read(d: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        let mut values = [None; FIELDS_MAX];
        let mut left = d.map()?;
        loop {
            match &mut left {
                Some(0) => return Ok(Self { values }),
                Some(left) => *left -= 1,
                None if d.datatype()? == Type::Break => {
                    d.skip()?;
                    return Ok(Self { values });
                }
                None => {}
            }
            let key = d.i64()?;
            let from = d.position();
            d.skip()?;
            if let Some(value) = usize::try_from(key).ok().and_then(|key| values.get_mut(key)) {
                *value = d.input().get(from..d.position());
            }
        }
    }

    /// The value of a key. None where it is another than it should be, or absent although it must not be.
    #[inline(never)]
    pub fn get<T: Decode<'b, ()>>(&self, key: usize) -> Option<T> {
        match self.values[key] {
            Some(bytes) => Decoder::new(bytes).decode().ok(),
            None => T::nil(),
        }
    }

    /// The value of a key that may be absent.
    #[inline(never)]
    pub fn get_or_default<T: Decode<'b, ()> + Default>(&self, key: usize) -> Option<T> {
        self.values[key].map_or_else(|| Some(T::default()), |bytes| Decoder::new(bytes).decode().ok())
    }
}

/// Reads a struct that is written as a map: of each field its key, and what it is where it is
/// absent, if it may be.
macro_rules! decode_map {
    ($type:ident { $($field:ident: $key:literal $($default:ident)?),* $(,)? }) => {
        impl<'b, C> minicbor::Decode<'b, C> for $type {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                fn of(fields: &$crate::base::cbor::Fields<'_>) -> Option<$type> {
                    Some($type { $($field: decode_map!(@get fields $key $($default)?)),* })
                }
                of(&$crate::base::cbor::Fields::read(d)?)
                    .ok_or_else(|| minicbor::decode::Error::message("a field is absent or another than it should be"))
            }
        }
    };
    (@get $fields:ident $key:literal) => { $fields.get($key)? };
    (@get $fields:ident $key:literal default) => { $fields.get_or_default($key)? };
    (@get $fields:ident $key:literal or_true) => { $fields.get::<Option<bool>>($key)?.unwrap_or(true) };
}
pub(crate) use decode_map;
