//! Scripted actors: peers that speak the frames of the link protocol and keep none of its promises.
//! An actor is a plain value that is told what comes in and says what it does.

pub mod actor;
pub mod forks;
pub mod husks;
pub mod liars;
pub mod noise;
pub mod receipts;
