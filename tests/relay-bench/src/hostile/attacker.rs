//! A link of somebody who means no good: it greets as it likes, and then sends whatever it likes.

use anyhow::{Result, bail};
use eyot_core::base::id::LogId;
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Cursor;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::wire::batch::Last;
use eyot_core::wire::bodies::Hello;
use eyot_core::wire::frame::Frame;

use super::target::Target;
use crate::replica::unique;
use crate::socket::{Receiver, Sender, connect_under};

pub struct Attacker {
    pub sender: Sender,
    pub receiver: Receiver,
    /// What the relay greeted with.
    pub theirs: Hello,
    /// What the relay may be sent of commits.
    pub credit: i64,
    /// The last commit that came.
    last: Option<Last>,
}

/// How an attacker greets.
#[derive(Clone, Default)]
pub struct Greeting {
    pub token: Option<String>,
    /// Bytes that the relay may send.
    pub credit: u64,
    pub cursors: Vec<Cursor>,
    /// It says that it has a vector, which it keeps to itself.
    pub has_vector: bool,
}

impl Attacker {
    pub async fn open(target: &Target, space: &str, greeting: Greeting) -> Result<Self> {
        let (mut sender, mut receiver) =
            connect_under(target.address, &target.prefix, space, greeting.token.as_deref()).await?;
        let empty = Hello::empty(Descriptor::plain(space), LogId(unique()), greeting.credit);
        let tips = (!greeting.has_vector).then(Vec::new);
        let digest = empty.digest.filter(|_| !greeting.has_vector);
        let hello = Hello { token: greeting.token, cursors: greeting.cursors, tips, digest, ..empty };
        sender.send(&Frame::Hello(hello).encode()).await?;
        let theirs = match Frame::decode(receiver.receive().await?, &Limits::PROTOCOL)? {
            Frame::Hello(hello) => hello,
            Frame::Bye(bye) => bail!("{} {}", bye.code, bye.reason),
            other => bail!("a greeting was due, not {other:?}"),
        };
        let credit = theirs.credit as i64;
        Ok(Self { sender, receiver, theirs, credit, last: None })
    }

    pub async fn send(&mut self, frame: &Frame) -> Result<()> {
        self.sender.send(&frame.encode()).await
    }

    /// The next frame. A farewell is an error.
    pub async fn next(&mut self) -> Result<Frame> {
        match Frame::decode_next(self.receiver.receive().await?, &Limits::PROTOCOL, &mut self.last)? {
            Frame::Bye(bye) => bail!("{} {}", bye.code, bye.reason),
            Frame::Credit(bytes) => {
                self.credit += bytes as i64;
                Ok(Frame::Credit(bytes))
            }
            frame => Ok(frame),
        }
    }

    /// Receives until the relay ends the link, which is the error.
    pub async fn listen(&mut self) -> Result<()> {
        loop {
            self.next().await?;
        }
    }

    /// Spends credit; waits until there is some.
    pub async fn spend(&mut self, bytes: usize) -> Result<()> {
        while self.credit <= 0 {
            self.next().await?;
        }
        self.credit -= bytes as i64;
        Ok(())
    }
}
