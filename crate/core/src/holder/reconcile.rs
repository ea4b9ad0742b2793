//! What two holders do that have no valid cursor: each says what it holds, and makes a pass over its
//! log that skips what the other has.

use crate::base::id::LinkId;
use crate::commit::vector::Tip;
use crate::holder::holder::{Holder, LogState};
use crate::holder::notice::Notice;
use crate::link::filter::Holdings;
use crate::link::session::Exchange;
use crate::wire::bodies::{Hello, VectorPart};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    /// Both sides say what they hold (`told`: this side has), and send what the other lacks.
    pub(super) fn reconcile(&mut self, id: LinkId, told: bool, hello: &Hello) {
        if !told {
            self.send_vector(id, false);
        }
        let exchange = match &hello.tips {
            Some(tips) => Exchange::Ready(Holdings { tips: tips.clone(), holes: hello.hole_tips.clone() }),
            None => Exchange::Awaiting(Holdings::default()),
        };
        if let Some(session) = self.links.session_mut(id) {
            session.exchange = exchange;
            session.is_comparison_due = true;
        }
        self.notices.push_back(Notice::LinkChanged);
        self.start_passes();
    }

    /// Says what this side holds; `answer`: the other is to say so too.
    pub(super) fn send_vector(&mut self, id: LinkId, answer: bool) {
        let tips: Vec<_> = self.log.vector().tips().copied().collect();
        let hole_tips: Vec<_> = self.log.holes().tips().copied().collect();
        let most = self.limits.vector_frame_tips_max;
        let part = |tips: &[Tip], hole_tips: &[Tip]| VectorPart {
            tips: tips.to_vec(),
            last: false,
            answer,
            hole_tips: hole_tips.to_vec(),
        };
        let mut parts: Vec<_> = tips.chunks(most).map(|tips| part(tips, &[])).collect();
        parts.extend(hole_tips.chunks(most).map(|hole_tips| part(&[], hole_tips)));
        if parts.is_empty() {
            parts.push(part(&[], &[]));
        }
        if let Some(last) = parts.last_mut() {
            last.last = true;
        }
        for part in parts {
            self.send(id, &Frame::Vector(part));
        }
        if let Some(session) = self.links.session_mut(id).filter(|_| answer) {
            session.exchange = Exchange::Awaiting(Holdings::default());
        }
    }

    pub(super) fn vector_came(&mut self, id: LinkId, part: VectorPart) {
        let Some(session) = self.links.session_mut(id) else { return };
        let mut holdings = match &mut session.exchange {
            Exchange::Awaiting(holdings) => core::mem::take(holdings),
            Exchange::None | Exchange::Ready(_) => Holdings::default(),
        };
        holdings.tips.extend(part.tips);
        holdings.holes.extend(part.hole_tips);
        if holdings.tips.len() + holdings.holes.len() > self.limits.vector_tips_max {
            return self.close(id, CloseCode::TooLarge, "a vector of too many tips");
        }
        if !part.last {
            session.exchange = Exchange::Awaiting(holdings);
            return;
        }
        session.exchange = Exchange::Ready(holdings);
        if part.answer {
            self.send_vector(id, false);
        }
        self.start_passes();
    }

    /// Begins the passes that wait for the vector to say what is stored and nothing more.
    pub(super) fn start_passes(&mut self) {
        if self.appending || self.state != LogState::Open {
            return;
        }
        let is_ready =
            |session: &crate::link::session::Session| matches!(session.exchange, Exchange::Ready(_));
        let ready = self.links.sessions().filter(|(_, session)| is_ready(session)).map(|(id, _)| id);
        for id in ready.collect::<Vec<_>>() {
            let Some(session) = self.links.session_mut(id) else { continue };
            let Exchange::Ready(theirs) = core::mem::replace(&mut session.exchange, Exchange::None) else {
                continue;
            };
            session.send.start_filtered(theirs, self.log.vector(), self.stored);
            session.moved(self.now);
            self.feed(id);
        }
    }
}
