//! Clients ask when all that the regions hold is in this relay's log: a read quorum.

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::relay::region::mesh_session;
use crate::wire::bodies::RegionHead;
use crate::wire::close::CloseCode;

#[derive(Default)]
pub(super) struct Questions {
    /// Who waits for this region's own answer.
    own: Vec<(LinkId, u64)>,
    /// Who waits for another region's.
    others: Vec<Question>,
}

/// A client asks when all that a region holds is here.
struct Question {
    from: LinkId,
    nonce: u64,
    region: String,
    stage: Stage,
}

enum Stage {
    ToAsk,
    Asked(LinkId, u64),
    /// Until so much of the log at the other end of the link has been read.
    Reading(LinkId, u64),
}

impl Questions {
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.others.is_empty()
    }

    /// Whether somebody waits for that region's answer.
    pub fn wants(&self, region: &str) -> bool {
        self.others.iter().any(|question| question.region == region)
    }

    pub fn asked<'a>(
        &mut self,
        from: LinkId,
        nonce: u64,
        regions: impl Iterator<Item = &'a str>,
        holder: &mut Holder,
    ) {
        let own = self.own.iter().filter(|(link, _)| *link == from).count();
        let others = self.others.iter().filter(|question| question.from == from).count();
        if own.max(others) >= holder.limits().questions_max {
            return holder.close(from, CloseCode::Flow, "too many questions at once");
        }
        self.own.push((from, nonce));
        if holder.session(from).is_some_and(|session| !session.is_mesh) {
            let question =
                |region: &str| Question { from, nonce, region: region.into(), stage: Stage::ToAsk };
            self.others.extend(regions.map(question));
        }
    }

    pub fn answered(&mut self, link: LinkId, nonce: u64, head: &RegionHead) {
        for question in &mut self.others {
            if matches!(question.stage, Stage::Asked(of, asked) if (of, asked) == (link, nonce)) {
                question.stage = Stage::Reading(link, head.at.seq);
            }
        }
    }

    /// Asks what is to be asked, and answers what is known. `has_met_all`: this relay has compared all it
    /// holds with every other region since its log is new.
    pub fn go_on(&mut self, own_region: &str, has_met_all: bool, holder: &mut Holder) {
        if has_met_all {
            for (from, nonce) in core::mem::take(&mut self.own) {
                if holder.links().contains(from) {
                    holder.answer_fresh(from, nonce, own_region.to_owned());
                }
            }
        }
        self.own.retain(|(from, _)| holder.links().contains(*from));
        self.others.retain_mut(|question| holder.links().contains(question.from) && !question.go_on(holder));
    }
}

impl Question {
    /// Does what can be done; whether it is answered.
    fn go_on(&mut self, holder: &mut Holder) -> bool {
        if let Stage::Asked(link, _) | Stage::Reading(link, _) = self.stage
            && !holder.links().contains(link)
        {
            self.stage = Stage::ToAsk;
        }
        match self.stage {
            Stage::ToAsk => {
                let linked = mesh_session(holder, &self.region).map(|(id, _)| id);
                if let Some(link) = linked {
                    self.stage = Stage::Asked(link, holder.ask_fresh(link));
                }
                false
            }
            Stage::Asked(..) => false,
            Stage::Reading(link, seq) => {
                let is_read = holder.session(link).is_some_and(|session| session.receive.read.seq >= seq);
                if is_read {
                    holder.answer_fresh(self.from, self.nonce, self.region.clone());
                }
                is_read
            }
        }
    }
}
