//! How a connection's task and a shard name the same link.

use eyot_core::base::id::LinkId;

/// One core relay loaded for a space. A space that is unloaded and loaded again gets a new one.
/// Unique within a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub u64);

/// Who opened a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkOrigin {
    /// Another holder opened it. It stays open while its space is unloaded.
    Accepted,
    /// This machine asked to dial it. It ends with the machine.
    Dialled(MachineId),
}

/// Names a link of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey {
    /// Who opened it.
    pub origin: LinkOrigin,
    /// Unique among the accepted links of this process, or among the links of one machine. The core
    /// numbers what it dials from a range of its own, so the two never collide within a space.
    pub id: LinkId,
}
