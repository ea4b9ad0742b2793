//! What every command stands on: where things are, programs that are run, what a machine lacks.

pub mod run;
pub mod setup;
pub mod workspace;
