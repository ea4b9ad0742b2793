//! A document that is open, or being read.

use crate::document::document::Document;
use crate::document::value::Value;
use crate::replica::waits::WaitId;

#[derive(Clone)]
pub(super) struct Open {
    pub document: Document,
    pub phase: Phase,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// Its commits are being read.
    Loading {
        /// How many of the document's commits have been read.
        read: usize,
        /// Whom to tell when it is open: those who asked for it by its id.
        waits: Vec<WaitId>,
        /// The same: those who asked for it by its name.
        named_waits: Vec<WaitId>,
        /// How it begins, where it was opened by its name.
        named: Option<Named>,
    },
    Ready,
}

/// A named document, as the application asked for it.
#[derive(Clone)]
pub(super) struct Named {
    pub name: String,
    pub generation: u64,
    pub initial: Value,
}

impl Open {
    pub fn new(document: Document, phase: Phase) -> Self {
        Self { document, phase }
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }
}
