//! The columns of a change: numbers, texts and yes or no, as Automerge encodes them. Only the encoding
//! that Automerge writes is read. From another one it would make another change, with another hash.

use crate::base::leb128::{Bad, Reader};

/// What a column of runs holds.
pub(super) trait Cell<'a>: Copy + PartialEq {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Bad>;
}

impl Cell<'_> for u64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Bad> {
        reader.number()
    }
}

impl Cell<'_> for i64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Bad> {
        reader.signed()
    }
}

impl<'a> Cell<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Bad> {
        core::str::from_utf8(reader.prefixed()?).map_err(|_| Bad)
    }
}

/// A column of runs: of one value at least twice, of different ones, of nothing.
pub(super) struct Runs<'a, T> {
    reader: Reader<'a>,
    left: u64,
    run: Run<T>,
}

#[derive(Clone, Copy)]
enum Run<T> {
    Start,
    Same(T),
    /// Each value is written. With the last one.
    Different(Option<T>),
    Nothing,
}

impl<'a, T: Cell<'a>> Runs<'a, T> {
    pub fn new(column: &'a [u8]) -> Self {
        Self { reader: Reader::new(column), left: 0, run: Run::Start }
    }

    /// Whether all of it was read.
    pub fn is_empty(&self) -> bool {
        self.left == 0 && self.reader.is_empty()
    }

    /// The next cell. An empty column has nothing in every row; another one has a cell for each.
    pub fn next(&mut self) -> Result<Option<T>, Bad> {
        if self.left == 0 {
            if self.reader.is_empty() && matches!(self.run, Run::Start) {
                return Ok(None);
            }
            self.begin_run()?;
        }
        self.left -= 1;
        match self.run {
            Run::Start | Run::Nothing => Ok(None),
            Run::Same(value) => Ok(Some(value)),
            Run::Different(last) => {
                let value = T::read(&mut self.reader)?;
                if last == Some(value) {
                    return Err(Bad);
                }
                self.run = Run::Different(Some(value));
                Ok(Some(value))
            }
        }
    }

    fn begin_run(&mut self) -> Result<(), Bad> {
        let before = self.run;
        let count = self.reader.signed()?;
        self.left = count.unsigned_abs();
        self.run = match count {
            0 => {
                self.left = self.reader.number()?;
                Run::Nothing
            }
            1 => return Err(Bad),
            2.. => Run::Same(T::read(&mut self.reader)?),
            _ => {
                // What is written next must not be what came before.
                Run::Different(match before {
                    Run::Same(value) => Some(value),
                    _ => None,
                })
            }
        };
        let is_joined = match (before, self.run) {
            (Run::Nothing, Run::Nothing) | (Run::Different(_), Run::Different(_)) => true,
            (Run::Same(before) | Run::Different(Some(before)), Run::Same(value)) => before == value,
            _ => false,
        };
        if self.left == 0 || is_joined { Err(Bad) } else { Ok(()) }
    }
}

/// A column of operation numbers, each written as the difference to the one before.
pub(super) struct Deltas<'a> {
    runs: Runs<'a, i64>,
    last: i64,
}

impl<'a> Deltas<'a> {
    pub fn new(column: &'a [u8]) -> Self {
        Self { runs: Runs::new(column), last: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn next(&mut self) -> Result<Option<u32>, Bad> {
        let Some(delta) = self.runs.next()? else { return Ok(None) };
        self.last = self.last.checked_add(delta).ok_or(Bad)?;
        u32::try_from(self.last).map(Some).map_err(|_| Bad)
    }
}

/// A column of yes and no: how many times no, yes, no and so on.
pub(super) struct Flags<'a> {
    reader: Reader<'a>,
    left: u64,
    value: Option<bool>,
}

impl<'a> Flags<'a> {
    pub fn new(column: &'a [u8]) -> Self {
        Self { reader: Reader::new(column), left: 0, value: None }
    }

    pub fn is_empty(&self) -> bool {
        self.left == 0 && self.reader.is_empty()
    }

    /// The next flag. An empty column says no in every row.
    pub fn next(&mut self) -> Result<bool, Bad> {
        if self.reader.is_empty() && self.value.is_none() {
            return Ok(false);
        }
        while self.left == 0 {
            self.left = self.reader.number()?;
            // Only the first count, of no, may be 0.
            if self.left == 0 && self.value.is_some() {
                return Err(Bad);
            }
            self.value = Some(self.value == Some(false));
        }
        self.left -= 1;
        Ok(self.value == Some(true))
    }
}
