//! Links between replicas, with no relay.

mod links;
mod prices;
mod redundancy;
mod world;
