//! What a replica says of a relay that it can't reach. Its host here answers for the network.

use eyot_core::base::id::{AuthorId, LinkId};
use eyot_core::base::limits::Limits;
use eyot_core::holder::io as holder;
use eyot_core::replica::event::Event;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::replica::status::State;
use eyot_core::storage::memory::MemoryStore;

/// A tab of a browser, whose links are the test's to open and end.
struct Tab {
    replica: Replica,
    store: MemoryStore,
    now: u64,
    timer: Option<u64>,
    dialled: Vec<LinkId>,
    broadcast: Vec<Vec<u8>>,
    told: usize,
}

impl Tab {
    fn new(relays: &[&str]) -> Self {
        let config = ReplicaConfig {
            space: "space".into(),
            author: AuthorId([1; 16]),
            seed: [1; 32],
            relays: relays.iter().map(|relay| (*relay).to_owned()).collect(),
            token: None,
            descriptor: None,
            limits: Limits::PROTOCOL,
        };
        let now = 1_000_000;
        let (store, replica) = (MemoryStore::default(), Replica::new(config, now));
        let mut tab = Self { replica, store, now, timer: None, dialled: vec![], broadcast: vec![], told: 0 };
        tab.run();
        tab
    }

    fn input(&mut self, input: impl Into<Input>) {
        self.replica.handle(input, self.now);
        self.run();
    }

    fn run(&mut self) {
        while let Some(effect) = self.replica.poll_effect() {
            match effect {
                Effect::Holder(holder::Effect::Storage(id, request)) => {
                    let answer = self.store.answer(&request);
                    self.replica.handle(holder::Input::Storage(id, answer), self.now);
                }
                Effect::Holder(holder::Effect::Dial(link, _)) => self.dialled.push(link),
                Effect::Holder(holder::Effect::SetTimer(at)) => self.timer = at,
                Effect::Broadcast(bytes) => self.broadcast.push(bytes),
                Effect::App(Event::Status) => self.told += 1,
                _ => {}
            }
        }
    }

    /// Rings the timers of so long a time.
    fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            (self.now, self.timer) = (self.now.max(at), None);
            self.input(holder::Input::Timer);
        }
        self.now = end;
    }

    /// The link that was dialled last, once one was.
    fn dial(&mut self) -> LinkId {
        while self.dialled.is_empty() {
            let at = self.timer.expect("it dials again");
            self.pass(at.saturating_sub(self.now));
        }
        self.dialled.pop().expect("one is there")
    }

    fn error(&self) -> Option<(&'static str, String)> {
        self.replica.status().error
    }
}

#[test]
fn whoever_can_not_be_reached_is_named_with_the_reason_until_a_link_is_up() {
    let mut tab = Tab::new(&["ws://relay"]);
    let link = tab.dial();
    assert_eq!(tab.error(), None);
    tab.input(holder::Input::LinkFailed(link, 1006, "connect ECONNREFUSED".into()));
    let refused = ("unavailable", "no link to the relay ws://relay: connect ECONNREFUSED".to_owned());
    assert_eq!((tab.replica.status().state, tab.error()), (State::Offline, Some(refused)));

    // The next try fails by something else, of which nothing is known.
    let link = tab.dial();
    tab.input(holder::Input::LinkClosed(link));
    let broken = "no link to the relay ws://relay: the connection can't be made, or broke off";
    assert_eq!(tab.error(), Some(("unavailable", broken.to_owned())));

    let link = tab.dial();
    tab.input(holder::Input::LinkFailed(link, 4008, String::new()));
    assert_eq!(
        tab.error(),
        Some(("unavailable", "no link to the relay ws://relay: it was closed with code 4008".to_owned()))
    );

    tab.input(Input::Online(false));
    assert_eq!(tab.error(), None, "an application that is offline knows that");
}

#[test]
fn whoever_does_not_greet_is_told_of_before_it_is_given_up() {
    let mut tab = Tab::new(&["ws://relay"]);
    let link = tab.dial();
    tab.input(holder::Input::LinkOpened(link));
    let told = tab.told;
    tab.pass(2_999);
    assert_eq!((tab.error(), tab.told), (None, told));
    tab.pass(1);
    let slow = "no link to the relay ws://relay: no greeting within 3 seconds";
    assert_eq!((tab.error(), tab.told), (Some(("unavailable", slow.to_owned())), told + 1));
    assert_eq!(tab.replica.status().state, State::Connecting);
    tab.pass(20_000);
    let silent = "no link to the relay ws://relay: the other side has not greeted in time";
    assert_eq!(tab.error(), Some(("unavailable", silent.to_owned())));
}

#[test]
fn a_connection_that_is_closed_with_a_code_of_the_protocol_is_refused() {
    for (code, expected) in [(4004, "denied"), (4010, "expired"), (4003, "incompatible"), (4005, "quota")] {
        let mut tab = Tab::new(&["ws://relay"]);
        let link = tab.dial();
        tab.input(holder::Input::LinkFailed(link, code, "not you".into()));
        assert_eq!(tab.error(), Some((expected, "not you".to_owned())));
    }
}

#[test]
fn of_a_relay_that_is_none_any_more_nothing_is_told() {
    let mut tab = Tab::new(&["ws://relay"]);
    let link = tab.dial();
    tab.input(holder::Input::LinkFailed(link, 1006, "connect ECONNREFUSED".into()));
    assert!(tab.error().is_some());
    tab.replica.set_relays(vec!["ws://other".into()]);
    tab.run();
    assert_eq!(tab.error(), None);
}

#[test]
fn tabs_that_another_one_links_for_know_what_is_wrong_too() {
    let (mut leader, mut other) = (Tab::new(&["ws://relay"]), Tab::new(&["ws://relay"]));
    other.input(Input::Online(false));
    let link = leader.dial();
    leader.input(holder::Input::LinkFailed(link, 1006, "connect ECONNREFUSED".into()));
    for said in std::mem::take(&mut leader.broadcast) {
        other.input(Input::Broadcast(said));
    }
    assert!(leader.error().is_some());
    assert_eq!(other.error(), leader.error());
}
