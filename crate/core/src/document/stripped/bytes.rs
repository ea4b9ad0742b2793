//! Reading and writing numbers of the LEB128 kind, seven bits a byte, least significant first, as
//! Automerge writes them too. A number has one encoding: a longer one is refused.

/// Bytes end too early, or a number is not in its shortest encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad;

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Bad> {
        let (first, rest) = self.rest.split_first().ok_or(Bad)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Bad)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Bad)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned number.
    pub(super) fn number(&mut self) -> Result<u64, Bad> {
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

    /// A count or length of what is yet to be read.
    pub(super) fn count(&mut self) -> Result<usize, Bad> {
        usize::try_from(self.number()?).map_err(|_| Bad)
    }

    /// A length, and so many bytes.
    pub(super) fn prefixed(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.count()?;
        self.take(len)
    }

    /// A length and so many bytes, and the bytes of the length with them.
    pub(super) fn prefixed_with_length(&mut self) -> Result<&'a [u8], Bad> {
        let mut ahead = *self;
        ahead.prefixed()?;
        self.take(self.rest.len() - ahead.rest.len())
    }

    /// All that is left, so that nothing is.
    pub(super) fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// The bytes of a number, signed or not, whose value does not matter: up to and with the first one
    /// whose highest bit is clear.
    pub(super) fn number_bytes(&mut self) -> Result<&'a [u8], Bad> {
        let last = self.rest.iter().take(NUMBER_BYTES_MAX).position(|byte| byte & 0x80 == 0).ok_or(Bad)?;
        self.take(last + 1)
    }
}

/// The bytes of the longest number of 64 bits.
const NUMBER_BYTES_MAX: usize = 10;

pub(super) fn write_number(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// A signed number that is not negative.
pub(super) fn write_signed(mut value: u64, to: &mut Vec<u8>) {
    // The sixth bit of the last byte is the sign.
    while value >= 0x40 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

pub(super) fn write_prefixed(bytes: &[u8], to: &mut Vec<u8>) {
    write_number(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law: a number reads back as it was written, and no other bytes read as it.
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
        assert_eq!(Reader::new(&[0x80; 20]).number_bytes().map(<[u8]>::len), Err(Bad));
    }
}
