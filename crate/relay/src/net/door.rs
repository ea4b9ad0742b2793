//! Those who have come and have not shown yet that they may come in: connections before and during
//! their HTTP request, and WebSockets whose greeting has not been verified.
//!
//! There are a limited number of them, and they have limits of their own, so that they take nothing
//! from those who are in. Where too many come at once, whoever has stood there longest is shown out:
//! an honest comer needs moments.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Keeps count of comers.
#[derive(Debug)]
pub struct Door {
    most: usize,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    next: u64,
    /// In the order in which they came.
    comers: BTreeMap<u64, CancellationToken>,
}

/// Somebody who stands at the door, until this is dropped.
#[derive(Debug)]
pub struct Comer {
    door: Arc<Door>,
    number: u64,
    shown_out: CancellationToken,
    /// Cancelled once it has left the door, and came in.
    came_in: CancellationToken,
    /// What is given back once it has gone.
    kept: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Door {
    /// A door at which so many may stand.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), standing: Mutex::default() })
    }

    /// Somebody comes.
    pub fn come(self: &Arc<Self>) -> Comer {
        let shown_out = CancellationToken::new();
        let mut standing = self.standing();
        while standing.comers.len() >= self.most {
            let Some((_, first)) = standing.comers.pop_first() else { break };
            first.cancel();
        }
        let number = standing.next;
        standing.next += 1;
        standing.comers.insert(number, shown_out.clone());
        Comer {
            door: self.clone(),
            number,
            shown_out,
            came_in: CancellationToken::new(),
            kept: Mutex::default(),
        }
    }

    /// Shows everybody out.
    pub fn close(&self) {
        self.standing().comers.values().for_each(CancellationToken::cancel);
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Comer {
    /// Waits until this one has to go, because others have come.
    pub async fn shown_out(&self) {
        self.shown_out.cancelled().await;
    }

    /// It has shown that it may come in, and stands in nobody's way any more.
    pub fn come_in(&self) {
        self.door.standing().comers.remove(&self.number);
        self.came_in.cancel();
    }

    /// Keeps what this one takes until it has gone.
    pub fn keep(&self, taken: impl Any + Send) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(taken));
    }

    /// Waits until this one is let in.
    pub async fn came_in(&self) {
        self.came_in.cancelled().await;
    }
}

impl Drop for Comer {
    fn drop(&mut self) {
        self.door.standing().comers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_too_many_come_the_one_who_stands_there_longest_has_to_go() {
        let door = Door::new(2);
        let [first, second] = [door.come(), door.come()];
        assert!(!first.shown_out.is_cancelled());
        let third = door.come();
        assert!(first.shown_out.is_cancelled() && !second.shown_out.is_cancelled());
        drop(third);
        let fourth = door.come();
        assert!(!second.shown_out.is_cancelled() && !fourth.shown_out.is_cancelled());
        // Whoever is in takes no place at the door.
        second.come_in();
        let fifth = door.come();
        assert!(!second.shown_out.is_cancelled() && !fourth.shown_out.is_cancelled());
        drop(fifth);
        drop((first, second, fourth));
        assert!(door.standing().comers.is_empty());
    }
}
