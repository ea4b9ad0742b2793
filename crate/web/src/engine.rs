//! The replica as a class.

use std::rc::Rc;

use eyot_core::base::id::LinkId;
use eyot_core::document::document::Document;
use eyot_core::document::patch::encode_patches;
use eyot_core::document::value::{decode_edits, decode_ops, decode_path, decode_value};
use eyot_core::replica::event::ReplicaError;
use eyot_core::wire::access::{Right, Side};
use js_sys::Promise;
use tsify::Ts;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::base::{death, error};
use crate::convert::documents::{HeldDoc, Made};
use crate::convert::links::EngineLink;
use crate::convert::options::{EngineOptions, Options};
use crate::convert::status::EngineStatus;
use crate::convert::{values, write};
use crate::driver::driver::Driver;
use crate::driver::promises::Answer;
use crate::io::peers::PeerConnection;

/// One replica of one space.
#[wasm_bindgen]
pub struct Engine {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a replica: resolves once what storage holds can be read.
    #[wasm_bindgen(unchecked_return_type = "Engine")]
    pub async fn open(options: Ts<EngineOptions>) -> Result<JsValue, JsValue> {
        death::check()?;
        let driver = Driver::new(Options::read(&options)?)?;
        driver.open().await?;
        Ok(Engine { driver }.into())
    }

    /// Makes a document with a fresh id from operations on an empty one.
    pub fn create(&self, ops: &[u8], message: Option<String>) -> Result<Ts<Made>, JsValue> {
        let ops = decode_ops(ops).map_err(error::invalid)?;
        let made = self.driver.call(|replica, now| replica.create(&ops, message, now))?;
        write::object(Made::new(&made, None))
    }

    /// Does these operations on an open document, in one commit. Throws with nothing changed.
    pub fn change(&self, doc: &[u8], ops: &[u8], message: Option<String>) -> Result<Ts<Made>, JsValue> {
        let (doc, ops) = (values::doc_id(doc)?, decode_ops(ops).map_err(error::invalid)?);
        let made = self.driver.call(|replica, now| replica.change(doc, &ops, message, now))?;
        write::object(Made::new(&made, None))
    }

    /// Edits, makes and deletes several documents in one commit. Throws with nothing changed.
    pub fn transact(&self, edits: &[u8]) -> Result<Ts<Made>, JsValue> {
        let edits = decode_edits(edits).map_err(error::invalid)?;
        let made = self.driver.call(|replica, now| replica.transact(&edits, now))?;
        write::object(Made::new(&made, None))
    }

    /// Removes a document everywhere, for good.
    pub fn remove(&self, doc: &[u8]) -> Result<Ts<Made>, JsValue> {
        let doc = values::doc_id(doc)?;
        let made = self.driver.call(|replica, now| replica.delete(doc, now))?;
        write::object(Made::new(&made, None))
    }

    /// Merges an Automerge file into an open document. Its patches are returned, not told.
    pub fn merge(&self, doc: &[u8], file: &[u8]) -> Result<Ts<Made>, JsValue> {
        let doc = values::doc_id(doc)?;
        let (made, patches) = self.driver.call(|replica, now| replica.merge(doc, file, now))?;
        write::object(Made::new(&made, Some(encode_patches(&patches))))
    }

    /// Opens a document: resolves with its value, or with undefined where storage does not hold it.
    /// By the time that an `await` of it goes on, `patches` may have come: ask for `value` then.
    #[wasm_bindgen(js_name = openDoc, unchecked_return_type = "Promise<Uint8Array | undefined>")]
    pub fn open_doc(&self, doc: &[u8]) -> Result<Promise, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.wait(Answer::Value, |replica| Ok(replica.open(doc)))
    }

    /// Opens the document of that name, making it from this value where storage has none. `value`
    /// again may be newer.
    #[wasm_bindgen(unchecked_return_type = "Promise<Named>")]
    pub fn named(&self, name: &str, initial: &[u8]) -> Result<Promise, JsValue> {
        let initial = decode_value(initial).map_err(error::invalid)?;
        self.driver.wait(Answer::Named, |replica| replica.named(name, &initial))
    }

    /// Resolves with the value of a document, open or not, or with undefined where storage does not hold it.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array | undefined>")]
    pub fn peek(&self, doc: &[u8]) -> Result<Promise, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.wait(Answer::Nothing, |replica| Ok(replica.peek(doc)))
    }

    /// Resolves with the values of documents, as far as they can be had at once: of each its id, how many bytes its
    /// value has (4 bytes; all set: `peek` must build it), and these.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
    pub fn values(&self) -> Result<Promise, JsValue> {
        self.driver.wait(Answer::Nothing, |replica| Ok(replica.values()))
    }

    /// Whether to tell which documents change that are not open.
    pub fn watch(&self, is_watched: bool) -> Result<(), JsValue> {
        self.driver.call(|replica, _| {
            replica.watch(is_watched);
            Ok(())
        })
    }

    /// The value of an open document.
    pub fn value(&self, doc: &[u8]) -> Result<Vec<u8>, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.call(|replica, _| replica.value(doc))
    }

    /// The value of an open document as of these heads.
    #[wasm_bindgen(js_name = valueAt)]
    pub fn value_at(&self, doc: &[u8], heads: Vec<String>) -> Result<Vec<u8>, JsValue> {
        self.read(doc, |document| Ok(document.value_at(&heads)?))
    }

    /// All changes of an open document.
    pub fn history(&self, doc: &[u8]) -> Result<Vec<u8>, JsValue> {
        self.read(doc, |document| Ok(document.changes()))
    }

    /// All values that were set at a path at the same time; undefined where there is no more than one.
    pub fn conflicts(&self, doc: &[u8], path: &[u8]) -> Result<Option<Vec<u8>>, JsValue> {
        let path = decode_path(path).map_err(error::invalid)?;
        self.read(doc, |document| Ok(document.conflicts(&path)?))
    }

    /// A text of an open document as its parts with their marks.
    pub fn spans(&self, doc: &[u8], path: &[u8]) -> Result<Vec<u8>, JsValue> {
        let path = decode_path(path).map_err(error::invalid)?;
        self.read(doc, |document| Ok(document.spans(&path)?))
    }

    /// A position in a text or list that stays where it is.
    pub fn cursor(&self, doc: &[u8], path: &[u8], index: u32) -> Result<String, JsValue> {
        let path = decode_path(path).map_err(error::invalid)?;
        self.read(doc, |document| Ok(document.cursor(&path, index as usize)?))
    }

    /// Where a cursor is now.
    pub fn position(&self, doc: &[u8], cursor: &str) -> Result<u32, JsValue> {
        self.read(doc, |document| Ok(document.position(cursor)? as u32))
    }

    /// What this replica did last in an open document, to be undone.
    pub fn steps(&self, doc: &[u8], most: u32) -> Result<Vec<u8>, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.call(|replica, _| replica.steps(doc, most as usize))
    }

    /// Patches that undo the last change of an open document, right after it was made.
    pub fn inverse(&self, doc: &[u8]) -> Result<Vec<u8>, JsValue> {
        self.read(doc, |document| Ok(document.inverse_of_last()))
    }

    /// The heads of an open document, as hexadecimal hashes.
    pub fn heads(&self, doc: &[u8]) -> Result<Vec<String>, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.call(|replica, _| replica.heads(doc))
    }

    /// An open document as a standard Automerge file.
    #[wasm_bindgen(js_name = exportFile)]
    pub fn export_file(&self, doc: &[u8]) -> Result<Vec<u8>, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.call(|replica, _| replica.export(doc))
    }

    /// Lets go of a document's memory.
    #[wasm_bindgen(js_name = closeDoc)]
    pub fn close_doc(&self, doc: &[u8]) -> Result<(), JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.call(|replica, _| {
            replica.close_document(doc);
            Ok(())
        })
    }

    /// The documents held.
    pub fn documents(&self) -> Result<Vec<Ts<HeldDoc>>, JsValue> {
        let documents = self.driver.call(|replica, _| Ok(replica.documents()))?;
        documents.into_iter().map(|info| write::object(HeldDoc::from(info))).collect()
    }

    /// How things stand.
    pub fn status(&self) -> Result<Ts<EngineStatus>, JsValue> {
        death::check()?;
        write::object(EngineStatus::from(self.driver.status()))
    }

    /// Whether links may be dialled.
    #[wasm_bindgen(js_name = setOnline)]
    pub fn set_online(&self, online: bool) -> Result<(), JsValue> {
        death::check()?;
        self.driver.set_online(online);
        Ok(())
    }

    /// Links to the replica at the other end of a connection that is open, and gives the number of the
    /// link. Exactly one of both sides dials. Frames of who `readsOnly` are not taken.
    #[wasm_bindgen(js_name = openPeer)]
    pub fn open_peer(
        &self,
        dials: bool,
        reads_only: bool,
        connection: PeerConnection,
    ) -> Result<f64, JsValue> {
        let side = if dials { Side::Dialer } else { Side::Accepter };
        let right = if reads_only { Right::Read } else { Right::Write };
        Ok(self.driver.open_peer(side, right, connection)?.0 as f64)
    }

    /// Lets relays tell others that this replica is there under this key, and this one of others, again each
    /// time; without a key not any more.
    pub fn announce(&self, key: Option<Vec<u8>>) -> Result<(), JsValue> {
        self.driver.announce(key.map(|key| values::peer_key(&key)).transpose()?)
    }

    /// Says something to the replica of that key, which is in that region, by way of relays. False: it can't be
    /// said now.
    pub fn signal(&self, key: &[u8], region: String, bytes: Vec<u8>) -> Result<bool, JsValue> {
        self.driver.signal(values::peer_key(key)?, region, bytes)
    }

    /// Takes in a receipt. It is believed: call this for what a relay of this space has signed.
    #[wasm_bindgen(js_name = takeReceipt)]
    pub fn take_receipt(&self, receipt: &[u8]) -> Result<(), JsValue> {
        self.driver.take_receipt(receipt)
    }

    /// Lets others see that this replica is there and what it shows, and gives the id by which they know it. From
    /// then on it is told of others.
    pub fn show(&self, state: Vec<u8>) -> Result<Vec<u8>, JsValue> {
        let id = self.driver.call(|replica, now| replica.show(Some(state), now))?;
        Ok(id.0.to_vec())
    }

    /// A whole frame came in over a connection.
    #[wasm_bindgen(js_name = peerReceived)]
    pub fn peer_received(&self, link: f64, frame: Vec<u8>) -> Result<(), JsValue> {
        death::check()?;
        self.driver.peer_received(link_id(link), frame);
        Ok(())
    }

    /// A connection is gone.
    #[wasm_bindgen(js_name = peerClosed)]
    pub fn peer_closed(&self, link: f64) -> Result<(), JsValue> {
        death::check()?;
        self.driver.peer_closed(link_id(link));
        Ok(())
    }

    /// Ends a link to another replica, and closes its connection.
    #[wasm_bindgen(js_name = closePeer)]
    pub fn close_peer(&self, link: f64) -> Result<(), JsValue> {
        death::check()?;
        self.driver.close_peer(link_id(link))
    }

    /// The links that are up, to the relay and to replicas.
    pub fn links(&self) -> Result<Vec<Ts<EngineLink>>, JsValue> {
        self.driver.links()?.into_iter().map(write::object).collect()
    }

    /// Resolves once this replica holds all that its relay held when asked.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn synced(&self) -> Result<Promise, JsValue> {
        self.driver.wait(Answer::Nothing, |replica| Ok(replica.synced()))
    }

    /// Resolves once that many regions have stored our commits up to this number, or without one
    /// all that were made so far by any tab or earlier session.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn durable(&self, regions: u32, seq: Option<f64>) -> Result<Promise, JsValue> {
        let seq = seq.map(|seq| seq as u64);
        self.driver.wait(Answer::Nothing, |replica| replica.durable(regions, seq))
    }

    /// Resolves once this replica holds all that the relays of that many regions held when asked.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn fresh(&self, regions: u32) -> Result<Promise, JsValue> {
        self.driver.wait(Answer::Nothing, |replica| replica.fresh(regions))
    }

    /// Nobody waits any more for this promise, which came from `synced`, `durable` or `fresh`.
    pub fn cancel(&self, promise: &Promise) -> Result<(), JsValue> {
        death::check()?;
        self.driver.cancel(promise)
    }

    /// The relays there are, from now on.
    #[wasm_bindgen(js_name = setRelays)]
    pub fn set_relays(&self, relays: Vec<String>) -> Result<(), JsValue> {
        self.driver.set_relays(relays)
    }

    /// The relays that this replica has met, in this session or an earlier one.
    #[wasm_bindgen(js_name = relaysMet)]
    pub fn relays_met(&self) -> Result<Vec<String>, JsValue> {
        self.driver.call(|replica, _| Ok(replica.relays_met()))
    }

    /// What lets this replica in from now on, in place of what expires.
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&self, token: String) -> Result<(), JsValue> {
        death::check()?;
        self.driver.set_token(token);
        Ok(())
    }

    /// Saves what can be saved, and closes links and storage. `free` this engine after that, and not while
    /// another call is under way.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn close(&self) -> Result<Promise, JsValue> {
        death::check()?;
        let driver = Rc::clone(&self.driver);
        driver.closing();
        Ok(future_to_promise(async move { driver.close().await.map(|()| JsValue::UNDEFINED) }))
    }
}

impl Engine {
    fn read<R>(
        &self,
        doc: &[u8],
        read: impl FnOnce(&Document) -> Result<R, ReplicaError>,
    ) -> Result<R, JsValue> {
        let doc = values::doc_id(doc)?;
        self.driver.call(|replica, _| read(replica.document(doc)?))
    }
}

fn link_id(link: f64) -> LinkId {
    LinkId(link as u64)
}
