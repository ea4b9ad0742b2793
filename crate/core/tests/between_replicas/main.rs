//! Links between replicas, with no relay.

mod links;
mod presence;
mod prices;
mod redundancy;
mod world;
