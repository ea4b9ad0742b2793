//! Identifiers. Each is a newtype, so that one can't be taken for another.

use core::fmt;

use minicbor::decode::{Decode, Decoder, Error as DecodeError};
use minicbor::encode::{Encode, Encoder, Error as EncodeError, Write};

use crate::base::hash::{hash16, hash32};

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// From exactly this many bytes; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Lower-case hexadecimal.
            pub fn to_hex(&self) -> String {
                hex(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex(&self.0[..4]))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), EncodeError<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| DecodeError::message(concat!(stringify!($name), " has another length")))
            }
        }
    };
}

byte_id!(
    /// A document.
    DocId, 16
);
byte_id!(
    /// A process that writes; also its Automerge actor id. Fresh at every start, never stored for
    /// reuse, never shared.
    AuthorId, 16
);
byte_id!(
    /// A holder's log. Random, made anew with new storage.
    LogId, 16
);
byte_id!(
    /// A commit: the SHA-256 of its encoded header.
    CommitId, 32
);
byte_id!(
    /// The first 16 bytes of a [`CommitId`], enough to tell the branches of a fork apart, for whoever
    /// makes them on purpose too.
    ShortId, 16
);

byte_id!(
    /// A replica, as others know it that may meet it: an Ed25519 key, drawn anew by each process.
    PeerKey, 32
);

byte_id!(
    /// A replica, as it shows itself to others. Random, drawn anew by each process.
    PresenceId, 16
);

byte_id!(
    /// A question of a replica for what regions have stored. Random, drawn anew for each.
    InquiryId, 16
);

impl CommitId {
    /// The short form that `after` names.
    pub fn short(&self) -> ShortId {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0[..16]);
        ShortId(short)
    }
}

impl DocId {
    /// The id of a named document: the first 16 bytes of
    /// SHA-256("eyot named", 0, name, 0, generation as 8 bytes, most significant first).
    ///
    /// `generation` is the number of that name's documents known to be deleted.
    pub fn named(name: &str, generation: u64) -> Self {
        Self(hash16(&[b"eyot named", &[0], name.as_bytes(), &[0], &generation.to_be_bytes()]))
    }

    /// As applications know it: `automerge:` and the id in base58check.
    pub fn to_url(&self) -> String {
        let checksum = hash32(&[&hash32(&[&self.0])]);
        format!("automerge:{}", bs58::encode([&self.0, &checksum[..4]].concat()).into_string())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// The bytes of lower-case hexadecimal; none of anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<_>>().filter(|_| rest.is_empty())
}

/// One connection, numbered by whoever opened it: the core for links it dials, the host for links
/// it accepts. Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Pairs a storage answer with its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
