//! An Automerge change as Automerge writes it, in its parts. Columns are not looked into.
//!
//! A chunk is: magic (4 bytes), checksum (the first 4 bytes of the SHA-256 of all that follows), type
//! (1 byte, 1 for a change), length (LEB128), data. The data of a change: count and hashes (32 bytes
//! each) of its dependencies, actor (length and bytes), seq, start op, time (signed LEB128, seconds),
//! message (length and bytes), count of other actors and each of them (length and bytes), count of
//! columns and of each its specification and length, contents of the columns in a row, extra bytes.

use super::limits::Limits;
use crate::base::hash::hash32;
use crate::base::leb128::{Bad, Reader, write_number, write_prefixed, write_signed};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const CHANGE: u8 = 1;
/// A change's hash, in bytes.
pub(super) const HASH_BYTES: usize = 32;

/// The parts of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// As they are in the change: ascending.
    pub(super) deps: Vec<[u8; HASH_BYTES]>,
    pub(super) actor: &'a [u8],
    pub(super) seq: u64,
    pub(super) start_op: u64,
    /// Seconds since 1970.
    pub(super) time: u64,
    /// UTF-8; empty for none.
    pub(super) message: &'a [u8],
    pub(super) other_actors: Vec<&'a [u8]>,
    pub(super) columns: Columns<'a>,
    pub(super) extra: &'a [u8],
}

/// The columns of a change: of each its specification and its contents.
pub(super) type Columns<'a> = Vec<(u32, Contents<'a>)>;

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// [`ONE`] and these bytes: how Automerge writes a single number.
    One(&'a [u8]),
}

/// "One literal value follows": what Automerge writes before the number in a column of a single row.
pub(super) const ONE: u8 = 0x7f;

impl<'a> Contents<'a> {
    /// Whether they are these bytes.
    pub(super) fn is(self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(own) => own == bytes,
            Self::One(rest) => bytes.split_first() == Some((&ONE, rest)),
        }
    }

    /// What follows [`ONE`], if they begin with it.
    pub(super) fn after_one(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => bytes.strip_prefix(&[ONE]),
            Self::One(rest) => Some(rest),
        }
    }

    pub(super) fn write(self, to: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => to.extend_from_slice(bytes),
            Self::One(rest) => {
                to.push(ONE);
                to.extend_from_slice(rest);
            }
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::One(number) => 1 + number.len(),
        }
    }
}

impl<'a> Chunk<'a> {
    /// Takes a chunk apart. The checksum is not checked.
    pub(super) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, Bad> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Bad);
        }
        reader.take(CHECKSUM_BYTES)?;
        if reader.byte()? != CHANGE {
            return Err(Bad);
        }
        let mut data = Reader::new(reader.prefixed()?);
        if !reader.is_empty() {
            return Err(Bad);
        }
        let count = at_most(data.count()?, limits.dependencies_max)?;
        let deps = (0..count).map(|_| data.array()).collect::<Result<_, _>>()?;
        let actor = data.prefixed()?;
        let seq = data.number()?;
        let start_op = data.number()?;
        let time = data.number_bytes()?;
        let time = not_negative(time)?;
        let message = data.prefixed()?;
        let count = at_most(data.count()?, limits.other_actors_max)?;
        let other_actors = (0..count).map(|_| data.prefixed()).collect::<Result<_, _>>()?;
        let count = at_most(data.count()?, limits.columns_max)?;
        let columns: Vec<(u32, usize)> = (0..count)
            .map(|_| Ok((u32::try_from(data.number()?).map_err(|_| Bad)?, data.count()?)))
            .collect::<Result<_, _>>()?;
        let columns = columns
            .into_iter()
            .map(|(specification, len)| Ok((specification, Contents::Bytes(data.take(len)?))))
            .collect::<Result<_, _>>()?;
        Ok(Self { deps, actor, seq, start_op, time, message, other_actors, columns, extra: data.take_rest() })
    }

    /// Puts the chunk together, with its checksum.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.size());
        write_number(self.deps.len() as u64, &mut data);
        for dep in &self.deps {
            data.extend_from_slice(dep);
        }
        write_prefixed(self.actor, &mut data);
        write_number(self.seq, &mut data);
        write_number(self.start_op, &mut data);
        write_signed(self.time, &mut data);
        write_prefixed(self.message, &mut data);
        write_number(self.other_actors.len() as u64, &mut data);
        for actor in &self.other_actors {
            write_prefixed(actor, &mut data);
        }
        write_number(self.columns.len() as u64, &mut data);
        for (specification, contents) in &self.columns {
            write_number(u64::from(*specification), &mut data);
            write_number(contents.len() as u64, &mut data);
        }
        for (_, contents) in &self.columns {
            contents.write(&mut data);
        }
        data.extend_from_slice(self.extra);

        let mut head = vec![CHANGE];
        write_number(data.len() as u64, &mut head);
        let hash = hash32(&[&head, &data]);
        [&MAGIC, &hash[..CHECKSUM_BYTES], &head, &data].concat()
    }

    /// About how many bytes its data takes, and rather more.
    fn size(&self) -> usize {
        let actors: usize = self.other_actors.iter().map(|actor| actor.len() + 2).sum();
        let columns: usize = self.columns.iter().map(|(_, contents)| contents.len() + 6).sum();
        let deps = self.deps.len() * HASH_BYTES;
        64 + deps + self.actor.len() + self.message.len() + actors + columns + self.extra.len()
    }
}

fn at_most(count: usize, most: usize) -> Result<usize, Bad> {
    if count <= most { Ok(count) } else { Err(Bad) }
}

/// The value of a signed number that is not negative.
fn not_negative(bytes: &[u8]) -> Result<u64, Bad> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        if i == 9 && bits > 0 {
            return Err(Bad);
        }
        value |= bits << (7 * i);
    }
    let is_negative = bytes.last().is_some_and(|byte| byte & 0x40 != 0);
    if is_negative { Err(Bad) } else { Ok(value) }
}
