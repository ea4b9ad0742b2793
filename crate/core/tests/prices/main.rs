//! Every frame that a peer can send has a price, from readers as from writers.

mod common;
mod frames;
mod host;
mod links;
mod meetings;
mod outgoing;
mod presence;
mod questions;
mod receipts;
mod vectors;
mod waiting;
