//! Reads from a connection.

use std::io::{self, ErrorKind};

use tokio::net::TcpStream;
use tokio::task::yield_now;

use crate::websocket::Decoder;

/// After so much at once other connections have their turn: there may be more.
const TURN_BYTES: usize = 8 * 1024;

/// Reads what has come in, some of it if that is much. Waits until there is something.
///
/// # Errors
/// The connection has broken, or the other side has ended it.
pub(super) async fn receive(stream: &TcpStream, decoder: &mut Decoder) -> io::Result<()> {
    loop {
        // Whoever waits has no buffer.
        decoder.release_buffer();
        stream.readable().await?;
        match stream.try_read_buf(decoder.read_buffer()) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                if read >= TURN_BYTES {
                    yield_now().await;
                }
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn others_have_their_turn_while_one_sends_much() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (theirs, ours) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (mut theirs, ours) = (theirs.unwrap(), ours.unwrap().0);
        let sending = tokio::spawn(async move {
            theirs.write_all(&[0; 4 << 20]).await.unwrap();
            theirs
        });
        let turns = Arc::new(AtomicUsize::new(0));
        let others = tokio::spawn({
            let turns = turns.clone();
            async move {
                loop {
                    turns.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            }
        });
        let reads = Arc::new(Mutex::new(Vec::new()));
        let reading = tokio::spawn({
            let reads = reads.clone();
            async move {
                let mut decoder = Decoder::new(0, &[]);
                for _ in 0..64 {
                    receive(&ours, &mut decoder).await.unwrap();
                    let bytes = decoder.read_buffer().len();
                    decoder.read_buffer().clear();
                    reads.lock().unwrap().push((bytes, turns.load(Ordering::Relaxed)));
                }
                ours
            }
        });
        drop(reading.await.unwrap());
        others.abort();
        sending.abort();
        let reads = reads.lock().unwrap();
        let (mut bytes_in_turn, mut turns_before) = (0, 0);
        for (bytes, turns) in reads.iter() {
            bytes_in_turn += bytes;
            if *turns > turns_before {
                (bytes_in_turn, turns_before) = (0, *turns);
            }
            assert!(bytes_in_turn < 2 * TURN_BYTES, "{reads:?}");
        }
    }
}
