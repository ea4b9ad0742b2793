//! What happens at a moment.

use eyot_core::base::id::{LinkId, PeerKey};

use crate::base::ids::{ConnectionId, ProcessId};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A message arrives at an end of a connection.
    Deliver(ConnectionId, usize),
    Connect(ConnectionId),
    /// Whoever is still there learns that a connection is gone.
    Expire(ConnectionId),
    Disk(usize),
    /// A disk tells what it has read a while ago.
    ToldLate(usize),
    Timer(ProcessId, u64),
    Start(usize),
    /// A relay that can't go on is stopped and started by its host.
    Restart(ProcessId),
    /// A relay's host looks whether it has done nothing since.
    Doze(ProcessId, u64),
    /// A relay is taken out of memory, whatever it is at.
    Evict(ProcessId),
    Probed(ProcessId, String, bool),
    Authorized {
        process: ProcessId,
        life: u64,
        link: LinkId,
        token: Option<String>,
    },
    /// A replica lets relays tell others of it.
    Announce(ProcessId),
    /// A relay's host has signed something, or can't.
    Signed(ProcessId, u64, Vec<u8>),
    /// A replica's host has found that a relay has signed a receipt.
    Receipt(ProcessId, Vec<u8>),
    /// A replica says something to another by way of relays.
    Signal(ProcessId, PeerKey, String),
    /// The application gives a replica a fresh token.
    Renew(ProcessId),
    Act,
    /// So many things are done in a row.
    Burst(u64),
    /// It is an actor's turn.
    ActorActs(ProcessId),
    Fault,
    /// Two replicas are introduced, or part.
    Meet,
    Watch,
    /// A replica shows something else of itself.
    Show,
}
