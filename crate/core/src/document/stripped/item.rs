//! The bytes of a stripped change. What they refer to is not looked up here.
//!
//! | part | written |
//! | --- | --- |
//! | head, 1 byte | bits 0 and 1: where the author's change before this one is (0 there is none, 1 in the commit before this one, 2 in an older commit); bit 2: dependencies follow; 3: start op; 4: other actors; 5: message; 6: extra bytes; bit 7 is for later forms |
//! | older commit | how much lower its seq is, at least 2; first 16 bytes of its id |
//! | dependencies | count, and for each a number: 0 the author's change before this one; 1 a hash, 32 bytes; 2+2i the change in the commit that `after[i]` names; 3+2i a change in an older commit of that author: how much lower its seq is, first 16 bytes of its id |
//! | start op | a number |
//! | other actors | count, and for each a number: 0 an id, with its length before; n the nth of those that are known |
//! | message, extra bytes | length, at least 1, and the bytes |
//! | columns | see [`super::layouts`] |

use super::chunk::{Columns, HASH_BYTES};
use super::layouts::{self, ColumnsError};
use super::limits::Limits;
use crate::base::id::ShortId;
use crate::base::leb128::{Bad, Reader, write_number, write_prefixed};

const CHAIN: u8 = 0b11;
const DEPS: u8 = 1 << 2;
const START_OP: u8 = 1 << 3;
const ACTORS: u8 = 1 << 4;
const MESSAGE: u8 = 1 << 5;
const EXTRA: u8 = 1 << 6;
const LATER: u8 = 1 << 7;

const DEP_LAST: u64 = 0;
const DEP_HASH: u64 = 1;
const DEP_AFTER: u64 = 2;
const ACTOR_BYTES: u64 = 0;

/// A stripped change in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) chain: Chain,
    /// None for the author's change before this one alone, or nothing where there is none.
    pub(super) deps: Option<Vec<Dep>>,
    /// None for the one after the highest of the changes it refers to.
    pub(super) start_op: Option<u64>,
    /// None for those of the author's change before this one.
    pub(super) actors: Option<Vec<Actor<'a>>>,
    /// Empty for none.
    pub(super) message: &'a [u8],
    pub(super) columns: Columns<'a>,
    pub(super) extra: &'a [u8],
}

/// Where the author's change before this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// There is none.
    First,
    /// In the commit before this one.
    Previous,
    /// In an older commit.
    Older(Older),
}

/// An older commit of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Older {
    /// How much lower its seq is.
    pub(super) by: u64,
    pub(super) short: ShortId,
}

/// A dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dep {
    /// The author's change before this one.
    Last,
    Hash([u8; HASH_BYTES]),
    /// The change in the commit that this cause names.
    After(usize),
    /// A change in an older commit of that author.
    Before(usize, Older),
}

/// An actor besides the author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor<'a> {
    /// A place in the list of those that are known, from 0.
    Known(usize),
    Bytes(&'a [u8]),
}

/// Why bytes are not a stripped change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemError {
    Bad,
    /// Of a later form.
    Later,
}

impl From<Bad> for ItemError {
    fn from(Bad: Bad) -> Self {
        Self::Bad
    }
}

impl From<ColumnsError> for ItemError {
    fn from(error: ColumnsError) -> Self {
        match error {
            ColumnsError::Bad => Self::Bad,
            ColumnsError::UnknownRow => Self::Later,
        }
    }
}

impl<'a> Item<'a> {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut to = vec![self.head()];
        if let Chain::Older(older) = self.chain {
            older.write(&mut to);
        }
        if let Some(deps) = &self.deps {
            write_number(deps.len() as u64, &mut to);
            for dep in deps {
                dep.write(&mut to);
            }
        }
        if let Some(start_op) = self.start_op {
            write_number(start_op, &mut to);
        }
        if let Some(actors) = &self.actors {
            write_number(actors.len() as u64, &mut to);
            for actor in actors {
                match actor {
                    Actor::Known(index) => write_number(*index as u64 + 1, &mut to),
                    Actor::Bytes(bytes) => {
                        write_number(ACTOR_BYTES, &mut to);
                        write_prefixed(bytes, &mut to);
                    }
                }
            }
        }
        for bytes in [self.message, self.extra] {
            if !bytes.is_empty() {
                write_prefixed(bytes, &mut to);
            }
        }
        layouts::write(&self.columns, &mut to);
        to
    }

    fn head(&self) -> u8 {
        let chain = match self.chain {
            Chain::First => 0,
            Chain::Previous => 1,
            Chain::Older(_) => 2,
        };
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        chain
            | flag(self.deps.is_some(), DEPS)
            | flag(self.start_op.is_some(), START_OP)
            | flag(self.actors.is_some(), ACTORS)
            | flag(!self.message.is_empty(), MESSAGE)
            | flag(!self.extra.is_empty(), EXTRA)
    }

    pub(super) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, ItemError> {
        let mut reader = Reader::new(bytes);
        let head = reader.byte()?;
        if head & LATER != 0 || head & CHAIN == CHAIN {
            return Err(ItemError::Later);
        }
        let has = |flag| head & flag != 0;
        let chain = match head & CHAIN {
            0 => Chain::First,
            1 => Chain::Previous,
            _ => Chain::Older(Older::read(&mut reader, 2)?),
        };
        let deps = if has(DEPS) {
            let count = at_most(reader.count()?, limits.dependencies_max)?;
            Some((0..count).map(|_| Dep::read(&mut reader)).collect::<Result<_, _>>()?)
        } else {
            None
        };
        let start_op = if has(START_OP) { Some(reader.number()?) } else { None };
        let actors = if has(ACTORS) {
            let count = at_most(reader.count()?, limits.other_actors_max)?;
            Some((0..count).map(|_| Actor::read(&mut reader)).collect::<Result<_, _>>()?)
        } else {
            None
        };
        let mut optional = |flag| if has(flag) { not_empty(reader.prefixed()?) } else { Ok(&[][..]) };
        let (message, extra) = (optional(MESSAGE)?, optional(EXTRA)?);
        let columns = layouts::read(&mut reader, limits.columns_max)?;
        Ok(Self { chain, deps, start_op, actors, message, columns, extra })
    }
}

impl Older {
    fn write(self, to: &mut Vec<u8>) {
        write_number(self.by, to);
        to.extend_from_slice(&self.short.0);
    }

    fn read(reader: &mut Reader<'_>, least: u64) -> Result<Self, Bad> {
        let by = reader.number()?;
        if by < least {
            return Err(Bad);
        }
        Ok(Self { by, short: ShortId(reader.array()?) })
    }
}

impl Dep {
    fn write(self, to: &mut Vec<u8>) {
        match self {
            Self::Last => write_number(DEP_LAST, to),
            Self::Hash(hash) => {
                write_number(DEP_HASH, to);
                to.extend_from_slice(&hash);
            }
            Self::After(index) => write_number(DEP_AFTER + 2 * index as u64, to),
            Self::Before(index, older) => {
                write_number(DEP_AFTER + 2 * index as u64 + 1, to);
                older.write(to);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Bad> {
        let number = reader.number()?;
        let index = usize::try_from(number.saturating_sub(DEP_AFTER) / 2).map_err(|_| Bad)?;
        match number {
            DEP_LAST => Ok(Self::Last),
            DEP_HASH => Ok(Self::Hash(reader.array()?)),
            _ if number % 2 == 0 => Ok(Self::After(index)),
            _ => Ok(Self::Before(index, Older::read(reader, 1)?)),
        }
    }
}

impl<'a> Actor<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Bad> {
        match reader.count()? {
            0 => Ok(Self::Bytes(reader.prefixed()?)),
            number => Ok(Self::Known(number - 1)),
        }
    }
}

fn at_most(count: usize, most: usize) -> Result<usize, Bad> {
    if count <= most { Ok(count) } else { Err(Bad) }
}

fn not_empty(bytes: &[u8]) -> Result<&[u8], Bad> {
    if bytes.is_empty() { Err(Bad) } else { Ok(bytes) }
}
