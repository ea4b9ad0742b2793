//! Who may come in: what a verified token says, and what a relay lets its bearer do.
//!
//! Hosts verify signatures; what the claims mean is decided here, once for all hosts.

use crate::base::time::Millis;
use crate::wire::close::CloseCode;

/// What a link may do in a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Receive commits.
    Read,
    /// Receive and bring commits.
    Write,
}

/// Which side of a connection between two replicas one is: exactly one of them greets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It greets first.
    Dialer,
    /// It answers.
    Accepter,
}

/// What a verified token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whom quotas are charged to.
    pub subject: String,
    /// Spaces by exact name, or by a prefix that ends in `*`, and the right in each.
    pub spaces: Vec<(String, Right)>,
    /// When the token expires, by this host's clock.
    pub expires_at: Option<Millis>,
    /// Whether the bearer is a relay of another region.
    pub is_relay: bool,
}

/// Why a token lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// [`CloseCode::Denied`] or [`CloseCode::Expired`].
    pub code: CloseCode,
    /// For people. Names no part of the token.
    pub reason: String,
}

impl Claims {
    /// Everybody may read and write everything: what a relay without keys says of whoever comes. Nobody
    /// is a relay by that: what a relay says of other regions is believed.
    pub fn open() -> Self {
        let spaces = vec![("*".to_owned(), Right::Write)];
        Self { subject: String::new(), spaces, expires_at: None, is_relay: false }
    }

    /// The same for a relay without keys that has peers, whose relays it can't tell from others: a link
    /// may be that of any region which is configured.
    pub fn open_with_peers() -> Self {
        Self { is_relay: true, ..Self::open() }
    }

    /// What the bearer may do in that space: the highest right of all that name it.
    pub fn right_in(&self, space: &str) -> Option<Right> {
        let names = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => space.starts_with(prefix),
            None => space == pattern,
        };
        self.spaces.iter().filter(|(pattern, _)| names(pattern)).map(|(_, right)| *right).max()
    }
}

impl Refusal {
    /// The token is not one, or was not signed by a key that counts here.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self { code: CloseCode::Denied, reason: reason.into() }
    }

    /// The token was good once.
    pub fn expired(reason: impl Into<String>) -> Self {
        Self { code: CloseCode::Expired, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_right_of_all_that_name_a_space_counts() {
        let spaces = vec![
            ("team".to_owned(), Right::Read),
            ("te*".to_owned(), Right::Write),
            ("public/*".to_owned(), Right::Read),
        ];
        let claims = Claims { spaces, ..Claims::open() };
        assert_eq!(claims.right_in("team"), Some(Right::Write));
        assert_eq!(claims.right_in("public/a"), Some(Right::Read));
        assert_eq!(claims.right_in("public"), None);
        assert_eq!(claims.right_in("other"), None);
    }
}
