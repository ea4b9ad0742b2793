//! What a replica and a relay have in common.

pub mod access;
pub mod answers;
pub mod caps;
pub mod disk;
pub mod frames;
pub mod greeting;
pub mod holder;
pub mod intake;
pub mod io;
pub mod quota;
pub mod records;
pub mod scrub;
pub mod sending;
pub mod time;
pub mod waiting;
pub mod work;
