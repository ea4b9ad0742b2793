//! A queue in which nobody waits for what others have sent before: spaces have turns, and in a space its
//! links have. What came in on one link keeps its order.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::base::LinkKey;

/// A space's turn ends after so many bytes, or when whoever takes them says so.
pub(super) const TURN_BYTES: usize = 64 * 1024;

/// What waits, by space and link.
pub(super) struct FairQueue<T> {
    spaces: HashMap<Arc<str>, SpaceQueue<T>>,
    /// Those for which something waits; the first one has its turn.
    turns: VecDeque<Arc<str>>,
    /// What the first one has had of its turn.
    taken_bytes: usize,
}

struct SpaceQueue<T> {
    links: HashMap<LinkKey, VecDeque<Item<T>>>,
    /// Those for which something waits. A turn is one item.
    turns: VecDeque<LinkKey>,
}

struct Item<T> {
    what: T,
    bytes: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { spaces: HashMap::new(), turns: VecDeque::new(), taken_bytes: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Adds what came in on a link of a space, and what it counts.
    pub(super) fn push(&mut self, space: Arc<str>, link: LinkKey, what: T, bytes: usize) {
        let queue = self.spaces.entry(space.clone()).or_insert_with(|| {
            self.turns.push_back(space);
            SpaceQueue { links: HashMap::new(), turns: VecDeque::new() }
        });
        let items = queue.links.entry(link).or_insert_with(|| {
            queue.turns.push_back(link);
            VecDeque::new()
        });
        items.push_back(Item { what, bytes });
    }

    /// Takes the next of whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(Arc<str>, LinkKey, T)> {
        let space = self.turns.front()?.clone();
        let queue = self.spaces.get_mut(&space)?;
        let link = queue.turns.pop_front()?;
        let items = queue.links.get_mut(&link)?;
        let Item { what, bytes } = items.pop_front()?;
        if items.is_empty() {
            queue.links.remove(&link);
        } else {
            queue.turns.push_back(link);
        }
        self.taken_bytes += bytes;
        if queue.turns.is_empty() {
            self.taken_bytes = 0;
            self.turns.pop_front();
            self.spaces.remove(&space);
        } else if self.taken_bytes >= TURN_BYTES {
            self.end_turn();
        }
        Some((space, link, what))
    }

    /// The space that has its turn has had enough of it. One that has had nothing of it yet keeps it.
    pub(super) fn end_turn(&mut self) {
        if self.taken_bytes > 0 {
            self.taken_bytes = 0;
            self.turns.rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use eyot_core::base::id::LinkId;

    use super::*;
    use crate::base::LinkOrigin;

    fn link(id: u64) -> LinkKey {
        LinkKey { origin: LinkOrigin::Accepted, id: LinkId(id) }
    }

    fn order(queue: &mut FairQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| Some(queue.pop()?.2)).collect()
    }

    #[test]
    fn a_space_waits_for_one_turn_of_another_that_has_thousands_of_links() {
        let mut queue = FairQueue::default();
        for number in 0..10_000 {
            queue.push("attacked".into(), link(number), 0, 256 * 1024);
        }
        queue.push("honest".into(), link(1), 1, 300);
        assert_eq!(order(&mut queue).iter().position(|what| *what == 1), Some(1));
    }

    #[test]
    fn a_link_waits_for_one_frame_of_each_other_link_of_its_space() {
        let mut queue = FairQueue::default();
        for number in 0..10_000 {
            queue.push("a".into(), link(number % 4), 0, 300);
        }
        queue.push("a".into(), link(9), 1, 300);
        assert_eq!(order(&mut queue).iter().position(|what| *what == 1), Some(4));
    }

    #[test]
    fn small_frames_of_a_space_come_together_and_large_ones_alone() {
        let mut queue = FairQueue::default();
        for _ in 0..1_000 {
            queue.push("small".into(), link(1), 1, TURN_BYTES / 100);
        }
        for _ in 0..3 {
            queue.push("large".into(), link(2), 2, TURN_BYTES);
        }
        let order = order(&mut queue);
        let after_large = order.split(|what| *what == 2).map(<[u32]>::len).collect::<Vec<_>>();
        assert_eq!(after_large, [101, 101, 101, 697]);
    }

    #[test]
    fn a_turn_that_took_too_long_ends_before_its_bytes_are_used_up() {
        let mut queue = FairQueue::default();
        for number in 0..10 {
            queue.push("slow".into(), link(number), 0, 1);
        }
        queue.push("a".into(), link(1), 1, 1);
        queue.push("b".into(), link(1), 2, 1);
        queue.push("b".into(), link(1), 3, 1);
        assert_eq!(queue.pop().unwrap().2, 0);
        queue.end_turn();
        assert_eq!(queue.pop().unwrap().2, 1);
        // That was all of "a": the next turn has not begun, and does not end.
        queue.end_turn();
        assert_eq!(order(&mut queue)[..3], [2, 3, 0]);
    }

    #[test]
    fn what_came_on_a_link_keeps_its_order_and_nothing_is_kept_of_it_afterwards() {
        let mut queue = FairQueue::default();
        for number in 0..300u32 {
            let space = ["a", "b"][number as usize % 2];
            queue.push(space.into(), link(u64::from(number % 3)), number, 700);
        }
        let mut last = HashMap::new();
        while let Some((space, link, number)) = queue.pop() {
            assert!(last.insert((space, link), number).is_none_or(|before| before < number));
        }
        assert_eq!(last.len(), 6);
        assert!(queue.spaces.is_empty() && queue.turns.is_empty());
    }
}
