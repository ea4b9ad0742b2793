//! Links between replicas, with no relay.

mod full_disk;
mod liars;
mod links;
mod presence;
mod prices;
mod receipts;
mod redundancy;
mod world;
