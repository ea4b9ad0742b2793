//! Waiting for IndexedDB's requests and transactions.

use futures_channel::oneshot;
use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{DomException, Event, IdbRequest, IdbTransaction};

/// Waits for a request. What follows in the same task still belongs to its transaction.
pub async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let (listener, event) = once();
    request.set_onsuccess(Some(function(&listener)));
    request.set_onerror(Some(function(&listener)));
    // It fails only where whoever waits is gone.
    let _ = event.await;
    request.set_onsuccess(None);
    request.set_onerror(None);
    match request.error()? {
        Some(error) => Err(error.into()),
        None => request.result(),
    }
}

/// The end of a transaction, listened for from the start.
pub struct Ending {
    transaction: IdbTransaction,
    event: oneshot::Receiver<Event>,
    _listener: Closure<dyn FnMut(Event)>,
}

impl Ending {
    pub fn of(transaction: &IdbTransaction) -> Self {
        let (listener, event) = once();
        transaction.set_oncomplete(Some(function(&listener)));
        transaction.set_onabort(Some(function(&listener)));
        Self { transaction: transaction.clone(), event, _listener: listener }
    }

    pub async fn wait(mut self) -> Result<(), JsValue> {
        match (&mut self.event).await {
            Ok(event) if event.type_() == "complete" => Ok(()),
            _ => Err(self
                .transaction
                .error()
                .map_or_else(|| JsValue::from_str("the transaction was aborted"), DomException::into)),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
    }
}

/// A listener, and the first event that it hears.
pub fn once() -> (Closure<dyn FnMut(Event)>, oneshot::Receiver<Event>) {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let listener = Closure::new(move |event| {
        if let Some(sender) = sender.take() {
            // Nobody waits any more where the database was let go of.
            let _ = sender.send(event);
        }
    });
    (listener, receiver)
}

pub fn function<T: ?Sized>(closure: &Closure<T>) -> &Function
where
    Closure<T>: AsRef<JsValue>,
{
    closure.as_ref().unchecked_ref()
}

pub fn to_vec(value: &JsValue) -> Option<Vec<u8>> {
    (!value.is_undefined()).then(|| Uint8Array::new(value).to_vec())
}
