//! What the tests share.

use crate::host::Host;
use crate::host::commits;
use eyot_core::base::id::AuthorId;
use eyot_core::base::id::CommitId;
use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::vector::Tip;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::bodies::Answer;
use eyot_core::wire::bodies::ChainRange;
use eyot_core::wire::bodies::Piece;
use eyot_core::wire::bodies::VectorPart;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

pub const FLOW: u16 = CloseCode::Flow as u16;

pub fn limits() -> Limits {
    Limits {
        frame_bytes_max: 2_000,
        hello_bytes_max: 2_000,
        piece_bytes: 1_000,
        unread_bytes: 8_000,
        probe_bytes: 500,
        frames_per_second: 10,
        frames_burst: 20,
        hello_tips_max: 2,
        vector_frame_tips_max: 8,
        ..Limits::PROTOCOL
    }
}

pub fn host() -> Host {
    Host::new(limits(), Caps::default())
}

/// A relay that holds what a writer has brought, and the link of a reader that has read all of it.
pub fn filled(limits: Limits, caps: Caps, brought: &[Commit]) -> (Host, LinkId) {
    let mut host = Host::new(limits, caps);
    let writer = host.come("write");
    for part in brought.chunks(1) {
        host.send(writer, &commits(part));
        host.read_all(writer);
    }
    let reader = host.come("read");
    host.read_all(reader);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
    (host, reader)
}

pub fn range(author: u8, from: u64, to: u64) -> ChainRange {
    ChainRange { author: AuthorId([author; 16]), from, to, branch: None }
}

pub fn tip(author: u8, seq: u64, id: u8) -> Tip {
    Tip { author: AuthorId([author; 16]), seq, id: CommitId([id; 32]) }
}

pub fn vector(tips: Vec<Tip>, last: bool, answer: bool) -> Frame {
    Frame::Vector(VectorPart { tips, last, answer, hole_tips: Vec::new() })
}

pub fn answered(frames: &[Frame]) -> Vec<(u64, bool)> {
    let end = |frame: &Frame| match frame {
        Frame::Answer(Answer { nonce, more: false, cut, .. }) => Some((*nonce, *cut)),
        _ => None,
    };
    frames.iter().filter_map(end).collect()
}

pub fn records(frames: &[Frame]) -> usize {
    let of = |frame: &Frame| match frame {
        Frame::Commits(commits) => commits.records.len(),
        Frame::Answer(answer) => answer.records.len(),
        _ => 0,
    };
    frames.iter().map(of).sum()
}

pub fn piece(bytes: usize, last: bool) -> Frame {
    Frame::Piece(Piece { bytes: vec![0; bytes].into(), last, answer: false })
}
