//! A document that is open, or being read.

use crate::document::document::{Document, Source};
use crate::document::genesis::{self, Genesis};
use crate::document::value::{Patch, Value};
use crate::replica::waits::WaitId;

#[derive(Clone)]
pub(super) struct Open {
    pub document: Document,
    /// Genesis changes that are not in the log yet.
    pub unlogged: Option<Genesis>,
    pub phase: Phase,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// Its commits are being read.
    Loading {
        /// How many of the document's commits have been read.
        read: usize,
        /// Whom to tell when it is open.
        waits: Vec<WaitId>,
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
        Self { document, unlogged: None, phase }
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// The document's name, while its genesis is not in the log.
    pub fn unlogged_name(&self) -> Option<&str> {
        self.unlogged.as_ref().map(|genesis| genesis.name.as_str())
    }

    /// These genesis changes are in the log.
    pub fn genesis_logged(&mut self, genesis: &Genesis) {
        if let Some(unlogged) = &mut self.unlogged {
            unlogged.changes.retain(|change| !genesis.changes.contains(change));
            if unlogged.changes.is_empty() {
                self.unlogged = None;
            }
        }
    }

    /// Makes what of a named document's beginning nothing held has touched. It goes into the log
    /// with the first edit.
    pub fn begin(&mut self, named: Named, is_held: bool) -> Vec<Patch> {
        let Named { name, generation, initial } = named;
        let Ok(changes) = genesis::changes(&name, &initial, self.document.automerge()) else {
            return Vec::new();
        };
        if changes.is_empty() && is_held {
            return Vec::new();
        }
        let applied = self.document.apply(changes.iter().map(|c| (Source::Genesis, c.as_slice())));
        let unlogged = self.unlogged.get_or_insert(Genesis { name, generation, changes: Vec::new() });
        unlogged.changes.extend(changes.into_iter().map(Into::into));
        applied.patches
    }
}
