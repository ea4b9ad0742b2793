//! Reading and writing numbers of the LEB128 kind, seven bits a byte, least significant first, as
//! Automerge writes them too. A number has one encoding: a longer one is refused.

/// Bytes end too early, or a number is not in its shortest encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad;

/// What is left to be read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Bad> {
        let (first, rest) = self.rest.split_first().ok_or(Bad)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Bad)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Bad)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned number.
    pub(crate) fn number(&mut self) -> Result<u64, Bad> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Bad);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Bad) } else { Ok(value) };
            }
        }
        Err(Bad)
    }

    /// A signed number.
    #[cfg(feature = "documents")]
    pub(crate) fn signed(&mut self) -> Result<i64, Bad> {
        let bytes = self.number_bytes()?;
        let (last, before) = bytes.split_last().ok_or(Bad)?;
        let mut value = 0i64;
        for (i, byte) in bytes.iter().enumerate() {
            value |= i64::from(byte & 0x7f) << (7 * i);
        }
        let bits = 7 * bytes.len();
        if bits < 64 {
            value = value << (64 - bits) >> (64 - bits);
        } else if !matches!(last, 0 | 0x7f) {
            return Err(Bad);
        }
        // The last byte must say more than the sign, which the sixth bit of the one before says too.
        let is_needless = before.last().is_some_and(|before| match last {
            0 => before & 0x40 == 0,
            0x7f => before & 0x40 != 0,
            _ => false,
        });
        if is_needless { Err(Bad) } else { Ok(value) }
    }

    /// A count or length of what is yet to be read.
    pub(crate) fn count(&mut self) -> Result<usize, Bad> {
        usize::try_from(self.number()?).map_err(|_| Bad)
    }

    /// A length, and so many bytes.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.count()?;
        self.take(len)
    }

    /// A length and so many bytes, and the bytes of the length with them.
    #[cfg(feature = "documents")]
    pub(crate) fn prefixed_with_length(&mut self) -> Result<&'a [u8], Bad> {
        let mut ahead = *self;
        ahead.prefixed()?;
        self.take(self.rest.len() - ahead.rest.len())
    }

    /// All that is left, so that nothing is.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// The bytes of a number, signed or not, whose value does not matter: up to and with the first one
    /// whose highest bit is clear.
    #[cfg(feature = "documents")]
    pub(crate) fn number_bytes(&mut self) -> Result<&'a [u8], Bad> {
        let last = self.rest.iter().take(NUMBER_BYTES_MAX).position(|byte| byte & 0x80 == 0).ok_or(Bad)?;
        self.take(last + 1)
    }
}

/// The bytes of the longest number of 64 bits.
#[cfg(feature = "documents")]
const NUMBER_BYTES_MAX: usize = 10;

pub(crate) fn write_number(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// A signed number that is not negative.
#[cfg(feature = "documents")]
pub(crate) fn write_signed(mut value: u64, to: &mut Vec<u8>) {
    // The sixth bit of the last byte is the sign.
    while value >= 0x40 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

pub(crate) fn write_prefixed(bytes: &[u8], to: &mut Vec<u8>) {
    write_number(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law: a number reads back as it was written, and no other bytes read as it.
    #[test]
    #[cfg(feature = "documents")]
    fn a_signed_number_reads_back_and_has_one_encoding() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, -8192, 1 << 40, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            let mut rest = value;
            loop {
                let byte = (rest & 0x7f) as u8;
                rest >>= 7;
                let is_last = rest == if byte & 0x40 == 0 { 0 } else { -1 };
                bytes.push(if is_last { byte } else { byte | 0x80 });
                if is_last {
                    break;
                }
            }
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.signed(), Ok(value));
            assert!(reader.is_empty());
            let last = bytes.pop().unwrap();
            bytes.extend([last | 0x80, if value < 0 { 0x7f } else { 0 }]);
            assert_eq!(Reader::new(&bytes).signed(), Err(Bad), "{value} in one byte more");
        }
    }

    /// The same of numbers without a sign.
    #[test]
    fn a_number_has_one_encoding() {
        for value in [0, 1, 63, 64, 127, 128, 300, 1 << 32, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            write_number(value, &mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.number(), Ok(value));
            assert!(reader.is_empty());
            let last = bytes.pop().unwrap();
            bytes.extend([last | 0x80, 0]);
            assert_eq!(Reader::new(&bytes).number(), Err(Bad), "{value} in one byte more");
        }
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(Reader::new(&too_large).number(), Err(Bad));
        assert_eq!(Reader::new(&[0x80; 20]).number(), Err(Bad));
        #[cfg(feature = "documents")]
        assert_eq!(Reader::new(&[0x80; 20]).number_bytes().map(<[u8]>::len), Err(Bad));
    }
}
