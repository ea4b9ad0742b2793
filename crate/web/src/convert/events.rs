//! What an engine tells its listener.

use serde::Serialize;
use tsify::Tsify;

use super::values;

/// Something that an engine tells.
#[derive(Serialize, Tsify)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum EngineEvent {
    /// Changes by others to an open document.
    Patches {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        doc: [u8; 16],
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        patches: Vec<u8>,
    },
    /// An open document was rebuilt: its whole value.
    Reset {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        doc: [u8; 16],
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        value: Vec<u8>,
    },
    /// A document that was not known before is now held.
    Held {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        doc: [u8; 16],
    },
    /// A document that is not open has changed, which was asked to be told.
    Changed {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        doc: [u8; 16],
    },
    /// A document was deleted.
    Deleted {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        doc: [u8; 16],
    },
    /// Own commits up to here are on this device's disk.
    Saved { seq: u64 },
    /// Own commits up to here could not be saved; everything goes on in memory.
    SaveFailed { seq: u64, message: String },
    /// `status()` may have changed.
    Status,
    /// A relay could not be reached, or closed the link before it said anything.
    Unreachable,
    /// A relay tells of another replica. Nobody has checked the ticket.
    Introduced {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        key: [u8; 32],
        region: String,
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        ticket: Vec<u8>,
    },
    /// Another replica says something by way of relays.
    Signalled {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        key: [u8; 32],
        region: String,
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        bytes: Vec<u8>,
    },
    /// What a region has stored, by the word of a relay: where one of this space has signed it, `takeReceipt` is to
    /// be called. Nobody has checked it.
    Receipt {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        bytes: Vec<u8>,
    },
    /// Another replica shows something else now; nothing: it is not there any more.
    Present {
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        id: [u8; 16],
        #[serde(serialize_with = "values::bytes")]
        #[tsify(type = "Uint8Array")]
        state: Vec<u8>,
    },
    /// Give a fresh token with `setToken`.
    TokenExpiring,
    /// This replica can't go on, and the instance can. Close it.
    Failed { code: String, message: String },
}
