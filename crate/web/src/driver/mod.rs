//! Runs one replica: feeds it inputs, does what it asks for, and tells the application.

pub mod driver;
mod events;
mod news;
mod peers;
pub mod promises;
mod sharing;
mod tokens;
mod turn;
