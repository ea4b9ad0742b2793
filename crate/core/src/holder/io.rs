//! What enters and leaves a holder: the boundary between the core and its host.

use std::sync::Arc;

use crate::base::id::{LinkId, RequestId};
use crate::base::time::Millis;
use crate::storage::request::{StorageAnswer, StorageRequest};
use crate::wire::access::{Claims, Refusal};
use crate::wire::ticket::SIGNATURE_BYTES;

/// What the host tells a holder.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link is open: one the core dialled, or one the host accepted.
    LinkOpened(LinkId),
    /// One whole frame came in.
    Received(LinkId, Vec<u8>),
    /// The link is gone, or could not be opened.
    LinkClosed(LinkId),
    /// As `LinkClosed`, where the host knows why: the close code of the WebSocket and what it was told.
    LinkFailed(LinkId, u16, String),
    /// The answer to a [`StorageRequest`].
    Storage(RequestId, StorageAnswer),
    /// The deadline last set by [`Effect::SetTimer`] has come.
    Timer,
    /// The answer to [`Effect::Authorize`].
    Authorized(LinkId, Result<Claims, Refusal>),
    /// The answer to [`Effect::Sign`]; `None`: it can't be signed.
    Signed(u64, Option<[u8; SIGNATURE_BYTES]>),
}

/// What a holder asks of its host.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Open a connection to a relay; answered by `LinkOpened` or `LinkClosed`.
    Dial(LinkId, String),
    /// Send one frame. Links keep order or die.
    Send(LinkId, Arc<[u8]>),
    /// Close a link with a WebSocket close code and a reason a person can read.
    Close(LinkId, u16, String),
    /// Read or write storage; answered by `Input::Storage`.
    Storage(RequestId, StorageRequest),
    /// Call `handle(Input::Timer)` at this time. Replaces the deadline before it; `None` cancels.
    SetTimer(Option<Millis>),
    /// Verify the token that a link was greeted with, or its renewal; `None`: it came without one.
    /// Answered by `Input::Authorized`.
    Authorize(LinkId, Option<String>),
    /// Sign these bytes with the key that the host publishes (Ed25519). Answered by
    /// `Input::Signed`. Only a relay asks.
    Sign(u64, Vec<u8>),
}
