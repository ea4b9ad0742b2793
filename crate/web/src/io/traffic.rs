//! The bytes of frames that came and went on a link.

use std::cell::Cell;

#[derive(Default)]
pub struct Traffic {
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
}

impl Traffic {
    pub fn came(&self, frame: &[u8]) {
        self.bytes_in.set(self.bytes_in.get() + frame.len() as u64);
    }

    pub fn went(&self, frame: &[u8]) {
        self.bytes_out.set(self.bytes_out.get() + frame.len() as u64);
    }

    /// In and out.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.get(), self.bytes_out.get())
    }
}
