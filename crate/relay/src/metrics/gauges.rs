//! Gauges of spaces and regions. Nobody keeps them up to date: the shards compute them when the
//! metrics page is requested.

/// How the spaces of one shard, or of all, are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceGauges {
    /// Spaces that are loaded in memory.
    pub awake: u64,
    /// Spaces that are not loaded but have connections or a timer.
    pub asleep: u64,
    /// Other regions, as the loaded spaces see them.
    pub regions: Vec<RegionGauges>,
}

/// How replication to one other region is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionGauges {
    /// Its name.
    pub region: String,
    /// Spaces that have a link to it.
    pub linked: u64,
    /// Commits that it is not known to have, in the space with the most of them.
    pub behind: u64,
}

impl SpaceGauges {
    /// Adds the gauges of another shard.
    pub fn add(&mut self, other: SpaceGauges) {
        self.awake += other.awake;
        self.asleep += other.asleep;
        for region in other.regions {
            self.add_region(region);
        }
    }

    /// Adds what one more space reports about a region.
    pub fn add_region(&mut self, of: RegionGauges) {
        match self.regions.iter_mut().find(|known| known.region == of.region) {
            Some(known) => {
                known.linked += of.linked;
                known.behind = known.behind.max(of.behind);
            }
            None => self.regions.push(of),
        }
    }
}
