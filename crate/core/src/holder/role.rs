//! What a holder is: a replica, or the relay of a region. Each knows something of other regions.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::cbor::to_cbor;
use crate::base::id::LogId;
use crate::base::position::Marker;
use crate::holder::records::{self, Reconciled, RegionRecord};
use crate::storage::request::WriteBatch;

#[derive(Clone, Debug)]
pub(crate) enum Role {
    Replica(Regions),
    Relay(Region),
}

/// A replica: what each region has stored of its log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Regions {
    known: BTreeMap<String, RegionRecord>,
    dirty: BTreeSet<String>,
}

/// A relay: its region, and the regions that it has compared all it holds with since its log is new.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub name: String,
    /// All regions of the space, this one among them.
    pub all: Vec<String>,
    reconciled: BTreeSet<String>,
    is_dirty: bool,
}

impl Role {
    pub fn relay(name: String, all: Vec<String>) -> Self {
        Self::Relay(Region { name, all, reconciled: BTreeSet::new(), is_dirty: false })
    }

    /// A build without documents has no replicas: the compiler leaves out what is for them.
    pub fn is_relay(&self) -> bool {
        !cfg!(feature = "documents") || matches!(self, Role::Relay(_))
    }

    pub fn region(&self) -> Option<&Region> {
        match self {
            Role::Relay(region) => Some(region),
            Role::Replica(_) => None,
        }
    }

    pub fn regions(&self) -> Option<&Regions> {
        match self {
            Role::Replica(regions) => Some(regions),
            Role::Relay(_) => None,
        }
    }

    pub fn regions_mut(&mut self) -> Option<&mut Regions> {
        match self {
            Role::Replica(regions) => Some(regions),
            Role::Relay(_) => None,
        }
    }

    pub fn is_dirty(&self) -> bool {
        match self {
            Role::Replica(regions) => !regions.dirty.is_empty(),
            Role::Relay(region) => region.is_dirty,
        }
    }

    /// Writes what has changed along with a batch.
    pub fn take(&mut self, marker: &Marker, batch: &mut WriteBatch) {
        match self {
            Role::Replica(regions) => regions.take(marker.partition, batch),
            Role::Relay(region) => {
                if core::mem::take(&mut region.is_dirty) {
                    let reconciled = Reconciled { log: marker.log, with: region.reconciled.clone() };
                    batch.puts.push((records::RECONCILED_KEY.to_vec(), to_cbor(&reconciled)));
                }
            }
        }
    }
}

impl Regions {
    pub fn known(&self) -> &BTreeMap<String, RegionRecord> {
        &self.known
    }

    /// Takes in what storage holds of a region.
    pub fn load(&mut self, region: String, record: RegionRecord) {
        self.known.entry(region).or_insert(record);
    }

    /// The regions there are, as a relay knows them.
    pub fn learn(&mut self, regions: &[String]) {
        if regions.is_empty() {
            return;
        }
        let gone = self.known.keys().filter(|region| !regions.contains(region));
        for region in gone.cloned().collect::<Vec<_>>() {
            self.known.remove(&region);
            self.dirty.insert(region);
        }
        for region in regions {
            self.known.entry(region.clone()).or_insert_with(|| {
                self.dirty.insert(region.clone());
                RegionRecord::default()
            });
        }
    }

    /// A region has stored so much of this replica's log.
    pub fn stored(&mut self, region: String, log: LogId, acked: u64) {
        let known = self.known.entry(region.clone()).or_default();
        if known.log != Some(log) {
            // What its old log had stored is void.
            *known = RegionRecord { log: Some(log), acked, ..RegionRecord::default() };
        } else if known.acked >= acked {
            return;
        }
        known.acked = known.acked.max(acked);
        self.dirty.insert(region);
    }

    /// Positions after this number are others' now: what was said of them is void.
    pub fn cut(&mut self, seq: u64) {
        for (name, region) in self.known.iter_mut().filter(|(_, region)| region.acked > seq) {
            region.acked = seq;
            self.dirty.insert(name.clone());
        }
    }

    fn take(&mut self, partition: u32, batch: &mut WriteBatch) {
        for region in core::mem::take(&mut self.dirty) {
            match self.known.get_mut(&region) {
                Some(record) => {
                    record.partition = partition;
                    batch.puts.push((records::region_key(&region), to_cbor(record)));
                }
                None => batch.deletes.push(records::region_key(&region)),
            }
        }
    }
}

impl Region {
    /// Takes in what storage holds.
    pub fn load(&mut self, reconciled: Reconciled) {
        self.reconciled = reconciled.with;
    }

    pub fn is_reconciled_with(&self, region: &str) -> bool {
        self.reconciled.contains(region)
    }

    /// All that this region held when it was last linked is held here.
    pub fn reconciled_with(&mut self, region: &str) {
        self.is_dirty |= self.reconciled.insert(region.to_owned());
    }

    /// The log is another one: nothing has been compared with it.
    pub fn log_is_new(&mut self) {
        self.reconciled.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_region_has_stored_is_written_with_the_partition_of_the_log() {
        let mut role = Role::Replica(Regions::default());
        let known = role.regions_mut().expect("a replica's");
        known.stored("eu".into(), LogId([1; 16]), 7);
        let mut batch = WriteBatch::default();
        role.take(&Marker::new(LogId([2; 16]), [0; 32], 3), &mut batch);
        let [(key, value)] = &batch.puts[..] else { panic!("one record: {batch:?}") };
        let (region, record) = records::read_region(key, value).expect("what was written");
        assert_eq!((region.as_str(), record.acked, record.partition), ("eu", 7, 3));
        assert!(!role.is_dirty());
    }
}
