//! The kinds of items.

/// The first kind that belongs to no document.
pub const KINDS_OF_SPACE: u8 = 64;

/// The kinds of items that this version knows. Kinds it does not know are kept and sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One Automerge change whose actor is the commit's author.
    Change,
    /// Automerge changes of any actor, one chunk after the other.
    Import,
    /// The deterministic beginning of a named document.
    Genesis,
    /// The document is deleted, for good. No bytes.
    Delete,
}

impl Kind {
    const ALL: [Self; 4] = [Kind::Change, Kind::Import, Kind::Genesis, Kind::Delete];

    /// The number in a header.
    pub fn number(self) -> u8 {
        match self {
            Kind::Change => 1,
            Kind::Import => 2,
            Kind::Genesis => 3,
            Kind::Delete => 4,
        }
    }

    /// The kind of that number, if this version knows it.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}
