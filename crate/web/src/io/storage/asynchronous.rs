//! A store whose methods return promises, for a replica.

use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use futures_channel::oneshot;
use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use super::store::{self, Store};
use crate::base::{js, platform};
use crate::convert::batches;

/// How long a store has to close.
const CLOSE_MS: u32 = 10_000;

pub struct AsyncStore(pub Store);

impl AsyncStore {
    pub async fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        let answer = match store::ask(&self.0, request) {
            Ok(promise) => platform::settled(&Promise::resolve(&promise)).await,
            Err(thrown) => Err(thrown),
        };
        batches::read(request, answer)
    }

    /// Tells a store that wants to know that it will be closed.
    pub fn closing(&self) {
        if let Ok(closing) = js::get(&self.0, "closing").dyn_into::<Function>() {
            // What it has against that it says when it is closed.
            let _ = closing.call0(&self.0);
        }
    }

    /// False: it does not say that it is closed.
    pub async fn close(&self) -> bool {
        // What a store says as it goes can't be acted upon any more.
        let Ok(promise) = self.0.close() else { return true };
        let promise = Promise::resolve(&promise);
        let (sender, late) = oneshot::channel::<()>();
        let _timer = Timeout::new(CLOSE_MS, move || {
            // The store was quicker where nobody waits.
            let _ = sender.send(());
        });
        platform::first(platform::settled(&promise), late).await
    }
}
