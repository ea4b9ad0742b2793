//! Who may come in with a token: its signature, what is revoked, and the application's last word.

use std::sync::Arc;

use eyot_core::wire::access::{Claims, Refusal};

use super::key_file::KeyFile;
use super::revoked::RevokedFile;
use super::token::{TokenFacts, Verified};
use super::webhook::Webhook;

/// Who may connect to spaces.
#[derive(Clone, Debug)]
pub enum AccessPolicy {
    /// Everybody, with every right.
    Open,
    /// Whoever has a good token.
    Tokens(Arc<Tokens>),
}

/// All that a token is judged by.
#[derive(Debug)]
pub struct Tokens {
    /// The keys that sign tokens.
    pub keys: KeyFile,
    /// Tokens that count no more.
    pub revoked: RevokedFile,
    /// The application, where it has a say.
    pub webhook: Option<Webhook>,
}

/// A bearer who may come in to a space.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What the token allows.
    pub claims: Claims,
    /// By what it can be revoked.
    pub facts: TokenFacts,
}

impl Tokens {
    /// Judges a token for a space.
    ///
    /// # Errors
    /// Its bearer may not come in.
    pub async fn admit(&self, token: Option<&str>, space: &str) -> Result<Admitted, Refusal> {
        let Verified { claims, facts } = self.keys.verify(token)?;
        self.revoked.check(&facts)?;
        let Some(right) = claims.right_in(space) else {
            return Err(Refusal::denied("this token is not for this space"));
        };
        let claims = match &self.webhook {
            None => claims,
            Some(webhook) => {
                let right = webhook.ask(space, token.unwrap_or_default(), right).await?;
                Claims { spaces: vec![(space.to_owned(), right)], ..claims }
            }
        };
        // It may have been revoked meanwhile.
        self.revoked.check(&facts)?;
        Ok(Admitted { claims, facts })
    }
}
