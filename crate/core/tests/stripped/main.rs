//! Changes stripped by their author: every one rebuilds to the byte, and other bytes do no harm.

mod edits;
mod rng;
mod world;

use rng::Rng;
use world::World;

/// Law: every change that an author makes is stripped, and every replica rebuilds it to the byte,
/// whatever is edited and in whatever causal order commits come.
#[test]
fn every_change_is_rebuilt_to_the_byte() {
    let mut bytes = (0, 0);
    for seed in 0..40 {
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
    for seed in 1000..1040 {
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
