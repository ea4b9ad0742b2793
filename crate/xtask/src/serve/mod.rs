//! What serves until it is told to stop: one relay on `workerd`, and the demo.

pub mod demo;
pub mod workerd;

mod control;
mod distance;
mod regions;
mod service;
