//! What the relay counts and measures.

mod gauges;
mod registry;

pub use gauges::{RegionGauges, SpaceGauges};
pub use registry::{CONTENT_TYPE, Metrics};
