//! Vectors: each side says what it holds, part by part, and takes what the other says only when that is
//! due.

use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::holder::holder::Holder;
use crate::link::filter::Holdings;
use crate::link::session::{Exchange, Session, Telling};
use crate::wire::bodies::VectorPart;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// How long after two sides began to say what they hold they may do so again.
const EXCHANGE_WAIT: Millis = 5_000;

impl Holder {
    /// Says what this side holds, as far as there is room at a time; `answer`: the other is to say so too.
    pub(super) fn send_vector(&mut self, id: LinkId, answer: bool) {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return };
        if answer {
            if session.exchanged_at.is_some_and(|at| at + EXCHANGE_WAIT > now) {
                // It asks again.
                return;
            }
            session.exchanged_at = Some(now);
            session.exchange = Exchange::Awaiting(Holdings::default());
        }
        session.telling = Some(Telling { answer, after: None, holes_after: None });
        self.feed(id);
    }

    /// Says the next part. What was said before stays true while the log grows: of holes those are told
    /// that there are after the last tip was.
    pub(super) fn tell_vector(&mut self, id: LinkId) {
        let most = self.limits.vector_frame_tips_max;
        let (vector, holes) = (self.log.vector(), self.log.holes());
        let Some(session) = self.links.session_mut(id) else { return };
        let Some(telling) = &mut session.telling else { return };
        let mut tips = Vec::new();
        let mut hole_tips = Vec::new();
        while telling.holes_after.is_none() && tips.len() < most {
            let more = vector.tips_after(telling.after.as_ref(), most - tips.len());
            match more.last() {
                Some(last) => telling.after = Some(*last),
                None => telling.holes_after = Some(0),
            }
            let peer = &session.peer.log;
            tips.extend(more.into_iter().filter(|tip| !self.deep_forks.contains(peer, &tip.author)));
        }
        if let Some(after) = telling.holes_after {
            let more = holes.tips_after(after, most - tips.len());
            telling.holes_after = Some(more.last().map_or(after, |(seq, _)| *seq));
            hole_tips = more.into_iter().map(|(_, tip)| tip).collect();
        }
        let last = tips.len() + hole_tips.len() < most;
        let answer = telling.answer;
        if last {
            session.telling = None;
        }
        let frame = Frame::Vector(VectorPart { tips, last, answer, hole_tips });
        self.charge_work(id, frame.encode().len() as u64);
        self.send(id, &frame);
    }

    pub(super) fn vector_came(&mut self, id: LinkId, part: VectorPart) {
        let Some(session) = self.links.session_mut(id) else { return };
        let mut holdings = match &mut session.exchange {
            Exchange::Awaiting(holdings) => core::mem::take(holdings),
            // The answer to whether both hold the same: they do not.
            Exchange::None if session.may_be_told && part.answer => {
                session.may_be_told = false;
                self.send_vector(id, false);
                Holdings::default()
            }
            Exchange::None | Exchange::Ready(_) => {
                return self.close(id, CloseCode::Flow, "a vector that was not asked for");
            }
        };
        if !part.last && part.tips.is_empty() && part.hole_tips.is_empty() {
            return self.close(id, CloseCode::Flow, "an empty part of a vector");
        }
        holdings.take(&part.tips, &part.hole_tips, self.log.vector());
        if holdings.told > self.limits.vector_tips_max {
            return self.close(id, CloseCode::TooLarge, "a vector of too many tips");
        }
        let Some(session) = self.links.session_mut(id) else { return };
        session.exchange = if part.last { Exchange::Ready(holdings) } else { Exchange::Awaiting(holdings) };
        let kept = self.links.sessions().map(|(_, session)| kept_of(session)).sum::<usize>();
        if kept > self.limits.vector_tips_max {
            return self.close(id, CloseCode::GoingAway, "too many vectors at once; connect again");
        }
        self.start_passes();
    }
}

/// How much is kept of what the other side holds.
fn kept_of(session: &Session) -> usize {
    let told = match &session.exchange {
        Exchange::None => 0,
        Exchange::Awaiting(holdings) | Exchange::Ready(holdings) => holdings.len(),
    };
    told + session.send.filter_len()
}
