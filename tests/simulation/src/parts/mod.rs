//! The parts of a world: disks, processes, connections, paths, tokens, and what is remembered of
//! them. Plain values, which do not know the world that they are in.

pub mod causality;
pub mod connection;
pub mod disk;
pub mod history;
pub mod paths;
pub mod process;
pub mod shown;
pub mod spent;
pub mod tokens;
