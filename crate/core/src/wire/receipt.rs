//! How a replica without a relay learns what regions have stored: it asks by way of other replicas, and a relay
//! answers with a receipt that it has signed. Whoever passes it on can change nothing of it.

use minicbor::Encode;
use minicbor::bytes::ByteVec;

use crate::base::cbor::decode_map;
use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId, InquiryId, LogId};
use crate::commit::vector::Tip;
use crate::wire::ticket::SIGNATURE_BYTES;

/// What is signed begins with this: the key signs nothing else that does.
const SIGNED_AS: &[u8] = b"eyot receipt";
const VERSION: u8 = 1;
const TIP_BYTES: usize = 16 + 8 + 32;

/// What do the regions hold of these authors? From a replica to another, which passes it on to its relay, or to others.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Inquiry {
    /// Random: an answer is good for this question alone.
    #[n(0)]
    pub id: InquiryId,
    /// Whose commits.
    #[n(1)]
    pub authors: Vec<AuthorId>,
    /// So many replicas may pass it on until it is at one with a relay.
    #[n(2)]
    pub hops: u64,
}

decode_map!(Inquiry { id: 0, authors: 1, hops: 2 });

/// The answer for one region.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Receipt {
    /// To which question.
    #[n(0)]
    pub id: InquiryId,
    /// A [`Statement`] with its signature.
    #[n(1)]
    pub bytes: ByteVec,
}

decode_map!(Receipt { id: 0, bytes: 1 });

/// A region has stored all commits of these chains up to these tips, with all their bytes, or with the deletes that
/// explain why bytes are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The question that it answers.
    pub id: InquiryId,
    /// See [`space_of`].
    pub space: [u8; 32],
    /// The partition of the space.
    pub partition: u32,
    /// The region.
    pub region: String,
    /// The log of that region's relay.
    pub log: LogId,
    /// The ends of the chains.
    pub tips: Vec<Tip>,
}

/// How a statement names a space.
pub fn space_of(name: &str) -> [u8; 32] {
    hash32(&[SIGNED_AS, name.as_bytes()])
}

impl Statement {
    /// What the relay signs. Without its beginning, and with the signature behind it, that is the receipt.
    pub fn to_sign(&self) -> Vec<u8> {
        let mut bytes = [SIGNED_AS, &[VERSION], &self.space, &self.id.0].concat();
        bytes.extend(self.partition.to_be_bytes());
        bytes.extend(self.log.0);
        bytes.push(u8::try_from(self.tips.len()).expect("there are as many as authors may be asked for"));
        for tip in &self.tips {
            bytes.extend(tip.author.0);
            bytes.extend(tip.seq.to_be_bytes());
            bytes.extend(tip.id.0);
        }
        bytes.extend(self.region.as_bytes());
        bytes
    }

    /// What a receipt says. Whether it is signed is for the host to find out.
    pub fn read(receipt: &[u8]) -> Option<Self> {
        let (bytes, _) = receipt.split_last_chunk::<SIGNATURE_BYTES>()?;
        let (version, bytes) = bytes.split_first()?;
        let (space, bytes) = bytes.split_first_chunk::<32>()?;
        let (id, bytes) = bytes.split_first_chunk::<16>()?;
        let (partition, bytes) = bytes.split_first_chunk::<4>()?;
        let (log, bytes) = bytes.split_first_chunk::<16>()?;
        let (count, bytes) = bytes.split_first()?;
        let (tips, region) = bytes.split_at_checked(usize::from(*count) * TIP_BYTES)?;
        let tip = |bytes: &[u8]| {
            let (author, bytes) = bytes.split_first_chunk()?;
            let (seq, bytes) = bytes.split_first_chunk()?;
            let id = bytes.try_into().ok()?;
            Some(Tip { author: AuthorId(*author), seq: u64::from_be_bytes(*seq), id: CommitId(id) })
        };
        (*version == VERSION).then_some(Self {
            id: InquiryId(*id),
            space: *space,
            partition: u32::from_be_bytes(*partition),
            region: String::from_utf8(region.to_vec()).ok()?,
            log: LogId(*log),
            tips: tips.chunks_exact(TIP_BYTES).map(tip).collect::<Option<_>>()?,
        })
    }
}

/// The receipt, of what was signed.
pub fn receipt(to_sign: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Vec<u8> {
    [&to_sign[SIGNED_AS.len()..], signature].concat()
}

/// The most bytes that a receipt has.
pub fn receipt_bytes_max(tips: usize, region_bytes: usize) -> usize {
    1 + 32 + 16 + 4 + 16 + 1 + tips * TIP_BYTES + region_bytes + SIGNATURE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        let tip = |number: u8| Tip {
            author: AuthorId([number; 16]),
            seq: u64::from(number),
            id: CommitId([number; 32]),
        };
        Statement {
            id: InquiryId([1; 16]),
            space: space_of("space"),
            partition: 2,
            region: "eu".into(),
            log: LogId([3; 16]),
            tips: vec![tip(4), tip(5)],
        }
    }

    #[test]
    fn a_receipt_says_what_was_signed() {
        let bytes = receipt(&statement().to_sign(), &[9; SIGNATURE_BYTES]);
        assert_eq!(Statement::read(&bytes), Some(statement()));
        assert_eq!(bytes.len(), receipt_bytes_max(2, 2));
    }

    #[test]
    fn what_is_cut_or_of_another_version_is_no_receipt() {
        let bytes = receipt(&statement().to_sign(), &[9; SIGNATURE_BYTES]);
        let region = statement().region.len();
        for cut in 0..bytes.len() - region {
            assert_eq!(Statement::read(&bytes[..cut]), None, "{cut} bytes");
        }
        assert_eq!(Statement::read(&[&[2], &bytes[1..]].concat()), None);
    }
}
