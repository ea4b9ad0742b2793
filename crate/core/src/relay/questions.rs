//! Clients ask when all that the regions hold is in this relay's log: a read quorum.
//!
//! An answer counts for what its link asked before, too: what was read for the later question was there
//! for the earlier ones. So of a link and a region one question is under way, and the latest waits: that is
//! all, however often somebody asks while a region is down.

use std::collections::BTreeMap;

use crate::base::id::LinkId;
use crate::base::id_map::IdMap;
use crate::holder::holder::Holder;
use crate::relay::region::mesh_session;
use crate::wire::bodies::RegionHead;

#[derive(Default)]
pub(super) struct Questions {
    /// Who waits for this region's own answer, with the number of its latest question.
    own: IdMap<LinkId, u64>,
    /// Who waits for another region's, by its name.
    others: BTreeMap<String, IdMap<LinkId, Question>>,
}

/// A client asks when all that a region holds is here.
struct Question {
    nonce: u64,
    stage: Stage,
    /// What the client has asked since.
    next: Option<u64>,
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
        holder: &Holder,
    ) {
        self.own.insert(from, nonce);
        if holder.session(from).is_none_or(|session| session.is_mesh) {
            return;
        }
        for region in regions {
            let questions = self.others.entry(region.to_owned()).or_default();
            match questions.get_mut(&from) {
                Some(question) => question.next = Some(nonce),
                None => {
                    questions.insert(from, Question::new(nonce));
                }
            }
        }
    }

    pub fn answered(&mut self, link: LinkId, nonce: u64, head: &RegionHead) {
        for (_, question) in self.others.values_mut().flat_map(IdMap::iter_mut) {
            if matches!(question.stage, Stage::Asked(of, asked) if of == link && asked <= nonce) {
                question.stage = Stage::Reading(link, head.at.seq);
            }
        }
    }

    /// Asks what is to be asked, and answers what is known. `has_met_all`: this relay has compared all it
    /// holds with every other region since its log is new.
    pub fn go_on(&mut self, own_region: &str, has_met_all: bool, holder: &mut Holder) {
        self.own.retain(|from, _| holder.links().contains(*from));
        if has_met_all {
            for (from, nonce) in core::mem::take(&mut self.own).iter() {
                holder.answer_fresh(*from, *nonce, own_region.to_owned());
            }
        }
        self.others.retain(|region, questions| {
            // Of a region that is not linked nothing is known, however often it is looked.
            if let Some((link, _)) = mesh_session(holder, region) {
                questions.retain(|from, question| !question.go_on(*from, region, link, holder));
            }
            !questions.is_empty()
        });
    }

    /// Whoever asked on this link is gone.
    pub fn link_closed(&mut self, link: LinkId) {
        self.others.retain(|_, questions| {
            questions.remove(&link);
            !questions.is_empty()
        });
    }
}

impl Question {
    fn new(nonce: u64) -> Self {
        Self { nonce, stage: Stage::ToAsk, next: None }
    }

    /// Does what can be done; whether all is answered.
    fn go_on(&mut self, from: LinkId, region: &str, linked: LinkId, holder: &mut Holder) -> bool {
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
                if !is_read {
                    return false;
                }
                holder.answer_fresh(from, self.nonce, region.to_owned());
                let Some(next) = self.next else { return true };
                *self = Self::new(next);
                self.go_on(from, region, linked, holder)
            }
        }
    }
}
