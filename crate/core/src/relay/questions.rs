//! Clients ask when all that the regions hold is in this relay's log: a read quorum.

use std::collections::BTreeMap;

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::relay::region::mesh_session;
use crate::wire::bodies::RegionHead;
use crate::wire::close::CloseCode;

#[derive(Default)]
pub(super) struct Questions {
    /// Who waits for this region's own answer.
    own: Vec<(LinkId, u64)>,
    /// Who waits for another region's, by its name.
    others: BTreeMap<String, Vec<Question>>,
}

/// A client asks when all that a region holds is here.
struct Question {
    from: LinkId,
    nonce: u64,
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
        self.others.contains_key(region)
    }

    pub fn asked<'a>(
        &mut self,
        from: LinkId,
        nonce: u64,
        regions: impl Iterator<Item = &'a str>,
        holder: &mut Holder,
    ) {
        let own = self.own.iter().filter(|(link, _)| *link == from).count();
        let others = self.others.values().flatten().filter(|question| question.from == from).count();
        if own.max(others) >= holder.limits().questions_max {
            return holder.close(from, CloseCode::Flow, "too many questions at once");
        }
        self.own.push((from, nonce));
        if holder.session(from).is_some_and(|session| !session.is_mesh) {
            for region in regions {
                let question = Question { from, nonce, stage: Stage::ToAsk };
                self.others.entry(region.to_owned()).or_default().push(question);
            }
        }
    }

    pub fn answered(&mut self, link: LinkId, nonce: u64, head: &RegionHead) {
        for question in self.others.values_mut().flatten() {
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
        self.others.retain(|region, questions| {
            // Of a region that is not linked nothing is known, however often it is looked.
            if let Some((link, _)) = mesh_session(holder, region) {
                questions.retain_mut(|question| !question.go_on(region, link, holder));
            }
            !questions.is_empty()
        });
    }

    /// Whoever asked on this link is gone.
    pub fn link_closed(&mut self, link: LinkId) {
        self.others.retain(|_, questions| {
            questions.retain(|question| question.from != link);
            !questions.is_empty()
        });
    }
}

impl Question {
    /// Does what can be done; whether it is answered.
    fn go_on(&mut self, region: &str, linked: LinkId, holder: &mut Holder) -> bool {
        if let Stage::Asked(link, _) | Stage::Reading(link, _) = self.stage
            && !holder.links().contains(link)
        {
            self.stage = Stage::ToAsk;
        }
        match self.stage {
            Stage::ToAsk => {
                self.stage = Stage::Asked(linked, holder.ask_fresh(linked));
                false
            }
            Stage::Asked(..) => false,
            Stage::Reading(link, seq) => {
                let is_read = holder.session(link).is_some_and(|session| session.receive.read.seq >= seq);
                if is_read {
                    holder.answer_fresh(self.from, self.nonce, region.to_owned());
                }
                is_read
            }
        }
    }
}
