//! A document that is open, or being read.

use crate::document::document::Document;
use crate::document::value::Value;
use crate::replica::waits::WaitId;

#[derive(Clone)]
pub(super) struct Open {
    pub document: Document,
    pub phase: Phase,
    /// Whether the application has it open, and not only wants its value.
    pub is_shown: bool,
    /// The position that the view of it in storage is of, or will be.
    pub viewed_at: Option<u64>,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// Its commits are being read.
    Loading {
        /// The document's commits before this log seq have been read.
        next: u64,
        /// Whom to tell when it is open: those who asked for it by its id.
        waits: Vec<WaitId>,
        /// The same: those who asked for it by its name.
        named_waits: Vec<WaitId>,
        /// Whom to tell its value.
        peeks: Vec<WaitId>,
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
        Self { document, phase, is_shown: true, viewed_at: None }
    }

    /// It has all that the log has of it.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// And the application has it open.
    pub fn is_usable(&self) -> bool {
        self.is_ready() && self.is_shown
    }
}
