//! A store whose methods return promises, for a replica.

use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use js_sys::Promise;

use super::store::{self, Store};
use crate::base::platform;
use crate::convert::batches;

pub struct AsyncStore(pub Store);

impl AsyncStore {
    pub async fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        let answer = match store::ask(&self.0, request) {
            Ok(promise) => platform::settled(&Promise::resolve(&promise)).await,
            Err(thrown) => Err(thrown),
        };
        batches::read(request, answer)
    }

    pub fn abandon(&self) {
        // Nobody of this instance waits for what it says.
        let _ = self.0.close();
    }

    pub async fn close(&self) {
        // What a store says as it goes can't be acted upon any more.
        if let Ok(promise) = self.0.close() {
            let _ = platform::settled(&Promise::resolve(&promise)).await;
        }
    }
}
