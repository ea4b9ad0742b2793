//! How often relays of other regions are dialled: for all spaces together, because all of their links
//! lead to the same host.
//!
//! While a relay can be reached, links open as they are asked for, a limited number at the same time.
//! While it can't, one link after another tries, at growing distances, and the others wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Links to one relay that may be opening at the same time.
const OPENING_MAX: usize = 32;
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The relays that were dialled, by address.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<HashMap<String, Arc<Peer>>>);

#[derive(Debug)]
pub(super) struct Peer {
    opening: Semaphore,
    /// Whose turn it is to try, while it can't be reached.
    turn: Turn<()>,
    down: Mutex<Option<Down>>,
}

/// It could not be reached.
#[derive(Clone, Copy, Debug)]
struct Down {
    wait: Duration,
    until: Instant,
}

impl Peers {
    pub(super) fn at(&self, url: &str) -> Arc<Peer> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        peers.entry(url.to_owned()).or_default().clone()
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self { opening: Semaphore::new(OPENING_MAX), turn: Turn::default(), down: Mutex::default() }
    }
}

impl Peer {
    /// Opens a link when it is time to.
    pub(super) async fn open<T, E>(&self, connect: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        if self.down().is_none() {
            let _opening = self.opening.acquire().await;
            // Meanwhile others may have failed.
            if self.down().is_none() {
                return self.attempt(connect).await;
            }
        }
        let turn = self.turn.lock().await;
        let down = *self.down();
        let Some(down) = down else {
            drop(turn);
            let _opening = self.opening.acquire().await;
            return self.attempt(connect).await;
        };
        sleep_until(down.until).await;
        self.attempt(connect).await
    }

    async fn attempt<T, E>(&self, connect: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let outcome = connect.await;
        let mut down = self.down();
        *down = match (&outcome, *down) {
            (Ok(_), _) => None,
            // One of several that were under way when the first of them failed.
            (Err(_), Some(down)) if down.until > Instant::now() => Some(down),
            (Err(_), before) => {
                let wait = before.map_or(WAIT_MIN, |down| (down.wait * 2).min(WAIT_MAX));
                Some(Down { wait, until: Instant::now() + wait })
            }
        };
        outcome
    }

    fn down(&self) -> MutexGuard<'_, Option<Down>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures_util::future::{join_all, select};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_down_is_dialled_as_if_there_were_one_space_and_is_found_when_it_is_up() {
        let (peer, dials, is_up) = (Peer::default(), AtomicUsize::new(0), AtomicBool::new(false));
        let connect = || async {
            dials.fetch_add(1, Ordering::Relaxed);
            is_up.load(Ordering::Relaxed).then_some(()).ok_or(())
        };
        let (peer, connect) = (&peer, &connect);
        let spaces =
            join_all((0..3_000).map(|_| async move { while peer.open(connect()).await.is_err() {} }));
        let watching = async {
            sleep(Duration::from_secs(60)).await;
            let dialled = dials.load(Ordering::Relaxed);
            // All that found it up at first, and then one at growing distances.
            assert!(dialled < OPENING_MAX + 15, "{dialled} dials in a minute");
            is_up.store(true, Ordering::Relaxed);
            sleep(WAIT_MAX * 2).await;
            panic!("not all have found it");
        };
        tokio::pin!(spaces, watching);
        select(spaces, watching).await;
        assert!(is_up.load(Ordering::Relaxed));
    }
}
