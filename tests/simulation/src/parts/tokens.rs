//! Tokens that were minted, and what they allow.

use std::collections::BTreeMap;

use eyot_core::base::time::Millis;
use eyot_core::wire::access::Right;

pub struct Tokens {
    pub minted: BTreeMap<String, Grant>,
    /// By disk: until when its replicas may only read.
    pub read_only_until: Vec<Millis>,
}

#[derive(Clone, Copy)]
pub struct Grant {
    pub disk: usize,
    pub right: Right,
    pub expires_at: Option<Millis>,
    pub is_relay: bool,
}

impl Tokens {
    pub fn new(disks: usize) -> Self {
        Self { minted: BTreeMap::new(), read_only_until: vec![0; disks] }
    }
}
