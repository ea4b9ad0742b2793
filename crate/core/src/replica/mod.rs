//! The replica: a holder that can open documents and write.

mod announced;
mod calls;
pub mod dialer;
mod documents;
mod edits;
pub mod event;
mod follow;
mod inquiries;
pub mod io;
mod loading;
mod meetings;
mod open;
mod own_commits;
mod own_presence;
mod own_tips;
pub mod peers;
pub mod placement;
mod presence;
mod reading;
mod receipts;
mod regions;
pub mod replica;
mod round_trips;
mod said;
pub mod status;
pub mod tabs;
pub mod waits;
