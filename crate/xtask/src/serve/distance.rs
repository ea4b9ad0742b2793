//! Distance: an address that leads to a relay, and takes as long as if there were a sea between.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK_BYTES: usize = 16 * 1024;
/// What is on its way in one direction. Whoever sends more has to wait, as on a cable.
const CHUNKS_MAX: usize = 256;

/// What came, and when it has arrived at the other end.
type Chunk = (Instant, Vec<u8>);

/// Passes on whatever comes at the listener to the port, and back, each `one_way` later, as long as this process lives.
pub fn put_between(listener: TcpListener, port: u16, one_way: Duration) {
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // Nobody listens there: whoever has come is left as a region leaves them that is down.
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
            let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
            let (Ok(near_again), Ok(far_again)) = (near.try_clone(), far.try_clone()) else { continue };
            pass_on(near, far, one_way);
            pass_on(far_again, near_again, one_way);
        }
    });
}

fn pass_on(from: TcpStream, to: TcpStream, one_way: Duration) {
    let (sender, receiver) = sync_channel(CHUNKS_MAX);
    thread::spawn(move || read(from, &sender, one_way));
    thread::spawn(move || write(to, &receiver));
}

/// Until the one end has sent all, or the other takes no more.
fn read(mut from: TcpStream, sender: &SyncSender<Chunk>, one_way: Duration) {
    let mut bytes = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if sender.send((Instant::now() + one_way, bytes[..count].to_vec())).is_err() {
            break;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<Chunk>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            // Whoever reads from it for the other direction ends, too.
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arrives_in_order_and_no_earlier_than_the_distance_allows() {
        let one_way = Duration::from_millis(30);
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        put_between(listener, echo.local_addr().unwrap().port(), one_way);
        thread::spawn(move || {
            let (mut stream, _) = echo.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });

        let mut stream = TcpStream::connect(address).unwrap();
        let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let started = Instant::now();
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == sent);
        assert!(started.elapsed() >= 2 * one_way);
    }

    #[test]
    fn a_relay_that_is_down_ends_the_link() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        put_between(listener, nobody, Duration::ZERO);
        let mut got = Vec::new();
        TcpStream::connect(address).unwrap().read_to_end(&mut got).ok();
        assert!(got.is_empty());
    }
}
