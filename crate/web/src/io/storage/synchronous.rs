//! A store whose methods return at once, for a relay in a Durable Object.

use eyot_core::storage::request::{StorageAnswer, StorageRequest};

use super::store::{self, Store};
use crate::convert::batches;

pub struct SyncStore(pub Store);

impl SyncStore {
    pub fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        batches::read(request, store::ask(&self.0, request))
    }
}
