//! Links between replicas, with no relay.

mod liars;
mod links;
mod presence;
mod prices;
mod redundancy;
mod world;
