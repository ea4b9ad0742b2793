//! Forks that are deeper than what may wait.
//!
//! A pass over a log skips what the tips that it was told say is held. Of an author that is forked this
//! leaves out the commits before the tip's number, although they may be of another branch: whoever gets
//! what comes after asks for them from above, and keeps all of it waiting until the branches meet. Where
//! that is too much, the peer is not told of the author: it sends all of its chain, in order. No cursor is
//! shown to it, and none of its own is taken: what follows a cursor may be named in place of being sent, and
//! what is asked for by name comes from above, too.

use std::collections::VecDeque;

use crate::base::id::{AuthorId, LogId};
use crate::base::id_map::IdSet;

/// Of so many peers this is kept, and of so many authors for each.
const PEERS_MAX: usize = 16;
const AUTHORS_MAX: usize = 64;

/// By peer, those noted last at the end, the authors of which it is told nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct DeepForks(VecDeque<(LogId, IdSet<AuthorId>)>);

impl DeepForks {
    /// Branches of these authors are deeper than what may wait of what this peer sends.
    pub fn note(&mut self, peer: LogId, authors: impl IntoIterator<Item = AuthorId>) {
        let at = self.0.iter().position(|(log, _)| *log == peer);
        let (_, mut noted) = at.and_then(|at| self.0.remove(at)).unwrap_or((peer, IdSet::new()));
        for author in authors {
            if noted.len() < AUTHORS_MAX {
                noted.insert(author);
            }
        }
        if self.0.len() == PEERS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((peer, noted));
    }

    /// Whether this peer is to make a pass over all of its log.
    pub fn contains_peer(&self, peer: &LogId) -> bool {
        self.0.iter().any(|(log, _)| log == peer)
    }

    /// Whether this peer is to be told nothing of this author.
    pub fn contains(&self, peer: &LogId, author: &AuthorId) -> bool {
        self.0.iter().any(|(log, authors)| log == peer && authors.contains(author))
    }

    /// All that this peer held is held here.
    pub fn forget(&mut self, peer: &LogId) {
        self.0.retain(|(log, _)| log != peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_last_peers_and_of_some_authors_each_it_is_kept_until_it_is_forgotten() {
        let mut forks = DeepForks::default();
        let authors = || (0..=AUTHORS_MAX as u8).map(|number| AuthorId([number; 16]));
        for peer in 0..=PEERS_MAX as u8 {
            forks.note(LogId([peer; 16]), authors());
        }
        let kept = |forks: &DeepForks, peer: u8| {
            authors().filter(|author| forks.contains(&LogId([peer; 16]), author)).count()
        };
        assert_eq!([0, 1, PEERS_MAX as u8].map(|peer| kept(&forks, peer)), [0, AUTHORS_MAX, AUTHORS_MAX]);
        forks.forget(&LogId([1; 16]));
        assert_eq!(kept(&forks, 1), 0);
    }
}
