//! Tips of a peer, in any order and number: the digest depends on the set alone.
#![no_main]

use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::commit::vector::{Tip, Vector};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|tips: Vec<(u16, u8, u8)>| {
    let mut tips: Vec<_> = tips
        .into_iter()
        .map(|(author, seq, id)| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&author.to_be_bytes());
            Tip { author: AuthorId(bytes), seq: u64::from(seq), id: CommitId([id; 32]) }
        })
        .collect();
    let vector = Vector::from_tips(tips.iter().copied());
    assert!(vector.len() <= tips.len());
    assert_eq!(vector.tips().count(), vector.len());
    tips.reverse();
    let reversed = Vector::from_tips(tips.iter().copied());
    assert_eq!(reversed, vector);
    assert_eq!(reversed.digest(), vector.digest());
    for tip in &tips {
        assert!(vector.of(&tip.author).iter().any(|held| held == tip));
    }
});
