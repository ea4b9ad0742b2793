//! Three relays of which two can't reach each other.

use eyot_core::base::limits::Limits;
use eyot_core::holder::caps::Caps;
use eyot_core::storage::memory::MemoryStore;

use crate::net::Net;
use crate::peers::{Raw, commit, relay};

/// Clients of all three write after one another, so each commit comes after one of another region. Of
/// what B is behind, A has made a third and names the rest of C, which B can't reach.
#[test]
fn a_backlog_beyond_the_waiting_room_arrives_although_two_relays_are_cut_off_each_other() {
    let limits = Limits {
        waiting_commits_max: 20,
        credit_bytes: 4_000,
        answer_bytes: 4_000,
        want_ranges_max: 2,
        frame_bytes_max: 4_000,
        commit_bytes_max: 16_000,
        header_bytes_max: 8_000,
        ..Limits::PROTOCOL
    };
    let mut net = Net::new(limits);
    let caps = Caps::default();
    let names = ["a", "b", "c"];
    let relays = names.map(|name| {
        let others: Vec<&str> = names.into_iter().filter(|other| *other != name).collect();
        relay(&mut net, name, &others, caps, MemoryStore::default())
    });
    let [a, b, c] = relays;
    let raws = [a, c].map(|relay| Raw::new(&mut net, relay));
    net.run(5_000);
    net.set_cut(b, c, true);
    net.set_cut(a, b, true);
    // Two chains, commit by commit each after the last of the other.
    let mut tips = [None, None];
    for round in 0..200 {
        let [here, there] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        let (seq, prev) = tips[here]
            .as_ref()
            .map_or((1, crate::peers::start()), |tip: &eyot_core::commit::commit::Commit| {
                (tip.header().seq + 1, tip.id())
            });
        let after = tips[there].iter().map(eyot_core::commit::commit::Commit::name).collect();
        let made = commit(here as u8 + 1, seq, prev, after, round);
        raws[here].bring(&mut net, std::slice::from_ref(&made));
        tips[here] = Some(made);
        net.run(60);
    }
    net.run(10_000);
    assert_eq!(net.relay(c).stored(), 200);
    assert_eq!(net.relay(b).stored(), 0);
    net.set_cut(a, b, false);
    net.closes.clear();
    assert!(
        net.run_until(120_000, |net| net.relay(b).stored() == 200),
        "b holds {}, and links ended with {:?}",
        net.relay(b).stored(),
        net.closes
    );
    assert_eq!(net.relay(b).vector().digest(), net.relay(c).vector().digest());
}
