//! Tokens: whoever runs the application mints them, and relays' hosts judge them.

use eyot_core::base::id::LinkId;
use eyot_core::holder::io as holder;
use eyot_core::wire::access::{Claims, Refusal, Right};

use crate::base::ids::ProcessId;
use crate::parts::tokens::Grant;
use crate::plan::plan::Access;
use crate::world::happening::Happening;
use crate::world::world::World;

impl World {
    pub fn mint(&mut self, disk: usize) -> Option<String> {
        let Access::Tokens { valid_for } = self.plan.access else { return None };
        let is_relay = self.is_relay(disk);
        let right = if self.is_read_only(disk) { Right::Read } else { Right::Write };
        // In a healed world nothing is cut any more, or it would never be quiet.
        let expires_at = (!is_relay && !self.healing).then_some(self.now + valid_for);
        let token = format!("token {}", self.id());
        self.tokens.minted.insert(token.clone(), Grant { disk, right, expires_at, is_relay });
        Some(token)
    }

    /// A token for an actor; none where it has no right.
    pub fn mint_for_actor(&mut self, disk: usize, right: Option<Right>) -> Option<String> {
        let Access::Tokens { .. } = self.plan.access else { return None };
        let token = format!("token {}", self.id());
        if let Some(right) = right {
            let grant = Grant { disk, right, expires_at: None, is_relay: false };
            self.tokens.minted.insert(token.clone(), grant);
        }
        Some(token)
    }

    pub fn is_read_only(&self, disk: usize) -> bool {
        self.tokens.read_only_until.get(disk).is_some_and(|until| *until > self.now)
    }

    /// Whether this process's token lets it in and write, for as long as its owner may.
    pub fn is_welcome(&self, id: ProcessId) -> bool {
        self.plan.access == Access::Open
            || self.grant(self.processes[&id].token.as_ref()).is_some_and(|grant| {
                grant.right == Right::Write && grant.expires_at.is_none_or(|at| at > self.now)
            })
    }

    /// Whether the application would do well to give it a fresh token.
    pub fn is_stale(&self, id: ProcessId) -> bool {
        let process = &self.processes[&id];
        !self.is_welcome(id) && (!self.is_read_only(process.disk) || self.is_expired(id))
    }

    fn is_expired(&self, id: ProcessId) -> bool {
        let grant = self.grant(self.processes[&id].token.as_ref());
        grant.is_none_or(|grant| grant.expires_at.is_some_and(|at| at <= self.now))
    }

    fn grant(&self, token: Option<&String>) -> Option<Grant> {
        self.tokens.minted.get(token?).copied()
    }

    pub fn renew_token(&mut self, id: ProcessId) {
        let Some(disk) = self.processes.get(&id).map(|process| process.disk) else { return };
        let Some(token) = self.mint(disk) else { return };
        if let Some(process) = self.processes.get_mut(&id) {
            process.token = Some(token.clone());
        }
        self.disturbed(id);
        self.call(id, |replica, _| replica.set_token(token));
        self.count("renewed tokens");
    }

    /// A relay's host is asked what a token allows.
    pub fn authorize(&mut self, id: ProcessId, link: LinkId, token: Option<String>) {
        let right = self.right_of(token.as_ref());
        let Some(process) = self.processes.get_mut(&id) else { return };
        let held = process.rights.entry(link).or_insert(right);
        // Until the answer has come, it may be either.
        *held = right.max(*held);
        let life = process.life;
        let delay = self.rng.below(50);
        self.at(delay, Happening::Authorized { process: id, life, link, token });
    }

    fn right_of(&self, token: Option<&String>) -> Right {
        match self.plan.access {
            Access::Open => Right::Write,
            Access::Tokens { .. } => self.grant(token).map_or(Right::Read, |grant| grant.right),
        }
    }

    pub fn authorized(&mut self, id: ProcessId, life: u64, link: LinkId, token: Option<String>) {
        let right = self.right_of(token.as_ref());
        let Some(process) = self.processes.get_mut(&id).filter(|process| process.life == life) else {
            return;
        };
        process.rights.insert(link, right);
        let own_now = process.clock.read(self.now);
        let verdict = match (self.plan.access, self.grant(token.as_ref())) {
            (Access::Open, _) => Ok(Claims::open_with_peers()),
            (_, None) => Err(Refusal::denied("a token is needed")),
            (_, Some(Grant { expires_at: Some(at), .. })) if at <= self.now => {
                Err(Refusal::expired("the token has expired"))
            }
            (_, Some(grant)) => Ok(Claims {
                subject: format!("disk {}", grant.disk),
                spaces: vec![("space".into(), grant.right)],
                expires_at: grant.expires_at.map(|at| own_now + (at - self.now)),
                is_relay: grant.is_relay,
            }),
        };
        if verdict.is_err() {
            self.count("refused tokens");
        }
        self.input(id, holder::Input::Authorized(link, verdict));
    }
}
