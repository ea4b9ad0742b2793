//! Changes stripped by their author: every one rebuilds to the byte, and other bytes do no harm.

mod bounds;
mod edits;
mod rng;
mod vectors;
mod world;

use std::collections::BTreeMap;

use eyot_core::document::stripped::limits::Limits;
use eyot_core::document::stripped::strip::{RebuildError, rebuild};
use rng::Rng;
use world::{Sample, World};

/// Law: the format never changes.
#[test]
fn the_bytes_of_stripped_changes_are_these_for_ever() {
    let lines = vectors::lines();
    let golden: Vec<_> = include_str!("../golden/stripped.txt").lines().collect();
    assert_eq!(lines, golden);
}

/// Law: every change that an author makes is stripped, and every replica rebuilds it to the byte,
/// whatever is edited and in whatever causal order commits come.
#[test]
fn every_change_is_rebuilt_to_the_byte() {
    let mut bytes = (0, 0);
    for seed in 0..25 {
        let mut rng = Rng::new(seed);
        let writers = 2 + rng.below(3) as u8;
        let mut world = World::new(writers, &mut rng);
        for _ in 0..60 {
            let index = rng.below(world.writers.len());
            world.write(index, &mut rng);
            let index = rng.below(world.writers.len());
            let most = rng.below(12);
            world.receive(index, most, &mut rng);
        }
        for index in 0..world.writers.len() {
            world.receive(index, usize::MAX, &mut rng);
        }
        world.check_missing();
        bytes = (bytes.0 + world.bytes.0, bytes.1 + world.bytes.1);
    }
    println!("stripped {} bytes, Automerge's {}", bytes.0, bytes.1);
}

/// Law: the same where processes are cloned, so that two commits have one number of one author.
#[test]
fn every_change_of_a_forked_author_is_rebuilt_to_the_byte() {
    for seed in 1000..1025 {
        let mut rng = Rng::new(seed);
        let mut world = World::new(3, &mut rng);
        for step in 0..60 {
            if step % 20 == 10 {
                let index = rng.below(world.writers.len());
                world.clone_writer(index);
            }
            let index = rng.below(world.writers.len());
            world.write(index, &mut rng);
            let index = rng.below(world.writers.len());
            world.receive(index, 4, &mut rng);
        }
        for index in 0..world.writers.len() {
            world.receive(index, usize::MAX, &mut rng);
        }
        world.check_missing();
    }
}

/// A world in which the first writer has all commits.
fn world(seed: u64, rng: &mut Rng) -> World {
    let mut world = World::new(3 + (seed % 2) as u8, rng);
    for _ in 0..60 {
        let index = rng.below(world.writers.len());
        world.write(index, rng);
        let index = rng.below(world.writers.len());
        world.receive(index, 6, rng);
    }
    world.receive(0, usize::MAX, rng);
    world
}

/// Law: whatever bytes come, rebuilding ends without a panic, and gives at most 32 bytes for each of
/// them and 8 KiB.
fn check_any(sample: &Sample<'_>, bytes: &[u8]) -> Result<Vec<u8>, RebuildError> {
    let rebuilt = rebuild(bytes, &sample.context, sample.changes, &Limits::default());
    if let Ok(chunk) = &rebuilt {
        assert!(chunk.len() <= 32 * bytes.len() + 8192, "{} bytes of {}", chunk.len(), bytes.len());
    }
    rebuilt
}

/// Law: two different items do not rebuild to the same change, and no bytes make it panic.
#[test]
fn mutated_items_never_panic_and_never_rebuild_to_the_same_change() {
    let mut count = 0;
    for seed in 2000..2006 {
        let mut rng = Rng::new(seed);
        let world = world(seed, &mut rng);
        for sample in world.samples() {
            let mut items = BTreeMap::from([(sample.chunk.to_vec(), sample.item.to_vec())]);
            for _ in 0..60 {
                let bytes = mutate(sample.item, &mut rng);
                if let Ok(chunk) = check_any(&sample, &bytes) {
                    count += 1;
                    assert_eq!(items.entry(chunk).or_insert_with(|| bytes.clone()), &bytes);
                }
            }
        }
    }
    println!("{count} mutated items were rebuilt");
}

fn mutate(item: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = item.to_vec();
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bytes.len());
        match rng.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.next() as u8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
            _ if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x10][rng.below(6)],
            _ => {}
        }
    }
    bytes
}

/// Law: random bytes, and counts and lengths beyond what is there, end in an error or a short change.
#[test]
fn random_bytes_never_panic() {
    let mut rng = Rng::new(3000);
    let world = world(0, &mut rng);
    let samples = world.samples();
    let huge: [&[u8]; 3] =
        [&[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[0xff, 0x7f]];
    for _ in 0..30_000 {
        let sample = &samples[rng.below(samples.len())];
        let mut bytes = vec![rng.next() as u8 & 0x7d];
        for _ in 0..rng.below(20) {
            match rng.below(4) {
                0 => bytes.extend(huge[rng.below(3)]),
                1 => bytes.push(rng.next() as u8),
                2 => bytes.push(rng.below(8) as u8),
                _ => {
                    let len = rng.below(20);
                    bytes.extend(rng.bytes(len));
                }
            }
        }
        let _ = check_any(sample, &bytes);
    }
}

/// Law: the random documents reach every part of the format.
#[test]
fn every_part_of_an_item_is_reached() {
    let mut heads = [[0; 2]; 7];
    let (mut no_operations, mut explicit) = (0, 0);
    for seed in 4000..4010 {
        let world = world(seed, &mut Rng::new(seed));
        for sample in world.samples() {
            for (bit, counts) in heads.iter_mut().enumerate() {
                counts[usize::from(sample.item[0] >> bit & 1)] += 1;
            }
            no_operations += usize::from(sample.item.last() == Some(&16));
            explicit += usize::from(sample.item[0] == 1 && sample.item[1] == 0);
        }
    }
    // Automerge itself always gives the start op that is expected, except after a hash.
    println!("by bit of the head: {heads:?}; {no_operations} without operations, {explicit} explicit");
    assert!(heads.iter().flatten().all(|count| *count > 0) && no_operations > 0 && explicit > 0);
}
