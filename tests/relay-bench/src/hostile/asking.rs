//! Attacks of readers that ask: wants, and vectors.

use anyhow::Result;
use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::commit::kind::Kind;
use eyot_core::commit::vector::Tip;
use eyot_core::wire::bodies::{ChainRange, VectorPart, Want};
use eyot_core::wire::frame::Frame;

use super::attacker::Attacker;
use super::stage::{CREDIT_MAX, Stage};
use crate::replica::{Author, unique};

/// Links that fill a space at the same time.
const FILLERS: usize = 4;
const BULK_BYTES: usize = 250_000;
const TIPS_A_FRAME: usize = 2_048;

/// Asks for tiny commits that lie far apart in the log.
pub async fn scattered_wants(stage: &Stage) -> Result<()> {
    let mut ranges = Vec::new();
    let mut histories = Vec::new();
    for _ in 0..FILLERS {
        let (mut tiny, mut bulk) = (Author::new(&stage.space), Author::new(&stage.space));
        let each = stage.count(64);
        let pairs = (0..each).flat_map(|_| {
            let items = vec![(DocId(unique()), Kind::Change, vec![7; BULK_BYTES])];
            [tiny.commit(None), bulk.commit_of(Vec::new(), items)]
        });
        histories.push(pairs.collect());
        ranges.push(ChainRange { author: tiny.id(), from: 1, to: each as u64, branch: None });
    }
    stage.fill(histories).await?;
    let ranges = &ranges;
    stage.assault(stage.crowd(5, |_| ask(stage, ranges.clone()))).await
}

/// Asks for one long chain thirty-two times in one question.
pub async fn equal_wants(stage: &Stage) -> Result<()> {
    let range = long_chain(stage).await?;
    stage.assault(stage.crowd(1, |_| ask(stage, vec![range; 32]))).await
}

/// Asks for one long chain, which no answer holds, again and again.
pub async fn long_wants(stage: &Stage) -> Result<()> {
    let range = long_chain(stage).await?;
    stage.assault(stage.crowd(8, |_| ask(stage, vec![range]))).await
}

async fn long_chain(stage: &Stage) -> Result<ChainRange> {
    let mut author = Author::new(&stage.space);
    let commits = stage.count(200_000);
    stage.fill(vec![(0..commits).map(|_| author.commit(None)).collect()]).await?;
    Ok(ChainRange { author: author.id(), from: 1, to: commits as u64, branch: None })
}

async fn ask(stage: &Stage, ranges: Vec<ChainRange>) -> Result<()> {
    let mut link = stage.reader(0).await?;
    for nonce in 1.. {
        link.send(&Frame::Want(Want { nonce, ranges: ranges.clone() })).await?;
        while !matches!(link.next().await?, Frame::Answer(answer) if !answer.more) {}
    }
    Ok(())
}

/// Says that it has a million branches of one author.
pub async fn vector_of_one_author(stage: &Stage) -> Result<()> {
    let author = AuthorId(unique());
    let frames = stage.count(1_000_000).div_ceil(TIPS_A_FRAME);
    let frames: Vec<_> = (0..frames).map(|n| part(|| author, n + 1 == frames).encode()).collect();
    let frames = &frames;
    let attack = stage.crowd(1, |_| async move {
        let Attacker { mut sender, mut receiver, .. } = stage.reader_with_vector(0).await?;
        let sending = async {
            for frame in frames {
                sender.send(frame).await?;
            }
            Ok(())
        };
        tokio::select! { sent = sending => sent, heard = receiver.drain() => heard }
    });
    stage.assault(attack).await
}

/// Never says that its vector is over.
pub async fn unfinished_vectors(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(10, |_| async move {
        let Attacker { mut sender, mut receiver, .. } = stage.reader_with_vector(0).await?;
        let sending = async {
            loop {
                sender.send(&part(|| AuthorId(unique()), false).encode()).await?;
            }
        };
        tokio::select! { sent = sending => sent, heard = receiver.drain() => heard }
    });
    stage.assault(attack).await
}

/// Asks a relay that knows many authors for its vector, all the time.
pub async fn vectors_asked_for(stage: &Stage) -> Result<()> {
    let each = stage.count(50_000) / FILLERS;
    let history = || (0..each).map(|_| Author::new(&stage.space).commit(None)).collect();
    stage.fill((0..FILLERS).map(|_| history()).collect()).await?;
    let attack = stage.crowd(1, |_| async move {
        let Attacker { mut sender, mut receiver, .. } = stage.reader(0).await?;
        let frame =
            Frame::Vector(VectorPart { tips: Vec::new(), last: true, answer: true, hole_tips: Vec::new() })
                .encode();
        let sending = async {
            for _ in 0..2_000 {
                sender.send(&frame).await?;
            }
            std::future::pending::<Result<()>>().await
        };
        tokio::select! { sent = sending => sent, heard = receiver.drain() => heard }
    });
    stage.assault(attack).await
}

/// Grants all that can be granted, says what it has again and again, and reads nothing.
pub async fn credit_unread(stage: &Stage) -> Result<()> {
    let history = || {
        let mut author = Author::new(&stage.space);
        let item = || vec![(DocId(unique()), Kind::Change, vec![7; BULK_BYTES])];
        (0..stage.count(128)).map(|_| author.commit_of(Vec::new(), item())).collect()
    };
    stage.fill((0..FILLERS).map(|_| history()).collect()).await?;
    let attack = stage.crowd(8, |_| async move {
        let mut link = stage.reader_with_vector(CREDIT_MAX).await?;
        for _ in 0..30 {
            link.send(&part(|| AuthorId(unique()), true)).await?;
            link.send(&Frame::Credit(CREDIT_MAX)).await?;
        }
        tokio::time::sleep(stage.time / 3).await;
        link.listen().await
    });
    stage.assault(attack).await
}

fn part(author: impl Fn() -> AuthorId, last: bool) -> Frame {
    let tip = |_| {
        let mut id = [0; 32];
        id[..16].copy_from_slice(&unique());
        Tip { author: author(), seq: 1, id: CommitId(id) }
    };
    let tips = (0..TIPS_A_FRAME).map(tip).collect();
    Frame::Vector(VectorPart { tips, last, answer: false, hole_tips: Vec::new() })
}
