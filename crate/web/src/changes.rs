//! A page of what a relay's store holds, for servers that follow a space without a link.

use eyot_core::relay::changes::{After, Changes, ChangesPage};
use wasm_bindgen::prelude::*;

use crate::base::{death, error};
use crate::io::storage::SyncStore;

/// The page after that position, as JSON; undefined if the position is not of this log. Throws with code
/// `invalid` what is no position, and with `storage` what can't be read.
#[wasm_bindgen(js_name = changesPage)]
pub fn changes_page(
    #[wasm_bindgen(unchecked_param_type = "SyncStore")] store: JsValue,
    after: Option<String>,
    limit: u32,
) -> Result<Option<String>, JsValue> {
    death::check()?;
    let after = match after {
        Some(text) => After::read(&text).ok_or_else(|| error::invalid("this is no position"))?,
        None => After::START,
    };
    let store = SyncStore(store.unchecked_into());
    let mut page = ChangesPage::new(after, limit as usize);
    while let Some(request) = page.go_on() {
        let answer = store.answer(&request);
        page.learn(answer).map_err(|corrupt| error::coded(error::STORAGE, &corrupt.0))?;
    }
    Ok(match page.end() {
        Changes::Page(json) => Some(json),
        Changes::OtherLog => None,
    })
}
