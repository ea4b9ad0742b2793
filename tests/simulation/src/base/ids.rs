//! Names of what is in a world.

/// A process: a machine as a host runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub u64);

/// A connection between two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Where a disk's processes are dialled.
pub fn address(disk: usize) -> String {
    format!("disk-{disk}")
}

/// The disk of an address.
pub fn disk_at(url: &str) -> Option<usize> {
    url.strip_prefix("disk-")?.parse().ok()
}
