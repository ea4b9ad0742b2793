//! A table of deliberate faults of the core, and of how many seeds notice each.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::mutation::Mutation;

use crate::plan::broken::Broken;
use crate::run::seeds::Seeds;

/// Runs the seeds with each fault, or with that of the name given, and prints how many fail. Whether
/// every fault was noticed.
pub fn print_table(seeds: Seeds, only: Option<&str>) -> bool {
    let mut are_all_noticed = true;
    // A seed that fails without a fault notices none.
    let sound: BTreeSet<_> = Seeds { broken: Broken::default(), ..seeds }
        .run(|_, _| {})
        .into_iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(seed, _)| seed)
        .collect();
    println!("| fault | seeds of {} that notice it | most often by |\n| --- | --- | --- |", sound.len());
    for mutation in Mutation::ALL {
        let name = format!("{mutation:?}");
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let outcomes = Seeds { broken: Broken::by(mutation), ..seeds }.run(|_, _| {});
        let mut ways = BTreeMap::<String, u64>::new();
        let outcomes = outcomes.iter().filter(|(seed, _)| sound.contains(seed));
        for message in outcomes.filter_map(|(_, outcome)| outcome.as_ref().err()) {
            *ways.entry(in_general(message)).or_default() += 1;
        }
        let noticed: u64 = ways.values().sum();
        are_all_noticed &= noticed > 0;
        let most = ways.iter().max_by_key(|(_, count)| **count);
        let most = most.map_or_else(|| "nothing".to_owned(), |(way, count)| format!("{way} ({count})"));
        println!("| {name} | {noticed} | {most} |");
    }
    are_all_noticed
}

/// A message without what differs from seed to seed.
fn in_general(message: &str) -> String {
    let message = message.split(": Status").next().unwrap_or_default();
    let mut general = String::new();
    let mut depth = 0;
    for c in message.chars() {
        depth += i32::from(matches!(c, '(' | '[' | '{'));
        if depth == 0 {
            general.push(if c.is_ascii_digit() { '#' } else { c });
        }
        depth -= i32::from(matches!(c, ')' | ']' | '}'));
    }
    while general.contains("##") {
        general = general.replace("##", "#");
    }
    general.chars().take(90).collect()
}
