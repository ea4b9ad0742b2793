//! Links between replicas, with no relay.

mod liars;
mod links;
mod prices;
mod redundancy;
mod world;
