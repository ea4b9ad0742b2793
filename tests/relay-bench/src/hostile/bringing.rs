//! Attacks of writers: pieces, commits that wait for others, forks, deletes.

use std::cell::RefCell;

use anyhow::Result;
use eyot_core::base::id::{AuthorId, CommitId, DocId, LogId, ShortId};
use eyot_core::base::limits::COMMIT_COST_BYTES;
use eyot_core::base::position::{Marker, Position, RunningHash};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::wire::bodies::{Answer, Commits, Piece};
use eyot_core::wire::frame::Frame;

use super::attacker::Attacker;
use super::stage::{Stage, batches, bring};
use crate::replica::{Author, unique};

const PIECE_BYTES: usize = 250_000;
const FILLERS: usize = 4;

/// Sends pieces of commits that never come, with all the credit it has, on many links.
pub async fn endless_pieces(stage: &Stage) -> Result<()> {
    stage.assault(stage.crowd(50, |_| pieces(stage, false))).await
}

/// Says that each piece is the last, and never to what.
pub async fn last_pieces(stage: &Stage) -> Result<()> {
    stage.assault(stage.crowd(10, |_| pieces(stage, true))).await
}

/// The same by somebody who may only read, and as parts of answers that nobody asked for.
pub async fn pieces_of_readers(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(10, |number| async move {
        let mut link = stage.reader(0).await?;
        let piece = Piece { bytes: vec![7; PIECE_BYTES].into(), last: true, answer: number % 2 == 0 };
        let frame = Frame::Piece(piece).encode();
        loop {
            link.sender.send(&frame).await?;
        }
    });
    stage.assault(attack).await
}

async fn pieces(stage: &Stage, last: bool) -> Result<()> {
    let mut link = stage.writer().await?;
    let piece = Piece { bytes: vec![7; PIECE_BYTES].into(), last, answer: false };
    let frame = Frame::Piece(piece).encode();
    while link.credit > PIECE_BYTES as i64 {
        link.spend(PIECE_BYTES).await?;
        link.sender.send(&frame).await?;
    }
    link.listen().await
}

/// Sends frames without commits behind one that waits: none of them can be acknowledged.
pub async fn empty_frames(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(4, |_| async move {
        let Attacker { mut sender, mut receiver, .. } = stage.writer().await?;
        let waiting = Author::new(&stage.space).commit_of(vec![nothing()], Vec::new());
        sender.send(&frame_of(&[waiting], 1)).await?;
        let sending = async {
            for seq in 2.. {
                sender.send(&frame_of(&[], seq)).await?;
            }
            Ok(())
        };
        tokio::select! { sent = sending => sent, heard = receiver.drain() => heard }
    });
    stage.assault(attack).await
}

/// Fills the waiting room, and says to each question that there is more.
pub async fn cut_answers(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(2, |_| async move {
        let mut link = stage.writer().await?;
        for seq in 1..=2_000 {
            let waiting = Author::new(&stage.space).commit_of(vec![nothing()], Vec::new());
            link.credit -= (waiting.size() + COMMIT_COST_BYTES) as i64;
            link.sender.send(&frame_of(&[waiting], seq)).await?;
        }
        loop {
            if let Frame::Want(want) = link.next().await? {
                let answer = Answer { nonce: want.nonce, records: Vec::new(), more: false, cut: true };
                link.send(&Frame::Answer(answer)).await?;
            }
        }
    });
    stage.assault(attack).await
}

/// Brings commits that wait for one another: each comes after a commit of each of the others.
pub async fn commits_that_name_each_other(stage: &Stage) -> Result<()> {
    const CIRCLE: usize = 1_024;
    let attack = stage.crowd(8, |_| async move {
        let mut link = stage.writer().await?;
        let authors: Vec<_> = (0..stage.count(CIRCLE)).map(|_| AuthorId(unique())).collect();
        for (seq, author) in (1..).zip(&authors) {
            let others = authors.iter().filter(|other| *other != author);
            let mut after: Vec<_> =
                others.map(|author| After { author: *author, seq: 2, short: ShortId(unique()) }).collect();
            after.sort();
            let items = vec![(DocId(unique()), Kind::Change, vec![7])];
            let place = (*author, 2, CommitId([7; 32]));
            let limits = &eyot_core::base::limits::Limits::PROTOCOL;
            let commit = Commit::new(place, after, 0, items, limits)?;
            link.spend(commit.size() + COMMIT_COST_BYTES).await?;
            link.sender.send(&frame_of(&[commit], seq)).await?;
        }
        link.listen().await
    });
    stage.assault(attack).await
}

/// Brings one commit that waits, a thousand times.
pub async fn one_waiting_commit(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(4, |_| async move {
        let mut link = stage.writer().await?;
        let items = vec![(DocId(unique()), Kind::Change, vec![7; 200_000])];
        let waiting = Author::new(&stage.space).commit_of(vec![nothing()], items);
        for seq in 1..=1_000 {
            link.spend(waiting.size() + COMMIT_COST_BYTES).await?;
            link.sender.send(&frame_of(std::slice::from_ref(&waiting), seq)).await?;
        }
        link.listen().await
    });
    stage.assault(attack).await
}

/// One author with ten thousands of branches.
pub async fn forks(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(1, |_| async move {
        let author = Author::new(&stage.space);
        let branch = |number: usize| {
            let bytes = (number as u64).to_le_bytes().to_vec();
            author.branch(Vec::new(), vec![(DocId(unique()), Kind::Change, bytes)])
        };
        let mut link = stage.writer().await?;
        bring(&mut link, &batches((0..stage.count(44_000)).map(branch).collect())).await
    });
    stage.assault(attack).await
}

/// Deletes documents, one after another, out of a big log.
pub async fn small_deletes(stage: &Stage) -> Result<()> {
    let docs = RefCell::new(Vec::new());
    let mut histories = Vec::new();
    for _ in 0..FILLERS {
        let mut author = Author::new(&stage.space);
        let item = || {
            docs.borrow_mut().push(DocId(unique()));
            vec![(docs.borrow()[docs.borrow().len() - 1], Kind::Change, vec![7; 60_000])]
        };
        histories.push((0..stage.count(1_000)).map(|_| author.commit_of(Vec::new(), item())).collect());
    }
    stage.fill(histories).await?;
    let docs = &docs;
    let attack = stage.crowd(1, |_| async move {
        let (mut link, mut author) = (stage.writer().await?, Author::new(&stage.space));
        for seq in 1.. {
            let Some(doc) = docs.borrow_mut().pop() else { break };
            let delete = author.commit_of(Vec::new(), vec![(doc, Kind::Delete, Vec::new())]);
            link.sender.send(&frame_of(&[delete], seq)).await?;
            while !matches!(link.next().await?, Frame::Ack(ack) if ack.read >= seq) {}
        }
        link.listen().await
    });
    stage.assault(attack).await
}

/// Names a commit that nobody has.
fn nothing() -> After {
    After { author: AuthorId(unique()), seq: 9, short: ShortId(unique()) }
}

/// A frame that ends at this number of a log that nobody has.
fn frame_of(commits: &[Commit], seq: u64) -> Vec<u8> {
    let marker = Marker::new(LogId([7; 16]), [7; 32], 0);
    let to = Some(marker.mark(Position { seq, hash: RunningHash([7; 16]) }));
    let records = commits.iter().map(|commit| commit.encode().into()).collect();
    Frame::Commits(Commits { records, to, named: Vec::new() }).encode()
}
