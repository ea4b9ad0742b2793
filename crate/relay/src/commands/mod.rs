//! The commands of the binary, one file each, and their flags.

mod flags;
mod inspect;
mod repair;
mod revoke;
mod serve;
mod visible;

pub use flags::{Command, Flags, LogFormat};
pub use inspect::inspect;
pub use repair::repair;
pub use revoke::revoke;
pub use serve::serve;
