//! What an actor makes of questions for what regions have stored: it asks such itself, and answers those of others
//! with what no relay has signed for them.

use eyot_core::base::id::{InquiryId, LinkId};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::vector::Tip;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::receipt::{Inquiry, Receipt, Statement, receipt, space_of};

use crate::actor::actor::{Actor, Deed};
use crate::base::rng::Rng;

impl Actor {
    /// A question for authors that it knows of.
    pub fn inquiry(&self, rng: &mut Rng) -> Inquiry {
        let authors = (0..rng.between(1, 4)).filter_map(|_| rng.pick(&self.heard));
        let authors = authors.map(|commit| commit.header().author).collect();
        Inquiry { id: InquiryId(rng.bytes()), authors, hops: rng.below(5) }
    }

    /// Gets receipts by way of replicas.
    pub fn ask_for_receipts(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        for link in self.replicas_up() {
            if rng.chance(100) {
                deeds.push(Deed::Send(link, Frame::Inquiry(self.inquiry(rng)).encode()));
            }
        }
    }

    /// Answers with what it has made up, or with what was signed for another question.
    pub fn answer_inquiry(&self, link: LinkId, asked: &Inquiry, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        let bytes = match rng.pick(&self.receipts).filter(|_| rng.chance(500)) {
            Some(old) => {
                let mut old = old.clone();
                // With the number of this question it is not what was signed.
                if rng.chance(500) {
                    old[33..49].copy_from_slice(&asked.id.0);
                }
                old
            }
            None => receipt(&self.invented(asked).to_sign(), &rng.bytes()),
        };
        let receipt = Receipt { id: asked.id, bytes: bytes.into() };
        deeds.push(Deed::Send(link, Frame::Receipt(receipt).encode()));
    }

    /// All that it has heard of these authors is stored.
    fn invented(&self, asked: &Inquiry) -> Statement {
        let last = |author| {
            let of_author = self.heard.iter().filter(|commit| commit.header().author == author);
            of_author.max_by_key(|commit| commit.header().seq)
        };
        let tip = |commit: &Commit| {
            let header = commit.header();
            Tip { author: header.author, seq: header.seq, id: commit.id() }
        };
        Statement {
            id: asked.id,
            space: space_of("space"),
            partition: 0,
            region: "eu".into(),
            log: self.log,
            tips: asked.authors.iter().filter_map(|author| last(*author).map(tip)).collect(),
        }
    }
}
