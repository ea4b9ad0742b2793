//! What the tabs that share a log owe one another: whom it is for, and what a tab could not store before
//! it ended.

use eyot_core::storage::request::Entries;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::driver::Driver;
use super::promises::Answer;
use super::tokens;
use crate::base::{error, platform};
use crate::convert::events::EngineEvent;
use crate::io::page::{Moment, Page};

const DENIED: &str = "denied";
const DATABASE_EACH: &str = "give each its own database, with indexedDb({ database })";

impl Driver {
    // Whom the tabs that share a log are for.

    /// All of a log goes over the link of whoever leads, in the name of that tab's token. So a log is for
    /// one subject: the first that a token named.
    pub(super) fn check_subject(&self, token: Option<String>) -> Result<(), JsValue> {
        let Some(subject) = token.and_then(|token| tokens::subject(&token)) else { return Ok(()) };
        let held = self.subject.borrow().clone();
        match held {
            Some(held) if held != subject => Err(error::coded(
                DENIED,
                &format!(
                    "the token is for {subject:?}, and what is kept here is {held:?}'s: {DATABASE_EACH}"
                ),
            )),
            Some(_) => Ok(()),
            None => {
                self.storage.keep_subject(&subject);
                *self.subject.borrow_mut() = Some(subject);
                Ok(())
            }
        }
    }

    /// A tab that another one links for is asked for no token: it is asked here once.
    pub(super) fn look_at_subject(&self) {
        if !self.tokens.are_asked_for() || self.shared.is_none() || self.online.get().told {
            return;
        }
        let this = self.this.clone();
        spawn_local(async move {
            let Some(token) = this.upgrade().map(|driver| driver.tokens.next()) else { return };
            if let (Ok(Some(token)), Some(driver)) = (token.await, this.upgrade()) {
                driver.let_in(&token);
            }
        });
    }

    /// Whether this token may be used. Otherwise this replica ends.
    pub(super) fn let_in(&self, token: &str) -> bool {
        if self.shared.is_none() {
            return true;
        }
        let Err(refused) = self.check_subject(Some(token.to_owned())) else { return true };
        let message = error::message(&refused);
        self.news.event(EngineEvent::Failed { code: DENIED.to_owned(), message });
        self.turn_soon();
        false
    }

    // The page.

    pub(super) fn follow_page(&self) {
        let this = self.this.clone();
        *self.page.borrow_mut() = Page::watch(move |moment| {
            if let Some(driver) = this.upgrade() {
                driver.page_changes(moment);
            }
        });
    }

    pub(super) fn page_changes(&self, moment: Moment) {
        match moment {
            Moment::Leaves => {
                self.is_leaving.set(true);
                self.keep_unstored();
            }
            // A page that leaves is hidden after that.
            Moment::Hides => self.keep_unstored(),
            Moment::Shows => {
                self.is_leaving.set(false);
                if let Some(tabs) = self.tabs.borrow().as_ref() {
                    tabs.look();
                }
            }
        }
        self.link_if_wished();
    }

    /// Keeps apart what storage does not hold yet: there may be no time to wait for it.
    pub(super) fn keep_unstored(&self) {
        let replica = self.replica.borrow();
        let Some(unstored) = replica.unstored() else { return };
        if self.storage.keep(&self.author.0, &unstored)
            && let Some(tabs) = self.tabs.borrow().as_ref()
        {
            tabs.tell_kept();
        }
    }

    /// Takes in what tabs that have ended kept apart, and forgets it once it is in the log.
    pub(super) async fn take_kept(&self, kept: Entries) {
        if kept.is_empty() {
            return;
        }
        for (_, unstored) in &kept {
            // Where these are no such bytes nobody can read them.
            let _ = self.call_unchecked(|replica, now| replica.take_unstored(unstored, now));
        }
        let Ok(flushed) = self.promise(Answer::Nothing, |replica| Ok(replica.flush())) else { return };
        if platform::settled(&flushed).await.is_err() {
            return;
        }
        for (key, unstored) in kept {
            if self.replica.borrow().holds_unstored(&unstored) {
                self.storage.forget(&key);
            }
        }
    }

    /// Another tab has ended and kept commits apart.
    pub(super) fn look_for_kept(&self) {
        let this = self.this.clone();
        spawn_local(async move {
            if let Some(driver) = this.upgrade() {
                let kept = driver.storage.kept().await;
                driver.take_kept(kept).await;
            }
        });
    }
}
