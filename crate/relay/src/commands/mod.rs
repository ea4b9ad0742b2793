//! The commands of the binary, one file each, and their flags.

mod flags;
mod inspect;
mod serve;

pub use flags::{Command, Flags, LogFormat};
pub use inspect::inspect;
pub use serve::serve;
