//! Turns what the replica reports into news for the application.

use eyot_core::base::id::DocId;
use eyot_core::document::patch::encode_patches;
use eyot_core::replica::event::Event;
use eyot_core::replica::waits::WaitId;

use super::news::News;
use super::promises::{Answer, Outcome, Promises};
use crate::base::error;
use crate::convert::events::EngineEvent;

pub fn take(event: Event, news: &News, promises: &Promises) {
    let opened = |outcome: Outcome| {
        if let Some(settle) = promises.take_opening() {
            news.settle(settle, outcome);
        }
    };
    let waited = |wait: WaitId, outcome: &dyn Fn(Answer) -> Outcome| {
        if let Some((settle, answer)) = promises.take(wait) {
            news.settle(settle, outcome(answer));
        }
    };
    match event {
        Event::Ready => opened(Outcome::Done),
        Event::Failed { fault, message } => match promises.take_opening() {
            Some(settle) => news.settle(settle, Outcome::Failed(error::coded(fault.code(), &message))),
            None => news.event(EngineEvent::Failed { code: fault.code().into(), message }),
        },
        Event::Waited(wait) => waited(wait, &|_| Outcome::Done),
        Event::WaitFailed(wait, reason) => waited(wait, &|_| Outcome::Failed(error::invalid(&reason))),
        Event::Opened { wait, doc, held } => waited(wait, &|answer| match (held, answer) {
            (false, _) => Outcome::NotHeld,
            (true, Answer::Named) => Outcome::Named(doc),
            (true, _) => Outcome::Value(doc),
        }),
        Event::Peeked { wait, value, .. } => {
            if let Some((settle, _)) = promises.take(wait) {
                news.settle(settle, value.map_or(Outcome::NotHeld, Outcome::Bytes));
            }
        }
        Event::Values { wait, values } => {
            if let Some((settle, _)) = promises.take(wait) {
                news.settle(settle, Outcome::Bytes(packed(&values)));
            }
        }
        Event::Changed { doc } => news.event(EngineEvent::Changed { doc: doc.0 }),
        Event::NotOpened { wait, fault, message } => {
            waited(wait, &|_| Outcome::Failed(error::coded(fault.code(), &message)));
        }
        Event::Patches { doc, patches } => {
            if !news.will_reset(doc) {
                news.event(EngineEvent::Patches { doc: doc.0, patches: encode_patches(&patches) });
            }
        }
        Event::Reset { doc } => news.reset(doc),
        Event::Held { doc } => news.event(EngineEvent::Held { doc: doc.0 }),
        Event::Deleted { doc } => news.event(EngineEvent::Deleted { doc: doc.0 }),
        Event::Saved { seq } => news.event(EngineEvent::Saved { seq }),
        Event::SaveFailed { seq, message } => news.event(EngineEvent::SaveFailed { seq, message }),
        Event::Status => news.event(EngineEvent::Status),
        Event::Introduced { key, region, ticket } => {
            news.event(EngineEvent::Introduced { key: key.0, region, ticket });
        }
        Event::Signalled { key, region, bytes } => {
            news.event(EngineEvent::Signalled { key: key.0, region, bytes });
        }
        Event::Receipt { bytes } => news.event(EngineEvent::Receipt { bytes }),
        Event::Present { id, state } => {
            news.event(EngineEvent::Present { id: id.0, state: state.unwrap_or_default() });
        }
        Event::TokenExpiring => news.event(EngineEvent::TokenExpiring),
    }
}

/// Of each document its id, how many bytes its value has (4 bytes; all set: it is not known), and these.
fn packed(values: &[(DocId, Option<Vec<u8>>)]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (doc, value) in values {
        packed.extend_from_slice(&doc.0);
        let length = value.as_ref().map_or(u32::MAX, |value| value.len() as u32);
        packed.extend_from_slice(&length.to_be_bytes());
        packed.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    packed
}
