//! Attacks of those who never come in, and of those who come in and read nothing.

use std::time::Duration;

use anyhow::{Result, bail};
use eyot_core::base::position::{Cursor, Marker, Position, RunningHash};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::attacker::{Attacker, Greeting};
use super::stage::Stage;
use crate::replica::{Author, unique};
use crate::socket::{self, PING, TEXT};

const TRICKLE: Duration = Duration::from_millis(100);

/// Comes without a token, each time to a space that nobody has ever named.
pub async fn no_token(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(50, |_| async move {
        let space = format!("nothing-{:x}", u128::from_le_bytes(unique()));
        Attacker::open(&stage.target, &space, Greeting::default()).await?.listen().await
    });
    stage.assault(attack).await
}

/// Shows positions that the relay's log never had.
pub async fn invented_cursors(stage: &Stage) -> Result<()> {
    let mut author = Author::new(&stage.space);
    stage.fill(vec![(0..1_000).map(|_| author.commit(None)).collect()]).await?;
    let log = stage.reader(0).await?.theirs.log;
    let attack = stage.crowd(8, |_| async move {
        let key = [unique(), unique()].concat().try_into().expect("two halves of a key");
        let mark = Marker::new(log, key, 0).mark(Position { seq: 500, hash: RunningHash(unique()) });
        let cursors = vec![Cursor { log, read: mark, seen: mark }];
        let token = stage.target.reader.clone();
        let greeting = Greeting { token, cursors, ..Greeting::default() };
        Attacker::open(&stage.target, &stage.space, greeting).await.map(drop)
    });
    stage.assault(attack).await
}

/// Connects and then says nothing, or little, or that slowly.
pub async fn slow_comers(stage: &Stage) -> Result<()> {
    let target = &stage.target;
    let attack = stage.crowd(stage.count(1_500), |number| async move {
        match number % 3 {
            0 => {
                let stream = TcpStream::connect(target.address).await?;
                until_closed(stream).await
            }
            1 => {
                let mut stream = TcpStream::connect(target.address).await?;
                for byte in format!("GET {}/v1/a HTTP/1.1\r\nx: {}", target.prefix, "x".repeat(9_000)).bytes()
                {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(TRICKLE).await;
                }
                Ok(())
            }
            _ => {
                let prefix = &target.prefix;
                let (_sender, mut receiver) =
                    socket::connect_under(target.address, prefix, "a", None).await?;
                receiver.drain().await
            }
        }
    });
    stage.assault(attack).await
}

async fn until_closed(stream: TcpStream) -> Result<()> {
    let mut byte = [0];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut byte) {
            Ok(0) => bail!("the relay hung up"),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Pings all the time, and reads no answer.
pub async fn unread_pings(stage: &Stage) -> Result<()> {
    let attack = stage.crowd(50, |number| async move {
        let mut link = stage.reader(0).await?;
        loop {
            match number % 2 {
                0 => link.sender.send_as(PING, &[7; 125]).await?,
                _ => link.sender.send_as(TEXT, b"ping").await?,
            }
        }
    });
    stage.assault(attack).await
}

/// Asks for a page again and again over one connection, and reads none.
pub async fn unread_pages(stage: &Stage) -> Result<()> {
    let target = &stage.target;
    let attack = stage.crowd(stage.count(300), |_| async move {
        let mut stream = TcpStream::connect(target.address).await?;
        let request = format!("GET {}/metrics HTTP/1.1\r\nhost: x\r\n\r\n", target.prefix);
        loop {
            // A relay that has hung up says so to who writes.
            stream.write_all(request.as_bytes()).await?;
            tokio::time::sleep(TRICKLE).await;
        }
    });
    stage.assault(attack).await
}

/// Asks for the metrics as fast as it gets them.
pub async fn many_pages(stage: &Stage) -> Result<()> {
    let target = &stage.target;
    let page = format!("{}/metrics", target.prefix);
    let page = &page;
    let attack = stage.crowd(8, |_| async move {
        loop {
            socket::get(target.address, page).await?;
        }
    });
    stage.assault(attack).await
}
