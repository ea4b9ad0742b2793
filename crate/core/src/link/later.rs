//! What can wait on a link to another replica: names of commits that others send, and acknowledgements. So one
//! frame says of many commits what it would say of each, and what the other side says first need not be said.

use crate::base::position::Position;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::vector::Tip;

/// How long a name may wait for others, on the side that has dialled and on the other one. What one side has named the
/// other has no need to.
const NAME_WAITS: [Millis; 2] = [200, 400];
/// How long an acknowledgement may. Nothing is promised to anybody by what another replica has.
const ACK_WAIT: Millis = 1_000;
/// So many names are said at once.
const NAMES_MAX: usize = 64;

#[derive(Clone, Debug, Default)]
pub(crate) struct Later {
    /// With when each is to be said.
    named: Vec<(Tip, Millis)>,
    /// How far the log is told with these names.
    told: Option<Position>,
    ack: Owed,
}

/// Whether there is something to acknowledge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owed {
    #[default]
    Nothing,
    Since(Millis),
    /// It has waited for long enough.
    Due,
}

impl Later {
    /// Puts a name with those that wait; of commits that follow one another in a chain the last says it all.
    pub fn name(&mut self, commit: &Commit, is_dialer: bool, now: Millis) {
        let [dialer, accepter] = NAME_WAITS;
        let prev = commit.header().prev.short();
        match self.named.iter_mut().find(|(before, _)| before.id.short() == prev) {
            Some((before, _)) => *before = commit.tip(),
            None => self.named.push((commit.tip(), now + if is_dialer { dialer } else { accepter })),
        }
    }

    /// With these names the log is told up to here.
    pub fn tells(&mut self, to: Position) {
        self.told = Some(to);
    }

    pub fn has_names(&self) -> bool {
        self.told.is_some()
    }

    /// How many names wait.
    pub fn names(&self) -> usize {
        self.named.len()
    }

    pub fn is_full(&self) -> bool {
        self.named.len() >= NAMES_MAX
    }

    /// The other side has said that it has this commit. Whether nothing is left to be named.
    pub fn is_known(&mut self, known: &Tip, now: Millis) -> bool {
        self.named.retain(|(tip, _)| tip.id != known.id);
        for (tip, at) in self.named.iter_mut().filter(|(tip, _)| tip.author == known.author) {
            // It has named a part of this, and goes on.
            *at = if tip.seq > known.seq { (*at).max(now + NAME_WAITS[0]) } else { *at };
        }
        self.named.is_empty()
    }

    /// The names that are left, and how far the log is told with them.
    pub fn take_names(&mut self) -> Option<(Vec<Tip>, Position)> {
        let to = self.told.take()?;
        Some((self.named.drain(..).map(|(tip, _)| tip).collect(), to))
    }

    /// There is something to acknowledge; whether it has waited for long enough.
    pub fn owes_ack(&mut self, now: Millis) -> bool {
        if self.ack == Owed::Nothing {
            self.ack = Owed::Since(now);
        }
        self.ack == Owed::Due
    }

    pub fn is_ack_owed(&self) -> bool {
        self.ack != Owed::Nothing
    }

    /// Whether an acknowledgement has waited for long enough: it does not wait any more.
    pub fn ends_wait_of_ack(&mut self, now: Millis) -> bool {
        let is_over = matches!(self.ack, Owed::Since(since) if since + ACK_WAIT <= now);
        if is_over {
            self.ack = Owed::Due;
        }
        is_over
    }

    pub fn acknowledged(&mut self) {
        self.ack = Owed::Nothing;
    }

    /// When something has waited for long enough.
    pub fn due_at(&self) -> Option<Millis> {
        let names = self.named.iter().map(|(_, at)| *at);
        let ack = match self.ack {
            Owed::Since(since) => Some(since + ACK_WAIT),
            Owed::Nothing | Owed::Due => None,
        };
        names.chain(ack).min()
    }

    pub fn are_names_due(&self, now: Millis) -> bool {
        self.named.iter().any(|(_, at)| *at <= now)
    }
}
