//! The token with which a link is to go on, on its way to who judges it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Room for one token. A connection has one of these for as long as it is there, so it is small.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// The last that came; none within where the client has none.
    token: Mutex<Option<Option<String>>>,
    has_come: Notify,
}

impl Renewals {
    /// A token has come. It replaces one that nobody has taken.
    pub fn put(&self, token: Option<String>) {
        *self.token() = Some(token);
        self.has_come.notify_one();
    }

    /// Waits for a token.
    pub async fn take(&self) -> Option<String> {
        loop {
            let token = self.token().take();
            if let Some(token) = token {
                return token;
            }
            self.has_come.notified().await;
        }
    }

    fn token(&self) -> MutexGuard<'_, Option<Option<String>>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
