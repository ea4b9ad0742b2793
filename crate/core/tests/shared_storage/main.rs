//! Several processes on one storage, and storage that fails.

mod descriptors;
mod processes;
mod world;
