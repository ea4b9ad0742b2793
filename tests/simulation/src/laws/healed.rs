//! Laws of a healed world: all hold the same, nothing is lost, and nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{CommitId, DocId};
use eyot_core::commit::{digest::Digest, vector::Vector};
use eyot_core::document::value::{Value, decode_value};

use crate::base::ids::ProcessId;
use crate::parts::causality::{HeldLog, log_is_causal};
use crate::parts::process::{Machine, Process};
use crate::plan::plan::VERSION_LETTERS;
use crate::world::world::World;

/// How often a replica may be linked to a relay in a healed world.
const LINKS_MAX: usize = 12;

impl World {
    pub fn check(&mut self) -> Result<(), String> {
        let mut logs = Vec::new();
        for (number, disk) in self.disks.iter().enumerate() {
            logs.push(log_is_causal(&disk.store).map_err(|error| format!("disk {number}: {error}"))?);
        }
        self.check_nothing_is_lost(&logs)?;
        self.check_bytes()?;
        let digest = logs[0].vector.digest();
        let mut seen = BTreeMap::new();
        for (id, process) in &self.processes {
            self.check_process(*id, process, &logs[process.disk], digest)?;
            self.check_documents(*id, process, &mut seen)?;
            self.check_placement(*id, process)?;
            if let Machine::Replica(replica) = &process.machine {
                self.outcome.count("withheld and noticed", replica.withheld());
            }
        }
        for (id, process) in &self.processes {
            check_peeked(*id, process, &seen)?;
        }
        self.check_checkpoints()?;
        self.outcome.count("commits", logs[0].commits.len() as u64);
        Ok(())
    }

    /// Law: what any surviving disk had, all have; so what was promised and not lost with all who
    /// kept it.
    fn check_nothing_is_lost(&self, logs: &[HeldLog]) -> Result<(), String> {
        let everything: BTreeSet<_> =
            self.disks.iter().flat_map(|disk| disk.durable.keys().copied()).collect();
        let promised = self.history.promises.iter().filter(|promise| self.is_kept(promise));
        let all: BTreeSet<CommitId> =
            everything.into_iter().chain(promised.map(|promise| promise.commit)).collect();
        for (number, log) in logs.iter().enumerate().filter(|(number, _)| !self.disks[*number].is_outside) {
            if let Some(lost) = all.iter().find(|id| !log.commits.contains(id)) {
                let holders: Vec<_> =
                    (0..logs.len()).filter(|number| logs[*number].commits.contains(lost)).collect();
                return Err(format!("disk {number} lacks {lost:?}, which is on {holders:?}"));
            }
        }
        Ok(())
    }

    /// Law: what one disk has, all have.
    pub fn check_all_is_everywhere(&self) -> Result<(), String> {
        let disks = || self.disks.iter().enumerate().filter(|(_, disk)| !disk.is_outside);
        for (number, disk) in disks() {
            for (other_number, other) in disks() {
                if let Some(id) = disk.durable.keys().find(|id| !other.durable.contains_key(id)) {
                    return Err(format!(
                        "disk {other_number} lacks {id:?} of disk {number}, by way of others"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Law: what one replica's disk has, all have.
    pub fn check_replicas_hold_the_same(&self) -> Result<(), String> {
        let replicas =
            || self.disks.iter().enumerate().skip(self.plan.regions).filter(|(_, d)| !d.is_outside);
        for (number, disk) in replicas() {
            for (other_number, other) in replicas() {
                if let Some(id) = disk.durable.keys().find(|id| !other.durable.contains_key(id)) {
                    return Err(format!(
                        "disk {other_number} lacks {id:?} of disk {number}, without a relay"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Law: replicas that ran, and were linked to one another for a while in which nothing was written, hold the
    /// same.
    pub fn check_linked_replicas_hold_the_same(&self, rested: &[ProcessId]) -> Result<(), String> {
        let mut first: Option<(ProcessId, &Vector)> = None;
        let rested = rested.iter().filter_map(|id| Some((id, self.processes.get(id)?)));
        for (id, process) in rested.filter(|(_, process)| process.is_ready) {
            let Machine::Replica(replica) = &process.machine else { continue };
            let (other, held) = *first.get_or_insert((*id, replica.vector()));
            if held.digest() != replica.vector().digest() {
                let [ours, theirs] =
                    [replica.vector(), held].map(|v| v.tips().copied().collect::<BTreeSet<_>>());
                let differing: Vec<_> = ours.symmetric_difference(&theirs).take(4).collect();
                return Err(format!(
                    "{id:?} and {other:?} are linked, by others, and hold not the same: {differing:?}"
                ));
            }
        }
        Ok(())
    }

    /// Law: where a name has two spaces, no log holds commits of both, and nothing that was saved is
    /// lost to who made it.
    pub fn check_rivals(&self) -> Result<(), String> {
        for (number, disk) in self.disks.iter().enumerate() {
            log_is_causal(&disk.store).map_err(|error| format!("disk {number}: {error}"))?;
        }
        for (id, process) in &self.processes {
            let Machine::Replica(replica) = &process.machine else { continue };
            let disk = &self.disks[process.disk];
            let lost = process.made.iter().find(|commit| !disk.durable.contains_key(commit));
            if let Some(commit) = lost.filter(|_| replica.status().unsaved == 0) {
                return Err(format!("{id:?} has saved {commit:?}, and its disk does not have it"));
            }
        }
        Ok(())
    }

    /// Law: in a healed world nobody lacks bytes that somebody has.
    fn check_bytes(&self) -> Result<(), String> {
        for (number, disk) in self.disks.iter().enumerate() {
            for (commit, doc) in disk.missing() {
                self.outcome_of_hole(number, commit, doc)?;
            }
        }
        Ok(())
    }

    fn outcome_of_hole(&self, number: usize, commit: &CommitId, doc: &DocId) -> Result<(), String> {
        match self.disks.iter().position(|disk| disk.has_bytes(commit, doc)) {
            Some(other) => {
                Err(format!("disk {number} lacks the bytes of {commit:?} of {doc:?}, disk {other} has them"))
            }
            None => Ok(()),
        }
    }

    /// Law: what applications wait for comes to pass.
    pub fn check_nobody_waits(&self) -> Result<(), String> {
        for (id, process) in self.processes.iter().filter(|(_, process)| !process.is_clone) {
            let Machine::Replica(replica) = &process.machine else { continue };
            if let Some(wait) = process.waits.values().next() {
                return Err(format!("{id:?} still waits for {wait:?}: {:?}", replica.status()));
            }
        }
        Ok(())
    }

    /// Law: all hold the same, and nothing is left to do.
    fn check_process(
        &self,
        id: ProcessId,
        process: &Process,
        log: &HeldLog,
        digest: Digest,
    ) -> Result<(), String> {
        let vector = match &process.machine {
            Machine::Replica(replica) => replica.vector(),
            Machine::Relay(relay) => relay.vector(),
            Machine::Asleep(_) | Machine::Actor(_) => &log.vector,
        };
        if *vector != log.vector {
            let tips = |vector: &Vector| vector.tips().copied().collect::<BTreeSet<_>>();
            let (ours, logs) = (tips(vector), tips(&log.vector));
            let differing: Vec<_> = ours.symmetric_difference(&logs).collect();
            return Err(format!("the vector of {id:?} is not that of its log: {differing:?}"));
        }
        if vector.digest() != digest {
            return Err(format!("{id:?} holds another vector, its disk {} commits", log.commits.len()));
        }
        match &process.machine {
            Machine::Relay(relay) if !relay.is_idle() => {
                Err(format!("{id:?} has nothing to do and is not idle: {:?}", relay.regions()))
            }
            Machine::Relay(_) | Machine::Asleep(_) | Machine::Actor(_) => Ok(()),
            Machine::Replica(replica) => {
                let status = replica.status();
                if status.unsaved > 0 || status.unsent > 0 {
                    return Err(format!("{id:?} is quiet and not all is saved and sent: {status:?}"));
                }
                Ok(())
            }
        }
    }

    /// Law: the same document has the same changes and the same value everywhere.
    fn check_documents(
        &self,
        id: ProcessId,
        process: &Process,
        seen: &mut BTreeMap<DocId, (ProcessId, Vec<String>, Vec<u8>)>,
    ) -> Result<(), String> {
        let Machine::Replica(replica) = &process.machine else { return Ok(()) };
        for doc in &process.open {
            let heads = replica.heads(*doc).map_err(|error| format!("{id:?}: {doc:?}: {error}"))?;
            let value = replica.value(*doc).map_err(|error| error.to_string())?;
            check_nothing_is_woven(&value).map_err(|error| format!("{id:?}: {doc:?}: {error}"))?;
            let info = replica.documents().into_iter().find(|info| info.id == *doc);
            // A named document that nobody has edited is not in the log, and of one that is there without its bytes
            // each has what it begins with itself (seed 1102435).
            let bare = self.disks[process.disk].missing().filter(|(_, of)| *of == doc).count();
            if info.is_some_and(|info| info.commits <= bare as u64) {
                continue;
            }
            match seen.get(doc) {
                None => {
                    seen.insert(*doc, (id, heads, value));
                }
                Some((other, held, _)) if *held != heads => {
                    let (ours, theirs) = (self.changes(id, *doc), self.changes(*other, *doc));
                    let differing: Vec<_> = ours.symmetric_difference(&theirs).collect();
                    return Err(format!(
                        "{id:?} and {other:?} have {doc:?} at other heads, {} and {} changes: {differing:?}",
                        ours.len(),
                        theirs.len()
                    ));
                }
                Some((other, _, held)) if *held != value => {
                    return Err(format!("{id:?} and {other:?} have other values of {doc:?}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Law: in a healed world a replica is linked to a relay about as near as any, and stays there.
    fn check_placement(&self, id: ProcessId, process: &Process) -> Result<(), String> {
        let Machine::Replica(replica) = &process.machine else { return Ok(()) };
        if !self.is_leader(id) {
            return Ok(());
        }
        let Some(relay) = self.relay_of(id, &replica.status()) else {
            return Err(format!("{id:?} has no relay"));
        };
        let round_trip = |region| self.paths.round_trip(&self.plan, process.disk, region);
        let nearest = (0..self.plan.regions).map(round_trip).min().unwrap_or_default();
        if round_trip(relay) > 2 * nearest + 50 {
            let there = round_trip(relay);
            return Err(format!("{id:?} stays with a relay {there} ms away, the nearest is at {nearest}"));
        }
        if process.watched.linked_to.len() > LINKS_MAX {
            let linked_to = &process.watched.linked_to;
            return Err(format!("{id:?} can't decide where to be: {linked_to:?}"));
        }
        Ok(())
    }

    /// The changes applied to a document in a process: actor, number, hash.
    fn changes(&self, id: ProcessId, doc: DocId) -> BTreeSet<(String, u64, String)> {
        let Machine::Replica(replica) = &self.processes[&id].machine else { return BTreeSet::new() };
        let Ok(document) = replica.document(doc) else { return BTreeSet::new() };
        let changes = document.automerge().get_changes(&[]);
        changes.iter().map(|c| (c.actor_id().to_hex_string(), c.seq(), c.hash().to_string())).collect()
    }
}

/// Law: whoever looks at the value of each document that it is told has changed has its value in the end.
fn check_peeked(
    id: ProcessId,
    process: &Process,
    seen: &BTreeMap<DocId, (ProcessId, Vec<String>, Vec<u8>)>,
) -> Result<(), String> {
    for (doc, value) in process.peeked.iter().filter(|(doc, _)| !process.open.contains(doc)) {
        if seen.get(doc).is_some_and(|(_, _, held)| held != value) {
            return Err(format!("{id:?} was told another value of {doc:?} than it has"));
        }
    }
    Ok(())
}

/// Law: a text is the initial text of one version of the application, edited, and not a mixture of two.
fn check_nothing_is_woven(value: &[u8]) -> Result<(), String> {
    let mut values = vec![decode_value(value).map_err(|error| error.to_string())?];
    while let Some(value) = values.pop() {
        match value {
            Value::Text(text) if VERSION_LETTERS.iter().all(|letter| text.contains(*letter)) => {
                return Err(format!("a text is made of two initial ones: {text}"));
            }
            Value::Map(map) => values.extend(map.into_values()),
            _ => {}
        }
    }
    Ok(())
}
