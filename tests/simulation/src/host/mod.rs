//! Hosts: they run machines, carry out their effects, and connect them.

pub mod access;
pub mod actors;
pub mod effects;
pub mod introductions;
pub mod links;
pub mod meetings;
pub mod network;
pub mod processes;
mod receipts;
pub mod sleep;
